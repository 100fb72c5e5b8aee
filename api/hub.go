package api

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"decnet/repo"
)

const (
	// DefaultMaxStreams bounds the open streams of a server.
	DefaultMaxStreams = 10_000
	// rowsPerMessage is the most rows of one message of a stream.
	rowsPerMessage = 50
	// hubRows and hubBytes bound what the hub keeps for clients that are behind, the
	// rows' renderings included. A client further behind is sent away, and resumes
	// from the store.
	hubRows, hubBytes = 20_000, 16 << 20
	// snapshotEvery is the pace of the counters on a quiet stream, snapshotPause
	// the least time between two on a busy one.
	snapshotEvery, snapshotPause = 10 * time.Second, time.Second
	// smallHistogram is the size up to which the histogram keeps the pace of the
	// counters, in bytes. A larger one comes only every snapshotEvery: sending a
	// megabyte a second to each client would help nobody.
	smallHistogram = 64 << 10
)

// hub hands committed rows to all streams. It keeps the latest messages in a
// bounded ring which every stream reads at its own pace, so that publishing
// costs the same for one client and for a thousand, and a slow client costs
// nothing. Rows are rendered once, by the first who needs them.
type hub struct {
	server   *Server
	filtered *filteredHistograms
	open     atomic.Int64
	begin    sync.Once
	done     sync.WaitGroup
	// dirty says that rows were published since the last snapshot.
	dirty chan struct{}

	mu     sync.Mutex
	ring   []*message
	first  uint64 // the sequence number of ring[0]
	rows   int
	bytes  int
	lastID int64         // the highest id that was published
	wake   chan struct{} // closed and renewed by each push
}

// message is one entry of the ring: rows, or a snapshot of the counters.
type message struct {
	logs []repo.Log
	size int

	once     sync.Once
	frame    []byte   // the whole event for a client without a filter
	rendered [][]byte // each row, inside frame

	// stats and histogram are whole events; nil where the message is rows.
	stats, histogram []byte
}

func newMessage(logs []repo.Log) *message {
	m := &message{logs: logs}
	for i := range logs {
		m.size += roomOf(&logs[i])
	}
	return m
}

func newHub(o owner, s *Server) (*hub, error) {
	filtered, err := newFilteredHistograms(o, s.histogram)
	if err != nil {
		return nil, err
	}
	return &hub{server: s, filtered: filtered, dirty: make(chan struct{}, 1), wake: make(chan struct{})}, nil
}

// Reset forgets the histograms that streams share.
func (h *hub) Reset() { h.filtered.reset() }

// Publish hands rows to the streams. It is called after each commit, in the
// order of the commits, with rows in ascending order of their ids, which the
// caller leaves alone afterwards. It never blocks.
func (s *Server) Publish(logs []repo.Log) {
	if len(logs) == 0 {
		return
	}
	h := s.hub
	if h.unwatched(logs[len(logs)-1].ID) {
		return
	}
	var batch []*message
	for len(logs) > 0 {
		n := min(rowsPerMessage, len(logs))
		batch = append(batch, newMessage(logs[:n:n]))
		logs = logs[n:]
	}
	h.push(batch...)
	select {
	case h.dirty <- struct{}{}:
	default:
	}
}

// roomOf is about what an event and its rendering take, in bytes.
func roomOf(l *repo.Log) int {
	return 512 + len(l.Original) + 2*(len(l.RawLine)+len(l.Fields)+len(l.Msg))
}

// unwatched reports whether no stream is open, and then notes the highest id, and
// drops what the last streams have left. A stream counts as open before it
// subscribes, so under the lock it either sees this id or is seen.
func (h *hub) unwatched(lastID int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open.Load() > 0 {
		return false
	}
	h.lastID = max(h.lastID, lastID)
	h.first += uint64(len(h.ring))
	h.ring, h.rows, h.bytes = nil, 0, 0
	return true
}

func (h *hub) push(batch ...*message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range batch {
		h.ring = append(h.ring, m)
		h.rows += len(m.logs)
		h.bytes += m.size
		if n := len(m.logs); n > 0 {
			h.lastID = max(h.lastID, m.logs[n-1].ID)
		}
	}
	drop := 0
	// Snapshots count as a row each, so that a ring without rows is bounded too.
	for len(h.ring)-drop > 1 && (h.rows > hubRows || h.bytes > hubBytes || len(h.ring)-drop > hubRows) {
		h.rows -= len(h.ring[drop].logs)
		h.bytes -= h.ring[drop].size
		drop++
	}
	if drop > 0 {
		// Readers hold slices of the old array, and it holds what was dropped.
		h.ring = append([]*message(nil), h.ring[drop:]...)
		h.first += uint64(drop)
	}
	close(h.wake)
	h.wake = make(chan struct{})
}

// subscribe returns where the ring ends now, and the highest id up to there.
func (h *hub) subscribe() (next uint64, lastID int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.first + uint64(len(h.ring)), h.lastID
}

// known raises the highest id to one that was found in the store.
func (h *hub) known(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastID = max(h.lastID, id)
}

// read returns the messages from a sequence number on, and a channel that is
// closed when there are more. behind says that some are gone already.
func (h *hub) read(from uint64) (batch []*message, next uint64, wake <-chan struct{}, behind bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next = h.first + uint64(len(h.ring))
	if from < h.first {
		return nil, next, h.wake, true
	}
	return h.ring[from-h.first:], next, h.wake, false
}

// start begins the snapshots, at the first stream.
func (h *hub) start() {
	h.begin.Do(func() {
		h.done.Add(1)
		go func() {
			defer h.done.Done()
			h.snapshots(h.server.base)
		}()
	})
}

// wait waits for the goroutine of start, once the server's context has ended.
func (h *hub) wait() {
	h.begin.Do(func() {}) // it shall not begin any more
	h.done.Wait()
}

// snapshots pushes fresh counters after rows, and every snapshotEvery.
func (h *hub) snapshots(ctx context.Context) {
	tick := time.NewTicker(snapshotEvery)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	small := true
	for {
		// At least snapshotPause lies between two; what comes meanwhile is one.
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		ticked := false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			ticked = true
		case <-h.dirty:
		}
		pause.Reset(snapshotPause)
		if h.open.Load() == 0 {
			continue
		}
		m := h.snapshot(ctx, ticked || small)
		if m.histogram != nil {
			small = len(m.histogram) <= smallHistogram
		}
		if m.stats != nil || m.histogram != nil {
			h.push(m)
		}
	}
}

// snapshot asks the store for the counters. What fails is left out: the next
// one follows soon, and /health tells why.
func (h *hub) snapshot(ctx context.Context, withHistogram bool) *message {
	m := &message{}
	if body, err := h.server.stats.load(ctx); err == nil {
		m.stats = appendEvent(nil, "stats", noID, body)
	}
	if withHistogram {
		if body, err := h.server.histogram.load(ctx, repo.LogFilter{}, defaultInterval); err == nil {
			m.histogram = appendEvent(nil, "histogram", noID, body)
		}
	}
	m.size = len(m.stats) + len(m.histogram)
	return m
}

// render makes the frame of a message of rows.
func (m *message) render() {
	m.once.Do(func() {
		b := beginEvent(make([]byte, 0, 256+m.size/2), "logs", m.logs[len(m.logs)-1].ID)
		begins := make([]int, 0, len(m.logs)+1)
		for i := range m.logs {
			// The array's bracket, or the comma before the row.
			b = append(b, "[,"[min(i, 1)])
			begins = append(begins, len(b))
			b = appendLog(b, &m.logs[i])
		}
		begins = append(begins, len(b)+1)
		m.frame = endEvent(append(b, ']'))
		m.rendered = make([][]byte, len(m.logs))
		for i := range m.logs {
			m.rendered[i] = m.frame[begins[i] : begins[i+1]-1 : begins[i+1]-1]
		}
	})
}

// event returns what a stream with the filter gets of a message of rows after
// the id, or nil when it gets none of them.
func (m *message) event(f repo.LogFilter, after int64) []byte {
	m.render()
	if f.IsZero() && m.logs[0].ID > after {
		return m.frame
	}
	data, last := []byte{'['}, int64(0)
	for i := range m.logs {
		if m.logs[i].ID <= after || !f.Match(&m.logs[i]) {
			continue
		}
		if last > 0 {
			data = append(data, ',')
		}
		data = append(data, m.rendered[i]...)
		last = m.logs[i].ID
	}
	if last == 0 {
		return nil
	}
	return appendEvent(nil, "logs", last, append(data, ']'))
}

// noID leaves the client's last id as it is. The counters that all streams share
// have none: rows that were published while they were read stand before them, and
// a lower id behind those would make a client that reconnects see rows twice.
const noID = -1

// appendEvent appends one Server-Sent Event (WHATWG HTML section 9.2). JSON
// holds no raw line break, so data is one line. An id of 0 is one too: whoever
// came before the first row and lost the connection resumes from there.
func appendEvent(b []byte, kind string, id int64, data []byte) []byte {
	return endEvent(append(beginEvent(b, kind, id), data...))
}

// beginEvent appends what stands before the data of an event, endEvent what stands
// behind.
func beginEvent(b []byte, kind string, id int64) []byte {
	b = append(b, "event: message\n"...)
	if id != noID {
		b = append(b, "id: "...)
		b = strconv.AppendInt(b, id, 10)
		b = append(b, '\n')
	}
	b = append(b, `data: {"type":"`...)
	b = append(b, kind...)
	return append(b, `","data":`...)
}

func endEvent(b []byte) []byte { return append(b, "}\n\n"...) }
