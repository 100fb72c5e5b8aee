//go:build fuzz

package fuzz

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"decnet/api"
	"decnet/ingest"
	"decnet/repo"
	"decnet/repo/sqlite"
)

// pipeline is a world's ingester, the real one, which begins when something
// needs it: most trials don't, and compiling the formats takes longer than the
// rest of a world.
type pipeline struct {
	store  *sqlite.Store
	server func() *api.Server

	once  sync.Once
	in    *ingest.Ingester
	err   error
	stop  context.CancelFunc
	ended chan error
}

func newPipeline(store *sqlite.Store, server func() *api.Server) *pipeline {
	return &pipeline{store: store, server: server}
}

// published commits and tells the streams, as serve does.
type published struct{ *pipeline }

// Commit implements [ingest.Sink].
func (p published) Commit(ctx context.Context, b *repo.Batch) error {
	if err := p.store.Commit(ctx, b); err != nil {
		return err
	}
	rows := make([]repo.Log, 0, len(b.Events))
	for i := range b.Events {
		if b.Events[i].ID != 0 {
			rows = append(rows, b.Events[i].Log)
		}
	}
	p.server().Publish(rows)
	return nil
}

func (p published) Positions(ctx context.Context) ([]repo.Position, error) {
	return p.store.Positions(ctx)
}

func (p published) OpenSessions(ctx context.Context) ([]repo.Session, error) {
	return p.store.OpenSessions(ctx)
}

func (p published) Receipt(ctx context.Context, sensor, key string) (repo.Receipt, error) {
	return p.store.Receipt(ctx, sensor, key)
}

func (p *pipeline) ingester() (*ingest.Ingester, error) {
	p.once.Do(func() {
		p.in, p.err = ingest.New(ingest.Options{Sink: published{p}, AcceptPushes: true, BatchWait: -1})
		if p.err != nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		p.stop, p.ended = cancel, make(chan error, 1)
		go func() { p.ended <- p.in.Run(ctx) }()
		<-p.in.CaughtUp() // it takes nothing before
	})
	return p.in, p.err
}

// close ends the ingester, if it began, and waits for it.
func (p *pipeline) close() error {
	p.once.Do(func() {})
	if p.stop == nil {
		return nil
	}
	p.stop()
	if err := <-p.ended; err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("ingest: %w", err)
	}
	return nil
}

// Push implements [api.Ingest], in the API's words.
func (p *pipeline) Push(ctx context.Context, batch repo.Push) (repo.Receipt, error) {
	in, err := p.ingester() //nolint:contextcheck // it lives as long as the world
	if err != nil {
		return repo.Receipt{}, err
	}
	receipt, err := in.Push(ctx, batch)
	var busy *ingest.BusyError
	switch {
	case errors.As(err, &busy):
		return receipt, &api.PushBusyError{After: busy.After, Cause: err}
	case errors.Is(err, ingest.ErrKeyReused):
		return receipt, errors.Join(api.ErrPushKeyReused, err)
	case errors.Is(err, ingest.ErrPushTooLarge):
		return receipt, errors.Join(api.ErrPushTooLarge, err)
	case errors.Is(err, ingest.ErrUnknownFormat):
		return receipt, errors.Join(api.ErrPushFormat, err)
	}
	return receipt, err
}

// Status adds sources with names that no test can push: one that is hostile, and
// one that was never read.
func (p *pipeline) Status() repo.IngestStatus {
	in, err := p.ingester()
	if err != nil {
		return repo.IngestStatus{Problem: err.Error()}
	}
	s := in.IngestStatus()
	s.Sources = append(s.Sources,
		repo.SourceStatus{Name: "/var/log/\x1b[2J\xff", Kind: "file", State: "following", RejectedBy: map[string]int64{"not_json": 1}},
		repo.SourceStatus{Name: "", Kind: "file", State: "waiting"})
	return s
}

// Explain implements [api.Ingest].
func (p *pipeline) Explain(line []byte, format string) repo.Explanation {
	in, err := p.ingester()
	if err != nil {
		return repo.Explanation{Reason: "internal", Detail: err.Error()}
	}
	return in.Explain(line, format)
}
