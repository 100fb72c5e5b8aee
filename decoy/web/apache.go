package web

import (
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"decnet/decoy/httptrap"
)

// apache answers as Apache httpd does with the configuration of a distribution.
type apache struct {
	// product is the header Server.
	product string
	// signature says that error pages end with it.
	signature bool
	// deflate says that texts vary by the codings that a client takes.
	deflate bool
	// oldWords are those of versions before 2.4.39, which repeat the path.
	oldWords bool
}

// limits are Apache's defaults: KeepAliveTimeout, mod_reqtimeout, and
// MaxKeepAliveRequests.
func (p *apache) limits() httptrap.Limits {
	return httptrap.Limits{Body: 1 << 30, Idle: 5 * time.Second, Head: 40 * time.Second, Requests: maxApacheRequests}
}

const maxApacheRequests = 101

func (p *apache) frame(a *ask, pg *page) httptrap.Response {
	resp := httptrap.Response{Status: pg.status, Reason: pg.reason, Body: pg.body}
	if resp.Reason == "" {
		resp.Reason = p.title(pg.status)
	}
	add := func(name, value string) {
		resp.Headers = append(resp.Headers, httptrap.Header{Name: name, Value: value})
	}
	add("Date", httptrap.Date(a.now))
	add("Server", p.product)
	if !pg.modified.IsZero() {
		if pg.status != 304 {
			add("Last-Modified", httptrap.Date(pg.modified))
		}
		add("ETag", p.etag(pg))
		if pg.status != 304 {
			add("Accept-Ranges", "bytes")
		}
	}
	resp.Headers = append(resp.Headers, pg.headers...)
	text := strings.HasPrefix(pg.kind, "text/") && !strings.HasSuffix(pg.kind, "iso-8859-1") && len(pg.body) > 0
	if text && pg.modified.IsZero() && p.deflate {
		add("Vary", "Accept-Encoding")
	}
	if pg.status != 304 && pg.status != 204 {
		add("Content-Length", strconv.Itoa(len(pg.body)))
	}
	if text && !pg.modified.IsZero() && p.deflate {
		add("Vary", "Accept-Encoding")
	}
	switch {
	case !a.Keep:
		add("Connection", "close")
	case a.WantsKeepAlive():
		add("Keep-Alive", "timeout=5, max="+strconv.Itoa(maxApacheRequests-1-a.Seq))
		add("Connection", "Keep-Alive")
	}
	if pg.kind != "" && pg.status != 304 {
		add("Content-Type", pg.kind)
	}
	return resp
}

func (p *apache) etag(pg *page) string {
	return fmt.Sprintf(`"%x-%x"`, len(pg.body), pg.modified.UnixMicro())
}

func (p *apache) title(status int) string {
	switch status {
	case 302:
		return "Found"
	case 401:
		return "Unauthorized"
	case 413:
		return "Request Entity Too Large"
	case 414:
		return "Request-URI Too Long"
	default:
		return http.StatusText(status)
	}
}

// words are the sentences of a page for a status, as HTML.
func (p *apache) words(a *ask, status int) string {
	method := html.EscapeString(a.Method)
	switch status {
	case 400:
		return "<p>Your browser sent a request that this server could not understand.<br />\n</p>\n"
	case 401:
		return "<p>This server could not verify that you\nare authorized to access the document\nrequested.  Either you supplied the wrong\n" +
			"credentials (e.g., bad password), or your\nbrowser doesn't understand how to supply\nthe credentials required.</p>\n"
	case 403:
		if p.oldWords {
			return "<p>You don't have permission to access " + html.EscapeString(a.Path) + "\non this server.</p>\n"
		}
		return "<p>You don't have permission to access this resource.</p>\n"
	case 404:
		if p.oldWords {
			return "<p>The requested URL " + html.EscapeString(a.Path) + " was not found on this server.</p>\n"
		}
		return "<p>The requested URL was not found on this server.</p>\n"
	case 405:
		return "<p>The requested method " + method + " is not allowed for this URL.</p>\n"
	case 413:
		return "<p>The requested resource does not allow request data with " + method + " requests, or the amount of data provided in\nthe request exceeds the capacity limit.\n</p>\n"
	case 414:
		return "<p>The requested URL's length exceeds the capacity\nlimit for this server.<br />\n</p>\n"
	case 501:
		return "<p>" + method + " not supported for current URL.<br />\n</p>\n"
	case 503:
		return "<p>The server is temporarily unable to service your\nrequest due to maintenance downtime or capacity\nproblems. Please try again later.</p>\n"
	default:
		return "<p>The server encountered an internal error or\nmisconfiguration and was unable to complete\nyour request.</p>\n"
	}
}

func (p *apache) own(a *ask, status int) page { return p.errorPage(a, status, p.words(a, status)) }

func (p *apache) errorPage(a *ask, status int, words string) page {
	title := p.title(status)
	heading := title
	b := fmt.Sprintf("<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>%d %s</title>\n</head><body>\n<h1>%s</h1>\n%s",
		status, title, heading, words)
	if p.signature {
		host, port := a.Authority()
		if host == "" {
			host = "127.0.1.1" // what Debian's /etc/hosts has for the host's own name
		}
		if port == "" || a.tls {
			port = ":" + strconv.Itoa(a.port)
		}
		b += fmt.Sprintf("<hr>\n<address>%s Server at %s Port %s</address>\n", p.product, html.EscapeString(host), html.EscapeString(port[1:]))
	}
	return page{status: status, kind: "text/html; charset=iso-8859-1", body: []byte(b + "</body></html>\n")}
}

// redirect sends a client elsewhere.
func (p *apache) redirect(a *ask, status int, to string) page {
	pg := p.errorPage(a, status, "<p>The document has moved <a href=\""+html.EscapeString(to)+"\">here</a>.</p>\n")
	pg.headers = []httptrap.Header{{Name: "Location", Value: to}}
	return pg
}

func (p *apache) file(a *ask, f file) page {
	switch a.Method {
	case "GET", "HEAD", "POST":
	case "OPTIONS":
		return page{status: 200, kind: "text/html", body: []byte{}, headers: allowed()}
	default:
		return p.other(a)
	}
	pg := page{status: max(f.status, 200), kind: f.kind, body: f.body, modified: f.modified}
	if unchanged(a, pg.modified, p.etag(&pg)) {
		return page{status: 304, modified: f.modified}
	}
	return pg
}

func allowed() []httptrap.Header {
	return []httptrap.Header{{Name: "Allow", Value: "GET,POST,OPTIONS,HEAD"}}
}

// other answers methods that files don't have.
func (p *apache) other(a *ask) page {
	switch a.Method {
	case "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK":
		pg := p.own(a, 405)
		pg.headers = allowed()
		return pg
	default:
		pg := p.own(a, 501)
		pg.headers = allowed()
		return pg
	}
}

func (p *apache) missing(a *ask) page {
	switch a.Method {
	case "GET", "HEAD", "POST":
		return p.own(a, 404)
	case "OPTIONS":
		return page{status: 200, kind: "", body: []byte{}, headers: allowed()}
	default:
		return p.other(a)
	}
}

func (p *apache) refuse(a *ask, k httptrap.Kind) (page, bool) {
	pg := p.own(a, 400)
	switch k {
	case httptrap.Plain:
		pg = p.errorPage(a, 400, "<p>Your browser sent a request that this server could not understand.<br />\n"+
			"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n Instead use the HTTPS scheme to access this URL, please.<br />\n</p>\n")
	case httptrap.LongTarget:
		pg = p.own(a, 414)
	case httptrap.LongHeader:
		pg = p.errorPage(a, 400, "<p>Your browser sent a request that this server could not understand.<br />\n"+
			"Size of a request header field exceeds server limit.</p>\n")
	case httptrap.LongBody:
		pg = p.own(a, 413)
	case httptrap.BadCoding:
		pg = p.own(a, 501)
	case httptrap.BadVersion, httptrap.BadRequest, httptrap.BadHost, httptrap.TLS:
	}
	pg.close = true
	return pg, true
}
