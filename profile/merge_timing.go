package profile

import (
	"cmp"
	"math/bits"
	"slices"
)

// mergedBeat unites the gaps of two states. Open times are put in one order as
// far as both states have them; what is sealed stays as it was measured.
func mergedBeat(a, b *State) beat {
	if slices.Compare(a.beat.main, b.beat.main) > 0 {
		a, b = b, a
	}
	x, y := &a.beat, &b.beat // x's open times begin first
	m := x.sealedWith(y)
	switch {
	case y.complete(), a.events == 0, len(y.main) == 0:
		m.main = inOrder(x.main, y.main)
	case a.last <= b.first:
		m.sealAll(x.main)
		m.seal(uint64(b.first - a.last))
		m.main = slices.Clone(y.main)
	default:
		// Before y's open times nobody knows where x's fall among y's: there x is
		// measured for itself, up to its first time that is in both.
		i, _ := slices.BinarySearch(x.main, y.main[0])
		m.sealAll(x.main[:min(i+1, len(x.main))])
		m.main = inOrder(x.main[i:], y.main)
	}
	if n := len(m.main) - maxChain; n > 0 {
		m.sealAll(m.main[:n+1])
		m.main = slices.Delete(m.main, 0, n)
	}
	return m
}

// complete reports whether every time is still in the main chain.
func (b *beat) complete() bool { return b.sealed.n == 0 && len(b.late) == 0 }

// sealedWith adds up what both have sealed. Of two late chains the one that
// begins later stays open.
func (b *beat) sealedWith(other *beat) beat {
	m := beat{sealed: b.sealed, sketch: b.sketch}
	var more sketch
	if m.sealed.merge(&other.sealed) {
		more = other.sketch
	}
	m.sketch = m.sketch.merged(&more)
	older, newer := b.late, other.late
	if slices.Compare(older, newer) > 0 {
		older, newer = newer, older
	}
	m.sealAll(older)
	m.late = slices.Clone(newer)
	return m
}

// sealAll seals the gaps inside a chain.
func (b *beat) sealAll(chain []int64) {
	for i := 1; i < len(chain); i++ {
		b.seal(gap(chain, i))
	}
}

func inOrder(a, b []int64) []int64 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return all
}

// merge counts all of other's gaps, or refuses them like add.
func (g *gaps) merge(other *gaps) bool {
	if other.n == 0 {
		return true
	}
	n, tooMany := bits.Add64(g.n, other.n, 0)
	sum, tooLong := bits.Add64(g.sum, other.sum, 0)
	if tooMany != 0 || tooLong != 0 {
		return false
	}
	if g.n == 0 || other.min < g.min {
		g.min = other.min
	}
	g.max = max(g.max, other.max)
	g.n, g.sum = n, sum
	var carry uint64
	g.squareL, carry = bits.Add64(g.squareL, other.squareL, 0)
	g.squareH, _ = bits.Add64(g.squareH, other.squareH, carry)
	return true
}

// merged shares no memory with either.
func (s *sketch) merged(other *sketch) sketch {
	return sketch{united(s.buckets, other.buckets,
		func(a, b bucket) int { return cmp.Compare(a.index, b.index) },
		func(a, b bucket) bucket { return bucket{a.index, a.count + b.count} })}
}
