package profile

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// The buckets of a sketch: one for each value below 64 ns, and from there on 50
// of equal width in each doubling, so that a bucket's middle is at most 1 % from
// every value in it.
const (
	exactBuckets  = 1 << exactBits
	exactBits     = 6
	bucketsPerTwo = 50
	maxBucket     = exactBuckets + (64-exactBits)*bucketsPerTwo - 1
)

// sketch counts gaps in buckets of growing width: the median of any number of
// gaps in bounded memory. Two sketches are merged by adding their counts.
type sketch struct {
	buckets []bucket // ascending by index
}

type bucket struct {
	index uint16
	count uint64
}

func (s *sketch) add(v uint64) {
	index := bucketOf(v)
	i, found := slices.BinarySearchFunc(s.buckets, index, func(b bucket, index uint16) int {
		return cmp.Compare(b.index, index)
	})
	if !found {
		s.buckets = slices.Insert(s.buckets, i, bucket{index: index})
	}
	s.buckets[i].count++
}

// median is that of the sketch's values and the ascending more, in nanoseconds.
func (s *sketch) median(more []uint64) float64 {
	total := uint64(len(more))
	for _, b := range s.buckets {
		total += b.count
	}
	if total == 0 {
		return 0
	}
	return (s.ranked((total-1)/2, more) + s.ranked(total/2, more)) / 2
}

// ranked is the value that has exactly rank others before it.
func (s *sketch) ranked(rank uint64, more []uint64) float64 {
	for _, b := range s.buckets {
		for len(more) > 0 && bucketOf(more[0]) < b.index {
			if rank == 0 {
				return float64(more[0])
			}
			rank--
			more = more[1:]
		}
		if rank < b.count {
			return middleOf(b.index)
		}
		rank -= b.count
	}
	if rank < uint64(len(more)) {
		return float64(more[rank])
	}
	return 0
}

func bucketOf(v uint64) uint16 {
	if v < exactBuckets {
		return uint16(v)
	}
	exponent := bits.Len64(v) - 1
	rest := v - 1<<exponent
	// 32 bits of the rest decide, so that the product fits.
	scale := min(exponent, 32)
	rest >>= exponent - scale
	return uint16(exactBuckets + (exponent-exactBits)*bucketsPerTwo + int(rest*bucketsPerTwo>>scale))
}

func middleOf(index uint16) float64 {
	if index < exactBuckets {
		return float64(index)
	}
	i := int(index) - exactBuckets
	part := (float64(i%bucketsPerTwo) + 0.5) / bucketsPerTwo
	return math.Ldexp(1+part, i/bucketsPerTwo+exactBits)
}
