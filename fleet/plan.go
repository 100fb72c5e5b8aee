package fleet

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Network is what is known of the network that decoys stand in.
type Network struct {
	// Subnet, in CIDR notation, is where automatic addresses come from.
	Subnet string
	// Gateway is the router's address and Interface the host's; both may be "".
	Gateway, Interface string
	// IPvlan says that containers share the interface's MAC address.
	IPvlan bool
	// Host are addresses of the host itself, which no decky gets unless the INI gives
	// it one: an alias that was made for it, or the only address that there is.
	Host []string
	// Apart says that deckies have network stacks of their own, so that they cannot
	// have an address of the host at all.
	Apart bool
}

// DefaultNetwork is a part of the loopback range, where every host can listen
// on every address and nobody else reaches them.
func DefaultNetwork() Network { return Network{Subnet: "127.10.0.0/16", Interface: "lo"} }

// PlanOptions are what a plan is made of. The same options with a random source
// of the same seed make the same plan.
type PlanOptions struct {
	INI INI
	// Current is the fleet that runs.
	Current State
	// Replace takes away the deckies that INI does not name; else they stay.
	Replace bool
	// Limit is how many deckies there may be in the end; 0 means [MaxDeckies].
	Limit int
	// Network is used where neither INI nor Current name one; a zero Subnet means
	// [DefaultNetwork]. What it says of the host always holds.
	Network Network
	// Services are those that can be run; nil means all.
	Services []string
	Random   *rand.Rand
}

// Plan is the fleet that a deployment leads to.
type Plan struct {
	// State is the whole fleet afterwards.
	State State
	// Deckies are those that the INI asked for, in its order.
	Deckies []Decky
	// Removed are the names of those that are taken away.
	Removed []string
	// Ignored says what of the INI has no effect, a sentence each.
	Ignored []string
}

// PlanError says why a deployment cannot be planned.
type PlanError struct {
	// Faults are sentences without an end; there is at least one.
	Faults []string
}

// Error joins the faults.
func (e *PlanError) Error() string { return strings.Join(e.Faults, "; ") }

// maxFaults is how many faults a plan tells of.
const maxFaults = 10

// planner makes a plan.
type planner struct {
	PlanOptions
	plan   Plan
	faults []string
	// old are the current deckies by name.
	old       map[string]Decky
	addresses *addresses
	hostnames map[string]bool
	custom    map[string]bool
}

// NewPlan plans a deployment. It changes nothing, and its error is a *[PlanError].
func NewPlan(o PlanOptions) (Plan, error) {
	if o.Limit <= 0 {
		o.Limit = MaxDeckies
	}
	if o.Network.Subnet == "" {
		known := o.Network
		o.Network = DefaultNetwork()
		o.Network.Host, o.Network.Apart, o.Network.IPvlan = known.Host, known.Apart, known.IPvlan
	}
	p := &planner{PlanOptions: o, old: map[string]Decky{}, hostnames: map[string]bool{}, custom: map[string]bool{}}
	p.plan.Ignored = slices.Clone(o.INI.Ignored)
	p.run()
	if len(p.faults) > 0 {
		return Plan{}, &PlanError{Faults: p.faults}
	}
	return p.plan, nil
}

func (p *planner) fault(format string, args ...any) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, fmt.Sprintf(format, args...))
	}
}

func (p *planner) ignore(format string, args ...any) {
	if len(p.plan.Ignored) < maxIgnored {
		p.plan.Ignored = append(p.plan.Ignored, fmt.Sprintf(format, args...))
	}
}

func (p *planner) run() {
	kept := p.keep()
	switch n := len(kept) + len(p.INI.Deckies); {
	case len(p.INI.Deckies) == 0 && !p.Replace:
		p.fault("no section asks for a decky")
	case n > p.Limit:
		p.fault("the fleet would have %d deckies, and at most %d may be deployed", n, p.Limit)
	}
	p.network()
	if len(p.faults) > 0 {
		return
	}
	for _, c := range p.INI.Custom {
		p.custom[c.Name] = true
		p.ignore("[%s%s] is not run: only the services that decnet itself imitates are", customPrefix, printable(c.Name))
	}
	p.claim(kept)
	planned := make(map[string]Decky, len(p.INI.Deckies))
	for i := range p.INI.Deckies {
		d := p.decky(&p.INI.Deckies[i])
		p.plan.Deckies = append(p.plan.Deckies, d)
		planned[d.Name] = d
	}
	p.merge(planned)
}

// keep returns the current deckies that stay as they are.
func (p *planner) keep() []Decky {
	named := map[string]bool{}
	for i := range p.INI.Deckies {
		named[p.INI.Deckies[i].Name] = true
	}
	var kept []Decky
	for _, d := range p.Current.Config.Deckies {
		switch {
		case named[d.Name]:
			p.old[d.Name] = d
		case p.Replace:
			p.plan.Removed = append(p.plan.Removed, d.Name)
		default:
			kept = append(kept, d)
		}
	}
	return kept
}

// merge puts the fleet together: what was there keeps its place.
func (p *planner) merge(planned map[string]Decky) {
	all := make([]Decky, 0, len(planned))
	for _, d := range p.Current.Config.Deckies {
		if replaced, ok := planned[d.Name]; ok {
			all = append(all, replaced)
		} else if !p.Replace {
			all = append(all, d)
		}
	}
	for _, d := range p.plan.Deckies {
		if _, had := p.old[d.Name]; !had {
			all = append(all, d)
		}
	}
	p.plan.State.ComposePath = p.Current.ComposePath
	p.plan.State.Config.Deckies = all
}

// decky plans one. A decky that is there already keeps its address, host name
// and distribution where the INI allows it: machines don't change overnight.
func (p *planner) decky(w *Wanted) Decky {
	old, had := p.old[w.Name]
	d := Decky{
		Name: w.Name, IP: p.address(w, old.IP), MutateInterval: w.MutateInterval,
		LastMutated: old.LastMutated, LastLoginAttempt: old.LastLoginAttempt,
	}
	var archetype Archetype
	if w.Archetype != "" {
		known := false
		if archetype, known = ArchetypeNamed(w.Archetype); !known {
			p.fault("[%s] there is no archetype %s", w.Name, described(w.Archetype))
		}
		d.Archetype = &w.Archetype
	}
	d.Services = p.services(w, archetype, old)
	d.NmapOS = p.family(w, archetype)
	d.ServiceConfig = p.settings(w, d.Services)
	slugs := archetype.Distros
	if len(slugs) == 0 {
		slugs = serverDistros()
	}
	distro, known := DistroNamed(old.Distro)
	if !had || !known || !slices.Contains(slugs, old.Distro) {
		distro, _ = DistroNamed(slugs[p.Random.IntN(len(slugs))])
		old.Hostname = ""
	}
	d.Distro, d.BaseImage, d.BuildBase = distro.Slug, distro.Image, distro.BuildBase
	if d.Hostname = old.Hostname; d.Hostname == "" {
		d.Hostname = p.hostname(distro.Style)
	}
	return d
}

// serverDistros are what a decky without an archetype may be: those that run
// servers.
func serverDistros() []string {
	return []string{"debian", "ubuntu22", "ubuntu20", "rocky9", "centos7", "alpine", "fedora"}
}

// family is the operating system that a decky resembles.
func (p *planner) family(w *Wanted, archetype Archetype) string {
	family := strings.ToLower(first(w.NmapOS, archetype.NmapOS, defaultOS))
	if !slices.Contains(OSFamilies(), family) {
		p.ignore("[%s] there is no family of operating systems %s: it resembles %s", w.Name, described(w.NmapOS), defaultOS)
		return defaultOS
	}
	return family
}

// settings are kept for all services, since a mutation may bring those that the
// decky does not have yet.
func (p *planner) settings(w *Wanted, services []string) map[string]map[string]json.RawMessage {
	all := make(map[string]map[string]json.RawMessage, len(w.ServiceConfig))
	for _, service := range sortedKeys(w.ServiceConfig) {
		if !slices.Contains(services, service) {
			p.ignore("[%s.%s] has no effect while the decky has no %s", w.Name, service, service)
		}
		values := make(map[string]json.RawMessage, len(w.ServiceConfig[service]))
		for key, text := range w.ServiceConfig[service] {
			values[key], _ = json.Marshal(text) // a string always encodes
		}
		all[service] = values
	}
	return all
}

// described quotes a value of a file, and explains the most common mistake.
func described(value string) string {
	if strings.ContainsAny(value, "#;") {
		return `"` + printable(value) + `" (a comment needs a line of its own)`
	}
	return `"` + printable(value) + `"`
}
