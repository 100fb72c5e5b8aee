package decoy

import (
	"net/netip"
	"sync"
)

// gate counts the open sessions and says when there are enough of them.
type gate struct {
	limits *Limits

	mu        sync.Mutex
	all, ssh  int
	byDecky   map[string]int
	byAddress map[netip.Addr]int
}

func newGate(l *Limits) *gate {
	return &gate{limits: l, byDecky: map[string]int{}, byAddress: map[netip.Addr]int{}}
}

// serviceSSH is the service with a bound of its own.
const serviceSSH = "ssh"

// enter counts a session, or returns why there may not be another.
func (g *gate) enter(decky, service string, from netip.Addr) string {
	from = network(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.all >= g.limits.Sessions:
		return "all decoys together have as many sessions as they may"
	case service == serviceSSH && g.ssh >= g.limits.SSH:
		return "all decoys together have as many sessions of SSH as they may"
	case g.byDecky[decky] >= g.limits.PerDecky:
		return "the decky has as many sessions as it may"
	case g.byAddress[from] >= g.limits.PerAddress:
		return "the address has as many sessions as it may"
	}
	g.all++
	if service == serviceSSH {
		g.ssh++
	}
	g.byDecky[decky]++
	g.byAddress[from]++
	return ""
}

func (g *gate) leave(decky, service string, from netip.Addr) {
	from = network(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if service == serviceSSH {
		g.ssh--
	}
	decrease(g.byDecky, decky)
	decrease(g.byAddress, from)
}

func decrease[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// network is what counts as one address: with IPv6 everybody has a /64.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
