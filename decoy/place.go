package decoy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"decnet/fleet"
)

// place is where a listener is: its real address.
type place struct {
	network string
	addr    netip.AddrPort
}

// places finds places for listeners. A decky whose address this host has, which
// includes all of 127.0.0.0/8, listens there on the ports that the imitated
// machine would have, plus an offset. Every other decky shares the address of
// mapped: each of its listeners gets the next port that is free.
type places struct {
	offset int
	mapped netip.AddrPort
	local  map[netip.Addr]bool
	// taken are mapped ports that are in use, by what uses them.
	taken map[place]listenerID
	known map[listenerID]place
}

// listenerID names a listener for as long as its decky is in the fleet.
type listenerID struct {
	decky   string
	network string
	port    int
}

// localAddresses returns those of this host.
func localAddresses() (map[netip.Addr]bool, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("the addresses of this host: %w", err)
	}
	m := make(map[netip.Addr]bool, len(all))
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			m[p.Addr().Unmap()] = true
		}
	}
	return m, nil
}

var (
	errPorts  = errors.New("there is no port left")
	errOffset = errors.New("the port with its offset would be above 65535")
)

// of returns the place of a listener. A listener that had one keeps it.
func (p *places) of(ip netip.Addr, id listenerID) (place, error) {
	if ip.IsLoopback() || p.local[ip] {
		port := id.port + p.offset
		if port > 65535 {
			return place{}, errOffset
		}
		return place{id.network, netip.AddrPortFrom(ip, uint16(port))}, nil
	}
	if at, ok := p.known[id]; ok {
		return at, nil
	}
	for port := int(p.mapped.Port()); port <= 65535; port++ {
		at := place{id.network, netip.AddrPortFrom(p.mapped.Addr(), uint16(port))}
		if _, taken := p.taken[at]; !taken {
			p.taken[at], p.known[id] = id, at
			return at, nil
		}
	}
	return place{}, errPorts
}

// keep forgets the mapped places of all listeners but these.
func (p *places) keep(ids map[listenerID]bool) {
	for id, at := range p.known {
		if !ids[id] {
			delete(p.known, id)
			delete(p.taken, at)
		}
	}
}

// explain makes a sentence of the error of a listen call that tells an operator
// what to do.
func explain(at place, err error) error {
	where := at.network + " " + at.addr.String()
	switch {
	case errors.Is(err, syscall.EACCES) && at.addr.Port() < 1024:
		return fmt.Errorf("%s is a port that only a privileged process may listen on: "+
			"grant it with setcap cap_net_bind_service=+ep, or use --decoy-port-offset: %w", where, err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another process: %w", where, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("this host does not have the address of %s: %w", where, err)
	default:
		return fmt.Errorf("listen on %s: %w", where, err)
	}
}

// addressOf reads the address of a decky.
func addressOf(d *fleet.Decky) (netip.Addr, error) {
	a, err := netip.ParseAddr(d.IP)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s is not an IP address", strconv.Quote(d.IP))
	}
	return a.Unmap(), nil
}
