package fleet

import "slices"

// Archetype is a role that a machine in a network has, and what goes with it.
type Archetype struct {
	// Slug is what INI files and the state file call it.
	Slug     string
	Services []string
	// Distros are the slugs of those that a decky of this kind may have.
	Distros []string
	// NmapOS is one of [OSFamilies].
	NmapOS string
}

// Archetypes returns all archetypes.
func Archetypes() []Archetype {
	return []Archetype{
		{"windows-workstation", []string{"smb", "rdp"}, []string{"debian", "ubuntu22"}, "windows"},
		{"windows-server", []string{"smb", "rdp", "ldap"}, []string{"debian", "ubuntu22"}, "windows"},
		{"domain-controller", []string{"ldap", "smb", "rdp", "llmnr"}, []string{"debian", "ubuntu22"}, "windows"},
		{"linux-server", []string{"ssh", "http"}, []string{"debian", "ubuntu22", "rocky9", "fedora"}, "linux"},
		{"web-server", []string{"http", "ftp"}, []string{"debian", "ubuntu22", "ubuntu20"}, "linux"},
		{"database-server", []string{"mysql", "postgres", "redis"}, []string{"debian", "ubuntu22"}, "linux"},
		{"mail-server", []string{"smtp", "pop3", "imap"}, []string{"debian", "ubuntu22"}, "linux"},
		{"file-server", []string{"smb", "ftp", "ssh"}, []string{"debian", "ubuntu22", "rocky9"}, "linux"},
		{"printer", []string{"snmp", "ftp"}, []string{"alpine", "debian"}, "embedded"},
		{"iot-device", []string{"mqtt", "snmp", "telnet"}, []string{"alpine"}, "embedded"},
		{"industrial-control", []string{"conpot", "snmp"}, []string{"debian"}, "embedded"},
		{"voip-server", []string{"sip"}, []string{"debian", "ubuntu22"}, "linux"},
		{"monitoring-node", []string{"snmp", "ssh"}, []string{"debian", "rocky9"}, "linux"},
		{"devops-host", []string{"docker_api", "ssh", "k8s"}, []string{"ubuntu22", "debian"}, "linux"},
		{"deaddeck", []string{"ssh"}, []string{"debian", "ubuntu22"}, "linux"},
	}
}

// ArchetypeNamed returns the archetype with that slug.
func ArchetypeNamed(slug string) (Archetype, bool) {
	all := Archetypes()
	i := slices.IndexFunc(all, func(a Archetype) bool { return a.Slug == slug })
	if i < 0 {
		return Archetype{}, false
	}
	return all[i], true
}

// HostnameStyle is how machines of a distribution are commonly named.
type HostnameStyle string

// The styles of host names.
const (
	// StyleGeneric is SRV-WORD-nn, StyleRHEL wordnn.localdomain, StyleMinimal
	// word-nn and StyleRolling word-word.
	StyleGeneric HostnameStyle = "generic"
	StyleRHEL    HostnameStyle = "rhel"
	StyleMinimal HostnameStyle = "minimal"
	StyleRolling HostnameStyle = "rolling"
)

// Distro is a distribution that a decky pretends to run.
type Distro struct {
	// Slug is what the state file calls it.
	Slug string
	// Image is the container image of the distribution, BuildBase the one that
	// services are built upon.
	Image, BuildBase string
	Style            HostnameStyle
}

// buildBase is what services are built upon where the distribution itself lacks
// the tools for it.
const buildBase = "debian:bookworm-slim"

// Distros returns all distributions.
func Distros() []Distro {
	return []Distro{
		{"debian", "debian:bookworm-slim", buildBase, StyleGeneric},
		{"ubuntu22", "ubuntu:22.04", "ubuntu:22.04", StyleGeneric},
		{"ubuntu20", "ubuntu:20.04", "ubuntu:20.04", StyleGeneric},
		{"rocky9", "rockylinux:9-minimal", buildBase, StyleRHEL},
		{"centos7", "centos:7", buildBase, StyleRHEL},
		{"alpine", "alpine:3.19", buildBase, StyleMinimal},
		{"fedora", "fedora:39", buildBase, StyleRHEL},
		{"kali", "kalilinux/kali-rolling", "kalilinux/kali-rolling", StyleRolling},
		{"arch", "archlinux:latest", buildBase, StyleRolling},
	}
}

// DistroNamed returns the distribution with that slug.
func DistroNamed(slug string) (Distro, bool) {
	all := Distros()
	i := slices.IndexFunc(all, func(d Distro) bool { return d.Slug == slug })
	if i < 0 {
		return Distro{}, false
	}
	return all[i], true
}

// defaultOS is the family of a decky for which no other is known.
const defaultOS = "linux"

// OSFamilies returns the families of operating systems that a decky's network
// stack can resemble.
func OSFamilies() []string { return []string{defaultOS, "windows", "bsd", "embedded", "cisco"} }
