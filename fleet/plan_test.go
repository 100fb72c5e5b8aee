package fleet_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
)

// options are those of a plan for a text, with nothing deployed yet.
func options(t *testing.T, lines ...string) fleet.PlanOptions {
	t.Helper()
	i, err := fleet.ParseINIText(strings.Join(lines, "\n"))
	require.NoError(t, err)
	return fleet.PlanOptions{INI: i, Random: rand.New(rand.NewPCG(1, 2))}
}

func plan(t *testing.T, o fleet.PlanOptions) fleet.Plan {
	t.Helper()
	p, err := fleet.NewPlan(o)
	require.NoError(t, err)
	return p
}

// faults are what a text cannot be planned for.
func faults(t *testing.T, o fleet.PlanOptions) []string {
	t.Helper()
	_, err := fleet.NewPlan(o)
	var p *fleet.PlanError
	require.ErrorAs(t, err, &p)
	return p.Faults
}

func ips(deckies []fleet.Decky) []string {
	all := make([]string, len(deckies))
	for i, d := range deckies {
		all[i] = d.IP
	}
	return all
}

func TestPlan_AutomaticAddressesAvoidAllThatAreTaken(t *testing.T) {
	t.Parallel()
	o := options(t, "[general]", "net=192.0.2.0/28", "gw=192.0.2.2", "[auto]", "services=ssh", "amount=3", "[fixed]", "ip=192.0.2.4", "services=ssh")
	o.Network.Host = []string{"192.0.2.1", "::ffff:192.0.2.6"}
	o.Current.Config.Deckies = []fleet.Decky{{Name: "old", IP: "192.0.2.3", Hostname: "old"}}
	p := plan(t, o)
	assert.Equal(t, []string{"192.0.2.5", "192.0.2.7", "192.0.2.8", "192.0.2.4"}, ips(p.Deckies))
	assert.Equal(t, "192.0.2.0/28", p.State.Config.Subnet)
	assert.Equal(t, "192.0.2.2", p.State.Config.Gateway)
	assert.Equal(t, []string{"old", "auto-01", "auto-02", "auto-03", "fixed"}, namesOf(p.State.Config.Deckies), "who was there stays")

	o = options(t, "[general]", "net=192.0.2.0/30", "[a]", "services=ssh", "[b]", "services=ssh")
	assert.Equal(t, []string{"[b] the net 192.0.2.0/30 has no free address"}, faults(t, o), "of 4 one is the net's, one the broadcast, one the gateway's")
}

// TestPlan_AnAddressOfTheHostIsTakenOnlyByName: it may be the only one, or an
// alias that was made for a decky. Containers cannot have it.
func TestPlan_AnAddressOfTheHostIsTakenOnlyByName(t *testing.T) {
	t.Parallel()
	o := options(t, "[general]", "net=192.0.2.0/24", "[a]", "ip=192.0.2.2", "services=ssh", "[b]", "services=ssh")
	o.Network.Host = []string{"192.0.2.2", "192.0.2.3"}
	assert.Equal(t, []string{"192.0.2.2", "192.0.2.4"}, ips(plan(t, o).Deckies))
	o.Network.Apart = true
	assert.Equal(t, []string{"[a] ip 192.0.2.2 belongs to this host"}, faults(t, o))
}

// TestPlan_WithoutANetworkStandsOnLoopback: there every host can listen.
func TestPlan_WithoutANetworkStandsOnLoopback(t *testing.T) {
	t.Parallel()
	p := plan(t, options(t, "[a]", "services=ssh", "amount=2"))
	assert.Equal(t, []string{"127.10.0.1", "127.10.0.2"}, ips(p.Deckies))
	assert.Empty(t, p.State.Config.Gateway)
	p = plan(t, options(t, "[general]", "net=127.0.0.0/8", "[a]", "services=ssh"))
	assert.Equal(t, []string{"127.0.1.0"}, ips(p.Deckies), "127.0.0.x is where the host's own services listen")

	o := options(t, "[a]", "services=ssh")
	o.Current.Config = fleet.Config{Subnet: "198.51.100.0/24", Gateway: "198.51.100.1", Interface: "eth7", Deckies: []fleet.Decky{{Name: "x", IP: "198.51.100.2"}}}
	p = plan(t, o)
	assert.Equal(t, []string{"198.51.100.3"}, ips(p.Deckies), "the network of those that run")
	assert.Equal(t, "eth7", p.State.Config.Interface)
}

// TestPlan_AMachineMovesOnlyWithItsNet: while the net is the same, addresses and
// the router stay, whatever the order of the text.
func TestPlan_AMachineMovesOnlyWithItsNet(t *testing.T) {
	t.Parallel()
	first := plan(t, options(t, "[general]", "net=192.0.2.0/24", "gw=192.0.2.200", "[a]", "services=ssh", "[b]", "services=ssh"))
	assert.Equal(t, []string{"192.0.2.1", "192.0.2.2"}, ips(first.Deckies))

	o := options(t, "[general]", "net=192.0.2.0/24", "[b]", "services=ssh", "[a]", "services=ssh")
	o.Current = first.State
	same := plan(t, o)
	assert.Equal(t, []string{"192.0.2.2", "192.0.2.1"}, ips(same.Deckies))
	assert.Equal(t, "192.0.2.200", same.State.Config.Gateway)

	o = options(t, "[general]", "net=198.51.100.0/24", "[b]", "services=ssh", "[a]", "services=ssh")
	o.Current = first.State
	moved := plan(t, o)
	assert.Equal(t, []string{"198.51.100.2", "198.51.100.3"}, ips(moved.Deckies))
	assert.Equal(t, "198.51.100.1", moved.State.Config.Gateway)

	o = options(t, "[general]", "net=192.0.2.0/24", "[new]", "services=ssh", "[a]", "ip=192.0.2.9", "services=ssh")
	o.Current = first.State
	assert.Equal(t, []string{"192.0.2.1", "192.0.2.9"}, ips(plan(t, o).Deckies), "what one gives up is another's")
}

func TestPlan_NamesEveryFault(t *testing.T) {
	t.Parallel()
	for want, lines := range map[string][]string{
		`no section asks for a decky`: {"[general]", "net=10.0.0.0/24"},
		`[general] net "10.0.0.0/24  # lab" (a comment needs a line of its own) is not an IPv4 network such as 192.168.1.0/24`: {"[general]", "net=10.0.0.0/24  # lab", "[a]"},
		`[general] gw "router" is not an IPv4 address`:                            {"[general]", "gw=router", "[a]"},
		`[general] net "fd00::/64" is not an IPv4 network such as 192.168.1.0/24`: {"[general]", "net=fd00::/64", "[a]"},
		`[a] there is no archetype "mainframe"`:                                   {"[a]", "archetype=mainframe"},
		`[a] there is no service "gopher"`:                                        {"[a]", "services=ssh,gopher"},
		`[a] services has an empty item`:                                          {"[a]", "services=ssh,,http"},
		`[a] the service sniffer is not for a single decky`:                       {"[a]", "services=sniffer,ssh"},
		`[a] ip "300.1.2.3" is not the IPv4 address of a machine`:                 {"[a]", "ip=300.1.2.3", "services=ssh"},
		`[a] ip "224.0.0.1" is not the IPv4 address of a machine`:                 {"[a]", "ip=224.0.0.1", "services=ssh"},
		`[a] ip "::1" is not the IPv4 address of a machine`:                       {"[a]", "ip=::1", "services=ssh"},
		`[a] ip 10.0.1.1 is not in the net 10.0.0.0/24`:                           {"[general]", "net=10.0.0.9/24", "[a]", "ip=10.0.1.1", "services=ssh"},
		`[a] ip 10.0.0.255 belongs to the network's broadcast`:                    {"[general]", "net=10.0.0.0/24", "[a]", "ip=10.0.0.255", "services=ssh"},
		`[a] ip 10.0.0.1 belongs to the gateway`:                                  {"[general]", "net=10.0.0.0/24", "[a]", "ip=10.0.0.1", "services=ssh"},
		`[b] ip 10.0.0.7 belongs to decky "a"`:                                    {"[a]", "ip=10.0.0.7", "services=ssh", "[b]", "ip=10.0.0.7", "services=ssh"},
		`[a] there is no service "x"; [b] there is no archetype "y"`:              {"[a]", "services=x", "[b]", "archetype=y"},
	} {
		_, err := fleet.NewPlan(options(t, lines...))
		assert.EqualError(t, err, want)
	}
	o := options(t, "[a]", "ip=10.0.0.7", "services=ssh")
	o.Current.Config.Deckies = []fleet.Decky{{Name: "old", IP: "10.0.0.7"}}
	assert.Equal(t, []string{`[a] ip 10.0.0.7 belongs to decky "old"`}, faults(t, o))
	o = options(t, "[a]", "services=gopher", "amount=100")
	assert.Len(t, faults(t, o), 10, "not a hundred sentences")
}

func TestPlan_TheLimitCountsTheWholeFleet(t *testing.T) {
	t.Parallel()
	o := options(t, "[a]", "services=ssh", "amount=3", "[old]", "services=ssh")
	o.Current.Config.Deckies = []fleet.Decky{{Name: "old"}, {Name: "other"}}
	o.Limit = 4
	assert.Equal(t, []string{"the fleet would have 5 deckies, and at most 4 may be deployed"}, faults(t, o))
	o.Limit = 5
	plan(t, o)
	o.Limit, o.Replace = 4, true
	p := plan(t, o)
	assert.Equal(t, []string{"other"}, p.Removed)
	assert.Equal(t, []string{"old", "a-01", "a-02", "a-03"}, namesOf(p.State.Config.Deckies))
}

// TestPlan_EveryArchetypeGivesABelievableMachine: image, host name and system go
// together.
func TestPlan_EveryArchetypeGivesABelievableMachine(t *testing.T) {
	t.Parallel()
	styles := map[fleet.HostnameStyle]*regexp.Regexp{
		fleet.StyleGeneric: regexp.MustCompile(`^SRV-[A-Z]+-\d\d$`),
		fleet.StyleRHEL:    regexp.MustCompile(`^[a-z]+\d\d\.localdomain$`),
		fleet.StyleMinimal: regexp.MustCompile(`^[a-z]+-\d\d$`),
		fleet.StyleRolling: regexp.MustCompile(`^[a-z]+-[a-z]+$`),
	}
	content, err := os.ReadFile("testdata/ini/every-archetype.ini")
	require.NoError(t, err)
	o := options(t, string(content))
	p := plan(t, o)
	require.Len(t, p.Deckies, 30)
	hosts := map[string]bool{}
	for _, d := range p.Deckies {
		a, ok := fleet.ArchetypeNamed(*d.Archetype)
		require.True(t, ok)
		assert.Equal(t, a.Services, d.Services)
		assert.Equal(t, a.NmapOS, d.NmapOS)
		assert.Contains(t, a.Distros, d.Distro)
		distro, _ := fleet.DistroNamed(d.Distro)
		assert.Equal(t, distro.Image, d.BaseImage)
		assert.Equal(t, distro.BuildBase, d.BuildBase)
		assert.Regexp(t, styles[distro.Style], d.Hostname)
		assert.False(t, hosts[d.Hostname], "%s is there twice", d.Hostname)
		hosts[d.Hostname] = true
	}
	o.Random = rand.New(rand.NewPCG(1, 2))
	assert.Equal(t, p, plan(t, o), "the same seed makes the same plan")
	o.Random = rand.New(rand.NewPCG(3, 4))
	assert.NotEqual(t, p, plan(t, o))
}

func TestPlan_NoTwoMachinesHaveOneHostName(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} { // of 7000 names, so that chance alone would fail
		lines = append(lines, "["+name+"]", "archetype=iot-device", "amount=100")
	}
	seen := map[string]bool{}
	for _, d := range plan(t, options(t, lines...)).Deckies {
		assert.False(t, seen[d.Hostname], d.Hostname)
		seen[d.Hostname] = true
	}
}

func TestPlan_RandomServicesFitTogether(t *testing.T) {
	t.Parallel()
	counts, seen := map[int]int{}, map[string]bool{}
	for i := range 60 {
		o := options(t, "[a]", "amount=50")
		o.Random = rand.New(rand.NewPCG(1, uint64(i)))
		for _, d := range plan(t, o).Deckies {
			counts[len(d.Services)]++
			for _, name := range d.Services {
				seen[name] = true
				assert.True(t, slices.ContainsFunc(fleet.Listeners(d.Services), func(l fleet.Listener) bool { return l.Service == name }),
					"%s of %v listens nowhere", name, d.Services)
			}
		}
	}
	assert.Equal(t, []int{1, 2, 3}, slices.Sorted(maps.Keys(counts)), "of each as many")
	assert.Len(t, seen, 27, "all but the sniffer")
	assert.False(t, seen["sniffer"])

	o := options(t, "[a]", "amount=50")
	o.Services = []string{"ssh", "http"}
	for _, d := range plan(t, o).Deckies {
		assert.Subset(t, o.Services, d.Services)
	}
}

// TestMutated_ServicesFitTogether: a service whose ports others have would listen
// nowhere.
func TestMutated_ServicesFitTogether(t *testing.T) {
	t.Parallel()
	random, d := rand.New(rand.NewPCG(1, 2)), fleet.Decky{Services: []string{"ssh"}}
	for range 3000 {
		services, ok := fleet.Mutated(random, &d, nil)
		require.True(t, ok)
		require.NotEqual(t, d.Services, services)
		taken := map[fleet.Port]string{}
		for _, l := range fleet.Listeners(services) {
			taken[l.Port] = l.Service
		}
		for _, name := range services {
			s, _ := fleet.ServiceNamed(name)
			require.False(t, s.Asked, "the older tools, which read the state file too, don't know %s", name)
			for _, p := range s.Ports {
				owner := taken[p]
				require.True(t, owner == name || (name == "http" && owner == "https"), "%v: %s has the port of %s", services, owner, name)
			}
		}
		d.Services = services
	}
	only := fleet.Decky{Services: []string{"ssh"}}
	_, ok := fleet.Mutated(random, &only, []string{"ssh"})
	assert.False(t, ok)
	_, ok = fleet.Mutated(random, &only, []string{})
	assert.False(t, ok)
}

func TestPlan_SaysWhatIsIgnored(t *testing.T) {
	t.Parallel()
	o := options(t, "[custom-radio]", "binary=img:1", "[a]", "services=ssh,radio,llmnr,ssh,smtp,smtp_relay", "nmap_os=AmigaOS", "[a.http]", "x=1")
	o.Services = []string{"ssh", "smtp", "smtp_relay"}
	p := plan(t, o)
	assert.Equal(t, []string{
		"[custom-radio] is not run: only the services that decnet itself imitates are",
		"[a] the service radio of the file's own is not run",
		"[a] the service ssh is there twice",
		"[a] the service llmnr is left out: it cannot be run here",
		"[a] the service smtp_relay is left out: others have its ports",
		`[a] there is no family of operating systems "AmigaOS": it resembles linux`,
		"[a.http] has no effect while the decky has no http",
	}, p.Ignored)
	assert.Equal(t, []string{"ssh", "smtp"}, p.Deckies[0].Services)
	assert.Equal(t, "linux", p.Deckies[0].NmapOS)

	o = options(t, "[a]", "services=ssh"+strings.Repeat(",ssh", 200))
	assert.Len(t, plan(t, o).Ignored, 100, "not two hundred sentences")

	o = options(t, "[a]", "services=llmnr")
	o.Services = []string{"ssh"}
	assert.Equal(t, []string{"[a] has no service that can be run"}, faults(t, o))
}

// TestPlan_AMachineThatIsDeployedAgainStaysTheSame: only what the INI says
// changes.
func TestPlan_AMachineThatIsDeployedAgainStaysTheSame(t *testing.T) {
	t.Parallel()
	first := plan(t, options(t, "[a]", "archetype=linux-server", "[b]"))
	first.State.Config.Deckies[0].LastMutated, first.State.Config.Deckies[0].LastLoginAttempt = 5, 7
	o := options(t, "[b]", "[a]", "services=ftp", "archetype=linux-server", "mutate_interval=9", "[a.ftp]", "banner=x \"y\"")
	o.Current = first.State
	o.Random = rand.New(rand.NewPCG(9, 9))
	again := plan(t, o)
	want := first.State.Config.Deckies
	minutes := int64(9)
	want[0].Services, want[0].MutateInterval = []string{"ftp"}, &minutes
	want[0].ServiceConfig = map[string]map[string]json.RawMessage{"ftp": {"banner": json.RawMessage(`"x \"y\""`)}}
	assert.Equal(t, want, again.State.Config.Deckies)

	o = options(t, "[a]", "archetype=iot-device")
	o.Current = first.State
	moved := plan(t, o).Deckies[0]
	assert.Equal(t, "alpine", moved.Distro, "what the archetype cannot be is chosen anew")
	assert.Equal(t, first.Deckies[0].IP, moved.IP)
}

// TestPlan_OfEveryTextIsAFleetThatCanBeKept plans the files of the old tools.
func TestPlan_OfEveryTextIsAFleetThatCanBeKept(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("testdata/ini")
	require.NoError(t, err)
	planned := 0
	for _, entry := range entries {
		content, err := os.ReadFile("testdata/ini/" + entry.Name())
		require.NoError(t, err)
		i, err := fleet.ParseINIText(string(content))
		if err != nil {
			continue
		}
		p, err := fleet.NewPlan(fleet.PlanOptions{INI: i, Random: rand.New(rand.NewPCG(1, 1))})
		if err != nil {
			continue
		}
		planned++
		f, _ := file(t)
		require.NoError(t, f.Write(t.Context(), p.State), entry.Name())
		got, err := f.Load(t.Context())
		require.NoError(t, err)
		assert.Equal(t, p.State, got, entry.Name())
		for _, d := range got.Config.Deckies {
			_, err := netip.ParseAddr(d.IP)
			assert.NoErrorf(t, err, "%s: %s", entry.Name(), d.Name)
			assert.NotEmpty(t, d.Services)
		}
	}
	assert.Equal(t, 13, planned)
}
