package web

import (
	_ "embed"
	"strings"

	"decnet/decoy/trap"
)

// welcome is the application of a server that nobody has set up yet: one page.
type welcome struct{ file file }

func (w *welcome) answer(a *ask, s server) page {
	switch {
	case a.Path == "/", a.Path == "/index.html" && w.file.status == 0, a.Target == "*":
		return s.file(a, w.file)
	default:
		return s.missing(a)
	}
}

//go:embed pages/nginx.html
var nginxPage string

//go:embed pages/debian.html
var debianPage string

//go:embed pages/redhat.html
var redhatPage string

//go:embed pages/iis.html
var iisPage string

func nginxWelcome(h *trap.Host) file {
	return file{kind: "text/html", body: []byte(nginxPage), modified: installed(h)}
}

// apacheWelcome is what a distribution shows for an empty site. On those of Red
// Hat it is an error page: the file is missing.
func apacheWelcome(h *trap.Host) file {
	f := file{kind: "text/html", modified: installed(h)}
	distro := map[string]string{"ubuntu22": "Ubuntu", "ubuntu20": "Ubuntu", "kali": "Debian", "debian": "Debian"}[h.Distro]
	switch {
	case distro != "":
		f.body = []byte(strings.ReplaceAll(debianPage, "{{distro}}", distro))
	case h.Distro == "rocky9", h.Distro == "centos7", h.Distro == "fedora":
		name := map[string]string{"rocky9": "Rocky Linux", "centos7": "CentOS", "fedora": "Fedora"}[h.Distro]
		f.body = []byte(strings.ReplaceAll(redhatPage, "{{distro}}", name))
		f.kind, f.status = "text/html; charset=UTF-8", 403
	default:
		f.body = []byte("<html><body><h1>It works!</h1></body></html>\n")
	}
	return f
}

func iisWelcome(h *trap.Host) file {
	return file{kind: "text/html", body: []byte(strings.ReplaceAll(iisPage, "\n", "\r\n")), modified: installed(h)}
}
