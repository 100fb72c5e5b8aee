package profile

import (
	"math"
	"math/bits"
	"slices"

	"decnet/repo"
)

// maxChain is how many latest event times are kept in order. Up to that many
// events every statistic is exact whatever the order of arrival; from then on
// an event may still come that many places late.
const maxChain = 65

// beat follows the inter-arrival times (IAT) of an attacker. Gaps inside the
// chains are open, since an event that comes late may still split them; the
// oldest gap of a full chain is sealed, which means counted for good.
type beat struct {
	// main holds the latest times, ascending.
	main []int64
	// late holds the times of events that came after main had moved past them,
	// as when an older file is read after a newer one: their gaps among each other
	// count, the jump back is the negative gap that is dropped.
	late   []int64
	sealed gaps
	sketch sketch
}

func (b *beat) add(t int64) {
	if len(b.main) < maxChain || t >= b.main[0] {
		b.main = b.insert(b.main, t)
		return
	}
	if len(b.late) == maxChain && t < b.late[0] {
		for i := 1; i < len(b.late); i++ {
			b.seal(gap(b.late, i))
		}
		b.late = b.late[:0]
	}
	b.late = b.insert(b.late, t)
}

// insert puts t in its place and seals the oldest gap of a chain that was full.
func (b *beat) insert(chain []int64, t int64) []int64 {
	if len(chain) == maxChain {
		// Not later than the second time: t lands behind the gap's beginning.
		if t < chain[1] {
			b.seal(uint64(t - chain[0]))
			chain[0] = t
			return chain
		}
		b.seal(gap(chain, 1))
		chain = slices.Delete(chain, 0, 1)
	}
	i := len(chain)
	for i > 0 && chain[i-1] > t {
		i--
	}
	return slices.Insert(chain, i, t)
}

func (b *beat) seal(g uint64) {
	if b.sealed.add(g) {
		b.sketch.add(g)
	}
}

// gap is the IAT before the i-th time of an ascending chain, in nanoseconds.
func gap(chain []int64, i int) uint64 { return uint64(chain[i] - chain[i-1]) }

// stats computes the statistics of all gaps, sealed and open.
func (b *beat) stats() repo.Timing {
	all := b.sealed
	var open [2 * (maxChain - 1)]uint64
	n := 0
	for _, chain := range [...][]int64{b.main, b.late} {
		for i := 1; i < len(chain) && n < len(open); i++ {
			if g := gap(chain, i); all.add(g) {
				open[n] = g
				n++
			}
		}
	}
	if all.n == 0 {
		return repo.Timing{}
	}
	slices.Sort(open[:n])
	var median float64
	if b.sealed.n == 0 {
		median = (float64(open[(n-1)/2]) + float64(open[n/2])) / 2
	} else {
		median = b.sketch.median(open[:n])
	}
	median = min(max(median, float64(all.min)), float64(all.max))
	mean, stdev := seconds(all.mean()), seconds(all.stdev())
	median = seconds(median)
	lowest, highest := seconds(float64(all.min)), seconds(float64(all.max))
	t := repo.Timing{Mean: &mean, Median: &median, Stdev: &stdev, Min: &lowest, Max: &highest}
	if mean > 0 {
		cv := stdev / mean
		t.CV = &cv
	}
	return t
}

// gaps are sums over IATs in nanoseconds. They are whole numbers and exact, so
// neither order nor number of the gaps costs precision, and two of them can be
// added.
type gaps struct {
	n, sum   uint64
	squareH  uint64 // the sum of the squares, 128 bits
	squareL  uint64
	min, max uint64
}

// add counts a gap. It refuses one (five centuries together) that would
// overflow the sum; therefore the squares cannot overflow either.
func (g *gaps) add(v uint64) bool {
	sum, carry := bits.Add64(g.sum, v, 0)
	if carry != 0 {
		return false
	}
	if g.n == 0 || v < g.min {
		g.min = v
	}
	g.max = max(g.max, v)
	g.n++
	g.sum = sum
	hi, lo := bits.Mul64(v, v)
	g.squareL, carry = bits.Add64(g.squareL, lo, 0)
	g.squareH, _ = bits.Add64(g.squareH, hi, carry)
	return true
}

// mean is in nanoseconds; there must be a gap.
func (g *gaps) mean() float64 { return float64(g.sum) / float64(g.n) }

// stdev is the standard deviation of the population, in nanoseconds; there must
// be a gap. n·Σv² − (Σv)² is computed whole, in 192 bits: in floating point the
// difference would drown a steady beat's small jitter.
func (g *gaps) stdev() float64 {
	carryL, low := bits.Mul64(g.n, g.squareL)
	high, mid := bits.Mul64(g.n, g.squareH)
	mid, carry := bits.Add64(mid, carryL, 0)
	high += carry

	sumH, sumL := bits.Mul64(g.sum, g.sum)
	low, borrow := bits.Sub64(low, sumL, 0)
	mid, borrow = bits.Sub64(mid, sumH, borrow)
	high, borrow = bits.Sub64(high, 0, borrow)
	if borrow != 0 {
		return 0 // only a forged state can get here
	}
	const word = 1 << 64
	d := (float64(high)*word+float64(mid))*word + float64(low)
	return math.Sqrt(d) / float64(g.n)
}
