package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSearchCount_SurvivesAMerge: a large segment is not counted again, seventy
// thousand rows at once, when all that it was made of was; also where rows expired
// before they were counted, and only if none did since.
func TestSearchCount_SurvivesAMerge(t *testing.T) {
	t.Parallel()
	c := &searchCount{segments: map[int64]segmentCount{}}
	large := segment{first: largeRows, last: 2*largeRows - 1}
	assertUnknown := func(s segment, why string) {
		t.Helper()
		_, ok := c.get(s)
		assert.False(t, ok, why)
	}
	for first := large.first; first <= large.last; first += smallRows {
		assertUnknown(large, "a part is missing")
		small := segment{first: first, last: first + smallRows - 1, removed: 3}
		c.put(small, 10)
		large.removed += 3
		n, ok := c.get(small)
		require.True(t, ok)
		assert.EqualValues(t, 10, n)
	}
	n, ok := c.get(large)
	require.True(t, ok)
	assert.EqualValues(t, 10*largeRows/smallRows, n)

	c.put(large, n)
	again, ok := c.get(large)
	require.True(t, ok)
	assert.Equal(t, n, again)
	assert.Len(t, c.segments, 1, "its parts are not kept beside it")
	large.removed++
	assertUnknown(large, "a row has expired since")
}
