package shell

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// Machine is what all sessions of a decky see. It never changes.
type Machine struct {
	distro
	host     *trap.Host
	now      func() time.Time
	hostname string
	bash     bool
	builtins map[string]program
	programs map[string]program
	base     map[string]*node

	arch, cpu string
	mhz       float64
	cores     int
	memory    int // kB
	disk      int // kB
	used      float64
	mac       string
	iface     string
}

// program is a command. It returns its exit status.
type program func(c *call) int

// call is a command that runs.
type call struct {
	*Shell
	streams
	name string
	args []string
}

// user is an account.
type user struct {
	name, home, shell string
	uid               int
}

// NewMachine invents the machine of a decky. Hostname, where it isn't "",
// overrules that of the host.
func NewMachine(e trap.Env, hostname string) *Machine {
	d := distroOf(e.Host.Distro, e.Host.System)
	if hostname == "" {
		hostname = e.Host.Hostname
	}
	m := &Machine{distro: d, host: e.Host, now: e.Now, hostname: hostname, bash: !d.embedded}
	m.invent(e.Host.Rand("machine"))
	m.builtins, m.programs = builtins(), programs()
	if d.embedded {
		for _, name := range [...]string{"lscpu", "lspci", "apt", "apt-get", "yum", "dnf", "ss", "sudo", "systemctl", "service", "curl", "last", "lsb_release", "hostnamectl"} {
			delete(m.programs, name)
		}
	}
	m.base = m.files()
	return m
}

func (m *Machine) invent(r *rand.Rand) {
	if m.id == "buildroot" {
		m.arch, m.cpu = "armv7l", "ARMv7 Processor rev 5 (v7l)"
		m.cores, m.memory, m.disk, m.mhz = 1+r.IntN(2), 123456+r.IntN(1000)*4, 29440, 48
		m.mac = "00:0c:43:" + hexBytes(r, 3)
		m.iface = "eth0"
		m.used = 0.3 + r.Float64()*0.4
		return
	}
	m.arch = "x86_64"
	m.cpu = [...]string{
		"Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", "Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz",
		"Intel(R) Core(TM) i5-8500 CPU @ 3.00GHz", "Intel(R) Xeon(R) CPU E3-1230 v6 @ 3.50GHz",
	}[r.IntN(5)]
	_, _ = fmt.Sscanf(m.cpu[strings.LastIndex(m.cpu, "@")+2:], "%f", &m.mhz)
	m.mhz *= 1000
	m.cores = 1 << (1 + r.IntN(3))
	m.memory = m.cores*1024*1024*2 - 60000 - r.IntN(30000)
	m.disk = (20+r.IntN(8)*10)*1024*1024 - r.IntN(500000)
	m.used = 0.12 + r.Float64()*0.5
	m.mac = "52:54:00:" + hexBytes(r, 3)
	m.iface = "eth0"
	if m.deb && m.id != "kali" || m.id == "arch" {
		m.iface = "ens18"
	}
}

func hexBytes(r *rand.Rand, n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = hex.EncodeToString([]byte{byte(r.IntN(256))})
	}
	return strings.Join(parts, ":")
}

// Hostname is the name that the machine shows.
func (m *Machine) Hostname() string { return m.hostname }

// Issue is what stands before the login prompt of a terminal.
func (m *Machine) Issue() string { return m.issue }

// Embedded reports whether BusyBox is all that the machine has.
func (m *Machine) Embedded() bool { return m.embedded }

// User is the name of the account besides root.
func (m *Machine) User() string { return m.user }

// Accounts are the names that can log in.
func (m *Machine) Accounts() []string { return []string{"root", "admin", m.user} }

func (m *Machine) account(name string) user {
	sh := "/bin/bash"
	if m.embedded {
		sh = "/bin/sh"
		if m.id == "alpine" {
			sh = "/bin/ash"
		}
	}
	uid := 1000
	switch name {
	case "root":
		return user{name, "/root", sh, 0}
	case m.user:
	default:
		uid = 1001
	}
	return user{name, "/home/" + name, sh, uid}
}

// Start logs a user in. Peer records what the session does.
func (m *Machine) Start(peer *trap.Peer, name string) *Shell {
	u := m.account(name)
	sh := &Shell{
		m: m, fs: newFileSystem(m.base), ctx: context.Background(), peer: peer, user: u, cwd: u.home,
		funcs: map[string]*command{}, left: &budget{}, past: &[]string{}, told: map[string]bool{}, cron: new(string),
		pid: 1200 + int(m.host.Derive("pid "+peer.ID, 1)[0])*37, random: uint32(len(peer.ID)) + 77,
	}
	if _, n := sh.fs.resolve(u.home); n == nil {
		sh.cwd = "/"
		if u.uid != 0 {
			sh.fs.put(u.home, &node{kind: kindDir, mode: 0o755, uid: u.uid, size: -1, mod: m.now()})
			sh.cwd = u.home
		}
	}
	bin := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	if m.id == "buildroot" {
		bin = "/bin:/sbin:/usr/bin:/usr/sbin"
	}
	sh.vars = map[string]string{
		"PATH": bin, "HOME": u.home, "USER": u.name, "LOGNAME": u.name, "SHELL": u.shell,
		"LANG": "en_US.UTF-8", "HOSTNAME": m.hostname, "UID": fmt.Sprint(u.uid), "IFS": " \t\n", "PS1": "$ ",
	}
	sh.export = map[string]bool{}
	for _, k := range [...]string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG"} {
		sh.export[k] = true
	}
	sh.name = "bash"
	if !m.bash {
		sh.name = "sh"
	}
	return sh
}

// Setenv sets a variable as the client asked for, before anything runs.
func (sh *Shell) Setenv(name, value string) {
	if isName(name) {
		sh.setVar(name, value)
		sh.export[name] = true
	}
}

func (m *Machine) booted() time.Time { return m.host.Booted(m.now()) }

func (m *Machine) files() map[string]*node {
	installed := m.booted().Add(-time.Duration(m.host.Derive("installed", 1)[0]) * 24 * time.Hour)
	all := map[string]*node{"/": {kind: kindDir, mode: 0o755, mod: installed, size: -1}}
	var put func(name string, n node)
	put = func(name string, n node) {
		if all[path.Dir(name)] == nil {
			put(path.Dir(name), node{kind: kindDir, mode: 0o755})
		}
		if n.size == 0 {
			n.size = -1
		}
		n.mod = installed
		all[name] = &n
	}
	m.skeleton(put)
	m.programFiles(put)
	for name, text := range m.etc() {
		put(name, node{mode: 0o644, text: text})
	}
	for name, made := range m.proc() {
		put(name, node{mode: 0o444, made: made})
	}
	put("/etc/shadow", node{mode: 0o640, text: m.shadow()})
	return all
}

func (m *Machine) skeleton(put func(string, node)) {
	for _, d := range strings.Fields(`/boot /dev /dev/pts /dev/shm /etc /home /lib /media /mnt /opt /proc /root /run /srv /sys /tmp
		/usr /usr/bin /usr/lib /usr/local /usr/local/bin /usr/sbin /usr/share /var /var/cache /var/lib /var/log /var/run /var/spool /var/spool/cron /var/tmp /var/mail`) {
		mode := uint32(0o755)
		switch d {
		case "/tmp", "/var/tmp", "/dev/shm":
			mode = 0o1777
		case "/root":
			mode = 0o700
		}
		put(d, node{kind: kindDir, mode: mode})
	}
	if m.embedded {
		put("/bin", node{kind: kindDir, mode: 0o755})
		put("/sbin", node{kind: kindDir, mode: 0o755})
	} else {
		put("/bin", node{kind: kindLink, mode: 0o777, text: "usr/bin"})
		put("/sbin", node{kind: kindLink, mode: 0o777, text: "usr/sbin"})
	}
	for _, d := range [...]string{"null", "zero", "tty", "urandom", "random", "full", "ptmx"} {
		put("/dev/"+d, node{kind: kindDevice, mode: 0o666})
	}
	put("/home/"+m.user, node{kind: kindDir, mode: 0o755, uid: 1000})
	if m.bash {
		for home, uid := range map[string]int{"/root": 0, "/home/" + m.user: 1000} {
			put(home+"/.bashrc", node{mode: 0o644, uid: uid, text: bashrc})
			put(home+"/.profile", node{mode: 0o644, uid: uid, text: profile})
		}
	}
	put("/root/.ssh", node{kind: kindDir, mode: 0o700})
	put("/root/.ssh/authorized_keys", node{mode: 0o600, text: ""})
	put("/var/log/lastlog", node{mode: 0o664, size: 292292})
	put("/var/log/wtmp", node{mode: 0o664, size: 21504})
}

const bashrc = `# ~/.bashrc: executed by bash(1) for non-login shells.

# If not running interactively, don't do anything
[ -z "$PS1" ] && return

HISTCONTROL=ignoreboth
shopt -s histappend
HISTSIZE=1000
HISTFILESIZE=2000
`

const profile = `# ~/.profile: executed by Bourne-compatible login shells.

if [ "$BASH" ]; then
  if [ -f ~/.bashrc ]; then
    . ~/.bashrc
  fi
fi

mesg n 2> /dev/null || true
`

// programFiles puts each program where the distribution has it.
func (m *Machine) programFiles(put func(string, node)) {
	busybox := m.busybox != ""
	for name := range m.programs {
		if name == "busybox" && !busybox || m.absent(name) {
			continue
		}
		dir := "/usr/bin/"
		switch name {
		case "ifconfig", "ip", "iptables", "lsmod", "chpasswd", "useradd", "reboot", "shutdown", "poweroff", "service":
			dir = "/usr/sbin/"
		}
		if m.embedded {
			dir = "/bin/"
			if m.id == "buildroot" && name == "busybox" {
				dir = "/bin/"
			}
		}
		size := int64(20000 + int(m.host.Derive("size "+name, 1)[0])*640)
		if m.embedded {
			size = 808712
		}
		put(dir+name, node{mode: 0o755, program: true, size: size})
	}
	shells := []string{"sh", "bash"}
	if m.embedded {
		shells = []string{"sh", "ash"}
	}
	for _, s := range shells {
		put(map[bool]string{true: "/bin/", false: "/usr/bin/"}[m.embedded]+s, node{mode: 0o755, program: true, size: 125688, text: ""})
	}
}

// absent are programs that the distribution doesn't install.
func (m *Machine) absent(name string) bool {
	switch name {
	case "yum", "dnf":
		return !strings.Contains(m.like, "fedora") && m.id != "fedora"
	case "apt", "apt-get", "lsb_release", "service":
		return !m.deb
	case "ifconfig", "netstat":
		return (m.id == "debian" || strings.HasPrefix(m.id, "ubuntu") || m.id == "arch" || m.id == "rocky") && !m.embedded
	case "tftp", "ftpget", "ftpput":
		return !m.embedded
	}
	return false
}
