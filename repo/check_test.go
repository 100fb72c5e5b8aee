package repo_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"decnet/repo"
)

func TestReport_CountsWhatItDoesNotList(t *testing.T) {
	t.Parallel()
	var r repo.Report
	for range repo.MaxFindings + 5 {
		r.Add(repo.Finding{Kind: "counter"})
	}
	assert.EqualValues(t, repo.MaxFindings+5, r.Total)
	assert.Len(t, r.Findings, repo.MaxFindings)
}
