package load

import "time"

// SpikeReport tells how the service bore a spike.
type SpikeReport struct {
	// Before are the times while all was calm and caches were warm, Top those from the rise until the fall.
	Before Times `json:"before"`
	Top    Times `json:"top"`
	// Limit is the p99 in milliseconds that counts as recovered: twice that of before,
	// or leastLimit if that is more, since a timer of the operating system alone can
	// double the p99 of a service that nobody uses.
	Limit float64 `json:"limit_ms"`
	// Recovered is how long after the fall p99 was below Limit and stayed there for a
	// second, in seconds; nil when it never was.
	Recovered *float64 `json:"recovered_s"`
}

// leastLimit is the smallest latency that counts as not recovered.
const leastLimit = 5 * time.Millisecond

// steadyFor is how long p99 must stay below the limit.
const steadyFor = time.Second

// spike looks for the time at which all was as before.
func (r *run) spike() *SpikeReport {
	fall := spikeCalm + spikeRise + spikeHold
	before := r.windows.between(spikeWarm, spikeCalm)
	limit := max(2*before.quantile(0.99), leastLimit)
	rep := &SpikeReport{Before: timesOf(before), Top: timesOf(r.windows.between(spikeCalm, fall)), Limit: milliseconds(limit)}
	for from := fall; from+steadyFor <= fall+r.options.Duration; from += windowLength {
		if r.steady(from, limit) {
			after := (from - fall).Seconds()
			rep.Recovered = &after
			break
		}
	}
	return rep
}

// steady reports whether p99 is below the limit in each window of a second.
// One without any answer is not.
func (r *run) steady(from time.Duration, limit time.Duration) bool {
	for at := from; at < from+steadyFor; at += windowLength {
		h := r.windows.between(at, at+windowLength)
		if h.n.Load() == 0 || h.quantile(0.99) > limit {
			return false
		}
	}
	return true
}
