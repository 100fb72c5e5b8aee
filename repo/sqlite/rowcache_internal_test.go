package sqlite

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestRows_LargeOnesAreNotKept: some thousand rows are kept in memory, which must not
// be those of megabytes.
func TestRows_LargeOnesAreNotKept(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := loggedStore(t, Options{})
	b := &repo.Batch{}
	for _, size := range [][4]int{
		{1 << 12, 1 << 12, 1 << 12, 1 << 12}, {1<<12 + 1, 1 << 12, 1 << 12, 1 << 12}, {5000, 5000, 5000, 5000},
		{1 << 15, 2, 0, 0}, {0, 1 << 15, 0, 0}, {0, 2, 1 << 15, 0}, {0, 2, 0, 1 << 15},
	} {
		text := func(i int) string { return strings.Repeat("x", size[i]) }
		b.Events = append(b.Events, repo.Event{Log: repo.Log{
			Time: time.Unix(1, 0), AttackerIP: repo.UnknownAttacker, RawLine: text(0), Fields: "{" + strings.Repeat(" ", max(0, size[1]-2)) + "}",
			Msg: text(2), Original: []byte(text(3)),
		}})
	}
	require.NoError(t, s.Commit(ctx, b))
	list, err := s.Logs(ctx, repo.LogQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, list, len(b.Events))
	assert.Equal(t, []int64{1}, s.rows.logs.Keys())
}
