package shell

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// etc are the files with fixed content.
func (m *Machine) etc() map[string]string {
	sh := m.account("root").shell
	files := map[string]string{
		"/etc/hostname":    m.hostname + "\n",
		"/etc/hosts":       "127.0.0.1\tlocalhost\n127.0.1.1\t" + m.hostname + "\n\n::1     localhost ip6-localhost ip6-loopback\n",
		"/etc/resolv.conf": "nameserver " + m.gateway() + "\n",
		"/etc/issue":       m.pretty + ` \n \l` + "\n\n",
		"/etc/shells":      "# /etc/shells: valid login shells\n/bin/sh\n" + sh + "\n",
		"/etc/fstab":       "/dev/sda1 / ext4 errors=remount-ro 0 1\n",
		"/etc/crontab":     "SHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n\n17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n",
		"/etc/passwd":      m.passwd(),
		"/etc/group":       "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nwww-data:x:33:\nnogroup:x:65534:\n" + m.user + ":x:1000:\n",
	}
	release := fmt.Sprintf("PRETTY_NAME=%q\nNAME=%q\nID=%s\n", m.pretty, strings.TrimSuffix(strings.Fields(m.pretty)[0]+" "+"Linux", " "), m.id)
	if m.version != "" {
		release += fmt.Sprintf("VERSION_ID=%q\n", m.version)
	}
	if m.codename != "" {
		release += "VERSION_CODENAME=" + m.codename + "\n"
	}
	if m.like != "" {
		release += "ID_LIKE=" + fmt.Sprintf("%q", m.like) + "\n"
	}
	files["/etc/os-release"] = release
	switch m.id {
	case "debian":
		files["/etc/debian_version"] = "12.9\n"
	case "ubuntu":
		files["/etc/lsb-release"] = fmt.Sprintf("DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=%s\nDISTRIB_CODENAME=%s\nDISTRIB_DESCRIPTION=%q\n", m.version, m.codename, m.pretty)
	case "centos", "rocky", "fedora":
		files["/etc/redhat-release"] = m.pretty + "\n"
	case "alpine":
		files["/etc/alpine-release"] = m.version + "\n"
	}
	return files
}

func (m *Machine) passwd() string {
	root := m.account("root")
	u := m.account(m.user)
	s := "root:x:0:0:root:/root:" + root.shell + "\n"
	if m.id == "buildroot" {
		return s + "daemon:x:1:1:daemon:/usr/sbin:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\nadmin:x:1000:1000:Linux User,,,:/home/admin:/bin/sh\n"
	}
	return s + `daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
sshd:x:105:65534::/run/sshd:/usr/sbin/nologin
` + fmt.Sprintf("%s:x:1000:1000:%s:%s:%s\n", u.name, u.name, u.home, u.shell)
}

// shadow has hashes of no password at all.
func (m *Machine) shadow() string {
	b := base64.StdEncoding.WithPadding(base64.NoPadding).EncodeToString(m.host.Derive("shadow", 90))
	b = strings.ReplaceAll(b, "+", ".")
	return fmt.Sprintf("root:$6$%s$%s:19720:0:99999:7:::\ndaemon:*:19600:0:99999:7:::\nbin:*:19600:0:99999:7:::\nnobody:*:19600:0:99999:7:::\n%s:$6$%s$%s:19720:0:99999:7:::\n",
		b[:8], b[8:94], m.user, b[94:102], (b + b)[20:106])
}

func (m *Machine) gateway() string {
	if !m.host.Addr.Is4() {
		return "192.168.1.1"
	}
	a := m.host.Addr.As4()
	return fmt.Sprintf("%d.%d.%d.1", a[0], a[1], a[2])
}

// proc are the files that follow from the machine and the clock.
func (m *Machine) proc() map[string]func() string {
	fixed := func(s string) func() string { return func() string { return s } }
	return map[string]func() string{
		"/proc/cpuinfo":                          fixed(m.cpuinfo()),
		"/proc/meminfo":                          fixed(m.meminfo()),
		"/proc/version":                          fixed(m.kernelVersion()),
		"/proc/cmdline":                          fixed("BOOT_IMAGE=/boot/vmlinuz-" + m.release + " root=/dev/sda1 ro quiet\n"),
		"/proc/filesystems":                      fixed("nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\n\text4\n\tvfat\n"),
		"/proc/mounts":                           fixed(m.mounts()),
		"/proc/self/mounts":                      fixed(m.mounts()),
		"/proc/self/cgroup":                      fixed("0::/user.slice/user-0.slice/session-1.scope\n"),
		"/proc/1/cgroup":                         fixed("0::/init.scope\n"),
		"/proc/1/comm":                           fixed("systemd\n"),
		"/proc/net/route":                        fixed("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"),
		"/proc/modules":                          fixed("nf_tables 290816 0 - Live 0x0000000000000000\nvirtio_net 73728 0 - Live 0x0000000000000000\n"),
		"/proc/sys/kernel/osrelease":             fixed(m.release + "\n"),
		"/proc/sys/kernel/hostname":              fixed(m.hostname + "\n"),
		"/proc/sys/kernel/random/boot_id":        fixed(m.uuid("boot") + "\n"),
		"/sys/class/net/" + m.iface + "/address": fixed(m.mac + "\n"),
		"/etc/machine-id":                        fixed(strings.ReplaceAll(m.uuid("machine-id"), "-", "") + "\n"),
		"/proc/uptime": func() string {
			up := m.now().Sub(m.booted()).Seconds()
			return fmt.Sprintf("%.2f %.2f\n", up, up*float64(m.cores)*0.97)
		},
		"/proc/loadavg": func() string { return m.load() + " 1/142 " + fmt.Sprint(1200+m.now().Unix()%9000) + "\n" },
	}
}

func (m *Machine) uuid(purpose string) string {
	b := m.host.Derive("uuid "+purpose, 16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (m *Machine) kernelVersion() string {
	by := "(debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40)"
	switch m.id {
	case "ubuntu":
		by = "(buildd@lcy02-amd64-080) (gcc (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0, GNU ld (GNU Binutils for Ubuntu) 2.38)"
	case "rocky", "centos", "fedora":
		by = "(mockbuild@builder) (gcc (GCC) 11.5.0 (Red Hat 11.5.0-2), GNU ld version 2.35.2-54.el9)"
	case "alpine":
		by = "(buildozer@build-3-19-x86_64) (gcc (Alpine 13.2.1_git20231014) 13.2.1, GNU ld (GNU Binutils) 2.41)"
	case "buildroot":
		by = "(root@build) (gcc version 8.4.0 (Buildroot 2021.02.4))"
	}
	return "Linux version " + m.release + " " + by + " " + m.build + "\n"
}

func (m *Machine) load() string {
	n := float64(m.now().Unix()/300%17) / 100
	return fmt.Sprintf("%.2f %.2f %.2f", n, n*0.7+0.01, n*0.4)
}

func (m *Machine) cpuinfo() string {
	var b strings.Builder
	for i := range m.cores {
		if m.arch == "armv7l" {
			fmt.Fprintf(&b, "processor\t: %d\nmodel name\t: %s\nBogoMIPS\t: %.2f\nFeatures\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt\nCPU implementer\t: 0x41\nCPU architecture: 7\nCPU variant\t: 0x0\nCPU part\t: 0xc07\nCPU revision\t: 5\n\n", i, m.cpu, m.mhz)
			continue
		}
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: %s\nstepping\t: 4\nmicrocode\t: 0x1\ncpu MHz\t\t: %.3f\ncache size\t: 16384 KB\nphysical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\napicid\t\t: %d\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\nwp\t\t: yes\n",
			i, m.cpu, m.mhz-0.006, m.cores, i, m.cores, i)
		fmt.Fprintf(&b, "flags\t\t: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss ht syscall nx rdtscp lm constant_tsc rep_good nopl xtopology cpuid pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe popcnt aes xsave avx f16c rdrand hypervisor lahf_lm\nbogomips\t: %.2f\nclflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: 46 bits physical, 48 bits virtual\npower management:\n\n", m.mhz*2)
	}
	if m.arch == "armv7l" {
		b.WriteString("Hardware\t: Generic DT based system\nRevision\t: 0000\nSerial\t\t: 0000000000000000\n")
	}
	return b.String()
}

func (m *Machine) meminfo() string {
	total := m.memory
	free := int(float64(total) * (0.9 - m.used))
	cached := int(float64(total) * 0.2)
	return fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\nBuffers:        %8d kB\nCached:         %8d kB\nSwapCached:     %8d kB\nSwapTotal:      %8d kB\nSwapFree:       %8d kB\n",
		total, free, free+cached, total/40, cached, 0, m.swap(), m.swap())
}

func (m *Machine) swap() int {
	if m.embedded {
		return 0
	}
	return 998396
}

func (m *Machine) mounts() string {
	if m.id == "buildroot" {
		return "/dev/root / squashfs ro,relatime 0 0\nproc /proc proc rw,relatime 0 0\ntmpfs /tmp tmpfs rw,relatime 0 0\nsysfs /sys sysfs rw,relatime 0 0\ndevpts /dev/pts devpts rw,relatime,gid=5,mode=620 0 0\n/dev/mtdblock6 /etc jffs2 rw,relatime 0 0\n"
	}
	return "sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\nudev /dev devtmpfs rw,nosuid,relatime,mode=755 0 0\ndevpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=000 0 0\ntmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime,mode=755 0 0\n/dev/sda1 / ext4 rw,relatime,errors=remount-ro 0 0\ntmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0\n"
}

// lastLogin is when somebody was here before, according to the machine.
func (m *Machine) lastLogin() time.Time {
	now := m.now()
	return now.Add(-time.Duration(m.host.Derive("last login", 1)[0])*time.Minute*13 - 3*time.Hour)
}
