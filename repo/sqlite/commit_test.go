package sqlite_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// TestCommit_StoresWhatFewEventsHave: each of the columns that are mostly empty, alone.
func TestCommit_StoresWhatFewEventsHave(t *testing.T) {
	t.Parallel()
	s := clone(t, template(t), sqlite.Options{})
	b := someEvents(4)
	b.Events[1].TraceID, b.Events[2].SpanID, b.Events[3].Original = "trace", "span", []byte("as it was sent")
	require.NoError(t, s.Commit(t.Context(), b))
	logs, err := s.LogsAfter(t.Context(), 0, repo.LogFilter{}, 10)
	require.NoError(t, err)
	require.Len(t, logs, 4)
	for i := range logs {
		assert.Equal(t, b.Events[i].Log, logs[i])
	}
}
