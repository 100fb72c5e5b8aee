package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"decnet/contract"
	"decnet/repo"
)

// call is one request on its way through a handler.
type call struct {
	*http.Request
	// id names the request to the client and in the log.
	id string
	// op is the operation of the contract, params its checked parameters.
	op     *contract.Operation
	params contract.Params
	// user is the account that the token belongs to; nil on public routes.
	user *account
	// sensor is who sends, on routes for sensors.
	sensor repo.Sensor
	// place is where the request works, see work; nil when it has none.
	admission *admission
	place     *gate
}

// body reads, checks and decodes the JSON body.
func (c *call) body(into any) error {
	return readBody(c.Request, c.op, into)
}

// address is the peer's address; the zero Addr when it can't be told.
func (c *call) address() netip.Addr {
	host, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		host = c.RemoteAddr
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}

// answer is what a handler gives back; nothing has been written yet.
type answer struct {
	// status is 200 when 0.
	status int
	body   []byte
	// contentType is application/json when "".
	contentType string
	// header adds to the header; nil means nothing.
	header func(h http.Header)
	// etag marks a body that may be revalidated; "" means that it may not be kept.
	etag string
	// length is the number of the body's bytes as text; "" counts them.
	length string
	// sent is called when the body is no longer needed; nil for none.
	sent func()
	// stream writes the answer itself; all else is then unused.
	stream func(w http.ResponseWriter, r *http.Request) error
}

// handler answers one request. It returns an error instead of writing one, and
// writes nothing before it can no longer fail.
type handler func(c *call) (answer, error)

// requestIDs makes request ids: a random prefix of the process and a counter.
type requestIDs struct {
	prefix string
	n      atomic.Uint64
}

func newRequestIDs() *requestIDs {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails
	return &requestIDs{prefix: hex.EncodeToString(b[:]) + "-"}
}

// of returns the id that the client gave, when it is a harmless one, or a new one.
func (ids *requestIDs) of(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && isRequestID(given[0]) {
		return given[0]
	}
	var b [40]byte
	return string(strconv.AppendUint(append(b[:0], ids.prefix...), ids.n.Add(1), 10))
}

func isRequestID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// recorder is the ResponseWriter of one request: it remembers what was sent,
// and catches the plain-text answers of the ServeMux, so that they can be
// dressed as problems.
type recorder struct {
	http.ResponseWriter
	id string
	// route is set by the route that was matched; nil while in the ServeMux.
	route *mounted
	// status is 0 until the header was sent. bytes counts the body.
	status int
	bytes  int64
	// caught is the status that the ServeMux wanted to send.
	caught int
	// cause is the private reason of a problem, for the log.
	cause error

	// call and lines are here so that a request allocates once for all of them.
	call  call
	lines headerLines
}

// headerLines are the values of header fields that differ from request to request,
// each where a slice of one can be made of it.
type headerLines struct{ id, etag, contentType, length [1]string }

// one returns the value as a header has it. Whoever adds to it makes a copy.
func one(line *[1]string, value string) []string {
	line[0] = value
	return line[:1:1]
}

// fixedLines are the values of header fields that are always the same. Headers of
// all answers share them: they are never written to, and adding makes a copy.
type fixedLines struct {
	noSniff, deny, noReferrer, policy, revalidate, noStore []string
}

func newFixedLines() fixedLines {
	line := func(value string) []string { return []string{value} }
	return fixedLines{
		noSniff: line("nosniff"), deny: line("DENY"), noReferrer: line("no-referrer"),
		policy: line("default-src 'none'; frame-ancestors 'none'"), revalidate: line("private, no-cache"), noStore: line("no-store"),
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) {
	if w.route == nil {
		w.caught = status
		return
	}
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(b []byte) (int, error) {
	if w.route == nil {
		return len(b), nil
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err //nolint:wrapcheck // an io.Writer passes its errors on as they are
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logAccess writes one line a request: no query and no header, since both may
// hold a token. What only reads and succeeds is at debug level.
func logAccess(ctx context.Context, log *slog.Logger, r *http.Request, w *recorder, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case errors.Is(w.cause, errShed):
		level = slog.LevelDebug
	case w.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case w.status < http.StatusBadRequest && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		level = slog.LevelDebug
	}
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", w.id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes),
		slog.Duration("took", took), slog.String("from", r.RemoteAddr),
	}
	if w.cause != nil {
		attrs = append(attrs, slog.String("cause", w.cause.Error()))
	}
	log.LogAttrs(ctx, level, "request", attrs...)
}
