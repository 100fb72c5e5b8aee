package mssql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

const express = "Express Edition (64-bit)"

// release is a version of SQL Server.
type release struct {
	major, minor byte
	build        uint16
	// full is the version with four parts.
	full string
	// title is how @@version begins, compiled the date in it.
	title, compiled, copyright, edition string
	// system is where it runs, windows the build of a Windows.
	system  string
	windows uint16
}

// releases are versions as they are found: unpatched ones most of all.
func releases() []release {
	const c = "Copyright (C) "
	return []release{
		{title: "2014", full: "12.0.2000.8", compiled: "Feb 20 2014 20:04:26", copyright: "Copyright (c) Microsoft Corporation", windows: 9600},
		{title: "2016 (RTM)", full: "13.0.1601.5", compiled: "Apr 29 2016 23:23:58", copyright: "Copyright (c) Microsoft Corporation", windows: 14393},
		{title: "2017 (RTM)", full: "14.0.1000.169", compiled: "Aug 22 2017 17:04:49", copyright: c + "2017 Microsoft Corporation", windows: 14393},
		{title: "2019 (RTM)", full: "15.0.2000.5", compiled: "Sep 24 2019 13:48:23", copyright: c + "2019 Microsoft Corporation", windows: 17763},
		{title: "2019 (RTM-CU18) (KB5017593)", full: "15.0.4261.1", compiled: "Sep 12 2022 15:07:06", copyright: c + "2019 Microsoft Corporation", windows: 17763},
		{title: "2022 (RTM)", full: "16.0.1000.6", compiled: "Oct  8 2022 05:58:25", copyright: c + "2022 Microsoft Corporation", windows: 20348},
	}
}

// releaseOf returns the release of a host, or the one that the settings name.
func releaseOf(h *trap.Host, version string) (release, error) {
	all := releases()
	if h.System != "windows" {
		// Linux is there since 2017.
		all = slices.DeleteFunc(all, func(r release) bool { return r.full < "14" })
	}
	rnd := h.Rand("mssql release")
	r := all[rnd.IntN(len(all))]
	editions := []string{express, express, "Standard Edition (64-bit)", "Developer Edition (64-bit)"}
	r.edition = editions[rnd.IntN(len(editions))]
	if version != "" {
		i := slices.IndexFunc(releases(), func(r release) bool { return r.full == version })
		edition := r.edition
		if i >= 0 {
			r = releases()[i]
		} else {
			r = release{title: "", full: version, compiled: "Nov 23 2022 18:12:44", copyright: r.copyright, windows: r.windows}
		}
		r.edition = edition
	}
	if err := r.number(); err != nil {
		return release{}, err
	}
	r.system = system(h, r)
	return r, nil
}

// number takes the version apart.
func (r *release) number() error {
	parts := strings.Split(r.full, ".")
	var n [3]uint64
	for i, bits := range []int{8, 8, 16} {
		var err error
		if len(parts) < 3 {
			return fmt.Errorf("version %s is not of the form 15.0.2000.5", strconv.Quote(r.full))
		}
		if n[i], err = strconv.ParseUint(parts[i], 10, bits); err != nil {
			return fmt.Errorf("version %s is not of the form 15.0.2000.5", strconv.Quote(r.full))
		}
	}
	r.major, r.minor, r.build = byte(n[0]), byte(n[1]), uint16(n[2])
	if r.title == "" {
		years := map[byte]string{10: "2008", 11: "2012", 12: "2014", 13: "2016", 14: "2017", 15: "2019", 16: "2022"}
		r.title = years[r.major]
	}
	return nil
}

// system is how @@version ends.
func system(h *trap.Host, r release) string {
	if h.System == "windows" {
		name := map[uint16]string{9600: "Windows NT 6.3", 14393: "Windows Server 2016 Standard 10.0", 17763: "Windows Server 2019 Standard 10.0", 20348: "Windows Server 2022 Standard 10.0"}
		return name[r.windows] + " <X64> (Build " + strconv.Itoa(int(r.windows)) + ": ) (Hypervisor)"
	}
	switch {
	case h.Distro == "rocky9" || h.Distro == "fedora":
		return "Linux (Rocky Linux 9.4 (Blue Onyx)) <X64>"
	case h.Distro == "centos7":
		return "Linux (CentOS Linux 7 (Core)) <X64>"
	case r.major >= 16 && h.Distro == "ubuntu22":
		return "Linux (Ubuntu 22.04.4 LTS) <X64>"
	case r.major <= 14:
		return "Linux (Ubuntu 18.04.6 LTS) <X64>"
	}
	return "Linux (Ubuntu 20.04.6 LTS) <X64>" // elsewhere it comes as an image of that
}

// banner is @@version.
func (r *release) banner() string {
	return "Microsoft SQL Server " + r.title + " - " + r.full + " (X64) \n\t" + r.compiled + " \n\t" + r.copyright + "\n\t" + r.edition + " on " + r.system + "\n"
}
