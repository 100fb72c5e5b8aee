package shell

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// programs are the commands that are files.
func programs() map[string]program {
	quiet := func(*call) int { return 0 }
	all := map[string]program{
		"cat": cat, "tee": tee, "dd": dd, "mkdir": mkdir, "rm": rm, "rmdir": rm, "unlink": rm, "cp": copyOrMove, "mv": copyOrMove, "ln": ln,
		"touch": touch, "chmod": chmod, "chown": quiet, "chattr": quiet, "lsattr": quiet, "ls": ls, "dir": ls, "find": find,
		"head": headTail, "tail": headTail, "more": cat, "less": cat, "grep": grep, "egrep": grep, "fgrep": grep, "wc": wc, "sort": sortLines,
		"uniq": uniq, "cut": cut, "tr": tr, "sed": sed, "awk": awk, "md5sum": checksum, "sha1sum": checksum, "sha256sum": checksum,
		"base64": base64Command, "seq": seq, "yes": yes, "basename": baseName, "dirname": baseName, "xargs": xargs, "hexdump": hexdump, "od": hexdump,
		"uname": uname, "arch": func(c *call) int { c.printf("%s\n", c.m.arch); return 0 }, "id": id, "whoami": whoami, "groups": whoami,
		"hostname": hostname, "nproc": func(c *call) int { c.printf("%d\n", c.m.cores); return 0 }, "lscpu": lscpu, "free": free, "df": df,
		"uptime": uptime, "w": who, "who": who, "last": last, "ps": ps, "top": top, "date": date, "sleep": sleep, "usleep": quiet,
		"env": env, "printenv": env, "which": which, "sync": quiet, "clear": func(c *call) int { c.printf("\x1b[H\x1b[2J"); return 0 }, "reset": quiet,
		"stty": quiet, "tty": tty, "mount": func(c *call) int { c.printf("%s", mountText(c.m)); return 0 }, "umount": quiet,
		"lspci": lspci, "lsmod": lsmod, "dmesg": quiet, "killall": killall, "pkill": killall, "pgrep": pgrep, "nohup": prefix, "setsid": prefix, "nice": prefix,
		"timeout": prefix, "sudo": sudo, "su": su, "passwd": passwd, "chpasswd": chpasswd, "useradd": quiet, "adduser": quiet, "usermod": quiet,
		"userdel": quiet, "crontab": crontab, "lsb_release": lsbRelease, "hostnamectl": quiet, "systemctl": quiet, "service": quiet,
		"reboot": quiet, "shutdown": quiet, "poweroff": quiet, "iptables": quiet, "busybox": busybox,
		"apt": apt, "apt-get": apt, "yum": apt, "dnf": apt, "mktemp": mktemp, "true": quiet, "false": func(*call) int { return 1 },
		"echo": echo, "printf": printf, "test": test, "[": test, "kill": kill, "pwd": func(c *call) int { c.printf("%s\n", c.cwd); return 0 },
		"sh": sh, "bash": sh, "ash": sh, "dash": sh,
	}
	for name, run := range networkPrograms() {
		all[name] = run
	}
	return all
}

// sh runs a script: -c text, a file, or what it reads.
func sh(c *call) int {
	args := c.args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		if strings.HasSuffix(args[0], "c") && args[0][1] != '-' && len(args) > 1 {
			name := c.name
			rest := args[2:]
			if len(rest) > 0 {
				name, rest = rest[0], rest[1:]
			}
			return c.script(args[1], name, rest, c.streams)
		}
		if args[0] == "--version" && c.name == "bash" {
			c.printf("GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\n")
			return 0
		}
		args = args[1:]
	}
	if len(args) > 0 {
		_, n := c.fs.resolve(c.abs(args[0]))
		if n == nil {
			if c.m.bash {
				_, _ = fmt.Fprintf(c.err, "%s: %s: No such file or directory\n", c.name, args[0])
			} else {
				_, _ = fmt.Fprintf(c.err, "%s: can't open '%s'\n", c.name, args[0])
			}
			return 127
		}
		if n.kind != kindFile || n.program {
			return c.fail("%s: cannot execute binary file", args[0])
		}
		c.bring(c.abs(args[0]), n)
		return c.script(n.content(), args[0], args[1:], c.streams)
	}
	if c.interactive && c.in.session {
		return 0 // the prompt of the shell that runs is as good as that of another
	}
	return c.script(c.all(), c.name, nil, c.streams)
}

func uname(c *call) int {
	flags, _ := options(c.args)
	if flags == "" {
		flags = "s"
	}
	if strings.Contains(flags, "a") || flags == "-all" {
		flags = "snrvmo"
		if c.m.id == "centos" || c.m.id == "fedora" || c.m.id == "rocky" {
			flags = "snrvmpio"
		}
	}
	var out []string
	for _, f := range [...]struct {
		flag, text string
	}{
		{"s", "Linux"}, {"n", c.m.hostname}, {"r", c.m.release}, {"v", c.m.build}, {"m", c.m.arch},
		{"p", c.m.arch}, {"i", c.m.arch}, {"o", "GNU/Linux"},
	} {
		if strings.Contains(flags, f.flag) {
			if f.flag == "o" && c.m.id == "alpine" {
				f.text = "Linux"
			}
			out = append(out, f.text)
		}
	}
	c.printf("%s\n", strings.Join(out, " "))
	return 0
}

func id(c *call) int {
	flags, names := options(c.args)
	u := c.user
	if len(names) > 0 {
		if u = c.m.account(names[0]); names[0] != "root" && names[0] != c.m.user {
			return c.fail("‘%s’: no such user", names[0])
		}
	}
	switch flags {
	case "u", "g":
		c.printf("%d\n", u.uid)
	case "un", "nu", "gn":
		c.printf("%s\n", u.name)
	default:
		extra := ""
		if u.uid != 0 && c.m.bash {
			extra = ",27(sudo)"
			if !c.m.deb {
				extra = ",10(wheel)"
			}
		}
		c.printf("uid=%d(%s) gid=%d(%s) groups=%d(%s)%s\n", u.uid, u.name, u.uid, u.name, u.uid, u.name, extra)
	}
	return 0
}

func whoami(c *call) int {
	c.printf("%s\n", c.user.name)
	return 0
}

func hostname(c *call) int {
	if len(c.args) > 0 && strings.HasPrefix(c.args[0], "-I") || len(c.args) > 0 && c.args[0] == "-i" {
		c.printf("%s \n", c.m.host.Addr)
		return 0
	}
	c.printf("%s\n", c.m.hostname)
	return 0
}

func lscpu(c *call) int {
	m := c.m
	c.printf("Architecture:                       %s\nCPU op-mode(s):                     32-bit, 64-bit\nAddress sizes:                      46 bits physical, 48 bits virtual\nByte Order:                         Little Endian\n", m.arch)
	c.printf("CPU(s):                             %d\nOn-line CPU(s) list:                0-%d\nVendor ID:                          GenuineIntel\nModel name:                         %s\n", m.cores, m.cores-1, m.cpu)
	c.printf("CPU family:                         6\nModel:                              85\nThread(s) per core:                 1\nCore(s) per socket:                 %d\nSocket(s):                          1\nStepping:                           4\nBogoMIPS:                           %.2f\nHypervisor vendor:                  KVM\nVirtualization type:                full\n", m.cores, m.mhz*2)
	return 0
}

func free(c *call) int {
	flags, _ := options(c.args)
	unit := 1
	suffix := ""
	switch {
	case strings.Contains(flags, "m"):
		unit = 1024
	case strings.Contains(flags, "g"):
		unit = 1024 * 1024
	case strings.Contains(flags, "h"):
		unit, suffix = 1024, "Mi"
	}
	total := c.m.memory
	cached := int(float64(total)*0.2) + total/40
	available := int(float64(total) * (0.9 - c.m.used))
	used := total - available - cached
	show := func(n int) string { return strconv.Itoa(n/unit) + suffix }
	c.printf("               total        used        free      shared  buff/cache   available\n")
	c.printf("Mem:    %12s%12s%12s%12s%12s%12s\n", show(total), show(used), show(available), show(total/400), show(cached), show(available+cached))
	c.printf("Swap:   %12s%12s%12s\n", show(c.m.swap()), show(0), show(c.m.swap()))
	return 0
}

func df(c *call) int {
	flags, _ := options(c.args)
	used := int(float64(c.m.disk) * c.m.used)
	tmpfs := c.m.memory / 2
	root := "/dev/sda1"
	if c.m.id == "buildroot" {
		root, used = "/dev/root", c.m.disk
	}
	show := strconv.Itoa
	head := "Filesystem     1K-blocks    Used Available Use% Mounted on"
	if strings.Contains(flags, "h") {
		show = func(kb int) string {
			switch {
			case kb >= 10<<20:
				return strconv.Itoa(kb>>20) + "G"
			case kb >= 1<<20:
				return fmt.Sprintf("%.1fG", float64(kb)/(1<<20))
			case kb >= 1<<10:
				return strconv.Itoa(kb>>10) + "M"
			}
			return strconv.Itoa(kb)
		}
		head = "Filesystem      Size  Used Avail Use% Mounted on"
	}
	c.printf("%s\n", head)
	for _, f := range [...]struct {
		dev         string
		total, used int
		at          string
	}{{"udev", tmpfs - 9000, 0, "/dev"}, {"tmpfs", tmpfs / 5, tmpfs / 300, "/run"}, {root, c.m.disk, used, "/"}, {"tmpfs", tmpfs, 0, "/dev/shm"}} {
		c.printf("%-14s %9s %7s %9s %3d%% %s\n", f.dev, show(f.total), show(f.used), show(f.total-f.used), f.used*100/max(f.total, 1), f.at)
	}
	return 0
}

// upText is the first line of w and uptime.
func (c *call) upText(users int) string {
	now := c.m.now().UTC()
	up := now.Sub(c.m.booted())
	plural := "s"
	if users == 1 {
		plural = ""
	}
	load := strings.ReplaceAll(c.m.load(), " ", ", ")
	return fmt.Sprintf(" %s up %d days, %2d:%02d, %2d user%s,  load average: %s", now.Format("15:04:05"), int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60, users, plural, load)
}

func uptime(c *call) int {
	c.printf("%s\n", c.upText(1))
	return 0
}

func who(c *call) int {
	from := c.peer.Remote.Addr().String()
	now := c.m.now().UTC()
	if c.name == "who" {
		c.printf("%-8s pts/0        %s (%s)\n", c.user.name, now.Format("2006-01-02 15:04"), from)
		return 0
	}
	c.printf("%s\nUSER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU WHAT\n", c.upText(1))
	c.printf("%-8s pts/0    %-16s %s    0.00s  0.02s  0.00s w\n", c.user.name, from, now.Format("15:04"))
	return 0
}

func last(c *call) int {
	now, before := c.m.now().UTC(), c.m.lastLogin().UTC()
	c.printf("%-8s pts/0        %-16s %s   still logged in\n", c.user.name, c.peer.Remote.Addr(), now.Format("Mon Jan _2 15:04"))
	c.printf("%-8s pts/0        %-16s %s - %s  (00:17)\n", "root", c.m.gateway(), before.Format("Mon Jan _2 15:04"), before.Add(17*time.Minute).Format("15:04"))
	c.printf("reboot   system boot  %-16s %s   still running\n\nwtmp begins %s\n", c.m.release[:min(16, len(c.m.release))], c.m.booted().UTC().Format("Mon Jan _2 15:04"), c.m.booted().UTC().Format(time.ANSIC))
	return 0
}

// process is one that ps shows.
type process struct {
	pid                int
	user, tty, command string
	rss                int
}

func (m *Machine) processes() []process {
	all := []process{{1, "root", "?", "/sbin/init", 11824}}
	if m.id == "buildroot" {
		all[0].command = "init"
		for i, name := range [...]string{"[kthreadd]", "[ksoftirqd/0]", "[kworker/0:0H]", "[kswapd0]", "[mtdblock6]"} {
			all = append(all, process{2 + i, "root", "?", name, 0})
		}
		return append(all, process{188, "root", "?", "/sbin/syslogd -n", 560}, process{201, "root", "?", "udhcpc -i eth0", 588}, process{230, "root", "?", "/usr/sbin/telnetd", 520}, process{244, "root", "?", "/usr/sbin/httpd -h /www", 900})
	}
	for i, name := range [...]string{"[kthreadd]", "[rcu_gp]", "[rcu_par_gp]", "[kworker/0:0H-events_highpri]", "[mm_percpu_wq]", "[ksoftirqd/0]", "[rcu_sched]", "[migration/0]", "[kdevtmpfs]", "[khungtaskd]", "[kcompactd0]", "[kswapd0]"} {
		all = append(all, process{2 + i*2, "root", "?", name, 0})
	}
	if m.embedded {
		return append(all, process{1888, "root", "?", "/sbin/syslogd -t -n", 920}, process{1950, "root", "?", "/usr/sbin/crond -c /etc/crontabs -f", 880}, process{2010, "root", "?", "sshd: /usr/sbin/sshd [listener] 0 of 10-100 startups", 4300})
	}
	return append(all,
		process{312, "root", "?", "/lib/systemd/systemd-journald", 15400}, process{339, "root", "?", "/lib/systemd/systemd-udevd", 6300},
		process{521, "root", "?", "/usr/sbin/cron -f", 2700}, process{524, "root", "?", "/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only", 4900},
		process{530, "root", "?", "/usr/sbin/rsyslogd -n -iNONE", 5600}, process{533, "root", "?", "/lib/systemd/systemd-logind", 7900},
		process{612, "root", "tty1", "/sbin/agetty -o -p -- \\u --noclear - linux", 2000}, process{640, "root", "?", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", 9300})
}

func (m *Machine) hasProcess(pid int) bool {
	for _, p := range m.processes() {
		if p.pid == pid {
			return true
		}
	}
	return false
}

func (c *call) processes() []process {
	shell := "-bash"
	if !c.m.bash {
		shell = "-sh"
	}
	return append(c.m.processes(), process{c.pid - 6, "root", "?", "sshd: " + c.user.name + "@pts/0", 10900}, process{c.pid, c.user.name, "pts/0", shell, 5000},
		process{c.pid + 11, c.user.name, "pts/0", strings.TrimSpace(c.name + " " + strings.Join(c.args, " ")), 4200})
}

func ps(c *call) int {
	flags := strings.Join(c.args, "")
	switch {
	case c.m.embedded:
		c.printf("PID   USER     TIME  COMMAND\n")
		for _, p := range c.processes() {
			c.printf("%5d %-8s  0:00 %s\n", p.pid, p.user, p.command)
		}
	case strings.Contains(flags, "u") && strings.ContainsAny(flags, "ax"):
		c.printf("USER         PID %%CPU %%MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n")
		for _, p := range c.processes() {
			c.printf("%-8s %7d  0.0 %4.1f %6d %5d %-8s Ss   %s   0:00 %s\n", p.user, p.pid, float64(p.rss)*100/float64(c.m.memory), p.rss*3, p.rss, p.tty, c.m.booted().Format("Jan02"), p.command)
		}
	case strings.ContainsAny(flags, "eA"):
		c.printf("UID          PID    PPID  C STIME TTY          TIME CMD\n")
		for _, p := range c.processes() {
			c.printf("%-8s %7d %7d  0 %s %-8s 00:00:00 %s\n", p.user, p.pid, min(p.pid-1, 1), c.m.booted().Format("Jan02"), p.tty, p.command)
		}
	case strings.Contains(flags, "x"):
		c.printf("    PID TTY      STAT   TIME COMMAND\n")
		for _, p := range c.processes() {
			c.printf("%7d %-8s Ss     0:00 %s\n", p.pid, p.tty, p.command)
		}
	default:
		c.printf("    PID TTY          TIME CMD\n%7d pts/0    00:00:00 bash\n%7d pts/0    00:00:00 ps\n", c.pid, c.pid+11)
	}
	return 0
}

func top(c *call) int {
	c.printf("top -%s\nTasks: %3d total,   1 running, %3d sleeping,   0 stopped,   0 zombie\n", c.upText(1), 96, 95)
	c.printf("%%Cpu(s):  0.3 us,  0.2 sy,  0.0 ni, 99.5 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st\n\n    PID USER      PR  NI    VIRT    RES    SHR S  %%CPU  %%MEM     TIME+ COMMAND\n")
	for _, p := range c.processes() {
		c.printf("%7d %-8s  20   0 %7d %6d %6d S   0.0 %5.1f   0:00.00 %s\n", p.pid, p.user, p.rss*3, p.rss, p.rss/2, float64(p.rss)*100/float64(c.m.memory), strings.Fields(p.command)[0])
	}
	return 0
}

func date(c *call) int {
	now := c.m.now().UTC()
	if len(c.args) > 0 && strings.HasPrefix(c.args[0], "+") {
		r := strings.NewReplacer("%s", strconv.FormatInt(now.Unix(), 10), "%Y", now.Format("2006"), "%m", now.Format("01"), "%d", now.Format("02"),
			"%H", now.Format("15"), "%M", now.Format("04"), "%S", now.Format("05"), "%F", now.Format(time.DateOnly), "%T", now.Format(time.TimeOnly), "%%", "%")
		c.printf("%s\n", r.Replace(c.args[0][1:]))
		return 0
	}
	c.printf("%s\n", now.Format("Mon Jan _2 15:04:05 MST 2006"))
	return 0
}

func env(c *call) int {
	if c.name == "printenv" && len(c.args) > 0 {
		c.printf("%s\n", c.vars[c.args[0]])
		return 0
	}
	for len(c.args) > 0 && (strings.Contains(c.args[0], "=") || c.args[0][:min(1, len(c.args[0]))] == "-") {
		c.args = c.args[1:]
	}
	if len(c.args) > 0 {
		return prefixed(c, c.args)
	}
	for _, k := range [...]string{"SHELL", "PWD", "LOGNAME", "HOME", "LANG", "TERM", "USER", "PATH"} {
		if k == "PWD" {
			c.printf("PWD=%s\n", c.cwd)
		} else if v, ok := c.vars[k]; ok {
			c.printf("%s=%s\n", k, v)
		}
	}
	return 0
}

func tty(c *call) int {
	if !c.interactive {
		c.printf("not a tty\n")
		return 1
	}
	c.printf("/dev/pts/0\n")
	return 0
}

func mountText(m *Machine) string {
	var b strings.Builder
	for _, l := range split(m.mounts()) {
		f := strings.Fields(l)
		fmt.Fprintf(&b, "%s on %s type %s (%s)\n", f[0], f[1], f[2], f[3])
	}
	return b.String()
}

func lspci(c *call) int {
	c.printf("00:00.0 Host bridge: Intel Corporation 440FX - 82441FX PMC [Natoma] (rev 02)\n00:01.0 ISA bridge: Intel Corporation 82371SB PIIX3 ISA [Natoma/Triton II]\n00:02.0 VGA compatible controller: Device 1234:1111 (rev 02)\n00:12.0 Ethernet controller: Red Hat, Inc. Virtio network device\n")
	return 0
}

func lsmod(c *call) int {
	c.printf("Module                  Size  Used by\nnf_tables             290816  0\nvirtio_net             73728  0\next4                  983040  1\n")
	return 0
}

func killall(c *call) int {
	if _, names := options(c.args); len(names) > 0 && c.name == "killall" {
		_, _ = fmt.Fprintf(c.err, "%s: no process found\n", names[len(names)-1])
	}
	return 1
}

func pgrep(c *call) int {
	_, names := options(c.args)
	found := false
	for _, p := range c.m.processes() {
		if len(names) > 0 && strings.Contains(p.command, names[0]) {
			c.printf("%d\n", p.pid)
			found = true
		}
	}
	return status(found)
}

// prefix runs the command that follows, as nohup does.
func prefix(c *call) int {
	args := c.args
	for len(args) > 0 && (args[0][:min(1, len(args[0]))] == "-" || c.name == "timeout" && strings.Trim(args[0], "0123456789smh.") == "") {
		args = args[1:]
	}
	return prefixed(c, args)
}

func prefixed(c *call, args []string) int {
	if len(args) == 0 {
		return 0
	}
	c.depth++
	defer func() { c.depth-- }()
	return c.call(args, c.streams)
}

func lsbRelease(c *call) int {
	name := map[string]string{"debian": "Debian", "ubuntu": "Ubuntu", "kali": "Kali"}[c.m.id]
	c.printf("Distributor ID:\t%s\nDescription:\t%s\nRelease:\t%s\nCodename:\t%s\n", name, c.m.pretty, c.m.version, c.m.codename)
	return 0
}

// busybox runs an applet.
func busybox(c *call) int {
	if len(c.args) == 0 || c.args[0] == "--help" {
		c.printf("BusyBox v%s (2021-11-01 10:04:31 UTC) multi-call binary.\nBusyBox is copyrighted by many authors between 1998-2015.\nLicensed under GPLv2. See source distribution for detailed\ncopyright notices.\n\nUsage: busybox [function [arguments]...]\n   or: busybox --list[-full]\n   or: function [arguments]...\n", c.m.busybox)
		return 0
	}
	name := c.args[0]
	run := c.m.programs[name]
	switch name {
	case "bash", "lscpu", "lspci", "apt", "apt-get", "yum", "dnf", "ss", "sudo", "systemctl", "service", "curl", "last", "lsb_release", "hostnamectl", "busybox":
		run = nil
	}
	if run == nil {
		_, _ = fmt.Fprintf(c.err, "%s: applet not found\n", name)
		return 127
	}
	c.name, c.args = name, c.args[1:]
	return run(c)
}

// apt finds no server, as on a machine without a way out.
func apt(c *call) int {
	_, names := options(c.args)
	if len(names) == 0 {
		return 0
	}
	switch {
	case c.name == "yum" || c.name == "dnf":
		_, _ = fmt.Fprintf(c.err, "Error: Failed to download metadata for repo 'baseos': Cannot prepare internal mirrorlist: Curl error (6): Couldn't resolve host name\n")
	case names[0] == "update":
		c.printf("Err:1 http://deb.debian.org/debian %s InRelease\n  Temporary failure resolving 'deb.debian.org'\nReading package lists... Done\n", c.m.codename)
		return 0
	case len(names) > 1:
		c.printf("Reading package lists... Done\nBuilding dependency tree... Done\nReading state information... Done\n")
		_, _ = fmt.Fprintf(c.err, "E: Unable to locate package %s\n", names[1])
		return 100
	}
	return 1
}

func mktemp(c *call) int {
	name := fmt.Sprintf("/tmp/tmp.%x", c.m.host.Derive(fmt.Sprint("mktemp ", c.left.steps, c.peer.ID), 5))
	c.makeFile(name, false)
	c.printf("%s\n", name)
	return 0
}
