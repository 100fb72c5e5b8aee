package ingest

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
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
	// StateFailed: the file can't be read; LastError says why.
	StateFailed State = "failed"
)

// Counts are numbers of committed lines; Lines is the sum of the others.
type Counts struct {
	Lines, Accepted, Rejected, Ignored int64
}

// SourceStatus is the state of one source. Counters begin at zero with the
// process.
type SourceStatus struct {
	Path   string
	Follow bool
	State  State
	// Format is the name of the format, "" before one was recognised.
	Format string
	// Offset is how many bytes of the current file are committed, Size how long it
	// is, both after decompression (Size is 0 for a .gz that is not yet read whole),
	// and Lag their difference.
	Offset, Size, Lag int64
	Counts
	// RejectedBy counts rejects by their reason; IgnoredBy the ignored lines that
	// are not blank.
	RejectedBy, IgnoredBy map[string]int64
	// LastLine is the wall time at which the last line was read; zero for none.
	LastLine time.Time
	// Note is a sentence on a state that needs one; LastError what went wrong
	// last, "" when all is well. Neither holds anything of a line.
	Note, LastError string
}

// Status is a snapshot of an [Ingester].
type Status struct {
	Sources []SourceStatus
	// Counts are the sums over all sources.
	Counts
	// Batches counts commits, Retries failed ones.
	Batches, Retries int64
	// LastCommit is the wall time of the last commit; zero for none.
	LastCommit time.Time
	// SinkError is why the last commit failed; "" when it succeeded.
	SinkError string
	// CaughtUp says that every source was read to its end once.
	CaughtUp bool
}

// board is where readers and the committer write down how it goes.
type board struct {
	mu sync.Mutex
	st Status
}

func newBoard(sources []Source) *board {
	b := &board{}
	for _, s := range sources {
		b.st.Sources = append(b.st.Sources, SourceStatus{
			Path: s.Path, Follow: s.Follow, State: StateWaiting, Format: s.Format,
			RejectedBy: map[string]int64{}, IgnoredBy: map[string]int64{},
		})
	}
	return b
}

func (b *board) source(i int, change func(*SourceStatus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.st.Sources[i])
}

func (b *board) all(change func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.st)
}

func (b *board) snapshot() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.st
	st.Sources = make([]SourceStatus, len(b.st.Sources))
	for i, s := range b.st.Sources {
		s.RejectedBy, s.IgnoredBy = maps.Clone(s.RejectedBy), maps.Clone(s.IgnoredBy)
		s.Lag = max(s.Size-s.Offset, 0)
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
	for _, s := range b.st.Sources {
		if s.State == StateFailed {
			errs = append(errs, fmt.Errorf("%s can't be read: %s", s.Path, s.LastError))
		}
	}
	return errors.Join(errs...)
}

func (c *Counts) add(d Counts) {
	c.Lines += d.Lines
	c.Accepted += d.Accepted
	c.Rejected += d.Rejected
	c.Ignored += d.Ignored
}
