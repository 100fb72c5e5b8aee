package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"decnet/repo"
)

// The defaults of [Options].
const (
	// DefaultBatchSize is as large as an engine needs for its full speed.
	DefaultBatchSize = 5000
	// DefaultBatchWait is how long a row may wait for company.
	DefaultBatchWait = 250 * time.Millisecond
	// DefaultPollInterval is how often a followed file is looked at.
	DefaultPollInterval = 250 * time.Millisecond
	// DefaultMaxLine leaves room for the longest real lines that were seen (200 kB)
	// and keeps a flood of endless lines from filling memory.
	DefaultMaxLine = 1 << 20
	// DefaultMaxSessions bounds the sessions that are remembered as open.
	DefaultMaxSessions = 100_000
	// DefaultStopGrace bounds the last commit after the context of Run is done.
	DefaultStopGrace = 5 * time.Second
	// DefaultRetryMin and DefaultRetryMax bound the pause after a failed commit.
	DefaultRetryMin = 100 * time.Millisecond
	DefaultRetryMax = 10 * time.Second
)

// Sink takes what was read. Commit is not called concurrently; Receipt may be
// called at any time.
type Sink interface {
	// Commit stores a batch whole or not at all, and fills in the ids of its
	// events. After an error it is called again with the same batch, unless
	// Positions shows that the batch was stored after all.
	Commit(ctx context.Context, b *repo.Batch) error
	// Positions returns the position of every source ever committed.
	Positions(ctx context.Context) ([]repo.Position, error)
	// OpenSessions returns the sessions that began and did not end, oldest first.
	OpenSessions(ctx context.Context) ([]repo.Session, error)
	// Receipt returns the answer that a sensor was given under a key, or
	// [repo.ErrNotFound].
	Receipt(ctx context.Context, sensor, key string) (repo.Receipt, error)
}

// Source is what is to be read.
type Source struct {
	// Path is the name of a regular file or a link to one; of a directory, for all
	// files in it but hidden ones and those of its directories; a pattern of
	// [path/filepath.Match] where no file has that name; or "-" for
	// [Options.Stdin]. A name that ends in .gz is decompressed and never followed.
	// Files that are not followed are read one after the other: give the older
	// ones first. Those of a directory or a pattern are ordered by their last change.
	Path string
	// Format is the name of one of [Formats]; "" chooses the first that recognises
	// a line.
	Format string
	// Follow keeps reading what is appended, through rotation, until Run ends, and
	// waits for a file that does not exist yet. In a directory or for a pattern new
	// files are noticed, too.
	Follow bool
}

// Options are the parts of an [Ingester]. Sink is mandatory; every other zero
// value stands for a default.
type Options struct {
	Sink    Sink
	Sources []Source
	// Formats are further formats, such as those of [LoadMapping]. They are tried
	// before the table of [Formats], and hide those of the same name.
	Formats []Format
	// Stdin is what a source named "-" reads; it has no positions, so it is read
	// once. A Read that blocks is not waited for when Run ends.
	Stdin io.Reader
	// Ignore are rules for events that are counted and not stored.
	Ignore []IgnoreRule
	// AcceptPushes keeps Run going until its context is done, though all sources
	// are read, because [Ingester.Push] may be called.
	AcceptPushes bool
	// MaxPushes and MaxPushBytes bound what is pushed and not committed yet
	// (DefaultMaxPushes, DefaultMaxPushBytes).
	MaxPushes    int
	MaxPushBytes int64
	// Syslog takes lines from the network; it is off without a listener.
	Syslog SyslogOptions
	// BatchSize is the largest number of events and rejects in a batch
	// (DefaultBatchSize).
	BatchSize int
	// BatchWait is the longest time from the first line of a batch to its commit
	// (DefaultBatchWait); a negative one commits as soon as there is no more to read.
	BatchWait time.Duration
	// PollInterval is the pause at the end of a followed file (DefaultPollInterval).
	PollInterval time.Duration
	// MaxLine is the length of the longest line that is parsed, in bytes without
	// its end (DefaultMaxLine); a longer one is rejected as line_too_long.
	MaxLine int
	// MaxSessions bounds the remembered sessions (DefaultMaxSessions).
	MaxSessions int
	// StopGrace bounds the last commit (DefaultStopGrace).
	StopGrace time.Duration
	// RetryMin and RetryMax bound the pause after a failed commit
	// (DefaultRetryMin, DefaultRetryMax). The pause doubles, and is spread at
	// random unless NoJitter is set, as tests do.
	RetryMin, RetryMax time.Duration
	NoJitter           bool
	// Now is the wall clock (time.Now); it is called from many goroutines.
	Now func() time.Time
	// Log gets what an operator should know; without it nobody is told.
	Log *slog.Logger
}

// Ingester reads its sources and commits what they give. It runs once.
type Ingester struct {
	opt     Options
	formats []Format
	files   *registry
	status  *board
	gate    gate
	// numbers are those of the sources on the board.
	numbers  []int
	chunks   chan chunk
	caughtUp chan struct{}
	started  sync.Once
}

// errTwice is returned by a second call of Run.
var errTwice = errors.New("ingest: Run was called twice")

// New checks the options; it opens nothing.
func New(opt Options) (*Ingester, error) {
	if opt.Sink == nil {
		return nil, errors.New("ingest: no sink")
	}
	formats := slices.Concat(opt.Formats, Formats())
	for i, s := range opt.Sources {
		if s.Path == "" {
			return nil, fmt.Errorf("ingest: source %d has no path", i+1)
		}
		if _, ok := formatNamed(formats, s.Format); s.Format != "" && !ok {
			return nil, fmt.Errorf("ingest: source %s: unknown format %q", s.Path, s.Format)
		}
	}
	opt.setDefaults()
	in := &Ingester{
		opt:      opt,
		formats:  formats,
		files:    newRegistry(),
		status:   newBoard(opt.Now),
		gate:     gate{byKey: map[pushKey]*push{}, max: opt.MaxPushes, maxBytes: opt.MaxPushBytes},
		chunks:   make(chan chunk, chunkQueue),
		caughtUp: make(chan struct{}),
	}
	for _, src := range opt.Sources {
		kind := KindFile
		if src.Path == stdinPath {
			kind = KindStdin
		}
		in.numbers = append(in.numbers, in.status.add(SourceStatus{
			Path: src.Path, Kind: kind, Follow: src.Follow, State: StateWaiting, Format: src.Format,
		}, false))
	}
	return in, nil
}

func (o *Options) setDefaults() {
	setDefault(&o.BatchSize, DefaultBatchSize)
	setDefault(&o.PollInterval, DefaultPollInterval)
	setDefault(&o.MaxLine, DefaultMaxLine)
	setDefault(&o.MaxSessions, DefaultMaxSessions)
	setDefault(&o.MaxPushes, DefaultMaxPushes)
	setDefault(&o.MaxPushBytes, DefaultMaxPushBytes)
	o.Syslog.setDefaults()
	setDefault(&o.StopGrace, DefaultStopGrace)
	setDefault(&o.RetryMin, DefaultRetryMin)
	setDefault(&o.RetryMax, DefaultRetryMax)
	if o.BatchWait == 0 {
		o.BatchWait = DefaultBatchWait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Run reads until ctx is done and then commits what was read, or, when no
// source is followed, until all sources are read. A source that fails does not
// end it: see [Ingester.Status]. It returns nil unless rows that were read could
// not be committed in the end; a new Ingester reads them again.
func (in *Ingester) Run(ctx context.Context) error {
	err := errTwice
	in.started.Do(func() { err = in.run(ctx) })
	return err
}

func (in *Ingester) run(ctx context.Context) error {
	joiner, err := in.load(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // Stopped before anything was read.
	}
	if err != nil {
		return err
	}
	var readers errgroup.Group
	in.startReaders(ctx, &readers)
	var committers errgroup.Group
	committers.Go(func() error {
		return in.newCommitter(joiner).run(ctx)
	})
	in.gate.setOpen(true)
	_ = readers.Wait() // readers report to the status
	if in.opt.AcceptPushes {
		<-ctx.Done()
	}
	in.gate.setOpen(false)
	in.gate.senders.Wait()
	close(in.chunks)
	return committers.Wait()
}

// startReaders reads followed files at the same time, and those that end one
// after the other, in their order: so a hundred rotated files take the memory of
// one, and a session that spans two of them is understood.
func (in *Ingester) startReaders(ctx context.Context, g *errgroup.Group) {
	var ending []func(context.Context)
	for i, id := range in.numbers {
		run, follows := in.readerOf(in.opt.Sources[i], id)
		if !follows {
			ending = append(ending, run)
			continue
		}
		g.Go(func() error {
			run(ctx)
			return nil
		})
	}
	g.Go(func() error {
		for _, run := range ending {
			run(ctx)
		}
		return nil
	})
	if in.opt.Syslog.Listener != nil {
		g.Go(func() error {
			in.receiveSyslog(ctx)
			return nil
		})
	}
}

// readerOf returns what reads a source to its end, or until ctx is done if it
// follows.
func (in *Ingester) readerOf(src Source, id int) (run func(context.Context), follows bool) {
	switch {
	case src.Path == stdinPath:
		// A pipe may stay silent for ever: nobody must wait for it.
		return func(ctx context.Context) { in.readStdin(ctx, src, id) }, true
	case isPattern(src.Path):
		w := in.newWatcher(src, id)
		return w.run, src.Follow
	}
	r := in.newReader(src, id)
	return r.run, r.follows()
}

// load asks the sink where the last run ended, until it answers.
func (in *Ingester) load(ctx context.Context) (*joiner, error) {
	var positions []repo.Position
	var sessions []repo.Session
	err := in.retry(ctx, func(ctx context.Context) error {
		var err error
		if positions, err = in.opt.Sink.Positions(ctx); err != nil {
			return fmt.Errorf("load read positions: %w", err)
		}
		if sessions, err = in.opt.Sink.OpenSessions(ctx); err != nil {
			return fmt.Errorf("load open sessions: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	in.files.load(positions)
	return newJoiner(in.opt.MaxSessions, sessions), nil
}

// CaughtUp is closed once every source was read to its end for the first time
// and all that was read until then is committed. A source that is not there, or
// can't be read, has nothing to wait for.
func (in *Ingester) CaughtUp() <-chan struct{} { return in.caughtUp }

// Status is a snapshot of all counters.
func (in *Ingester) Status() Status { return in.status.snapshot() }

// Health returns an error that an operator should see: the sink refuses
// batches, or a source can't be read.
func (in *Ingester) Health() error { return in.status.health() }
