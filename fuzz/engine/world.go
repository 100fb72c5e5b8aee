//go:build fuzz

package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// World is one running service with data of its own. Either Handler or BaseURL
// is set.
type World struct {
	// Handler is called without a network.
	Handler http.Handler
	// BaseURL is where the service listens; Client asks it, nil means a default one.
	BaseURL string
	Client  *http.Client
	// Server makes the server that Handler stands behind, whose limit of a request's
	// head is then kept; nil means that there is none.
	Server func(h http.Handler) *http.Server
	// Authorize adds the credential of an actor to a request. Where token is not
	// "", an earlier answer gave it, and it is to be used instead.
	Authorize func(req *http.Request, actor, token string)
	// Symbols are the values that only this world knows, for references.
	Symbols map[string]any
	// Secrets must never be seen in a response. They are masked where a request is
	// printed, by the name that they have here.
	Secrets map[string]string
	// Do runs a step that is no request, such as a commit; may be nil.
	Do func(action string)
	// Close ends the world.
	Close func()

	closing *sync.WaitGroup // see [Config]
}

// Exchange is a request and what came back.
type Exchange struct {
	Method, URL string
	Request     http.Header
	SentBody    []byte
	Status      int
	Header      http.Header
	Body        []byte
	Elapsed     time.Duration
	// Broken says that there was no whole answer: the handler panicked or the
	// connection broke.
	Broken string
	// Cut says that the engine ended a stream.
	Cut bool
}

// streamQuiet is how long a stream may be silent before it is cut.
const streamQuiet = 2 * time.Millisecond

// remoteQuiet is the same over a network.
const remoteQuiet = 300 * time.Millisecond

// patience bounds any one request.
const patience = 30 * time.Second

// send performs a request.
func (w *World) send(req *http.Request, sent []byte, streams bool) *Exchange {
	x := &Exchange{Method: req.Method, URL: req.URL.RequestURI(), Request: req.Header.Clone(), SentBody: sent}
	ctx, cancel := context.WithTimeout(req.Context(), patience)
	defer cancel()
	begin := time.Now()
	switch {
	case w.Handler == nil:
		w.ask(ctx, cancel, req, streams, x)
	case w.headTooLarge(req):
		w.serve(ctx, cancel, req, streams, x)
	default:
		w.call(ctx, cancel, req, streams, x)
	}
	x.Elapsed = time.Since(begin)
	return x
}

// call calls the handler, as net/http would for the most part.
func (w *World) call(ctx context.Context, cancel context.CancelFunc, req *http.Request, streams bool, x *Exchange) {
	req = req.WithContext(ctx)
	req.RequestURI, req.Host, req.RemoteAddr = req.URL.RequestURI(), req.URL.Host, "192.0.2.10:40000"
	if req.Body == nil {
		req.Body = http.NoBody
	}
	rec := &recorder{header: http.Header{}}
	if streams {
		rec.quiet = time.AfterFunc(patience, func() {
			rec.markCut()
			cancel()
		})
		defer rec.quiet.Stop()
	}
	func() {
		defer func() {
			if v := recover(); v != nil {
				x.Broken = fmt.Sprintf("panic: %T", v)
			}
		}()
		w.Handler.ServeHTTP(rec, req)
	}()
	if rec.status == 0 && x.Broken == "" {
		rec.WriteHeader(http.StatusOK)
	}
	x.Status, x.Header, x.Body, x.Cut = rec.status, rec.sent, rec.body.Bytes(), rec.wasCut()
	if req.Method == http.MethodHead || x.Status == http.StatusNoContent || x.Status == http.StatusNotModified {
		if len(x.Body) > 0 && req.Method != http.MethodHead {
			x.Broken = "a body where none may be"
		}
		x.Body = nil
	}
}

// recorder is a ResponseWriter in memory.
type recorder struct {
	header http.Header
	sent   http.Header
	status int
	body   bytes.Buffer
	quiet  *time.Timer
	mu     sync.Mutex
	cut    bool
}

func (r *recorder) markCut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
}

func (r *recorder) wasCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cut
}

// Header implements [http.ResponseWriter].
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		if r.header.Get("Content-Type") == "" {
			r.header.Set("Content-Type", http.DetectContentType(b))
		}
		r.WriteHeader(http.StatusOK)
	}
	return r.body.Write(b)
}

// Flush implements [http.Flusher]; after it a stream may be silent for a moment.
func (r *recorder) Flush() {
	if r.quiet != nil {
		r.quiet.Reset(streamQuiet)
	}
}

// ask sends the request over a network.
func (w *World) ask(ctx context.Context, cancel context.CancelFunc, req *http.Request, streams bool, x *Exchange) {
	client := w.Client
	if client == nil {
		client = &http.Client{}
	}
	once := *client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := once.Do(req.WithContext(ctx))
	if err != nil {
		x.Broken = "no answer"
		return
	}
	defer func() { _ = resp.Body.Close() }()
	x.Status, x.Header = resp.StatusCode, resp.Header
	if streams && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		quiet := time.AfterFunc(remoteQuiet, cancel)
		defer quiet.Stop()
		x.Body, err = io.ReadAll(resp.Body)
		x.Cut = err != nil
		return
	}
	if x.Body, err = io.ReadAll(resp.Body); err != nil {
		x.Broken = "the answer was cut"
	}
}

// Mask replaces the world's secrets in a text by their names.
func (w *World) Mask(s string) string {
	named := make([]string, 0, len(w.Secrets))
	for name := range w.Secrets {
		named = append(named, name)
	}
	// The longest first, so that no secret is cut by another inside it.
	slices.SortFunc(named, func(a, b string) int { return len(w.Secrets[b]) - len(w.Secrets[a]) })
	for _, name := range named {
		if secret := w.Secrets[name]; secret != "" {
			s = strings.ReplaceAll(s, secret, "$"+name)
		}
	}
	return s
}
