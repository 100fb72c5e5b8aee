package httptrap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// Header is a field of a message, in the casing that it has on the wire.
type Header struct{ Name, Value string }

// Request is what a client asked for.
type Request struct {
	Method, Target string
	// Path and Query are the parts of the target, as they were sent.
	Path, Query string
	// Minor is the version: 1 for HTTP/1.1, 0 for HTTP/1.0, -1 for HTTP/0.9.
	Minor   int
	Headers []Header
	// Body is the begin of the body, BodySize the size of all of it.
	Body     []byte
	BodySize int64
	// Form is what a form or an upload said, in the order of the client.
	Form []trap.Field
	// Username and Password are credentials in the request, if HasLogin.
	Username, Password string
	HasLogin           bool
	// Keep says that the client would like to go on after this request, Seq is how
	// many it made before on this connection.
	Keep bool
	Seq  int

	// notes are details for the event beyond those of every request.
	notes []trap.Field
}

// Get returns the first header of that name, in any casing, or "".
func (r *Request) Get(name string) string {
	for i := range r.Headers {
		if strings.EqualFold(r.Headers[i].Name, name) {
			return r.Headers[i].Value
		}
	}
	return ""
}

// Has reports whether there is a header of that name.
func (r *Request) Has(name string) bool { return r.count(name) > 0 }

func (r *Request) count(name string) int {
	n := 0
	for i := range r.Headers {
		if strings.EqualFold(r.Headers[i].Name, name) {
			n++
		}
	}
	return n
}

// hasToken reports whether a header that is a list has an element.
func (r *Request) hasToken(name, token string) bool {
	for i := range r.Headers {
		if strings.EqualFold(r.Headers[i].Name, name) &&
			slices.ContainsFunc(strings.Split(r.Headers[i].Value, ","), func(s string) bool {
				return strings.EqualFold(strings.TrimSpace(s), token)
			}) {
			return true
		}
	}
	return false
}

// WantsKeepAlive reports whether the client named keep-alive, which some servers
// repeat.
func (r *Request) WantsKeepAlive() bool { return r.hasToken("Connection", "keep-alive") }

// Authority is the host that the client thinks it speaks to: the name, and the
// port with its colon or "".
func (r *Request) Authority() (host, port string) {
	h := r.Get("Host")
	if i := strings.LastIndexByte(h, ':'); i >= 0 && !strings.HasSuffix(h, "]") {
		return h[:i], h[i:]
	}
	return h, ""
}

// Note adds a detail to the event of the request.
func (r *Request) Note(key, value string) {
	r.notes = append(r.notes, trap.Field{Key: key, Value: value})
}

// Kind is a kind of bytes that are no proper request.
type Kind int

const (
	// BadRequest is what has no more special kind.
	BadRequest Kind = iota
	// BadHost is a request without a host, or with several.
	BadHost
	// BadVersion is a version that isn't spoken.
	BadVersion
	// LongTarget is a request line over the limit.
	LongTarget
	// LongHeader is a header over the limit, or all of them.
	LongHeader
	// BadCoding is a transfer coding other than chunked.
	BadCoding
	// LongBody is a body over the limit.
	LongBody
	// TLS is the begin of a TLS handshake on a port for plain text.
	TLS
	// Plain is a plain request on a port for TLS; it is a proper one otherwise.
	Plain
)

// String names the kind in events.
func (k Kind) String() string {
	switch k {
	case BadHost:
		return "bad host"
	case BadVersion:
		return "bad version"
	case LongTarget:
		return "request line too long"
	case LongHeader:
		return "headers too long"
	case BadCoding:
		return "unknown transfer coding"
	case LongBody:
		return "body too long"
	case TLS:
		return "TLS on a plain port"
	case Plain:
		return "plain text on a TLS port"
	default:
		return "bad request"
	}
}

// Fault is bytes that are no proper request.
type Fault struct {
	Kind Kind
	// Why is a few words for the event.
	Why string
	// Data is the line that was at fault.
	Data []byte
	// Request is what could be read before, maybe little.
	Request *Request
}

// Error implements error.
func (f *Fault) Error() string { return f.Kind.String() + ": " + f.Why }

// The bounds of a request's head: what Apache and nginx have by default.
const (
	maxLine    = 8190
	maxHead    = 32 << 10
	maxHeaders = 100
)

// readHead reads the request line and the headers. The error is a *[Fault], or
// one of the connection.
func readHead(r *bufio.Reader) (*Request, error) {
	line, err := firstLine(r)
	if err != nil {
		return nil, err
	}
	req := &Request{}
	if err := req.parseLine(line); err != nil {
		return nil, err
	}
	if req.Minor < 0 {
		return req, nil
	}
	for total := len(line); ; {
		line, err := trap.ReadLine(r, maxLine)
		switch {
		case errors.Is(err, trap.ErrLineTooLong):
			return nil, &Fault{Kind: LongHeader, Why: "a header", Data: line, Request: req}
		case err != nil:
			return nil, fmt.Errorf("read headers: %w", err)
		case len(line) == 0:
			return req, req.check()
		}
		if total += len(line); total > maxHead || len(req.Headers) == maxHeaders {
			return nil, &Fault{Kind: LongHeader, Why: "all headers", Data: line, Request: req}
		}
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || !isToken(name) || strings.ContainsAny(value, "\r\x00") {
			return nil, &Fault{Why: "a header", Data: line, Request: req}
		}
		req.Headers = append(req.Headers, Header{name, strings.Trim(value, " \t")})
	}
}

// firstLine is the first that is not empty. The begin of a TLS handshake has no
// line end, so it must not be waited for.
func firstLine(r *bufio.Reader) ([]byte, error) {
	for range 10 {
		if head, err := r.Peek(1); err != nil {
			return nil, err
		} else if head[0] == 0x16 {
			head, _ = r.Peek(max(r.Buffered(), 3))
			kind := BadRequest
			if len(head) > 1 && head[1] == 3 {
				kind = TLS
			}
			return nil, &Fault{Kind: kind, Why: "a handshake", Data: slices.Clone(head), Request: &Request{}}
		}
		line, err := trap.ReadLine(r, maxLine)
		if errors.Is(err, trap.ErrLineTooLong) {
			return nil, &Fault{Kind: LongTarget, Why: "the request line", Data: line, Request: &Request{}}
		}
		if err != nil {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				return nil, &Fault{Why: "half a request line", Data: line, Request: &Request{}}
			}
			return nil, err
		}
		if len(line) > 0 {
			return line, nil
		}
	}
	return nil, &Fault{Why: "empty lines", Request: &Request{}}
}

func (r *Request) parseLine(line []byte) error {
	bad := func(kind Kind, why string) error { return &Fault{Kind: kind, Why: why, Data: line, Request: r} }
	method, rest, ok := strings.Cut(string(line), " ")
	if !ok || !isToken(method) {
		return bad(BadRequest, "the request line")
	}
	target, version, ok := strings.Cut(rest, " ")
	r.Method, r.Target = method, target
	r.split()
	if !ok {
		if method != "GET" || !strings.HasPrefix(target, "/") {
			return bad(BadRequest, "no version")
		}
		r.Minor = -1
		return nil
	}
	switch {
	case version == "HTTP/1.1":
		r.Minor = 1
	case version == "HTTP/1.0":
		r.Minor = 0
	case len(version) == 8 && strings.HasPrefix(version, "HTTP/1.") && version[7] >= '2' && version[7] <= '9':
		r.Minor = 1
	case len(version) == 8 && strings.HasPrefix(version, "HTTP/") && version[6] == '.' && version[5] >= '2' && version[5] <= '9':
		r.Minor = 1
		return bad(BadVersion, "the version")
	default:
		return bad(BadRequest, "the version")
	}
	if !strings.HasPrefix(target, "/") && !strings.Contains(target, "://") && target != "*" && method != "CONNECT" {
		return bad(BadRequest, "the target")
	}
	return nil
}

// split finds path and query of the target.
func (r *Request) split() {
	path, query, _ := strings.Cut(r.Target, "?")
	if scheme, rest, ok := strings.Cut(path, "://"); ok && !strings.Contains(scheme, "/") {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			path = rest[i:]
		} else {
			path = "/"
		}
		r.Note("proxy_target", r.Target)
	} else if r.Method == "CONNECT" {
		r.Note("proxy_target", r.Target)
	}
	r.Path, r.Query = path, query
}

// check looks at what the headers say together.
func (r *Request) check() error {
	r.Keep = r.Minor >= 1 && !r.hasToken("Connection", "close") || r.Minor == 0 && r.WantsKeepAlive()
	if n := r.count("Host"); n > 1 || n == 0 && r.Minor >= 1 {
		return &Fault{Kind: BadHost, Why: strconv.Itoa(n) + " hosts", Data: []byte(r.Method + " " + r.Target), Request: r}
	}
	return nil
}

// isToken reports whether s is what RFC 9110 allows as a method or a name.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
