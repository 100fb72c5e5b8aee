package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// The buckets of a histogram: one for each microsecond up to exact, then parts of
// each power of two, so that none is wider than a part in thirty-two.
const (
	partBits = 5
	exact    = 2 << partBits
	// longest is the power of two of microseconds beyond which all is one: 71 minutes.
	longest = 32
	buckets = exact + (longest-partBits-1)<<partBits
)

// histogram counts latencies. Its methods are safe for concurrent use.
type histogram struct {
	n, max atomic.Int64
	counts [buckets]atomic.Uint32
}

// bucketOf returns the bucket of a latency in microseconds.
func bucketOf(micros uint64) int {
	if micros < exact {
		return int(micros)
	}
	power := bits.Len64(micros) - partBits - 1
	at := power<<partBits + int(micros>>power)
	return min(at, buckets-1)
}

// upperOf returns the largest latency of a bucket, in microseconds.
func upperOf(bucket int) int64 {
	if bucket < exact {
		return int64(bucket)
	}
	power := bucket>>partBits - 1
	return (int64(bucket-power<<partBits)+1)<<power - 1
}

func (h *histogram) record(d time.Duration) {
	micros := max(d.Microseconds(), 0)
	h.counts[bucketOf(uint64(micros))].Add(1)
	h.n.Add(1)
	for {
		old := h.max.Load()
		if micros <= old || h.max.CompareAndSwap(old, micros) {
			return
		}
	}
}

// add adds what another counted.
func (h *histogram) add(other *histogram) {
	for i := range other.counts {
		if n := other.counts[i].Load(); n > 0 {
			h.counts[i].Add(n)
		}
	}
	h.n.Add(other.n.Load())
	h.max.Store(max(h.max.Load(), other.max.Load()))
}

// quantile returns the latency that a part of all do not exceed, at most three
// percent too high; 0 when nothing was recorded.
func (h *histogram) quantile(part float64) time.Duration {
	n := h.n.Load()
	left := int64(part * float64(n))
	if float64(left) < part*float64(n) {
		left++
	}
	for i := range h.counts {
		left -= int64(h.counts[i].Load())
		if left <= 0 && n > 0 {
			return time.Duration(min(upperOf(i), h.max.Load())) * time.Microsecond
		}
	}
	return 0
}
