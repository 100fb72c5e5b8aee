package fleet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// maxRandom is how many services a decky gets at most when nobody names any.
const maxRandom = 3

// services are those that the INI names, else the archetype's, else those that
// the decky had, else one to three at random.
func (p *planner) services(w *Wanted, archetype Archetype, old Decky) []string {
	switch {
	case w.Services != nil:
		return p.named(w)
	case w.Archetype != "":
		return p.runnable(w, archetype.Services)
	case old.Archetype == nil && len(old.Services) > 0:
		return old.Services
	}
	return p.runnable(w, randomServices(p.Random, choosable(p.Services), maxRandom))
}

// named checks the services that the INI names.
func (p *planner) named(w *Wanted) []string {
	var all []string
	for _, name := range w.Services {
		s, known := ServiceNamed(name)
		switch {
		case p.custom[name] && !known:
			p.ignore("[%s] the service %s of the file's own is not run", w.Name, printable(name))
		case name == "":
			p.fault("[%s] services has an empty item", w.Name)
		case !known:
			p.fault("[%s] there is no service %s", w.Name, described(name))
		case s.FleetWide:
			p.fault("[%s] the service %s is not for a single decky", w.Name, name)
		case slices.Contains(all, name):
			p.ignore("[%s] the service %s is there twice", w.Name, name)
		default:
			all = append(all, name)
		}
	}
	return p.runnable(w, all)
}

// runnable leaves out what cannot be run, and says of a service that has no port
// left that it has none.
func (p *planner) runnable(w *Wanted, services []string) []string {
	decky := w.Name
	var all []string
	for _, name := range services {
		if p.Services != nil && !slices.Contains(p.Services, name) {
			p.ignore("[%s] the service %s is left out: it cannot be run here", decky, name)
			continue
		}
		all = append(all, name)
	}
	ports := catchallPorts()
	if text, given := w.ServiceConfig[catchall]["ports"]; given && slices.Contains(all, catchall) {
		var err error
		if ports, err = parsePorts(text); err != nil {
			p.fault("[%s.%s] ports: %v", decky, catchall, err)
			return all
		}
	}
	listeners := listeners(all, ports)
	all = slices.DeleteFunc(all, func(name string) bool {
		silent := !slices.ContainsFunc(listeners, func(l Listener) bool { return l.Service == name })
		if silent {
			p.ignore("[%s] the service %s is left out: others have its ports", decky, name)
		}
		return silent
	})
	if len(all) == 0 && len(p.faults) == 0 {
		p.fault("[%s] has no service that can be run", decky)
	}
	return all
}

// choosable returns the services that chance may give a decky, of those that can
// be run; nil means all.
func choosable(runnable []string) []string {
	var names []string
	for _, s := range Services() {
		if !s.FleetWide && !s.Asked && (runnable == nil || slices.Contains(runnable, s.Name)) {
			names = append(names, s.Name)
		}
	}
	return names
}

// randomServices chooses one service of the pool at least and most at most, none
// of which share a port, in the order of their names.
func randomServices(random *rand.Rand, pool []string, most int) []string {
	want := 1 + random.IntN(most)
	var chosen []string
	for _, i := range random.Perm(len(pool)) {
		if len(chosen) < want && compatible(chosen, pool[i]) {
			chosen = append(chosen, pool[i])
		}
	}
	slices.Sort(chosen)
	return chosen
}

// mutated chooses other services for a decky than it has: of those of its
// archetype, else of all that can be run. It returns false when there are no others.
func mutated(random *rand.Rand, d *Decky, runnable []string) ([]string, bool) {
	pool, most := choosable(runnable), maxRandom
	if d.Archetype != nil {
		if a, known := ArchetypeNamed(*d.Archetype); known {
			pool = slices.DeleteFunc(a.Services, func(name string) bool { return !slices.Contains(pool, name) })
			most = max(len(pool), 1)
		}
	}
	now := slices.Sorted(slices.Values(d.Services))
	const tries = 200
	for range tries {
		if other := randomServices(random, pool, most); len(other) > 0 && !slices.Equal(other, now) {
			return other, true
		}
	}
	return nil, false
}

// compatible reports whether a service shares no port with others, but for https
// beside http, which is common.
func compatible(chosen []string, name string) bool {
	for _, other := range chosen {
		if pair := []string{name, other}; !slices.Contains(pair, "https") || !slices.Contains(pair, "http") {
			a, _ := ServiceNamed(name)
			b, _ := ServiceNamed(other)
			if slices.ContainsFunc(a.Ports, func(p Port) bool { return slices.Contains(b.Ports, p) }) {
				return false
			}
		}
	}
	return true
}

// hostname makes a host name that no other decky has.
func (p *planner) hostname(style HostnameStyle) string {
	const tries = 1000
	name := ""
	for range tries {
		name = randomHostname(p.Random, style)
		if !p.hostnames[name] {
			break
		}
	}
	p.hostnames[name] = true
	return name
}

// hostWords are what machines are named after.
func hostWords() []string {
	return strings.Fields(`alder amber anchor apollo argon ash atlas aurora basalt beacon birch bishop boron bravo canyon
		cedar cobalt comet copper coral cypress delta dune ember falcon fjord flint garnet glacier granite harbor hazel helium
		heron indigo iris jade juniper kestrel krypton larch lotus lunar maple marble meridian neon nimbus nova oak onyx opal
		orion osprey pearl phoenix pine plasma quartz raven ridge river sable sierra slate spruce summit talon tango tundra
		umber vega willow xenon zenith zephyr`)
}

// randomHostname makes a name as people give them to machines.
func randomHostname(random *rand.Rand, style HostnameStyle) string {
	words := hostWords()
	word := words[random.IntN(len(words))]
	n := 1 + random.IntN(99)
	switch style {
	case StyleRHEL:
		return fmt.Sprintf("%s%02d.localdomain", word, n)
	case StyleMinimal:
		return fmt.Sprintf("%s-%02d", word, n)
	case StyleRolling:
		return word + "-" + words[random.IntN(len(words))]
	case StyleGeneric:
	}
	return fmt.Sprintf("SRV-%s-%02d", strings.ToUpper(word), n)
}
