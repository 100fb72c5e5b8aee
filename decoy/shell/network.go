package shell

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"decnet/decoy/trap"
)

func networkPrograms() map[string]program {
	return map[string]program{
		"wget": wget, "curl": curl, "tftp": tftp, "ftpget": ftpget, "ftpput": ftpget,
		"ifconfig": ifconfig, "ip": ip, "netstat": netstat, "ss": netstat, "ping": ping, "arp": arp, "route": route,
	}
}

// asked records that the attacker wants something fetched. Nothing ever is.
func (c *call) asked(address, file string) {
	fields := []trap.Field{{Key: "url", Value: address}}
	if file != "" {
		fields = append(fields, trap.Field{Key: "filename", Value: file})
	}
	c.peer.Record("file_download", append(fields, trap.Field{Key: "tool", Value: c.name})...)
}

// newPassword records a password that the attacker sets.
func (c *call) newPassword(name, password string) {
	c.peer.Record("password_change", trap.Field{Key: "target_user", Value: name}, trap.Field{Key: "new_password", Value: password})
}

// arguments takes the options apart that need a value.
func arguments(args []string, withValue string) (values map[byte]string, rest []string) {
	values = map[byte]string{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		if strings.HasPrefix(a, "--") {
			continue
		}
		for j := 1; j < len(a); j++ {
			if strings.IndexByte(withValue, a[j]) < 0 {
				values[a[j]] = ""
				continue
			}
			if j+1 < len(a) {
				values[a[j]] = a[j+1:]
			} else if i+1 < len(args) {
				i++
				values[a[j]] = args[i]
			}
			break
		}
	}
	return values, rest
}

// target makes a whole URL of what was typed.
func target(s, scheme string) (full string, u *url.URL) {
	if !strings.Contains(s, "://") {
		s = scheme + "://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return s, nil
	}
	return s, u
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	case u.Scheme == "ftp":
		return "21"
	}
	return "80"
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func wget(c *call) int {
	o, urls := arguments(c.args, "OPoUTtQe")
	if len(urls) == 0 {
		if c.m.embedded {
			_, _ = fmt.Fprintf(c.err, "BusyBox v%s multi-call binary.\n\nUsage: wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR] URL...\n", c.m.busybox)
			return 1
		}
		_, _ = fmt.Fprintf(c.err, "wget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n")
		return 1
	}
	_, quiet := o['q']
	result := 0
	for _, s := range urls {
		full, u := target(s, "http")
		name := o['O']
		if name == "" && u != nil {
			name = path.Base("/" + u.Path)
		}
		c.asked(full, strings.Trim(name, "/"))
		if u == nil {
			return c.fail("bad address '%s'", s)
		}
		host := u.Hostname()
		if c.m.embedded {
			switch {
			case isAddress(host):
				if !quiet {
					_, _ = fmt.Fprintf(c.err, "Connecting to %s (%s:%s)\n", u.Host, host, port(u))
				}
				result = c.fail("can't connect to remote host (%s): Connection refused", host)
			default:
				result = c.fail("bad address '%s'", host)
			}
			continue
		}
		result = 4
		if quiet {
			continue
		}
		stamp := c.m.now().UTC().Format("2006-01-02 15:04:05")
		_, _ = fmt.Fprintf(c.err, "--%s--  %s\n", stamp, full)
		if isAddress(host) {
			_, _ = fmt.Fprintf(c.err, "Connecting to %s:%s... failed: Connection refused.\n", host, port(u))
		} else {
			_, _ = fmt.Fprintf(c.err, "Resolving %s (%s)... failed: Temporary failure in name resolution.\nwget: unable to resolve host address ‘%s’\n", host, host, host)
		}
	}
	return result
}

func curl(c *call) int {
	o, urls := arguments(c.args, "oAHdXuemTFrxbcwy")
	if len(urls) == 0 {
		_, _ = fmt.Fprintf(c.err, "curl: try 'curl --help' or 'curl --manual' for more information\n")
		return 2
	}
	_, silent := o['s']
	_, shown := o['S']
	_, remote := o['O']
	result := 0
	for _, s := range urls {
		full, u := target(s, "http")
		name := o['o']
		if remote && u != nil {
			name = path.Base("/" + u.Path)
		}
		c.asked(full, strings.Trim(name, "/"))
		say := func(code int, format string, args ...any) {
			result = code
			if !silent || shown {
				_, _ = fmt.Fprintf(c.err, "curl: (%d) "+format+"\n", append([]any{code}, args...)...)
			}
		}
		switch {
		case u == nil:
			say(3, "URL using bad/illegal format or missing URL")
		case isAddress(u.Hostname()):
			say(7, "Failed to connect to %s port %s after 1 ms: Couldn't connect to server", u.Hostname(), port(u))
		default:
			say(6, "Could not resolve host: %s", u.Hostname())
		}
	}
	return result
}

// tftp is that of BusyBox: tftp -g -r FILE HOST.
func tftp(c *call) int {
	o, rest := arguments(c.args, "rlb")
	args := slices.DeleteFunc(rest, func(s string) bool { return s == "get" })
	if i := slices.Index(c.args, "-c"); i >= 0 && len(args) > 1 { // tftp HOST -c get FILE
		o['r'] = args[1]
	}
	if len(args) == 0 {
		_, _ = fmt.Fprintf(c.err, "BusyBox v%s multi-call binary.\n\nUsage: tftp [OPTIONS] HOST [PORT]\n", c.m.busybox)
		return 1
	}
	name := o['r']
	if name == "" {
		name = o['l']
	}
	c.asked("tftp://"+args[0]+"/"+strings.TrimPrefix(name, "/"), name)
	return c.fail("timeout")
}

// ftpget is that of BusyBox: ftpget [-u USER -p PASS] HOST LOCAL REMOTE.
func ftpget(c *call) int {
	_, args := arguments(c.args, "upP")
	if len(args) < 2 {
		_, _ = fmt.Fprintf(c.err, "BusyBox v%s multi-call binary.\n\nUsage: %s [OPTIONS] HOST [LOCAL_FILE] REMOTE_FILE\n", c.m.busybox, c.name)
		return 1
	}
	c.asked("ftp://"+args[0]+"/"+strings.TrimPrefix(args[len(args)-1], "/"), args[1])
	return c.fail("can't connect to remote host (%s): Connection refused", args[0])
}

func ifconfig(c *call) int {
	a := c.m.host.Addr
	c.printf("%s: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n        inet %s  netmask 255.255.255.0  broadcast %s\n        ether %s  txqueuelen 1000  (Ethernet)\n        RX packets %d  bytes %d\n        TX packets %d  bytes %d\n\n",
		c.m.iface, a, strings.TrimSuffix(c.m.gateway(), "1")+"255", c.m.mac, 812331, 913384412, 401223, 39133411)
	c.printf("lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask 255.0.0.0\n        loop  txqueuelen 1000  (Local Loopback)\n\n")
	return 0
}

func ip(c *call) int {
	a := c.m.host.Addr
	_, args := options(c.args)
	what := ""
	if len(args) > 0 {
		what = args[0]
	}
	switch {
	case strings.HasPrefix(what, "a"):
		c.printf("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n")
		c.printf("2: %s: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP group default qlen 1000\n    link/ether %s brd ff:ff:ff:ff:ff:ff\n    inet %s/24 brd %s scope global %s\n       valid_lft forever preferred_lft forever\n", c.m.iface, c.m.mac, a, strings.TrimSuffix(c.m.gateway(), "1")+"255", c.m.iface)
	case strings.HasPrefix(what, "r"):
		c.printf("default via %s dev %s\n%s0/24 dev %s proto kernel scope link src %s\n", c.m.gateway(), c.m.iface, strings.TrimSuffix(c.m.gateway(), "1"), c.m.iface, a)
	case strings.HasPrefix(what, "n"):
		c.printf("%s dev %s lladdr 52:54:00:12:35:02 REACHABLE\n", c.m.gateway(), c.m.iface)
	case strings.HasPrefix(what, "l"):
		c.printf("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\n2: %s: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP mode DEFAULT group default qlen 1000\n", c.m.iface)
	default:
		_, _ = fmt.Fprintf(c.err, "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n")
		return 255
	}
	return 0
}

func netstat(c *call) int {
	local, peer := fmt.Sprintf("%s:%d", c.m.host.Addr, c.peer.Port), c.peer.Remote.String()
	if c.name == "ss" {
		c.printf("Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\ntcp   LISTEN 0      128          0.0.0.0:%-5d      0.0.0.0:*\ntcp   ESTAB  0      0      %s %s\n", c.peer.Port, local, peer)
		return 0
	}
	c.printf("Active Internet connections (servers and established)\nProto Recv-Q Send-Q Local Address           Foreign Address         State\n")
	c.printf("tcp        0      0 0.0.0.0:%-15d 0.0.0.0:*               LISTEN\ntcp        0      0 %-23s %-23s ESTABLISHED\n", c.peer.Port, local, peer)
	return 0
}

func ping(c *call) int {
	_, args := arguments(c.args, "ciwWsI")
	if len(args) == 0 {
		_, _ = fmt.Fprintf(c.err, "ping: usage error: Destination address required\n")
		return 1
	}
	if !isAddress(args[0]) {
		_, _ = fmt.Fprintf(c.err, "ping: %s: Temporary failure in name resolution\n", args[0])
		return 2
	}
	c.printf("PING %s (%s) 56(84) bytes of data.\n\n--- %s ping statistics ---\n1 packets transmitted, 0 received, 100%% packet loss, time 0ms\n\n", args[0], args[0], args[0])
	return 1
}

func arp(c *call) int {
	c.printf("_gateway (%s) at 52:54:00:12:35:02 [ether] on %s\n", c.m.gateway(), c.m.iface)
	return 0
}

func route(c *call) int {
	c.printf("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n0.0.0.0         %-15s 0.0.0.0         UG    100    0        0 %s\n", c.m.gateway(), c.m.iface)
	return 0
}
