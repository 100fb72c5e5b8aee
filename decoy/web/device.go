package web

import (
	"net/http"
	"time"

	"decnet/decoy/httptrap"
)

// device answers as the small server in a router does: it wants a password for
// everything, and closes after each answer.
type device struct {
	product, realm string
	// reason is what it says after 401.
	reason string
	// dated is whether it has a clock.
	dated bool
	// cache is a header Cache-Control that it sends, or "".
	cache string
	// body is the page for 401, format that for others.
	body string
}

// devices are those that a host can be.
func devices() []*device {
	const micro = "<HTML><HEAD><TITLE>401 Unauthorized</TITLE></HEAD>\n<BODY BGCOLOR=\"#cc9999\"><H4>401 Unauthorized</H4>\n" +
		"Authorization required.\n<HR>\n<ADDRESS><A HREF=\"http://www.acme.com/software/micro_httpd/\">micro_httpd</A></ADDRESS>\n</BODY></HTML>\n"
	const tplink = "<HTML><HEAD><TITLE>You have no authority to access this router!</TITLE></HEAD>\n<BODY><H1>You have no authority to access this router!</H1>\n</BODY></HTML>\n"
	return []*device{
		{product: "Router Webserver", realm: "TP-LINK Wireless N Router WR841N", reason: "N/A", body: tplink},
		{product: "Router Webserver", realm: "TP-LINK Wireless N Router WR740N", reason: "N/A", body: tplink},
		{product: "micro_httpd", realm: "DSL Router", reason: "Unauthorized", dated: true, cache: "no-cache", body: micro},
		{product: "micro_httpd", realm: "Broadband Router", reason: "Unauthorized", dated: true, cache: "no-cache", body: micro},
	}
}

// cisco is the server of IOS.
func cisco() *device {
	return &device{product: "cisco-IOS", realm: "level_15_access", reason: "Unauthorized", dated: true, body: "401 Unauthorized\r\n"}
}

func (d *device) limits() httptrap.Limits {
	return httptrap.Limits{Body: 4 << 20, Idle: 10 * time.Second, Head: 30 * time.Second, Requests: 1}
}

func (d *device) frame(a *ask, p *page) httptrap.Response {
	resp := httptrap.Response{Status: p.status, Reason: p.reason, Body: p.body, Close: true}
	if resp.Reason == "" {
		resp.Reason = http.StatusText(p.status)
	}
	add := func(name, value string) {
		resp.Headers = append(resp.Headers, httptrap.Header{Name: name, Value: value})
	}
	switch {
	case d.product == "cisco-IOS":
		add("Date", httptrap.Date(a.now))
		add("Server", d.product)
		add("Connection", "close")
		add("Accept-Ranges", "none")
		resp.Headers = append(resp.Headers, p.headers...)
	case d.dated:
		add("Server", d.product)
		if d.cache != "" {
			add("Cache-Control", d.cache)
		}
		add("Date", httptrap.Date(a.now))
		resp.Headers = append(resp.Headers, p.headers...)
		add("Content-Type", p.kind)
		add("Connection", "close")
	default:
		add("Server", d.product)
		add("Connection", "close")
		resp.Headers = append(resp.Headers, p.headers...)
		add("Content-Type", p.kind)
	}
	return resp
}

func (d *device) own(_ *ask, status int) page {
	text := http.StatusText(status)
	return page{
		status: status, kind: "text/html",
		body: []byte("<HTML><HEAD><TITLE>" + text + "</TITLE></HEAD>\n<BODY><H1>" + text + "</H1>\n</BODY></HTML>\n"),
	}
}

func (d *device) file(_ *ask, f file) page {
	return page{status: max(f.status, 200), kind: f.kind, body: f.body}
}
func (d *device) missing(a *ask) page { return d.own(a, 404) }

func (d *device) refuse(a *ask, k httptrap.Kind) (page, bool) {
	if k == httptrap.TLS || k == httptrap.Plain {
		return page{}, false
	}
	p := d.own(a, 400)
	p.close = true
	return p, true
}

// answer implements [application]: the password is always wrong.
func (d *device) answer(a *ask, _ server) page {
	p := page{
		status: 401, reason: d.reason, kind: "text/html", body: []byte(d.body),
		headers: []httptrap.Header{{Name: "WWW-Authenticate", Value: `Basic realm="` + d.realm + `"`}},
	}
	if a.HasLogin {
		p.delay = 300 * time.Millisecond
	}
	return p
}
