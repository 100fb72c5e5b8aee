package web

import (
	"fmt"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// choose decides what a host's web server is: by the setting fake_app, else by
// what kind of machine it is, else by chance that stays.
func choose(h *trap.Host, fakeApp string) (server, application, error) {
	r := h.Rand("web persona") // the same for http and https
	which, onNginx, model := r.IntN(100), r.IntN(2) == 0, r.IntN(len(devices()))
	if fakeApp == "" {
		fakeApp = usual(h, which)
	}
	switch strings.ToLower(fakeApp) {
	case "nginx", "nginx_default":
		n := &nginx{product: nginxToken(h)}
		return n, &welcome{file: nginxWelcome(h)}, nil
	case "apache", "apache_default":
		p := newApache(h)
		return p, &welcome{file: apacheWelcome(h)}, nil
	case "iis", "iis_default":
		return iis{}, &welcome{file: iisWelcome(h)}, nil
	case "wordpress":
		if onNginx {
			return &nginx{product: nginxToken(h), maxBody: 64 << 20}, newWordPress(h), nil
		}
		return newApache(h), newWordPress(h), nil
	case "phpmyadmin":
		return newApache(h), newPhpMyAdmin(h), nil
	case "router", "router_admin":
		d := devices()[model]
		if h.System == "cisco" {
			d = cisco()
		}
		return d, d, nil
	default:
		return nil, nil, fmt.Errorf("fake_app is %q; there are nginx_default, apache_default, iis_default, wordpress, phpmyadmin and router", fakeApp)
	}
}

// usual is what a machine of that kind has.
func usual(h *trap.Host, which int) string {
	switch {
	case h.System == "windows":
		return "iis"
	case h.System == "embedded", h.System == "cisco", h.Archetype == "printer", h.Archetype == "iot-device":
		return "router"
	case h.Archetype == "database-server":
		return "phpmyadmin"
	case which < 35:
		return "nginx"
	case which < 65:
		return "apache"
	case which < 88:
		return "wordpress"
	default:
		return "phpmyadmin"
	}
}

// nginxToken is what the nginx of a distribution calls itself.
func nginxToken(h *trap.Host) string {
	switch h.Distro {
	case "ubuntu22", "ubuntu20":
		return "nginx/1.18.0 (Ubuntu)"
	case "rocky9", "centos7":
		return "nginx/1.20.1"
	case "alpine":
		return "nginx" // its package hides the version
	case "fedora":
		return "nginx/1.24.0"
	case "kali", "arch":
		return "nginx/1.26.0"
	default:
		return "nginx/1.22.1"
	}
}

// newApache is the Apache of a distribution.
func newApache(h *trap.Host) *apache {
	switch h.Distro {
	case "ubuntu22":
		return &apache{product: "Apache/2.4.52 (Ubuntu)", signature: true, deflate: true}
	case "ubuntu20":
		return &apache{product: "Apache/2.4.41 (Ubuntu)", signature: true, deflate: true}
	case "rocky9":
		return &apache{product: "Apache/2.4.57 (Rocky Linux)"}
	case "centos7":
		return &apache{product: "Apache/2.4.6 (CentOS)", oldWords: true}
	case "fedora":
		return &apache{product: "Apache/2.4.58 (Fedora Linux)"}
	case "alpine", "arch":
		return &apache{product: "Apache/2.4.58 (Unix)"}
	case "kali":
		return &apache{product: "Apache/2.4.58 (Debian)", signature: true, deflate: true}
	default:
		// Debian updates it within a release; not everybody does.
		versions := []string{"57", "59", "61", "62", "65"}
		version := versions[h.Rand("apache version").IntN(len(versions))]
		return &apache{product: "Apache/2.4." + version + " (Debian)", signature: true, deflate: true}
	}
}

// installed is when a host's web server was set up. It is before any decoy ran.
func installed(h *trap.Host) time.Time {
	r := h.Rand("web installed")
	return time.Date(2024, 2, 1, 6, 0, 0, 0, time.UTC).
		Add(time.Duration(r.IntN(500*86400))*time.Second + time.Duration(r.IntN(1000000))*time.Microsecond)
}
