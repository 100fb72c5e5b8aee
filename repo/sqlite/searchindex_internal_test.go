package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"decnet/repo"
)

// TestTimes_OfBlocks are never earlier than the rows of a block, which would hide
// them, and hardly later.
func TestTimes_OfBlocks(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	for _, tc := range []struct{ first, latest, want int64 }{
		{5, 5, 5},
		{5, 6, 5 + second},
		{5, 5 + second, 5 + second},
		{5, 6 + second, 5 + 2*second},
		{5, 5 + 3e9*second, 5 + 3e9*second},
		{5, 5 + 4e9*second, 5 + 4e9*second},
		{5, 5 + (1<<32-1)*second, repo.MaxUnixNano},
		{5, 5 + 5e9*second, repo.MaxUnixNano},
		{repo.MaxUnixNano - 3*second/2, repo.MaxUnixNano, repo.MaxUnixNano + second/2},
		{0, repo.MaxUnixNano, repo.MaxUnixNano},
		{second, 0, second}, // a block without rows
	} {
		packed := appendTimes(appendTimes(nil, tc.first, []int64{tc.latest}), tc.first, []int64{tc.first})
		assert.Equal(t, []int64{tc.want, tc.first}, readTimes(packed, tc.first), "%+v", tc)
	}
	assert.Equal(t, []int64{repo.MaxUnixNano}, readTimes([]byte{0, 0, 0, 0xff}, repo.MaxUnixNano), "damage")
}
