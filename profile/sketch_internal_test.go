package profile

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Each rank over a sketch and exact values beside it is that of one sorted list of
// both: wherever the exact values lie, below all buckets, between them, in one of
// them (where the bucket's own come first) or above.
func TestSketch_RanksAreThoseOfOneSortedList(t *testing.T) {
	t.Parallel()
	type value struct {
		bucket uint16
		shown  float64
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var s sketch
		var sorted []value
		width := uint64(1) << (1 + r.IntN(40))
		for range r.IntN(8) {
			v := width/4 + r.Uint64N(width)
			s.add(v)
			sorted = append(sorted, value{bucketOf(v), middleOf(bucketOf(v))})
		}
		more := make([]uint64, r.IntN(8))
		for i := range more {
			more[i] = r.Uint64N(2 * width)
		}
		slices.Sort(more)
		for _, v := range more {
			sorted = append(sorted, value{bucketOf(v), float64(v)})
		}
		slices.SortStableFunc(sorted, func(a, b value) int { return cmp.Compare(a.bucket, b.bucket) })
		for rank, want := range sorted {
			assert.InDelta(t, want.shown, s.ranked(uint64(rank), more), 0, "rank %d of %v and %v", rank, s.buckets, more)
		}
	}
}
