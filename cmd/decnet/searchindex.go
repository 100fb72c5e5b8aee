package main

import (
	"context"
	"log/slog"
	"time"
)

// How the search index follows the rows: in small pieces with pauses between them,
// so that it takes a share of one processor only while it catches up.
const (
	indexInterval = time.Second
	indexPause    = 2 * time.Millisecond
	indexRetry    = time.Minute
)

// searchIndexer is the part of the store that makes the search index.
type searchIndexer interface {
	// Step makes a piece of it and reports whether there may be more to make.
	Step(ctx context.Context) (bool, error)
}

// followIndex makes the search index until ctx is done.
func followIndex(ctx context.Context, x searchIndexer, log *slog.Logger) {
	for {
		pause := indexPause
		switch more, err := x.Step(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("the search index could not be made; searches read more; trying again in a minute", slog.Any("error", err))
			pause = indexRetry
		case !more:
			pause = indexInterval
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// startIndexing makes the search index from now on.
func (a *app) startIndexing(ctx context.Context) error {
	a.background(ctx, "search index", func(ctx context.Context) { followIndex(ctx, a.store.NewIndexer(), a.log) })
	return nil
}

// background runs f until the program stops, which waits for it.
func (a *app) background(ctx context.Context, name string, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	a.add(name, func(ctx context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
