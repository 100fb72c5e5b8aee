package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"decnet/decoy/httptrap"
)

// nginx answers as nginx does with the configuration of a package.
type nginx struct {
	// product is the header Server and what error pages end with.
	product string
	// maxBody is its client_max_body_size in bytes, 0 for the default of 1 MiB, which
	// those raise who have an application.
	maxBody int64
}

// limits are those of nginx's configuration: client_max_body_size,
// keepalive_timeout as Debian has it, client_header_timeout, keepalive_requests.
func (n *nginx) limits() httptrap.Limits {
	return httptrap.Limits{Body: max(n.maxBody, 1<<20), Idle: 65 * time.Second, Head: 60 * time.Second, Requests: 1000}
}

func (n *nginx) frame(a *ask, p *page) httptrap.Response {
	resp := httptrap.Response{Status: p.status, Reason: p.reason, Body: p.body}
	if resp.Reason == "" {
		resp.Reason = reasonOf(p.status, "Not Allowed", "Moved Temporarily")
	}
	add := func(name, value string) {
		resp.Headers = append(resp.Headers, httptrap.Header{Name: name, Value: value})
	}
	program := p.modified.IsZero() && strings.HasSuffix(strings.ToLower(p.kind), "utf-8")
	add("Server", n.product)
	add("Date", httptrap.Date(a.now))
	if p.kind != "" && p.status != 304 {
		add("Content-Type", p.kind)
	}
	resp.Chunked = program && a.Minor >= 1 && a.Method != "HEAD"
	if p.status != 304 && p.status != 204 && !program {
		add("Content-Length", strconv.Itoa(len(p.body)))
	}
	if !p.modified.IsZero() {
		add("Last-Modified", httptrap.Date(p.modified))
	}
	rest := p.headers
	for i, h := range rest {
		if h.Name == "Location" {
			add("Location", h.Value)
			rest = append(append([]httptrap.Header{}, rest[:i]...), rest[i+1:]...)
			break
		}
	}
	if resp.Chunked {
		add("Transfer-Encoding", "chunked")
	}
	if program && a.Minor < 1 && a.Method != "HEAD" {
		resp.Close = true // only the end tells the length
	}
	if a.Keep && !resp.Close {
		add("Connection", "keep-alive")
	} else {
		add("Connection", "close")
	}
	resp.Headers = append(resp.Headers, rest...)
	if !p.modified.IsZero() {
		add("ETag", n.etag(p))
		if p.status == 200 {
			add("Accept-Ranges", "bytes")
		}
	}
	return resp
}

func (n *nginx) etag(p *page) string { return fmt.Sprintf(`"%x-%x"`, p.modified.Unix(), len(p.body)) }

// title is what a page for a status is called.
func (n *nginx) title(status int) string {
	return strconv.Itoa(status) + " " + map[int]string{
		301: "Moved Permanently", 302: "Found", 400: "Bad Request", 401: "Authorization Required", 403: "Forbidden", 404: "Not Found",
		405: "Not Allowed", 413: "Request Entity Too Large", 414: "Request-URI Too Large", 500: "Internal Server Error", 501: "Not Implemented",
		502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out", 505: "HTTP Version Not Supported",
	}[status]
}

func (n *nginx) own(a *ask, status int) page { return n.errorPage(a, status, n.title(status), "") }

func (n *nginx) errorPage(a *ask, status int, title, more string) page {
	var b strings.Builder
	fmt.Fprintf(&b, "<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>\r\n", title, n.title(status))
	if more != "" {
		fmt.Fprintf(&b, "<center>%s</center>\r\n", more)
	}
	fmt.Fprintf(&b, "<hr><center>%s</center>\r\n</body>\r\n</html>\r\n", n.product)
	if ua := a.Get("User-Agent"); status >= 400 && (strings.Contains(ua, "MSIE ") || strings.Contains(ua, "Chrome/")) {
		b.WriteString(strings.Repeat("<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n", 6))
	}
	return page{status: status, kind: "text/html", body: []byte(b.String())}
}

func (n *nginx) file(a *ask, f file) page {
	if a.Method != "GET" && a.Method != "HEAD" {
		return n.own(a, 405)
	}
	p := page{status: max(f.status, 200), kind: f.kind, body: f.body, modified: f.modified}
	if unchanged(a, p.modified, n.etag(&p)) {
		return page{status: 304, modified: f.modified, body: nil}
	}
	return p
}

func (n *nginx) missing(a *ask) page {
	switch a.Method {
	case "GET", "HEAD":
		return n.own(a, 404)
	default:
		return n.own(a, 405)
	}
}

func (n *nginx) refuse(a *ask, k httptrap.Kind) (page, bool) {
	p := n.own(a, 400)
	switch k {
	case httptrap.Plain:
		p = n.errorPage(a, 400, "400 The plain HTTP request was sent to HTTPS port", "The plain HTTP request was sent to HTTPS port")
	case httptrap.BadVersion:
		p = n.own(a, 505)
	case httptrap.LongTarget:
		p = n.own(a, 414)
	case httptrap.LongHeader:
		p = n.errorPage(a, 400, "400 Request Header Or Cookie Too Large", "Request Header Or Cookie Too Large")
	case httptrap.BadCoding:
		p = n.own(a, 501)
	case httptrap.LongBody:
		p = n.own(a, 413)
	case httptrap.BadRequest, httptrap.BadHost, httptrap.TLS:
	}
	p.close = true
	return p, true
}
