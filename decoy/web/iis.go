package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"decnet/decoy/httptrap"
)

// iis answers as IIS 10 of Windows Server does.
type iis struct{}

func (iis) limits() httptrap.Limits {
	return httptrap.Limits{Body: 30000000, Idle: 120 * time.Second, Head: 120 * time.Second, Requests: 10000}
}

func (w iis) frame(a *ask, p *page) httptrap.Response {
	resp := httptrap.Response{Status: p.status, Reason: p.reason, Body: p.body}
	if resp.Reason == "" {
		resp.Reason = http.StatusText(p.status)
	}
	add := func(name, value string) {
		resp.Headers = append(resp.Headers, httptrap.Header{Name: name, Value: value})
	}
	if p.kind != "" && p.status != 304 {
		add("Content-Type", p.kind)
	}
	if !p.modified.IsZero() {
		add("Last-Modified", httptrap.Date(p.modified))
		add("Accept-Ranges", "bytes")
		add("ETag", w.etag(p))
	}
	resp.Headers = append(resp.Headers, p.headers...)
	if p.close {
		add("Server", "Microsoft-HTTPAPI/2.0") // the kernel answered, not IIS
	} else {
		add("Server", "Microsoft-IIS/10.0")
	}
	add("Date", httptrap.Date(a.now))
	if !a.Keep {
		add("Connection", "close")
	}
	if p.status != 304 {
		add("Content-Length", strconv.Itoa(len(p.body)))
	}
	return resp
}

// etag is made of the time in units of 100 ns since 1601.
func (iis) etag(p *page) string {
	return fmt.Sprintf(`"%x:0"`, p.modified.UnixNano()/100+116444736000000000)
}

func (iis) own(_ *ask, status int) page {
	title := map[int]string{
		401: "401 - Unauthorized: Access is denied due to invalid credentials.",
		403: "403 - Forbidden: Access is denied.",
		404: "404 - File or directory not found.",
		405: "405 - HTTP verb used to access this page is not allowed.",
	}[status]
	words := map[int]string{
		401: "You do not have permission to view this directory or page using the credentials that you supplied.",
		403: "You do not have permission to view this directory or page using the credentials that you supplied.",
		404: "The resource you are looking for might have been removed, had its name changed, or is temporarily unavailable.",
		405: "The page you are looking for cannot be displayed because an invalid method (HTTP verb) was used to attempt access.",
	}[status]
	if title == "" {
		title = fmt.Sprintf("%d - %s", status, http.StatusText(status))
	}
	body := "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\r\n" +
		"<html xmlns=\"http://www.w3.org/1999/xhtml\">\r\n<head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=iso-8859-1\"/>\r\n" +
		"<title>" + title + "</title>\r\n</head>\r\n<body>\r\n<div id=\"header\"><h1>Server Error</h1></div>\r\n<div id=\"content\">\r\n" +
		" <div class=\"content-container\"><fieldset>\r\n  <h2>" + title + "</h2>\r\n  <h3>" + words + "</h3>\r\n </fieldset></div>\r\n</div>\r\n</body>\r\n</html>\r\n"
	return page{status: status, kind: "text/html", body: []byte(body)}
}

func (w iis) file(a *ask, f file) page {
	switch a.Method {
	case "GET", "HEAD":
	case "OPTIONS":
		return page{status: 200, body: []byte{}, headers: []httptrap.Header{
			{Name: "Allow", Value: "OPTIONS, TRACE, GET, HEAD, POST"}, {Name: "Public", Value: "OPTIONS, TRACE, GET, HEAD, POST"},
		}}
	default:
		return w.verb(a)
	}
	p := page{status: 200, kind: f.kind, body: f.body, modified: f.modified}
	if unchanged(a, p.modified, w.etag(&p)) {
		return page{status: 304, modified: f.modified}
	}
	return p
}

func (w iis) verb(a *ask) page {
	p := w.own(a, 405)
	p.headers = []httptrap.Header{{Name: "Allow", Value: "GET, HEAD, OPTIONS, TRACE"}}
	return p
}

func (w iis) missing(a *ask) page {
	switch a.Method {
	case "GET", "HEAD", "POST":
		return w.own(a, 404)
	default:
		return w.verb(a)
	}
}

// refuse is what the kernel says.
func (iis) refuse(_ *ask, k httptrap.Kind) (page, bool) {
	status, title, heading, words := 400, "Bad Request", "Bad Request", "The request is badly formed."
	switch k {
	case httptrap.TLS, httptrap.Plain:
		return page{}, false
	case httptrap.BadHost:
		heading, words = "Bad Request - Invalid Hostname", "The request hostname is invalid."
	case httptrap.BadVersion:
		status, title, heading, words = 505, "HTTP Version Not Supported", "HTTP Version Not Supported", "The HTTP version is not supported."
	case httptrap.LongTarget:
		status, title, heading, words = 414, "URI Too Long", "URI Too Long", "The request URL is too long."
	case httptrap.LongHeader:
		heading, words = "Bad Request - Request Too Long", "The size of the request headers is too long."
	case httptrap.BadCoding:
		status, title, heading, words = 501, "Not Implemented", "Not Implemented", "The request transfer encoding type is not supported."
	case httptrap.LongBody:
		status, title, heading, words = 413, "Request Entity Too Large", "Request Entity Too Large", "The request entity is too large."
	case httptrap.BadRequest:
		heading = "Bad Request - Invalid Verb"
		words = "The request verb is invalid."
	}
	body := "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\"\"http://www.w3.org/TR/html4/strict.dtd\">\r\n<HTML><HEAD><TITLE>" + title +
		"</TITLE>\r\n<META HTTP-EQUIV=\"Content-Type\" Content=\"text/html; charset=us-ascii\"></HEAD>\r\n<BODY><h2>" + heading +
		"</h2>\r\n<hr><p>HTTP Error " + strconv.Itoa(status) + ". " + words + "</p>\r\n</BODY></HTML>\r\n"
	return page{status: status, reason: title, kind: "text/html; charset=us-ascii", body: []byte(body), close: true}, true
}
