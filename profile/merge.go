package profile

import (
	"cmp"
	"slices"
	"strings"

	"decnet/repo"
)

// Merge folds in all that other was told, as if it had been told to s after its
// own; other stays as it is. No event and no bounty may have been told to both,
// or it counts twice.
//
// These come out as if one state had been told everything, however the events
// were divided: counts, first and last seen, services, deckies, fingerprints,
// commands (at one instant those of s come first), OS, hops, the latest TCP
// fingerprint, retransmits, tools of the headers, first transfer. It needs at
// most 256 services and 16 OS guesses (of more, the first by name stay), and
// that the latest commands and the latest fingerprints fit into their bytes.
// The end of reconnaissance is exact when the two follow each other in time and
// were each told in order, or when neither has more than 15 events after the
// first transfer.
//
// Timing, and with it the class and the tools of the beat, is exact if in neither
// an event came more than 64 places late, and
//   - all of one is before all of the other: the gap between them counts; or
//   - neither has more than 65 events; or
//   - one has at most 65 and they begin among the latest 65 of the other.
//
// Exact are mean, deviation, CV, lowest and highest; the median is that of one
// state too, which is within 1 % beyond 65 events. Else the gaps that no event
// can split any more are counted as each state saw them: mean, lowest and
// highest are then not below those of the whole, and the mean at most about
// twice; deviation, median and class may differ either way.
//
// Where each merge is exact it does not matter which of several come first. A
// new state changes nothing. Gaps of more than five centuries together are
// refused, as Add does.
func (s *State) Merge(other *State) {
	s.beat = mergedBeat(s, other)
	if other.events > 0 {
		if s.events == 0 {
			s.first, s.last = other.first, other.last
		}
		s.first, s.last = min(s.first, other.first), max(s.last, other.last)
	}
	s.events = addCapped(s.events, other.events)
	s.bounties = addCapped(s.bounties, other.bounties)
	s.credentials = addCapped(s.credentials, other.credentials)
	s.services = united(s.services, other.services, strings.Compare,
		func(name, _ string) string { return name })
	s.services = s.services[:min(len(s.services), MaxServices)]
	for _, d := range other.deckies {
		s.addDecky(d.at, d.name)
	}
	s.commands = s.commands.merged(&other.commands, repo.RecentCommands, MaxCommandBytes)
	s.prints = s.prints.merged(&other.prints, repo.MaxFingerprints, MaxFingerprintBytes)
	s.traces.merge(&other.traces)
	s.phases.merge(&other.phases)
}

// merged keeps the latest of both; at one time those of r come first.
func (r *recent[T]) merged(other *recent[T], maxItems, maxBytes int) recent[T] {
	earlier := func(a, b dated[T]) int { // never equal: both stay
		if a.at <= b.at {
			return -1
		}
		return 1
	}
	m := recent[T]{items: united(r.items, other.items, earlier, nil), bytes: r.bytes + other.bytes}
	m.trim(maxItems, maxBytes)
	return m
}

func (r *traces) merge(other *traces) {
	r.guesses = united(r.guesses, other.guesses,
		func(a, b guess) int { return strings.Compare(a.name, b.name) },
		func(a, b guess) guess { return guess{a.name, addCapped(a.count, b.count)} })
	r.guesses = r.guesses[:min(len(r.guesses), maxGuesses)]
	for i, n := range other.ttl {
		r.ttl[i] = addCapped(r.ttl[i], n)
	}
	r.hops = united(r.hops, other.hops,
		func(a, b hop) int { return cmp.Compare(a.distance, b.distance) },
		func(a, b hop) hop { return hop{a.distance, addCapped(a.count, b.count)} })
	if other.tcp != "" && (r.tcp == "" || other.tcpAt >= r.tcpAt) {
		r.tcp, r.tcpAt = other.tcp, other.tcpAt
	}
	r.retransmits = addCapped(r.retransmits, other.retransmits)
	r.tools |= other.tools
}

func (p *phases) merge(other *phases) {
	p.large = addCapped(p.large, other.large)
	if other.transferred && (!p.transferred || other.transfer < p.transfer) {
		p.transferred, p.transfer = true, other.transfer
	}
	p.recon = slices.Concat(p.recon, other.recon)
	slices.Sort(p.recon)
	if p.transferred {
		end, _ := slices.BinarySearch(p.recon, p.transfer+1)
		p.recon = p.recon[:end]
	}
	p.recon = slices.Delete(p.recon, 0, max(0, len(p.recon)-maxRecon))
}

// united is the union of two ascending lists; what is in both becomes one. The
// result shares no memory with either.
func united[T any](a, b []T, compare func(a, b T) int, both func(a, b T) T) []T {
	all := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := compare(a[0], b[0]); {
		case c < 0:
			all, a = append(all, a[0]), a[1:]
		case c > 0:
			all, b = append(all, b[0]), b[1:]
		default:
			all, a, b = append(all, both(a[0], b[0])), a[1:], b[1:]
		}
	}
	return append(append(all, a...), b...)
}
