package fleet

import "slices"

// Port is where a service listens.
type Port struct {
	// Network is "tcp" or "udp".
	Network string
	// Number is from 1 to 65535.
	Number int
}

// Service is a kind of server that a decoy can imitate.
type Service struct {
	// Name is what INI files, the state file and events call it.
	Name string
	// Ports are those that the imitated server has, the main one first. A port that
	// two services of a decky have belongs to one of them only: see [Listeners].
	Ports []Port
	// FleetWide services exist once for the whole fleet; no decky may ask for one.
	FleetWide bool
	// Asked services are had only by those who name them: chance gives no decky one,
	// because the older tools, which read the state file too, don't know their names.
	Asked bool
}

// Services returns all services in the order of their names.
func Services() []Service {
	return []Service{
		{Name: catchall, Asked: true}, // its ports are a setting
		{Name: "conpot", Ports: []Port{{"tcp", 502}, {"udp", 161}, {"tcp", 80}}},
		{Name: "docker_api", Ports: tcp(2375, 2376)},
		{Name: "elasticsearch", Ports: tcp(9200)},
		{Name: "ftp", Ports: tcp(21)},
		{Name: "http", Ports: tcp(80, 443)},
		{Name: "https", Ports: tcp(443)},
		{Name: "imap", Ports: tcp(143, 993)},
		{Name: "k8s", Ports: tcp(6443, 8080)},
		{Name: "ldap", Ports: tcp(389, 636)},
		{Name: "llmnr", Ports: udp(5355, 5353)},
		{Name: "memcached", Ports: tcp(11211), Asked: true},
		{Name: "mongodb", Ports: tcp(27017)},
		{Name: "mqtt", Ports: tcp(1883)},
		{Name: "mssql", Ports: tcp(1433)},
		{Name: "mysql", Ports: tcp(3306)},
		{Name: "pop3", Ports: tcp(110, 995)},
		{Name: "postgres", Ports: tcp(5432)},
		{Name: "rdp", Ports: tcp(3389)},
		{Name: "redis", Ports: tcp(6379)},
		{Name: "sip", Ports: append(udp(5060), tcp(5060)...)},
		{Name: "smb", Ports: tcp(445, 139)},
		{Name: "smtp", Ports: tcp(25, 587)},
		{Name: "smtp_relay", Ports: tcp(25, 587)},
		{Name: "sniffer", FleetWide: true},
		{Name: "snmp", Ports: udp(161)},
		{Name: "ssh", Ports: tcp(22)},
		{Name: "telnet", Ports: tcp(23)},
		{Name: "tftp", Ports: udp(69)},
		{Name: "vnc", Ports: tcp(5900)},
	}
}

func tcp(numbers ...int) []Port { return ports("tcp", numbers) }
func udp(numbers ...int) []Port { return ports("udp", numbers) }

func ports(network string, numbers []int) []Port {
	all := make([]Port, len(numbers))
	for i, n := range numbers {
		all[i] = Port{network, n}
	}
	return all
}

// ServiceNamed returns the service of that name.
func ServiceNamed(name string) (Service, bool) {
	all := Services()
	i := slices.IndexFunc(all, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return Service{}, false
	}
	return all[i], true
}

// Listener is one port of one service of a decky.
type Listener struct {
	Service string
	Port
}

// Listeners returns the ports on which a decky with these services and no
// settings listens: see [Decky.Listeners]. Unknown services have none.
func Listeners(services []string) []Listener { return listeners(services, catchallPorts()) }

// listeners are those of services, of which catchall has the given ports.
func listeners(services []string, rest []Port) []Listener {
	portsOf := func(name string) []Port {
		if name == catchall {
			return rest
		}
		s, _ := ServiceNamed(name)
		return s.Ports
	}
	owner := map[Port]string{}
	claim := func(fits func(name string, i int) bool) {
		for _, name := range services {
			for i, p := range portsOf(name) {
				if _, taken := owner[p]; !taken && fits(name, i) {
					owner[p] = name
				}
			}
		}
	}
	claim(func(name string, i int) bool { return name != catchall && i == 0 })
	claim(func(name string, _ int) bool { return name != catchall })
	claim(func(string, int) bool { return true })
	var all []Listener
	for _, name := range services {
		for _, p := range portsOf(name) {
			if owner[p] == name {
				all = append(all, Listener{name, p})
				delete(owner, p) // a service that is listed twice listens once
			}
		}
	}
	return all
}
