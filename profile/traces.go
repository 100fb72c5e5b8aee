package profile

import (
	"cmp"
	"slices"
	"strings"

	"decnet/repo"
)

// The bounds of what passive fingerprints leave in a state.
const (
	// maxGuesses is how many different OS guesses are counted, maxGuess how many
	// bytes of each are kept.
	maxGuesses, maxGuess = 16, 64
	// maxTCP is the size up to which a TCP fingerprint is kept, in bytes.
	maxTCP = 4 << 10
	// maxHop is the farthest that an IP packet can come.
	maxHop = 255
)

// traces are what the network and the headers told about the attacker's machine.
type traces struct {
	guesses     []guess // ascending by name
	ttl         [ttlRanges]int64
	hops        []hop // ascending by distance
	tcpAt       int64
	tcp         string
	retransmits int64
	tools       toolSet
	// lastAgent spares the search for the tool names where an agent repeats
	// itself; it is not stored.
	lastAgent string
}

type guess struct {
	name  string
	count int64
}

type hop struct {
	distance uint8
	count    int64
}

func (r *traces) add(t int64, x *repo.Traits) {
	if x.OSGuess != "" && !strings.EqualFold(x.OSGuess, "unknown") {
		r.addGuess(x.OSGuess)
	}
	if i := ttlRange(x.TTL); i >= 0 {
		r.ttl[i]++
	}
	// A distance of 0 says that the fingerprint could not tell.
	if d := x.HopDistance; d != nil && *d >= 1 && *d <= maxHop {
		r.addHop(uint8(*d))
	}
	if x.TCPFingerprint != "" && len(x.TCPFingerprint) <= maxTCP && (r.tcp == "" || t >= r.tcpAt) {
		if r.tcp != x.TCPFingerprint {
			r.tcp = strings.Clone(x.TCPFingerprint)
		}
		r.tcpAt = t
	}
	if x.Retransmits > 0 {
		r.retransmits = addCapped(r.retransmits, x.Retransmits)
	}
	if x.Mailer != "" || x.UserAgent != "" && x.UserAgent != r.lastAgent {
		r.tools |= headerTools(x.UserAgent, x.Mailer)
		r.lastAgent = strings.Clone(clip(x.UserAgent, maxHeader))
	}
}

func (r *traces) addGuess(name string) {
	name = clip(name, maxGuess)
	i, found := slices.BinarySearchFunc(r.guesses, name, func(g guess, name string) int {
		return strings.Compare(g.name, name)
	})
	if !found {
		if len(r.guesses) == maxGuesses {
			return
		}
		r.guesses = slices.Insert(r.guesses, i, guess{name: strings.Clone(name)})
	}
	r.guesses[i].count++
}

func (r *traces) addHop(distance uint8) {
	i, found := slices.BinarySearchFunc(r.hops, distance, func(h hop, d uint8) int {
		return cmp.Compare(h.distance, d)
	})
	if !found {
		r.hops = slices.Insert(r.hops, i, hop{distance: distance})
	}
	r.hops[i].count++
}

// osGuess is what most passive fingerprints said, ties by name, else what most
// TTLs point to; "" when nothing does.
func (r *traces) osGuess() string {
	var best guess
	for _, g := range r.guesses {
		if g.count > best.count {
			best = g
		}
	}
	if best.count > 0 {
		return best.name
	}
	most := 0
	for i, n := range r.ttl {
		if n > r.ttl[most] {
			most = i
		}
	}
	if r.ttl[most] == 0 {
		return ""
	}
	return [ttlRanges]string{ttlLinux: "linux", ttlWindows: "windows", ttlEmbedded: "embedded"}[most]
}

// The ranges of TTL that tell a family of systems: a few hops below the value
// that it starts from.
const (
	ttlLinux = iota
	ttlWindows
	ttlEmbedded
	ttlRanges
)

// ttlRange is the range that a TTL is in, -1 for none.
func ttlRange(ttl int) int {
	switch {
	case ttl >= 55 && ttl <= 70:
		return ttlLinux
	case ttl >= 115 && ttl <= 135:
		return ttlWindows
	case ttl >= 235 && ttl <= 255:
		return ttlEmbedded
	}
	return -1
}

// hopDistance is the median of the distances, rounded down; nil when none is known.
func (r *traces) hopDistance() *int64 {
	var total int64
	for _, h := range r.hops {
		total = addCapped(total, h.count)
	}
	if total == 0 {
		return nil
	}
	median := (r.rankedHop((total-1)/2) + r.rankedHop(total/2)) / 2
	return &median
}

func (r *traces) rankedHop(rank int64) int64 {
	for _, h := range r.hops {
		if rank < h.count {
			return int64(h.distance)
		}
		rank -= h.count
	}
	return 0
}
