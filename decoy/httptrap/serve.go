package httptrap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"decnet/decoy/trap"
)

// Site is what an imitated server answers. It is used by many goroutines at
// once.
type Site interface {
	// Answer answers a proper request. The response's headers are all that is sent,
	// in their order. A request in HTTP/0.9 gets the body only.
	Answer(ctx context.Context, s *trap.Session, r *Request) Response
	// Refuse answers what is no proper request; nil closes the connection at once.
	Refuse(s *trap.Session, f *Fault) *Response
}

// Recorder is a site that says how its requests are recorded.
type Recorder interface {
	// Event says how a request is recorded.
	Event(r *Request) Event
}

// Response is an answer.
type Response struct {
	Status int
	// Old says HTTP/1.0 in the status line.
	Old bool
	// Reason follows the status, as the server writes it.
	Reason string
	// Headers are those that are sent. Where Chunked is not set one of them tells the
	// length, or Close is set.
	Headers []Header
	Body    []byte
	// Chunked sends the body in chunks to clients that know them.
	Chunked bool
	// Close ends the connection afterwards, whatever the client would like.
	Close bool
	// Delay is how long the server thinks.
	Delay time.Duration
}

// Limits are those of the imitated server.
type Limits struct {
	// Body bounds the body of a request in bytes, 0 for 32 MiB.
	Body int64
	// Idle is how long a connection waits for the next request, Head how long for the
	// whole head of one; 0 for a minute.
	Idle, Head time.Duration
	// Requests bounds the requests of a connection, 0 for 1000.
	Requests int
}

func (l *Limits) setDefaults() {
	if l.Body == 0 {
		l.Body = 32 << 20
	}
	if l.Idle == 0 {
		l.Idle = time.Minute
	}
	if l.Head == 0 {
		l.Head = time.Minute
	}
	if l.Requests == 0 {
		l.Requests = 1000
	}
}

// Serve speaks HTTP/1.x with one client until one of both has enough. It records
// every request, and what is none.
func Serve(ctx context.Context, s *trap.Session, site Site, l Limits) {
	l.setDefaults()
	c := &conversation{s: s, in: bufio.NewReader(s), site: site, limits: l}
	for c.seq = 0; c.seq < l.Requests; c.seq++ {
		if !c.exchange(ctx) {
			break
		}
	}
	c.linger()
}

// conversation is one connection.
type conversation struct {
	s      *trap.Session
	in     *bufio.Reader
	site   Site
	limits Limits
	seq    int
	// unread says that the client may still be sending.
	unread bool
}

// exchange reads one request and answers it. It reports whether the connection
// goes on.
func (c *conversation) exchange(ctx context.Context) bool {
	if c.seq > 0 {
		// The client may take its time until it begins, but not once it has.
		if c.s.SetReadDeadline(time.Now().Add(c.limits.Idle)) != nil {
			return false
		}
		if _, err := c.in.Peek(1); err != nil {
			return false
		}
	}
	if c.s.SetReadDeadline(time.Now().Add(c.limits.Head)) != nil {
		return false
	}
	r, err := readHead(c.in)
	if err == nil {
		r.Seq = c.seq
		if c.seq+1 == c.limits.Requests {
			r.Keep = false
		}
		err = c.finish(r)
	}
	var fault *Fault
	if errors.As(err, &fault) {
		fault.record(c.s)
		c.unread = c.more(fault)
		if a := c.site.Refuse(c.s, fault); a != nil {
			_ = write(c.s, fault.Request, *a) // the connection ends anyway
		}
		return false
	}
	if err != nil {
		return false
	}
	a := c.site.Answer(ctx, c.s, r)
	if a.Delay > 0 {
		c.s.Pause(ctx, a.Delay, a.Delay+a.Delay/4)
	}
	return write(c.s, r, a) == nil && r.Keep && !a.Close
}

// more reports whether the client is likely to be still sending. Otherwise there is
// nothing to wait for.
func (c *conversation) more(f *Fault) bool {
	switch f.Kind {
	case LongTarget, LongHeader, LongBody, BadCoding:
		return true
	default:
		r := f.Request
		return r.Has("Content-Length") || r.Has("Transfer-Encoding") || c.in.Buffered()+len(f.Data) >= c.in.Size()
	}
}

// finish reads the body and records the request. A fault is recorded by the
// caller.
func (c *conversation) finish(r *Request) error {
	f, err := r.frame()
	if err != nil {
		return err
	}
	if f.length > c.limits.Body {
		return &Fault{Kind: LongBody, Why: strconv.FormatInt(f.length, 10) + " bytes", Data: []byte(r.Method + " " + r.Target), Request: r}
	}
	if r.Minor >= 1 && r.hasToken("Expect", "100-continue") && (f.chunked || f.length > 0) && c.in.Buffered() == 0 {
		if _, err := c.s.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return fmt.Errorf("ask for a body: %w", err)
		}
	}
	// Bytes arrive as slowly as the limits of the session let them.
	if err := c.s.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("read a body: %w", err)
	}
	uploads, err := r.readBody(c.s, c.in, f)
	logins := r.findLogins()
	broken := ""
	if err != nil {
		broken = "the body is not whole"
	}
	e := Event{}
	if rec, ok := c.site.(Recorder); ok {
		e = rec.Event(r)
	}
	r.record(c.s, e, logins, uploads, broken)
	return err
}

// lingerTime and lingerBytes bound what is read after the last answer.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 64 << 10
)

// linger takes what is still coming before the connection is closed: otherwise
// the kernel would reset it, and the client might lose the answer. All servers do.
func (c *conversation) linger() {
	if !c.unread {
		return
	}
	if half, ok := c.s.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	if c.s.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	var b [4 << 10]byte
	for n := 0; n < lingerBytes; {
		m, err := c.s.Read(b[:])
		if err != nil {
			return
		}
		n += m
	}
}

// write sends an answer.
func write(w net.Conn, r *Request, a Response) error {
	if r.Minor < 0 {
		_, err := w.Write(a.Body)
		return err //nolint:wrapcheck // it only says that the connection ended
	}
	version := "HTTP/1.1"
	if a.Old {
		version = "HTTP/1.0"
	}
	b := fmt.Appendf(make([]byte, 0, 512+len(a.Body)), "%s %03d %s\r\n", version, a.Status, a.Reason)
	for _, h := range a.Headers {
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	silent := r.Method == "HEAD" || a.Status == 304 || a.Status == 204
	switch {
	case silent || len(a.Body) == 0 && !a.Chunked:
	case a.Chunked && r.Minor >= 1:
		if len(a.Body) > 0 {
			b = fmt.Appendf(b, "%x\r\n%s\r\n", len(a.Body), a.Body)
		}
		b = append(b, "0\r\n\r\n"...)
	default:
		b = append(b, a.Body...)
	}
	_, err := w.Write(b)
	return err //nolint:wrapcheck // it only says that the connection ended
}

// Date writes a time as headers have it.
func Date(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }
