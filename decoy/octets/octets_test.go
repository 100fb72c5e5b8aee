package octets_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"decnet/decoy/octets"
)

func TestCursor_ReadsPartsInTheirOrder(t *testing.T) {
	t.Parallel()
	c := octets.Cursor{Rest: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}}
	assert.Equal(t, byte(1), c.Byte())
	assert.Equal(t, uint16(0x0203), c.Uint16(binary.BigEndian))
	assert.Equal(t, uint32(0x07060504), c.Uint32(binary.LittleEndian))
	assert.Equal(t, uint64(0x08090a0b0c0d0e0f), c.Uint64(binary.BigEndian))
	assert.Empty(t, c.Take(0))
	assert.False(t, c.Bad)
	assert.Equal(t, []byte{16, 17, 18}, c.Take(3))
	assert.Empty(t, c.Rest)
	assert.False(t, c.Bad, "the end is no fault")
}

func TestCursor_BelievesNoLengthThatTheInputDoesNotHave(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, -1, math.MaxInt, math.MinInt} {
		c := octets.Cursor{Rest: []byte{1, 2}}
		assert.Nil(t, c.Take(n), n)
		assert.True(t, c.Bad, n)
		assert.Nil(t, c.Take(1), "a fault stays, so that it needs to be asked for only once")
		assert.Zero(t, c.Byte())
		assert.True(t, c.Bad)
	}
	for name, read := range map[string]func(*octets.Cursor) uint64{
		"byte":   func(c *octets.Cursor) uint64 { c.Take(1); return uint64(c.Byte()) },
		"uint16": func(c *octets.Cursor) uint64 { return uint64(c.Uint16(binary.BigEndian)) },
		"uint32": func(c *octets.Cursor) uint64 { return uint64(c.Uint32(binary.BigEndian)) },
		"uint64": func(c *octets.Cursor) uint64 { return c.Uint64(binary.BigEndian) },
	} {
		c := octets.Cursor{Rest: []byte{0xff}}
		assert.Zero(t, read(&c), name)
		assert.True(t, c.Bad, name)
	}
}

func TestCursor_AppendingToAPartLeavesTheRest(t *testing.T) {
	t.Parallel()
	c := octets.Cursor{Rest: []byte("abcd")}
	_ = append(c.Take(2), 'X')
	assert.Equal(t, "cd", string(c.Rest))
}
