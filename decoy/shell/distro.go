package shell

// distro is what a distribution puts on its machines.
type distro struct {
	id, pretty, version, codename, like string
	// release is the kernel's, build what uname -v says of it.
	release, build string
	// user is the name of the account that the installer or the cloud image makes.
	user string
	// issue is what getty shows before the login prompt.
	issue   string
	busybox string // version, where BusyBox is installed
	// embedded says that BusyBox is all that there is.
	embedded bool
	// deb says that apt is the package manager.
	deb bool
}

// distroOf is the one of that slug; embedded machines have one of their own.
func distroOf(slug, system string) distro {
	if system == "embedded" {
		return distro{
			id: "buildroot", pretty: "Buildroot 2021.02.4", version: "2021.02.4", release: "4.14.90", build: "#1 SMP PREEMPT Tue Mar 9 09:12:51 CST 2021",
			user: "admin", issue: "", busybox: "1.33.1", embedded: true,
		}
	}
	switch slug {
	case "ubuntu22":
		return distro{
			id: "ubuntu", pretty: "Ubuntu 22.04.5 LTS", version: "22.04", codename: "jammy", like: "debian", deb: true, busybox: "1.30.1",
			release: "5.15.0-130-generic", build: "#140-Ubuntu SMP Wed Dec 18 17:59:53 UTC 2024", user: "ubuntu", issue: `Ubuntu 22.04.5 LTS`,
		}
	case "ubuntu20":
		return distro{
			id: "ubuntu", pretty: "Ubuntu 20.04.6 LTS", version: "20.04", codename: "focal", like: "debian", deb: true, busybox: "1.30.1",
			release: "5.4.0-204-generic", build: "#224-Ubuntu SMP Thu Dec 5 13:38:28 UTC 2024", user: "ubuntu", issue: `Ubuntu 20.04.6 LTS`,
		}
	case "rocky9":
		return distro{
			id: "rocky", pretty: "Rocky Linux 9.5 (Blue Onyx)", version: "9.5", like: "rhel centos fedora",
			release: "5.14.0-503.15.1.el9_5.x86_64", build: "#1 SMP PREEMPT_DYNAMIC Tue Nov 26 17:24:29 UTC 2024", user: "rocky",
			issue: "Kernel 5.14.0-503.15.1.el9_5.x86_64 on an x86_64\r\n",
		}
	case "centos7":
		return distro{
			id: "centos", pretty: "CentOS Linux 7 (Core)", version: "7", like: "rhel fedora",
			release: "3.10.0-1160.119.1.el7.x86_64", build: "#1 SMP Tue Jun 4 14:43:51 UTC 2024", user: "centos",
			issue: "Kernel 3.10.0-1160.119.1.el7.x86_64 on an x86_64",
		}
	case "fedora":
		return distro{
			id: "fedora", pretty: "Fedora Linux 39 (Server Edition)", version: "39",
			release: "6.11.9-100.fc39.x86_64", build: "#1 SMP PREEMPT_DYNAMIC Sun Nov 17 18:52:19 UTC 2024", user: "fedora",
			issue: "Fedora Linux 39 (Server Edition)\r\nKernel 6.11.9-100.fc39.x86_64 on an x86_64 (tty1)\r\n",
		}
	case "alpine":
		return distro{
			id: "alpine", pretty: "Alpine Linux v3.19", version: "3.19.6", busybox: "1.36.1", embedded: true,
			release: "6.6.72-0-lts", build: "#1-Alpine SMP PREEMPT_DYNAMIC 2025-01-17 15:21:42", user: "alpine",
			issue: "Welcome to Alpine Linux 3.19\r\nKernel 6.6.72-0-lts on an x86_64 (/dev/pts/0)\r\n",
		}
	case "kali":
		return distro{
			id: "kali", pretty: "Kali GNU/Linux Rolling", version: "2024.4", codename: "kali-rolling", like: "debian", deb: true, busybox: "1.37.0",
			release: "6.11.2-amd64", build: "#1 SMP PREEMPT_DYNAMIC Kali 6.11.2-1kali1 (2024-10-15)", user: "kali", issue: `Kali GNU/Linux Rolling`,
		}
	case "arch":
		return distro{
			id: "arch", pretty: "Arch Linux", release: "6.12.8-arch1-1", build: "#1 SMP PREEMPT_DYNAMIC Thu, 02 Jan 2025 22:52:26 +0000",
			user: "arch", issue: "Arch Linux 6.12.8-arch1-1",
		}
	}
	return distro{
		id: "debian", pretty: "Debian GNU/Linux 12 (bookworm)", version: "12", codename: "bookworm", deb: true, busybox: "1.35.0",
		release: "6.1.0-28-amd64", build: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)", user: "debian", issue: `Debian GNU/Linux 12`,
	}
}
