package seed

import (
	"math"
	"net/netip"
	"strconv"
)

// The law of attackers. In each block some are present, chosen by Zipf-Mandelbrot
// from all that there are; among these the work is shared by a law of its own,
// which makes the bursts. Both were fitted to the captures, see the package.
const (
	presentAttackers = 42
	attackersFlat    = 40
	attackersSlope   = 1.7
	maxAttackers     = 1 << 24
	shareFlat        = 1.5
	// restless is the share of attackers that try every service.
	restless = 0.12
	// shortestStay is the least part of a block in which a present attacker works.
	shortestStay = 0.1
)

// attacker is one who is present in a block.
type attacker struct {
	// hash decides all that stays the same about the attacker.
	hash uint64
	ip   []byte
	kind service
	// client is what SSH sessions are made with, agent the browser of web requests.
	client, agent int
	// from and length are when the attacker works, in microseconds of the block.
	from, length int64
}

// zipf returns a rank from 0 on by the law of Zipf-Mandelbrot: rank r has a
// weight of (flat+r)^-slope.
func (g *Generator) zipf(flat, slope float64, limit int) int {
	u := 1 - g.rand.Float64() // not 0
	r := flat * (math.Pow(u, -1/(slope-1)) - 1)
	if r >= float64(limit) {
		return g.rand.IntN(limit)
	}
	return int(r)
}

// gather chooses who is present in the block.
func (g *Generator) gather() {
	for i := range g.present {
		a := &g.present[i]
		rank := g.zipf(attackersFlat, attackersSlope, maxAttackers)
		g.become(a, mix(g.config.Seed^mix(uint64(rank))))
		part := shortestStay + (1-shortestStay)*g.rand.Float64()*g.rand.Float64()
		a.length = int64(float64(g.length) * part)
		a.from = int64(g.rand.Float64() * float64(g.length-a.length))
	}
}

// become makes of a number the attacker that it stands for.
func (g *Generator) become(a *attacker, h uint64) {
	a.hash, a.ip = h, address(a.ip[:0], h)
	a.kind = g.words.services.at(float64(h>>40&0xffff) / 0x10000)
	a.client = g.words.clientOf.at(float64(mix(h)&0xffff) / 0x10000)
	a.agent = int(mix(h+1) % uint64(len(g.words.agents)))
}

// invent makes an attacker whom nobody sees again, with the whole block to come in.
func (g *Generator) invent(a *attacker) {
	g.become(a, mix(g.rand.Uint64()))
	a.from, a.length = 0, g.length
}

// someone returns who does the next thing.
func (g *Generator) someone() *attacker { return &g.present[g.words.shares.at(g.rand.Float64())] }

// serviceOf is what an attacker tries next.
func (g *Generator) serviceOf(a *attacker) service {
	if float64(mix(a.hash+2)&0xffff) < restless*0x10000 {
		return g.words.services.at(g.rand.Float64())
	}
	return a.kind
}

// address appends a public IPv4 address.
func address(dst []byte, h uint64) []byte {
	for {
		ip := netip.AddrFrom4([4]byte{byte(1 + h>>24%223), byte(h >> 16), byte(h >> 8), byte(h)})
		if first := ip.As4()[0]; ip.IsGlobalUnicast() && !ip.IsPrivate() && first != 127 && first != 100 && first != 192 && first != 198 && first != 203 {
			return ip.AppendTo(dst)
		}
		h = mix(h)
	}
}

// share is a choice among things of different weights.
type share[T any] struct {
	upTo []float64
	list []T
}

// add appends a thing with a weight.
func (s *share[T]) add(weight float64, thing T) {
	if n := len(s.upTo); n > 0 {
		weight += s.upTo[n-1]
	}
	s.upTo = append(s.upTo, weight)
	s.list = append(s.list, thing)
}

// at returns the thing at a place from 0 to below 1.
func (s *share[T]) at(x float64) T {
	x *= s.upTo[len(s.upTo)-1]
	lo, hi := 0, len(s.upTo)-1
	for lo < hi {
		if mid := (lo + hi) / 2; s.upTo[mid] > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return s.list[lo]
}

// workShares are the parts of a block's work that the present attackers have.
func workShares() share[int] {
	var s share[int]
	for i := range presentAttackers {
		s.add(1/(float64(i)+shareFlat), i)
	}
	return s
}

// appendInt appends a number.
func appendInt[T int | int64](dst []byte, n T) []byte { return strconv.AppendInt(dst, int64(n), 10) }
