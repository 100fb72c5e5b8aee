package profile

import (
	"encoding/binary"
	"math"
	"time"

	"decnet/repo"
)

// maxClass bounds the name of a class in a stored state, in bytes.
const maxClass = 32

// behavior is what a profile says of an attacker's behaviour, and the set that its
// names of tools are of.
type behavior struct {
	repo.Behavior
	tools toolSet
}

// behavior computes what the state tells.
func (s *State) behavior() behavior {
	b := behavior{Behavior: repo.Behavior{
		OSGuess:         s.traces.osGuess(),
		HopDistance:     s.traces.hopDistance(),
		TCPFingerprint:  s.traces.tcp,
		RetransmitCount: s.traces.retransmits,
		Timing:          s.beat.stats(),
		Phases:          s.phases.summary(),
	}}
	b.Timing.EventCount = s.events
	b.Class = classOf(&b.Timing, len(s.services))
	b.tools = s.traces.tools | beatTools(&b.Timing)
	b.ofEvents(s.events, s.first, s.last)
	return b
}

// ofEvents fills in what follows from the rest and from the events.
func (b *behavior) ofEvents(events, first, last int64) {
	b.Timing.EventCount, b.Timing.Duration = events, seconds(float64(last-first))
	b.Tools = toolNames(b.tools)
	if b.Class == ClassBeaconing && b.Timing.CV != nil {
		interval, jitter := *b.Timing.Mean, *b.Timing.CV*100
		b.BeaconInterval, b.BeaconJitter = &interval, &jitter
	}
}

// append writes all but what ofEvents knows.
func (b *behavior) append(out []byte) []byte {
	out = appendString(out, b.OSGuess)
	var hops int64
	if b.HopDistance != nil {
		hops = 1 + *b.HopDistance
	}
	out = appendString(appendInts(out, hops), b.TCPFingerprint)
	out = appendString(appendInts(out, b.RetransmitCount), b.Class)
	out = appendInts(out, int64(b.tools))
	list := b.timing()
	n := 0
	for n < len(list) && *list[n] != nil {
		n++
	}
	out = appendInts(out, int64(n))
	for _, v := range list[:n] {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(**v))
	}
	return appendInts(out, b.Phases.LargePayloads, stored(b.Phases.ExfilStart), stored(b.Phases.ReconEnd))
}

func (b *behavior) decode(r *reader) {
	b.OSGuess = r.string(maxGuess)
	if hops := r.int(); hops > 0 {
		hops--
		b.HopDistance = &hops
	}
	b.TCPFingerprint, b.RetransmitCount = r.string(maxTCP), r.int()
	b.Class, b.tools = r.string(maxClass), r.tools()
	list := b.timing()
	values := make([]float64, r.count(len(list)))
	for i := range values {
		values[i] = r.float()
		*list[i] = &values[i]
	}
	b.Phases.LargePayloads = r.int()
	exfil, recon := r.int(), r.int()
	r.check(recon <= exfil && exfil-1 <= repo.MaxUnixNano)
	b.Phases.ExfilStart, b.Phases.ReconEnd = restored(exfil), restored(recon)
	if recon > 0 {
		latency := seconds(float64(exfil - recon))
		b.Phases.ExfilLatency = &latency
	}
}

// timing are the statistics in the order in which they are stored: the first are
// there whenever a later one is.
func (b *behavior) timing() [6]**float64 {
	t := &b.Timing
	return [...]**float64{&t.Mean, &t.Median, &t.Stdev, &t.Min, &t.Max, &t.CV}
}

// stored is 0 for the time that is zero, and 1 more than the nanoseconds of others.
func stored(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano() + 1
}

func restored(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return instant(n - 1)
}
