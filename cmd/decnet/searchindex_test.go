package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// steps is an indexer that has a number of pieces to make, the first of which fails.
type steps struct {
	left  int
	fails int
	at    []time.Duration
	began time.Time
}

// Step implements searchIndexer.
func (s *steps) Step(context.Context) (bool, error) {
	s.at = append(s.at, time.Since(s.began))
	if s.fails > 0 {
		s.fails--
		return false, errors.New("the disk is full")
	}
	s.left--
	return s.left > 0, nil
}

// TestFollowIndex catches up without waiting, looks once a second then, gives
// trouble a minute, and ends when it is told to.
func TestFollowIndex(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := &steps{left: 3, fails: 1, began: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			followIndex(ctx, x, slog.New(slog.DiscardHandler))
		}()
		time.Sleep(time.Minute + 1500*time.Millisecond)
		cancel()
		<-done
		assert.Equal(t, []time.Duration{
			0, time.Minute, time.Minute + indexPause, time.Minute + 2*indexPause, time.Minute + 2*indexPause + time.Second,
		}, x.at)
	})
}
