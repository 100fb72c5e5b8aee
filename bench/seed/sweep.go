package seed

import (
	"math"
	"time"
)

// blockRows is how many lines are made at a time. They are sorted by time, and
// sessions do not cross their bounds, so a run can begin at any block.
const blockRows = 1000

// sweep returns the first block and the number of blocks of the sweep over the
// span that a block belongs to: sweeps end at 1, 2, 5, 10, 20, 50, … blocks.
func sweep(block int64) (first, size int64) {
	end := int64(1)
	for step := 0; block >= end; step++ {
		first = end
		if step%3 == 1 {
			end = end / 2 * 5
		} else {
			end *= 2
		}
	}
	return first, end - first
}

// window returns where a block lies in the span, as offsets from its begin.
func (c *Config) window(block int64) (from, to time.Duration) {
	first, size := sweep(block)
	at := func(n int64) time.Duration {
		return time.Duration(warp(float64(n)/float64(size), c.Span) * float64(c.Span)).Truncate(time.Microsecond)
	}
	return at(block - first), at(block - first + 1)
}

// How much more than the mean is going on at the busiest hour and weekday.
const (
	dayWave  = 0.3
	weekWave = 0.15
)

// warp bends an even flow of events so that it has nights and weekends: it is
// monotonic and leaves both ends where they are.
func warp(x float64, span time.Duration) float64 {
	days := math.Max(1, math.Round(span.Hours()/24))
	weeks := math.Max(1, math.Round(days/7))
	wave := func(n float64) float64 { return math.Sin(2*math.Pi*n*x) / (2 * math.Pi * n) }
	return x + dayWave*wave(days) + weekWave*wave(weeks)
}
