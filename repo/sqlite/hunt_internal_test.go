package sqlite

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"decnet/repo/sqlite/trigram"
)

// TestHunt_PlaceOfAPart reads the blocks that may hold something, of the part only; all
// rows in one go where those are more than half of it.
func TestHunt_PlaceOfAPart(t *testing.T) {
	t.Parallel()
	const blocks = smallRows / trigram.BlockRows
	s := segment{first: largeRows, last: 2*largeRows - 1}
	part := segment{first: s.first + 3*smallRows, last: s.first + 4*smallRows - 1}
	set := trigram.NewSet(s.blocks())
	for _, b := range []int{3*blocks - 1, 3 * blocks, 4*blocks - 1, 4 * blocks} {
		set.Add(b)
	}
	h := &hunt{}
	p := h.placeOf(set, s, part)
	first := s.first/trigram.BlockRows + 3*blocks
	assert.Equal(t, []any{fmt.Sprintf("[%d,%d]", first, first+blocks-1)}, p.cond.args)
	assert.EqualValues(t, 2*trigram.BlockRows, p.rows)

	for b := range blocks/2 - 1 {
		set.Add(3*blocks + b)
	}
	p = h.placeOf(set, s, part)
	assert.EqualValues(t, smallRows/2, p.rows)
	assert.Len(t, p.cond.args, 1)
	set.Add(4*blocks - 2)
	p = h.placeOf(set, s, part)
	assert.EqualValues(t, smallRows, p.rows)
	assert.Equal(t, []any{part.first, part.last}, p.cond.args)
}
