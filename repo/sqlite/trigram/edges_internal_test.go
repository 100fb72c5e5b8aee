package trigram

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// found returns which of so many blocks may hold the text.
func found(t *testing.T, chunks []Chunk, blocks int, text string) Set {
	t.Helper()
	all := NewSet(blocks)
	all.Fill(blocks)
	for _, r := range Text(text) {
		set := NewSet(blocks)
		require.NoError(t, Find(chunks, r, blocks, set))
		all.And(set)
	}
	return all
}

// TestBuilder_NeverForgetsATerm although the number that marks what a block has
// begins anew after four billion blocks.
func TestBuilder_NeverForgetsATerm(t *testing.T) {
	t.Parallel()
	b := NewBuilder()
	b.Begin(0)
	b.Text("before")
	b.stamp = math.MaxUint32 - 1
	for block := range 4 {
		b.Begin(block)
		b.Text("before")
		b.Text("after")
	}
	chunks := b.Chunks(4)
	assert.Equal(t, 4, found(t, chunks, 4, "before").Len())
	assert.Equal(t, 4, found(t, chunks, 4, "after").Len())
	assert.Empty(t, b.Chunks(4), "a segment without rows has no chunks")
}

// TestClassOf_TellsApart what logs are made of: each pair of classes that falls
// together makes a search read blocks in vain.
func TestClassOf_TellsApart(t *testing.T) {
	t.Parallel()
	by := map[Term]byte{}
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789 .-_/:\"=[]{},@\\<>();&\n!\x80\x81") {
		class := classOf(c)
		require.Less(t, class, Term(pad))
		require.NotContains(t, by, class, "%q and %q", c, by[class])
		by[class] = c
	}
	assert.Equal(t, classOf('q'), classOf('Q'))
}

// TestPair_Spreads because pairs that fall together are looked for in the rows of
// each other.
func TestPair_Spreads(t *testing.T) {
	t.Parallel()
	terms := map[Term]bool{}
	for i := range 1000 {
		for _, r := range []Range{Pair("port", fmt.Sprint(i)), Pair(fmt.Sprint("key", i), "x"), Pair("user", fmt.Sprintf("%04d-root", i))} {
			require.GreaterOrEqual(t, r.First, Term(trigrams))
			require.Less(t, r.Last, Term(Terms))
			terms[r.First] = true
		}
	}
	assert.Greater(t, len(terms), 2970, "some ten of 3000 fall together in half a million places")
	assert.NotEqual(t, Pair("a", "bc"), Pair("ab", "c"))
}

// TestText_LooksAtAllOfIt however long it is.
func TestText_LooksAtAllOfIt(t *testing.T) {
	t.Parallel()
	b := NewBuilder()
	b.Begin(0)
	b.Text("wget http://198.51.100.7/bins/arm")
	b.Text("keyboard")
	b.Text("k")
	chunks := b.Chunks(1)
	for _, text := range []string{"keyboard", "wget http://198.51.100.7/bins/arm", "rd"} {
		assert.Equal(t, 1, found(t, chunks, 1, text).Len(), text)
	}
	for _, text := range []string{
		"wget http://198.51.100.7/bins/mip", "curl http://198.51.100.7/bins/arm", "wget http://198.51.100.9/bins/arm",
		"keyboard interactive", "keYYoard", "ake", "ak",
	} {
		assert.Zero(t, found(t, chunks, 1, text).Len(), text)
	}
	assert.Len(t, Text("wget http://198.51.100.7/bins/arm"), maxRanges)
}

// TestChunks_AreSmall as the index is a fifth of the database: a few blocks cost a
// byte or two each, many of them a bit, and all of them nothing.
func TestChunks_AreSmall(t *testing.T) {
	t.Parallel()
	size := func(has func(block int) bool) (n int) {
		b := NewBuilder()
		for block := range MaxBlocks {
			if has(block) {
				b.Begin(block)
				b.Pair("key", "value")
			}
		}
		for _, c := range b.Chunks(MaxBlocks) {
			n += len(c.Data)
		}
		return n
	}
	assert.LessOrEqual(t, size(func(block int) bool { return block%1024 == 7 }), 12)
	assert.LessOrEqual(t, size(func(block int) bool { return block%16 == 7 }), 260)
	assert.LessOrEqual(t, size(func(block int) bool { return block%4 != 7%4 }), MaxBlocks/8+4)
	assert.LessOrEqual(t, size(func(int) bool { return true }), 4)
}

func TestSet_Bounds(t *testing.T) {
	t.Parallel()
	for _, blocks := range []int{1, 63, 64, 65, 100, 128} {
		s := NewSet(blocks)
		s.Fill(blocks)
		assert.Equal(t, blocks, s.Len())
		var runs [][2]int
		for first, end := range s.Runs {
			runs = append(runs, [2]int{first, end})
		}
		assert.Equal(t, [][2]int{{0, blocks}}, runs, "the first block and the last are in the one run")
	}
}

// TestFind_RefusesWhatEndsTooEarly instead of leaving out what stood there.
func TestFind_RefusesWhatEndsTooEarly(t *testing.T) {
	t.Parallel()
	const blocks = 64
	whole := []byte{0, forms*1 + formGaps, 63}
	for name, data := range map[string][]byte{
		"a term":            {0x80},
		"a term beyond all": append(binary.AppendUvarint(nil, Terms), forms*1+formGaps, 3),
		"no length":         {0},
		"half a length":     {0, 0x80},
		"no set":            {0, forms*1 + formGaps},
		"half a gap":        {0, forms*1 + formGaps, 0x80},
		"a block too many":  {0, forms*1 + formGaps, 64},
		"half of the bits":  {0, forms*4 + formBits, 1, 2, 3, 4},
		"something behind":  append(append([]byte{}, whole...), 1),
	} {
		chunks := []Chunk{{First: 1, Data: data}}
		require.ErrorIs(t, Find(chunks, Range{Last: Terms}, blocks, NewSet(blocks)), ErrDamaged, name)
		_, err := Merge([][]Chunk{{{First: 1, Data: whole}}, chunks}, blocks)
		require.ErrorIs(t, err, ErrDamaged, name)
	}
	set := NewSet(blocks)
	require.NoError(t, Find([]Chunk{{First: 1, Data: whole}}, Range{1, 1}, blocks, set))
	assert.True(t, set.Has(63))
}
