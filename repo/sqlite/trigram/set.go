package trigram

import "math/bits"

// Set is a set of blocks of a segment, a bit a block.
type Set []uint64

// NewSet returns an empty set for a segment of that many blocks.
func NewSet(blocks int) Set { return make(Set, (blocks+63)/64) }

// Fill puts the first blocks into the set.
func (s Set) Fill(blocks int) {
	for i := range s {
		s[i] = 0
	}
	for b := 0; b < blocks; b += 64 {
		if left := blocks - b; left < 64 {
			s[b/64] = 1<<left - 1
		} else {
			s[b/64] = ^uint64(0)
		}
	}
}

// Add puts a block into the set.
func (s Set) Add(block int) { s[block/64] |= 1 << (block % 64) }

// Has reports whether the block is in the set.
func (s Set) Has(block int) bool { return s[block/64]&(1<<(block%64)) != 0 }

// Clear empties the set.
func (s Set) Clear() {
	for i := range s {
		s[i] = 0
	}
}

// And keeps what is in t, too.
func (s Set) And(t Set) {
	for i := range s {
		s[i] &= t[i]
	}
}

// Len returns the number of blocks in the set.
func (s Set) Len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Runs yields the blocks in ascending order, adjacent ones together: [first, end).
func (s Set) Runs(yield func(first, end int) bool) {
	first := -1
	for b := range len(s) * 64 {
		switch in := s.Has(b); {
		case in && first < 0:
			first = b
		case !in && first >= 0:
			if !yield(first, b) {
				return
			}
			first = -1
		}
	}
	if first >= 0 {
		yield(first, len(s)*64)
	}
}
