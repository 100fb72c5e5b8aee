package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"decnet/repo"
)

// maxBatchBytes bounds the text of the lines in a batch.
const maxBatchBytes = 16 << 20

// streamsSource is the position that stands for all sources which can't be read
// again. It counts their lines, so that a commit whose answer was lost is known.
const streamsSource = "streams"

// committer makes batches of chunks. All sources share one, so that one
// transaction serves them all and the order of rows is the order of reading.
type committer struct {
	in     *Ingester
	joiner *joiner
	batch  repo.Batch
	// spans say which chunk gave which events of the batch.
	spans []span
	// totals count the lines of each source of a position since it was first read.
	totals map[string]Counts
	bytes  int
	pushes bool
	// waiting is the number of sources that were not read to their end yet.
	waiting int
	timer   *time.Timer
}

// span is what the batch holds of a chunk: events from first to before last.
type span struct {
	chunk
	first, last int
}

// progress is what the status learns of a source when a batch is stored.
type progress struct {
	kind      string
	counts    Counts
	reasons   map[string]int64
	ignored   map[string]int64
	offset    int64
	hasOffset bool
	readAt    time.Time
	lastEvent time.Time
}

func (in *Ingester) newCommitter(j *joiner) *committer {
	c := &committer{in: in, joiner: j, totals: map[string]Counts{}, waiting: len(in.opt.Sources)}
	for _, p := range in.files.all() {
		c.totals[p.Source] = Counts{p.Lines, p.Accepted, p.Duplicate, p.Rejected, p.Ignored}
	}
	return c
}

// run commits until the readers are done, and then what is left.
func (c *committer) run(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	finished := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		c.in.grace(ctx, finished)
		cancel()
		return nil
	})
	err := c.loop(hard)
	close(finished)
	_ = g.Wait() // the only goroutine, which returns nil
	return err
}

// grace returns some time after ctx is done, or when all is finished.
func (in *Ingester) grace(ctx context.Context, finished <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
	}
	t := time.NewTimer(in.opt.StopGrace)
	defer t.Stop()
	select {
	case <-finished:
	case <-t.C:
	}
}

func (c *committer) loop(ctx context.Context) error {
	c.timer = time.NewTimer(time.Hour)
	c.timer.Stop()
	defer c.timer.Stop()
	if err := c.noteCaughtUp(ctx); err != nil {
		return err
	}
	for {
		var err error
		select {
		case ch, more := <-c.in.chunks:
			if !more {
				return c.commit(ctx)
			}
			err = c.add(ctx, &ch)
		case <-c.timer.C:
			err = c.commit(ctx)
		}
		if err != nil {
			c.abandon(err)
			return err
		}
	}
}

// abandon answers those who wait: only a stop ends the retries. The readers stop
// too; what they still send is taken, so that none of them waits for ever.
func (c *committer) abandon(err error) {
	answer := func(ch *chunk) {
		if ch.push != nil {
			c.in.gate.leave(ch.push, repo.Receipt{}, &BusyError{busyWait, "the service stops and could not store the lines"})
		}
	}
	for i := range c.spans {
		answer(&c.spans[i].chunk)
	}
	for ch := range c.in.chunks {
		answer(&ch)
	}
	c.in.opt.Log.Error("stopping with events that could not be stored", slog.Any("error", err))
}

func (c *committer) add(ctx context.Context, ch *chunk) error {
	if ch.final {
		c.waiting--
		return c.noteCaughtUp(ctx)
	}
	if c.size()+len(ch.records)+len(ch.rejects) > c.in.opt.BatchSize || c.bytes+ch.bytes > maxBatchBytes {
		if err := c.commit(ctx); err != nil {
			return err
		}
	}
	if len(c.spans) == 0 {
		c.timer.Reset(max(c.in.opt.BatchWait, 0))
	}
	c.append(ch)
	// One who pushes waits for the answer: nothing is gained by waiting for more
	// than what is there already.
	if c.size() >= c.in.opt.BatchSize || c.bytes >= maxBatchBytes || c.pushes && len(c.in.chunks) == 0 {
		return c.commit(ctx)
	}
	return nil
}

func (c *committer) size() int { return len(c.batch.Events) + len(c.batch.Rejects) }

func (c *committer) append(ch *chunk) {
	s := span{chunk: *ch, first: len(c.batch.Events)}
	c.appendEvents(&s)
	s.last = len(c.batch.Events)
	s.records, s.parts = nil, nil
	c.batch.Rejects = append(c.batch.Rejects, ch.rejects...)
	c.bytes += ch.bytes
	if s.push != nil {
		c.pushes = true
		r := &s.push.receipt
		r.First, r.Last = s.first, s.last
		r.Rejected, r.Ignored = s.counts.Rejected, s.counts.Ignored
		c.batch.Receipts = append(c.batch.Receipts, r)
	}
	c.appendPosition(&s)
	c.spans = append(c.spans, s)
}

// appendEvents joins the records of a chunk with their sessions and leaves out
// what a rule ignores: rules may name what only the session tells.
func (c *committer) appendEvents(s *span) {
	records := s.records
	for _, n := range s.parts {
		kept, reason := false, ""
		for i := range records[:n] {
			rec := &records[i]
			port := c.joiner.join(rec)
			if rule, ignored := c.in.ignoredBy(&rec.Event, port); ignored {
				reason = ruleReason(rule)
				continue
			}
			rec.Event.Part = kept
			kept = true
			c.batch.Events = append(c.batch.Events, rec.Event)
		}
		records = records[n:]
		if !kept {
			s.counts.Accepted--
			s.counts.Ignored++
			s.ignored = append(s.ignored, reason)
		}
	}
}

// appendPosition notes how far the batch brings a source.
func (c *committer) appendPosition(s *span) {
	pos := s.pos
	if pos.Source == "" {
		pos = repo.Position{Source: streamsSource}
	}
	total := c.totals[pos.Source]
	total.add(s.counts)
	c.totals[pos.Source] = total
	pos.Lines, pos.Accepted, pos.Duplicate = total.Lines, total.Accepted, total.Duplicate
	pos.Rejected, pos.Ignored = total.Rejected, total.Ignored
	if pos.Source == streamsSource {
		pos.Offset = total.Lines
	}
	at := slices.IndexFunc(c.batch.Positions, func(p repo.Position) bool { return p.Source == pos.Source })
	if at < 0 {
		c.batch.Positions = append(c.batch.Positions, pos)
	} else {
		c.batch.Positions[at] = pos
	}
}

// noteCaughtUp commits what was read by the time when every source has come to
// its end.
func (c *committer) noteCaughtUp(ctx context.Context) error {
	if c.waiting != 0 {
		return nil
	}
	if err := c.commit(ctx); err != nil {
		return err
	}
	c.in.status.all(func(s *Status) { s.CaughtUp = true })
	close(c.in.caughtUp)
	return nil
}

// commit stores the batch, whatever it takes, unless ctx ends.
func (c *committer) commit(ctx context.Context) error {
	c.timer.Stop()
	if len(c.spans) == 0 {
		return nil
	}
	b := &c.batch
	b.Sessions, b.ClosedSessions = c.joiner.take()
	now := c.in.opt.Now()
	for i := range b.Positions {
		b.Positions[i].UpdatedAt = now
	}
	tried := false
	err := c.in.retry(ctx, func(ctx context.Context) error {
		if tried && c.isStored(ctx, b) {
			return nil
		}
		tried = true
		err := c.in.opt.Sink.Commit(ctx, b)
		if errors.Is(err, repo.ErrConflict) {
			c.dropAnswered(ctx)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("ingest: %d events that were read could not be stored; they will be read again: %w", len(b.Events), err)
	}
	c.noteStored(now)
	c.batch, c.bytes, c.pushes = repo.Batch{}, 0, false
	clear(c.spans)
	c.spans = c.spans[:0]
	return nil
}

// dropAnswered takes out of the batch what was pushed under a key that is stored
// already. It can't be, since a key is looked up before its lines are taken; if
// it were, no batch could be stored any more.
func (c *committer) dropAnswered(ctx context.Context) {
	for i := range c.spans {
		s := &c.spans[i]
		if s.push == nil || s.push.receipt.Key == "" {
			continue
		}
		stored, err := c.in.opt.Sink.Receipt(ctx, s.push.receipt.Sensor, s.push.receipt.Key)
		if err != nil {
			continue
		}
		n := s.last - s.first
		c.batch.Events = slices.Delete(c.batch.Events, s.first, s.last)
		s.last = s.first
		s.counts.Duplicate, s.counts.Accepted = s.counts.Accepted, 0
		c.batch.Receipts = slices.DeleteFunc(c.batch.Receipts, func(r *repo.Receipt) bool { return r == &s.push.receipt })
		c.in.gate.leave(s.push, stored, nil)
		s.push = nil
		for j := i + 1; j < len(c.spans); j++ {
			later := &c.spans[j]
			later.first -= n
			later.last -= n
			if later.push != nil {
				later.push.receipt.First, later.push.receipt.Last = later.first, later.last
			}
		}
	}
}

// isStored reports whether a commit that failed went through after all, as when
// the answer was lost; storing the batch again would double its rows.
func (c *committer) isStored(ctx context.Context, b *repo.Batch) bool {
	stored, err := c.in.opt.Sink.Positions(ctx)
	if err != nil {
		return false
	}
	for _, want := range b.Positions {
		i := slices.IndexFunc(stored, func(p repo.Position) bool { return p.Source == want.Source })
		if i < 0 {
			return false
		}
		got := stored[i]
		if got.Offset != want.Offset || got.Lines != want.Lines || got.Done != want.Done ||
			!bytes.Equal(got.TailHash, want.TailHash) {
			return false
		}
	}
	return true
}

// noteStored tells the status and those who pushed.
func (c *committer) noteStored(now time.Time) {
	list := map[int]*progress{}
	for i := range c.spans {
		s := &c.spans[i]
		c.countDuplicates(s)
		p := list[s.source]
		if p == nil {
			p = &progress{kind: KindFile, reasons: map[string]int64{}, ignored: map[string]int64{}}
			list[s.source] = p
		}
		p.add(s, c.batch.Events[s.first:s.last])
	}
	// Before the answers: one who has an answer finds it in the status.
	c.in.status.stored(now, list)
	for i := range c.spans {
		if w := c.spans[i].push; w != nil {
			c.in.gate.leave(w, w.receipt, nil)
		}
	}
}

// countDuplicates counts the lines whose events were known. Events without a key
// can't be.
func (c *committer) countDuplicates(s *span) {
	for i := s.first; i < s.last; i++ {
		if e := &c.batch.Events[i]; !e.Part && e.Key != nil && e.ID == 0 {
			s.counts.Accepted--
			s.counts.Duplicate++
			total := c.totals[streamsSource]
			total.Accepted--
			total.Duplicate++
			c.totals[streamsSource] = total
		}
	}
}

func (p *progress) add(s *span, events []repo.Event) {
	p.counts.add(s.counts)
	p.readAt = s.readAt
	if s.pos.Source != "" {
		p.offset, p.hasOffset = s.pos.Offset, true
	} else {
		p.kind = KindSyslog
	}
	if s.push != nil {
		p.kind = KindSensor
	}
	for i := range events {
		if events[i].Time.After(p.lastEvent) {
			p.lastEvent = events[i].Time
		}
	}
	for i := range s.rejects {
		p.reasons[s.rejects[i].Reason]++
	}
	for _, reason := range s.ignored {
		p.ignored[reason]++
	}
}

// retry calls op until it succeeds or ctx is done, and notes how it goes.
func (in *Ingester) retry(ctx context.Context, op func(context.Context) error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = in.opt.RetryMin, in.opt.RetryMax, 2
	if in.opt.NoJitter {
		pause.RandomizationFactor = 0
	}
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if ctx.Err() != nil {
			return struct{}{}, backoff.Permanent(ctx.Err())
		}
		if err := op(ctx); err != nil {
			last = err
			return struct{}{}, err
		}
		return struct{}{}, nil
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0), backoff.WithNotify(in.noteRetry))
	if err == nil {
		in.status.all(func(s *Status) { s.SinkError = "" })
		return nil
	}
	// ctx is done, which is never the reason that helps an operator.
	return errors.Join(last, ctx.Err())
}

func (in *Ingester) noteRetry(err error, next time.Duration) {
	sentence := troubleWith(err)
	if sentence == "" {
		sentence = err.Error()
	}
	in.status.all(func(s *Status) {
		s.Retries++
		s.SinkError = sentence
	})
	in.opt.Log.Error("the store refuses events", slog.Any("error", err), slog.Duration("retry_in", next))
}
