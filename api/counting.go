package api

import (
	"context"
	"sync"
	"time"

	"decnet/repo"
)

// countTimeout bounds how long a total that is a lower bound is counted on.
const countTimeout = 5 * time.Minute

// counting has totals counted on that were too much for one request, so that who
// asks again gets the whole. It does so for one search at a time.
type counting struct {
	store LogReader
	base  context.Context
	loads *sync.WaitGroup
	// crowded reports whether requests wait for their turn.
	crowded func() bool
	busy    chan struct{}
}

func newCounting(o owner, store LogReader, crowded func() bool) *counting {
	return &counting{store: store, base: o.base, loads: o.loads, crowded: crowded, busy: make(chan struct{}, 1)}
}

// crowdedRest is how many times as long as it worked the counting rests while requests
// wait: whoever wants the total has a lower bound meanwhile.
const crowdedRest = 8

// rest tells how long to rest after so much work.
func (c *counting) rest(worked time.Duration) time.Duration {
	if c.crowded() {
		return crowdedRest * worked
	}
	return worked
}

// goOn begins to count, unless another search is being counted.
func (c *counting) goOn(f repo.LogFilter) {
	select {
	case c.busy <- struct{}{}:
	default:
		return
	}
	c.loads.Go(func() {
		defer func() { <-c.busy }()
		ctx, cancel := context.WithTimeout(c.base, countTimeout)
		defer cancel()
		_ = c.store.CountOn(ctx, f, c.rest) // who asks again meets what hindered it
	})
}
