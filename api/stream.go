package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"decnet/repo"
)

const (
	streamPath = "/api/v1/stream"
	// streamWrite bounds how long a client may take to accept one message.
	streamWrite = 10 * time.Second
	// catchUpRows is how many rows a resuming stream reads from the store at once.
	catchUpRows = 500
	// filteredWindow is how long the histogram of a filter is shared by the streams
	// that have it: it may be a scan, which no number of clients may multiply.
	filteredWindow = 5 * time.Second
	// filteredEntries bounds how many such filters are remembered.
	filteredEntries = 256
	// roundPause is how long a round of a bounded stream waits for rows.
	roundPause = time.Second
)

// stream answers GET /stream.
func (s *Server) stream(c *call) (answer, error) {
	filter, err := logFilter(c.params)
	if err != nil {
		return answer{}, err
	}
	st := &stream{server: s, filter: filter, key: filterKey(c), token: bearer(c.Request)}
	if st.token == "" {
		st.token = c.URL.Query().Get("token")
	}
	st.after, st.resume = resumeFrom(c)
	if s.Developer && c.params.Given("maxOutput") {
		st.rounds = c.params.Int("maxOutput")
	}
	if s.base.Err() != nil {
		return answer{}, errStopping
	}
	if c.Method == http.MethodHead {
		return answer{stream: func(w http.ResponseWriter, _ *http.Request) error {
			st.header(w.Header())
			w.WriteHeader(http.StatusOK)
			return nil
		}}, nil
	}
	return answer{stream: st.serve}, nil
}

// resumeFrom returns the id that the client has seen last. The header is what a
// browser sends when it reconnects, so it is newer than the parameter.
func resumeFrom(c *call) (id int64, ok bool) {
	if h := c.Header.Get("Last-Event-ID"); h != "" {
		if id, err := strconv.ParseInt(h, 10, 64); err == nil && id >= 0 {
			return id, true
		}
	}
	if c.params.Given("lastEventId") {
		return int64(c.params.Int("lastEventId")), true
	}
	return 0, false
}

// filterKey is equal for requests with the same filter.
func filterKey(c *call) string {
	return strings.Join([]string{c.params.String("search"), c.params.String("start_time"), c.params.String("end_time")}, "\x00")
}

// stream is one open stream. Only its own goroutine writes to the client.
type stream struct {
	server *Server
	filter repo.LogFilter
	key    string
	token  string
	// after is the id of the last row that the client has, resume that it asked to
	// go on behind it.
	after  int64
	resume bool
	// rounds bounds the stream in developer mode; 0 means no bound.
	rounds int

	w    http.ResponseWriter
	ctrl *http.ResponseController
}

func (st *stream) header(h http.Header) {
	h["Content-Type"] = []string{"text/event-stream"}
	h["Cache-Control"] = []string{"no-cache"}
	h["X-Accel-Buffering"] = []string{"no"}
}

// errDone ends a bounded stream in peace.
var errDone = errors.New("the last round is over")

// serve writes the stream until the client goes, the server stops, the token is
// no longer good, or the client falls behind.
func (st *stream) serve(w http.ResponseWriter, r *http.Request) error {
	s := st.server
	if s.hub.open.Add(1) > int64(s.MaxStreams) {
		s.hub.open.Add(-1)
		return errTooManyStreams
	}
	defer s.hub.open.Add(-1)
	s.hub.start()
	st.w, st.ctrl = w, http.NewResponseController(w)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.base, cancel)() //nolint:contextcheck // the server ends the stream, not the request

	next, lastID, err := st.position(ctx)
	if err != nil {
		return err
	}
	// The server's own timeouts are for answers that end.
	_ = st.ctrl.SetReadDeadline(time.Time{})
	st.header(w.Header())
	w.WriteHeader(http.StatusOK)
	err = st.run(ctx, next, lastID)
	switch {
	case errors.Is(err, errDone), r.Context().Err() != nil:
		return nil
	case s.base.Err() != nil:
		err = errStopping
	}
	_ = st.write(appendError(nil, asProblem(err).detail))
	return err
}

// position finds where the ring ends and which id that is, asking the store
// when nothing was published since the start.
func (st *stream) position(ctx context.Context) (next uint64, lastID int64, err error) {
	h := st.server.hub
	if next, lastID = h.subscribe(); lastID > 0 {
		return next, lastID, nil
	}
	id, err := st.server.Store.LastLogID(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("last log id: %w", err)
	}
	h.known(id)
	next, lastID = h.subscribe()
	return next, lastID, nil
}

func (st *stream) run(ctx context.Context, next uint64, lastID int64) error {
	if !st.resume {
		st.after = lastID
	}
	if err := st.write([]byte(": keepalive\n\n")); err != nil {
		return err
	}
	if err := st.snapshot(ctx); err != nil {
		return err
	}
	if err := st.catchUp(ctx, lastID); err != nil {
		return err
	}
	if err := st.round(); err != nil {
		return err
	}
	for {
		batch, end, wake, behind := st.server.hub.read(next)
		if behind {
			return errBehind
		}
		next = end
		for _, m := range batch {
			if err := st.send(ctx, m); err != nil {
				return err
			}
		}
		if _, err := st.server.admit(ctx, accessViewer, st.token); err != nil {
			return err
		}
		if err := st.wait(ctx, wake); err != nil {
			return err
		}
	}
}

// errBehind is told to a client that was too slow; it resumes by its last id.
var errBehind = problem{status: http.StatusServiceUnavailable, detail: "The client fell behind, reconnect to resume"}

// wait waits for more messages; a bounded stream counts the wait as a round.
func (st *stream) wait(ctx context.Context, wake <-chan struct{}) error {
	var pause <-chan time.Time
	if st.rounds > 0 {
		t := time.NewTimer(roundPause)
		defer t.Stop()
		pause = t.C
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("stream: %w", ctx.Err())
	case <-wake:
		return nil
	case <-pause:
		return st.round()
	}
}

// round counts a round of a bounded stream.
func (st *stream) round() error {
	if st.rounds == 0 {
		return nil
	}
	if st.rounds--; st.rounds == 0 {
		return errDone
	}
	return nil
}

// send passes a message of the hub on.
func (st *stream) send(ctx context.Context, m *message) error {
	if m.logs == nil {
		if m.stats != nil {
			if err := st.write(m.stats); err != nil {
				return err
			}
		}
		if m.histogram == nil {
			return nil
		}
		if st.filter.IsZero() {
			return st.write(m.histogram)
		}
		return st.filteredHistogram(ctx)
	}
	event := m.event(st.filter, st.after)
	st.after = max(st.after, m.logs[len(m.logs)-1].ID)
	if event == nil {
		return nil
	}
	if err := st.write(event); err != nil {
		return err
	}
	return st.round()
}

// snapshot sends the counters that the caches hold.
func (st *stream) snapshot(ctx context.Context) error {
	stats, err := st.server.stats.page.get(ctx)
	if err != nil {
		return err
	}
	if err := st.write(appendEvent(nil, "stats", st.after, stats.body)); err != nil {
		return err
	}
	if !st.filter.IsZero() {
		return st.filteredHistogram(ctx)
	}
	histogram, err := st.server.histogram.page.get(ctx)
	if err != nil {
		return err
	}
	return st.write(appendEvent(nil, "histogram", st.after, histogram.body))
}

func (st *stream) filteredHistogram(ctx context.Context) error {
	body, err := st.server.hub.filtered.get(ctx, st.key, st.filter)
	if err != nil {
		return err
	}
	return st.write(appendEvent(nil, "histogram", st.after, body))
}

// catchUp sends what was committed between the client's last row and the
// position in the ring.
func (st *stream) catchUp(ctx context.Context, until int64) error {
	for st.after < until {
		logs, err := st.server.Store.LogsAfter(ctx, st.after, st.filter, catchUpRows)
		if err != nil {
			return fmt.Errorf("catch up: %w", err)
		}
		if len(logs) == 0 {
			break
		}
		last := logs[len(logs)-1].ID
		for len(logs) > 0 {
			n := min(rowsPerMessage, len(logs))
			m := newMessage(logs[:n])
			if err := st.write(m.event(repo.LogFilter{}, 0)); err != nil {
				return err
			}
			logs = logs[n:]
		}
		st.after = last
	}
	st.after = max(st.after, until)
	return nil
}

// write sends bytes to the client at once.
func (st *stream) write(b []byte) error {
	_ = st.ctrl.SetWriteDeadline(time.Now().Add(streamWrite))
	if _, err := st.w.Write(b); err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	if err := st.ctrl.Flush(); err != nil {
		return fmt.Errorf("flush the stream: %w", err)
	}
	return nil
}

func appendError(b []byte, message string) []byte {
	b = append(b, "event: error\ndata: {\"type\":\"error\",\"message\":"...)
	b = appendString(b, message)
	return append(b, "}\n\n"...)
}

// filteredHistograms shares the histogram of a filter among the streams.
type filteredHistograms struct {
	owner     owner
	histogram *histogramResource
	entries   *lru.Cache[string, *cache[[]byte]]
}

func newFilteredHistograms(o owner, h *histogramResource) (*filteredHistograms, error) {
	entries, err := lru.New[string, *cache[[]byte]](filteredEntries)
	if err != nil {
		return nil, fmt.Errorf("memory of filters: %w", err)
	}
	return &filteredHistograms{owner: o, histogram: h, entries: entries}, nil
}

// reset forgets all of them.
func (f *filteredHistograms) reset() { f.entries.Purge() }

func (f *filteredHistograms) get(ctx context.Context, key string, filter repo.LogFilter) ([]byte, error) {
	if c, ok := f.entries.Get(key); ok {
		return c.get(ctx)
	}
	fresh := newCache(f.owner, "stream_histogram", filteredWindow, func(ctx context.Context) ([]byte, error) {
		return f.histogram.load(ctx, filter, defaultInterval)
	})
	c, ok, _ := f.entries.PeekOrAdd(key, fresh)
	if !ok {
		c = fresh
	}
	return c.get(ctx)
}
