package ingest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"decnet/repo"
)

// State says what a source is doing.
type State string

// The states of a source.
const (
	// StateWaiting: there is nothing to read (yet): no such file, or it is being
	// read under another name.
	StateWaiting State = "waiting"
	// StateReading: lines are waiting to be read.
	StateReading State = "reading"
	// StateFollowing: all is read, and more may come.
	StateFollowing State = "following"
	// StateDone: all is read, and the file is not followed.
	StateDone State = "done"
	// StateFailed: the source can't be read; LastError says why.
	StateFailed State = "failed"
	// StateConnected: a peer is connected. StateIdle: it was, or it is a sensor,
	// which comes and goes.
	StateConnected State = "connected"
	StateIdle      State = "idle"
)

// The kinds of sources.
const (
	KindFile   = "file"
	KindStdin  = "stdin"
	KindSensor = "sensor"
	KindSyslog = "syslog"
)

// Counts are numbers of committed lines; Lines is the sum of the others.
type Counts struct {
	Lines, Accepted, Duplicate, Rejected, Ignored int64
}

// SourceStatus is the state of one source. Counters begin at zero with the
// process.
type SourceStatus struct {
	// Path is the name of a file, of a sensor or of a peer.
	Path string
	// Kind is one of the Kind constants.
	Kind   string
	Follow bool
	State  State
	// Format is the name of the format that was recognised last, "" before.
	Format string
	// Offset is how many bytes of the current file are committed, Size how long it
	// is, both after decompression (Size is 0 for a .gz that is not yet read whole),
	// and Lag their difference.
	Offset, Size, Lag int64
	// BehindSince is the wall time at which the oldest bytes that are not committed
	// were first seen, about; zero when Lag is 0.
	BehindSince time.Time
	Counts
	// RejectedBy counts rejects by their reason; IgnoredBy the ignored lines that
	// are not blank, by reason or rule.
	RejectedBy, IgnoredBy map[string]int64
	// LastLine is the wall time at which the last line was read, LastEvent the
	// latest time of an event; zero for none.
	LastLine, LastEvent time.Time
	// Rate is in lines a second, over the last minute.
	Rate float64
	// Note is a sentence on a state that needs one; LastError what went wrong
	// last, "" when all is well. Neither holds anything of a line.
	Note, LastError string
}

// Status is a snapshot of an [Ingester].
type Status struct {
	// Sources are at most some [maxSources]; those that ended first are summed up
	// in one per kind, named "others", when there are more.
	Sources []SourceStatus
	// Counts are the sums over all sources.
	Counts
	// Batches counts commits, Retries failed ones.
	Batches, Retries int64
	// LastCommit is the wall time of the last commit; zero for none.
	LastCommit time.Time
	// SinkError is why the last commit failed, and what to do; "" when it succeeded.
	SinkError string
	// CaughtUp says that every source was read to its end once.
	CaughtUp bool
}

// maxSources bounds the sources that are shown apart, and with it their memory:
// anybody may connect, and directories fill.
const maxSources = 1000

// board is where readers and the committer write down how it goes.
type board struct {
	mu      sync.Mutex
	now     func() time.Time
	st      Status
	sources map[int]*onBoard
	// order are the keys of sources, in the order in which they came.
	order []int
	next  int
	// streams are the numbers of sources that come again under their name.
	streams map[streamName]int
}

type streamName struct{ kind, name string }

type onBoard struct {
	SourceStatus
	meter meter
	// connections are those of a peer that are open.
	connections int
	// folds says that the source may be summed up: it came by itself.
	folds bool
	// marks are the sizes beyond Offset at which the file was seen, and when, oldest
	// first; one stands for all that was seen within markGap.
	marks   []sizeMark
	markGap time.Duration
}

type sizeMark struct {
	at   time.Time
	size int64
}

// mostMarks bounds the marks of a source; with more, two and two become one.
const mostMarks = 64

func newBoard(now func() time.Time) *board {
	return &board{now: now, sources: map[int]*onBoard{}, streams: map[streamName]int{}}
}

// add writes a source on the board and returns its number.
func (b *board) add(s SourceStatus, folds bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.addLocked(s, folds)
}

func (b *board) addLocked(s SourceStatus, folds bool) int {
	if len(b.order) >= maxSources && folds {
		b.foldOldest()
	}
	s.RejectedBy, s.IgnoredBy = map[string]int64{}, map[string]int64{}
	id := b.next
	b.next++
	b.sources[id] = &onBoard{SourceStatus: s, folds: folds}
	b.order = append(b.order, id)
	return id
}

// stream returns the number of a source that comes and goes under a name.
func (b *board) stream(kind, name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.streamLocked(kind, name)
}

func (b *board) streamLocked(kind, name string) int {
	key := streamName{kind, name}
	id, known := b.streams[key]
	if !known {
		id = b.addLocked(SourceStatus{Path: name, Kind: kind, State: StateIdle}, name != others)
		b.streams[key] = id
	}
	return id
}

const others = "others"

// foldOldest sums up the source that has ended, or was silent, the longest.
func (b *board) foldOldest() {
	oldest := -1
	for at, id := range b.order {
		s := b.sources[id]
		if !s.folds || s.State != StateDone && s.State != StateIdle && s.State != StateWaiting {
			continue
		}
		if oldest < 0 || s.LastLine.Before(b.sources[b.order[oldest]].LastLine) {
			oldest = at
		}
	}
	if oldest < 0 {
		return
	}
	id := b.order[oldest]
	gone := b.sources[id]
	b.order = slices.Delete(b.order, oldest, oldest+1)
	delete(b.sources, id)
	maps.DeleteFunc(b.streams, func(_ streamName, n int) bool { return n == id })
	rest := b.sources[b.streamLocked(gone.Kind, others)]
	rest.Counts.add(gone.Counts)
	sum(rest.RejectedBy, gone.RejectedBy)
	sum(rest.IgnoredBy, gone.IgnoredBy)
}

func sum(into, from map[string]int64) {
	for reason, n := range from {
		into[reason] += n
	}
}

// source changes a source; one that was summed up since has nobody to tell.
func (b *board) source(id int, change func(*SourceStatus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.sources[id]; s != nil {
		change(&s.SourceStatus)
		s.noteLag(b.now)
	}
}

// noteLag finds out since when there are bytes that are not committed.
func (s *onBoard) noteLag(now func() time.Time) {
	last := len(s.marks) - 1
	if last >= 0 && s.Size < s.marks[last].size { // another file, or it was cut
		s.marks = s.marks[:0]
	}
	stored := 0
	for stored < len(s.marks) && s.marks[stored].size <= s.Offset {
		stored++
	}
	s.marks = slices.Delete(s.marks, 0, stored)
	last = len(s.marks) - 1
	switch {
	case last < 0:
		s.markGap = 0
		if s.Size > s.Offset {
			s.marks = append(s.marks, sizeMark{now(), s.Size})
		}
	case s.Size > s.marks[last].size:
		if at := now(); at.Sub(s.marks[last].at) >= s.markGap {
			s.marks = append(s.marks, sizeMark{at, s.Size})
		} else {
			s.marks[last].size = s.Size
		}
	}
	if len(s.marks) > mostMarks {
		s.thinMarks()
	}
	s.BehindSince = time.Time{}
	if len(s.marks) > 0 {
		s.BehindSince = s.marks[0].at
	}
}

// thinMarks joins marks in pairs: the time of the first, the size of the second.
func (s *onBoard) thinMarks() {
	kept := s.marks[:0]
	for i := 0; i < len(s.marks); i += 2 {
		kept = append(kept, sizeMark{s.marks[i].at, s.marks[min(i+1, len(s.marks)-1)].size})
	}
	s.marks = kept
	s.markGap = 2 * s.marks[len(s.marks)-1].at.Sub(s.marks[0].at) / mostMarks
}

func (b *board) all(change func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.st)
}

// stored notes what became of the lines of a batch.
func (b *board) stored(now time.Time, list map[int]*progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.st.Batches++
	b.st.LastCommit = now
	for id, p := range list {
		b.st.Counts.add(p.counts)
		src := b.sources[id]
		if src == nil {
			src = b.sources[b.streamLocked(p.kind, others)]
		}
		src.Counts.add(p.counts)
		src.meter.add(now, p.counts.Lines)
		src.LastLine = p.readAt
		if p.lastEvent.After(src.LastEvent) {
			src.LastEvent = p.lastEvent
		}
		if p.hasOffset {
			src.Offset = p.offset
			src.Size = max(src.Size, src.Offset)
			src.noteLag(b.now)
		}
		sum(src.RejectedBy, p.reasons)
		sum(src.IgnoredBy, p.ignored)
	}
}

// trouble is why nothing can be stored; "" when all is well.
func (b *board) trouble() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.st.SinkError
}

func (b *board) snapshot() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	st := b.st
	st.Sources = make([]SourceStatus, len(b.order))
	for i, id := range b.order {
		src := b.sources[id]
		s := src.SourceStatus
		s.RejectedBy, s.IgnoredBy = maps.Clone(s.RejectedBy), maps.Clone(s.IgnoredBy)
		s.Lag = max(s.Size-s.Offset, 0)
		s.Rate = src.meter.rate(now)
		st.Sources[i] = s
	}
	return st
}

func (b *board) health() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	if b.st.SinkError != "" {
		errs = append(errs, fmt.Errorf("storing events fails: %s", b.st.SinkError))
	}
	for _, id := range b.order {
		if s := b.sources[id]; s.State == StateFailed {
			errs = append(errs, fmt.Errorf("%s can't be read: %s", s.Path, s.LastError))
		}
	}
	return errors.Join(errs...)
}

func (c *Counts) add(d Counts) {
	c.Lines += d.Lines
	c.Accepted += d.Accepted
	c.Duplicate += d.Duplicate
	c.Rejected += d.Rejected
	c.Ignored += d.Ignored
}

// meter counts lines over the last minute, in slots, so that it takes the same
// memory at any rate.
type meter struct {
	slots [meterSlots]int64
	// last is the slot of the last count, in slots since 1970.
	last int64
}

const (
	meterSlots = 12
	meterSlot  = time.Minute / meterSlots
)

func (m *meter) add(now time.Time, n int64) {
	m.forward(now)
	m.slots[m.last%meterSlots] += n
}

func (m *meter) forward(now time.Time) {
	slot := max(now.UnixNano()/int64(meterSlot), m.last)
	for at := max(m.last+1, slot-meterSlots+1); at <= slot; at++ {
		m.slots[at%meterSlots] = 0
	}
	m.last = slot
}

func (m *meter) rate(now time.Time) float64 {
	m.forward(now)
	var n int64
	for _, count := range m.slots {
		n += count
	}
	return float64(n) / time.Minute.Seconds()
}

// IngestStatus is the status as the API shows it. It may be asked at any time.
func (in *Ingester) IngestStatus() repo.IngestStatus {
	s := in.Status()
	now := in.opt.Now()
	out := repo.IngestStatus{
		Lines: s.Lines, Accepted: s.Accepted, Duplicate: s.Duplicate, Rejected: s.Rejected, Ignored: s.Ignored,
		LastCommit: s.LastCommit, Problem: s.SinkError,
	}
	for i := range s.Sources {
		out.Sources = append(out.Sources, s.Sources[i].forAPI(now))
	}
	return out
}

func (s *SourceStatus) forAPI(now time.Time) repo.SourceStatus {
	out := repo.SourceStatus{
		Name: s.Path, Kind: s.Kind, State: string(s.State), Format: s.Format,
		LastLine: s.LastLine, LastEvent: s.LastEvent, Rate: s.Rate, LagBytes: s.Lag,
		Lines: s.Lines, Accepted: s.Accepted, Duplicate: s.Duplicate, Rejected: s.Rejected, Ignored: s.Ignored,
		RejectedBy: s.RejectedBy, IgnoredBy: s.IgnoredBy, Problem: s.LastError,
	}
	if !s.BehindSince.IsZero() {
		out.LagSeconds = max(0, now.Sub(s.BehindSince).Seconds())
	}
	if out.Problem == "" && s.State == StateWaiting {
		out.Problem = s.Note
	}
	return out
}
