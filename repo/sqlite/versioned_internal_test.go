package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"decnet/repo"
)

// TestFilterKey tells filters apart whose answers may differ.
func TestFilterKey(t *testing.T) {
	t.Parallel()
	bounds := []time.Time{{}, time.Unix(0, 0), time.Unix(0, 1), time.Unix(0, 2), time.Unix(1, 0), time.Unix(-1, 0), time.Unix(1<<40, 0)}
	known := map[string]repo.LogFilter{}
	for _, start := range bounds {
		for _, end := range bounds {
			f := repo.LogFilter{Start: start, End: end}
			key := filterKey(f)
			assert.NotContains(t, known, key, "%v and %v", f, known[key])
			known[key] = f
		}
	}
}
