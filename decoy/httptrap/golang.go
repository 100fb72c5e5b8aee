package httptrap

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Golang answers as a server that is written in Go does, which dockerd and
// Kubernetes are: the headers of the handler sorted, then those of the server.
// The body is chunked where that is what such a server does with a long one.
func Golang(r *Request, status int, kind string, headers []Header, body []byte, now time.Time) Response {
	a := Response{Status: status, Reason: http.StatusText(status), Body: body, Old: r.Minor < 1}
	sorted := slices.Clone(headers)
	if kind != "" {
		sorted = append(sorted, Header{"Content-Type", kind})
	}
	slices.SortStableFunc(sorted, func(a, b Header) int { return cmp.Compare(a.Name, b.Name) })
	a.Headers = append(sorted, Header{"Date", Date(now)})
	const buffer = 2048 // of net/http: what is longer has no length
	switch {
	case status == http.StatusNoContent || status == http.StatusNotModified || status < http.StatusOK:
	case len(body) <= buffer:
		a.Headers = append(a.Headers, Header{"Content-Length", strconv.Itoa(len(body))})
	case r.Minor < 1:
		a.Close = true
	default:
		a.Chunked = true
	}
	if r.Minor >= 1 && (!r.Keep || a.Close) {
		a.Headers = append(a.Headers, Header{"Connection", "close"})
	} else if r.Minor == 0 && r.Keep && !a.Close {
		a.Headers = append(a.Headers, Header{"Connection", "keep-alive"})
	}
	if a.Chunked {
		a.Headers = append(a.Headers, Header{"Transfer-Encoding", "chunked"})
	}
	return a
}

// RefuseGolang is what such a server says to what is no request.
func RefuseGolang(f *Fault) *Response {
	a := &Response{Status: http.StatusBadRequest, Close: true}
	more := ""
	switch f.Kind {
	case TLS:
		return nil // it waits for the end of a line
	case Plain:
		a.Old, a.Reason = true, "Bad Request"
		a.Body = []byte("Client sent an HTTP request to an HTTPS server.\n")
		return a
	case BadHost:
		more = ": missing required Host header"
		if f.Request.count("Host") > 1 {
			more = ": too many Host headers"
		}
	case BadVersion:
		a.Status, more = http.StatusHTTPVersionNotSupported, ": unsupported protocol version"
	case LongTarget, LongHeader:
		a.Status = http.StatusRequestHeaderFieldsTooLarge
	case BadCoding:
		a.Status, more = http.StatusNotImplemented, ": Unsupported transfer encoding"
	case LongBody:
		a.Status = http.StatusRequestEntityTooLarge
	case BadRequest:
	}
	a.Reason = http.StatusText(a.Status)
	a.Headers = []Header{{"Content-Type", "text/plain; charset=utf-8"}, {"Connection", "close"}}
	a.Body = []byte(strconv.Itoa(a.Status) + " " + a.Reason + more)
	return a
}
