package fleet

import (
	"fmt"
	"net/netip"
)

// addresses gives out the addresses of a network.
type addresses struct {
	subnet netip.Prefix
	// owner says who has an address, in words for a message.
	owner map[netip.Addr]string
	// next is where to look for a free one.
	next netip.Addr
}

// network settles where the fleet stands: what the INI says, else what holds for
// the current fleet, else the default.
func (p *planner) network() {
	current := p.Current.Config
	config := current
	config.Mode = first(current.Mode, defaultMode)
	config.IPvlan = current.IPvlan || p.Network.IPvlan
	switch {
	case p.INI.Net != "":
		config.Subnet = p.INI.Net
	case !usable(current.Subnet):
		config.Subnet, config.Gateway, config.Interface = p.Network.Subnet, p.Network.Gateway, p.Network.Interface
	}
	subnet, err := netip.ParsePrefix(config.Subnet)
	if err != nil || !subnet.Addr().Is4() {
		p.fault("[general] net %s is not an IPv4 network such as 192.168.1.0/24", described(config.Subnet))
		return
	}
	subnet = subnet.Masked()
	if config.Subnet = subnet.String(); config.Subnet != current.Subnet && p.INI.Net != "" {
		config.Gateway = ""
		if !subnet.Addr().IsLoopback() {
			config.Gateway = subnet.Addr().Next().String()
		}
	}
	if p.INI.Gateway != "" {
		gateway, err := netip.ParseAddr(p.INI.Gateway)
		if err != nil || !gateway.Is4() {
			p.fault("[general] gw %s is not an IPv4 address", described(p.INI.Gateway))
			return
		}
		config.Gateway = gateway.String()
	}
	config.Interface = first(p.INI.Interface, config.Interface)
	p.plan.State.Config = config
	p.addresses = newAddresses(subnet, config.Gateway, p.Network.Host)
}

func usable(subnet string) bool {
	prefix, err := netip.ParsePrefix(subnet)
	return err == nil && prefix.Addr().Is4()
}

func newAddresses(subnet netip.Prefix, gateway string, host []string) *addresses {
	a := &addresses{subnet: subnet, owner: map[netip.Addr]string{}, next: subnet.Addr()}
	a.owner[subnet.Addr()] = "the network itself"
	a.owner[broadcast(subnet)] = "the network's broadcast"
	if addr, err := netip.ParseAddr(gateway); err == nil {
		a.owner[addr] = "the gateway"
	}
	for _, text := range host {
		if addr, err := netip.ParseAddr(text); err == nil {
			a.owner[addr.Unmap()] = hostOwner
		}
	}
	return a
}

// hostOwner has the addresses of the host.
const hostOwner = "this host"

// broadcast is the last address of an IPv4 network.
func broadcast(subnet netip.Prefix) netip.Addr {
	b := subnet.Addr().As4()
	for bit := subnet.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}

// hostLoopback is the part of the loopback range where the host's own services
// listen.
func hostLoopback() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 24) }

// free returns the next address that nobody has, and gives it to the owner.
func (a *addresses) free(owner string) (netip.Addr, bool) {
	reserved := hostLoopback()
	for ; a.subnet.Contains(a.next); a.next = a.next.Next() {
		if _, taken := a.owner[a.next]; !taken && !reserved.Contains(a.next) {
			a.owner[a.next] = owner
			return a.next, true
		}
	}
	return netip.Addr{}, false
}

// claim marks the addresses and host names that are not free: those of deckies
// that stay, those that the INI names, and those that its deckies have already.
func (p *planner) claim(kept []Decky) {
	for _, d := range kept {
		p.hostnames[d.Hostname] = true
		if addr, err := netip.ParseAddr(d.IP); err == nil {
			p.addresses.owner[addr] = deckyOwner(d.Name)
		}
	}
	for i := range p.INI.Deckies {
		if w := &p.INI.Deckies[i]; w.IP != "" {
			p.claimIP(w)
		}
	}
	for i := range p.INI.Deckies {
		w := &p.INI.Deckies[i]
		old, had := p.old[w.Name]
		if !had {
			continue
		}
		p.hostnames[old.Hostname] = true
		addr, err := netip.ParseAddr(old.IP)
		if _, taken := p.addresses.owner[addr]; err == nil && !taken && w.IP == "" {
			p.addresses.owner[addr] = deckyOwner(w.Name)
		}
	}
}

func deckyOwner(name string) string { return fmt.Sprintf("decky %q", name) }

// claimIP takes an address that the INI names.
func (p *planner) claimIP(w *Wanted) {
	addr, err := netip.ParseAddr(w.IP)
	if err != nil || !addr.Is4() || addr.IsUnspecified() || addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		p.fault("[%s] ip %s is not the IPv4 address of a machine", w.Name, described(w.IP))
		return
	}
	// Without a net of its own, the INI's addresses are taken as they are.
	if p.INI.Net != "" && !p.addresses.subnet.Contains(addr) {
		p.fault("[%s] ip %s is not in the net %s", w.Name, addr, p.addresses.subnet)
		return
	}
	owner, taken := p.addresses.owner[addr]
	if taken && (owner != hostOwner || p.Network.Apart) {
		p.fault("[%s] ip %s belongs to %s", w.Name, addr, owner)
		return
	}
	p.addresses.owner[addr] = deckyOwner(w.Name)
}

// address returns the address of a decky: its own, the one that it had, or the
// next free one.
func (p *planner) address(w *Wanted, old string) string {
	if w.IP != "" {
		return w.IP
	}
	if addr, err := netip.ParseAddr(old); err == nil && p.addresses.owner[addr] == deckyOwner(w.Name) &&
		(p.INI.Net == "" || p.addresses.subnet.Contains(addr)) {
		return addr.String()
	}
	addr, ok := p.addresses.free(deckyOwner(w.Name))
	if !ok {
		p.fault("[%s] the net %s has no free address", w.Name, p.addresses.subnet)
	}
	return addr.String()
}
