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

// committer makes batches of chunks. All sources share one, so that one
// transaction serves them all and the order of rows is the order of reading.
type committer struct {
	in     *Ingester
	joiner *joiner
	batch  repo.Batch
	// progress is what the status learns of each source when the batch is stored.
	progress map[int]*progress
	bytes    int
	// waiting is the number of sources that were not read to their end yet.
	waiting int
	timer   *time.Timer
}

type progress struct {
	counts  Counts
	reasons map[string]int64
	ignored map[string]int64
	offset  int64
	readAt  time.Time
}

func (in *Ingester) newCommitter(j *joiner) *committer {
	return &committer{in: in, joiner: j, progress: map[int]*progress{}, waiting: len(in.opt.Sources)}
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
			// Only a stop ends the retries. The readers stop too; take what they still
			// send, so that none of them waits for ever.
			for range c.in.chunks {
				continue
			}
			return err
		}
	}
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
	if len(c.batch.Positions) == 0 {
		c.timer.Reset(max(c.in.opt.BatchWait, 0))
	}
	c.append(ch)
	if c.size() >= c.in.opt.BatchSize || c.bytes >= maxBatchBytes {
		return c.commit(ctx)
	}
	return nil
}

func (c *committer) size() int { return len(c.batch.Events) + len(c.batch.Rejects) }

func (c *committer) append(ch *chunk) {
	for i := range ch.records {
		c.joiner.join(&ch.records[i])
		c.batch.Events = append(c.batch.Events, ch.records[i].Event)
	}
	c.batch.Rejects = append(c.batch.Rejects, ch.rejects...)
	c.bytes += ch.bytes
	at := slices.IndexFunc(c.batch.Positions, func(p repo.Position) bool { return p.Source == ch.pos.Source })
	if at < 0 {
		c.batch.Positions = append(c.batch.Positions, ch.pos)
	} else {
		c.batch.Positions[at] = ch.pos
	}
	p := c.progress[ch.source]
	if p == nil {
		p = &progress{reasons: map[string]int64{}, ignored: map[string]int64{}}
		c.progress[ch.source] = p
	}
	p.counts.add(ch.counts)
	p.offset, p.readAt = ch.pos.Offset, ch.readAt
	for i := range ch.rejects {
		p.reasons[ch.rejects[i].Reason]++
	}
	for _, reason := range ch.ignored {
		p.ignored[reason]++
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
	if len(c.batch.Positions) == 0 {
		return nil
	}
	b := c.batch
	b.Sessions, b.ClosedSessions = c.joiner.take()
	now := c.in.opt.Now()
	for i := range b.Positions {
		b.Positions[i].UpdatedAt = now
	}
	tried := false
	err := c.in.retry(ctx, func(ctx context.Context) error {
		if tried && c.isStored(ctx, &b) {
			return nil
		}
		tried = true
		return c.in.opt.Sink.Commit(ctx, &b)
	})
	if err != nil {
		return fmt.Errorf("ingest: %d events that were read could not be stored; they will be read again: %w", len(b.Events), err)
	}
	c.noteStored(now)
	c.batch, c.bytes = repo.Batch{}, 0
	clear(c.progress)
	return nil
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

func (c *committer) noteStored(now time.Time) {
	c.in.status.all(func(s *Status) {
		s.Batches++
		s.LastCommit = now
		for i, p := range c.progress {
			src := &s.Sources[i]
			src.Counts.add(p.counts)
			s.Counts.add(p.counts)
			src.Offset, src.LastLine = p.offset, p.readAt
			if src.Size < src.Offset {
				src.Size = src.Offset
			}
			for reason, n := range p.reasons {
				src.RejectedBy[reason] += n
			}
			for reason, n := range p.ignored {
				src.IgnoredBy[reason] += n
			}
		}
	})
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
	in.status.all(func(s *Status) {
		s.Retries++
		s.SinkError = err.Error()
	})
	in.opt.Log.Error("the store refuses events", slog.Any("error", err), slog.Duration("retry_in", next))
}
