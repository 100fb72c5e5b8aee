package api

import (
	"context"
	"sync"
	"time"

	"decnet/repo"
)

// countTimeout bounds how long a total that is a lower bound is counted on.
const countTimeout = time.Minute

// counting has totals counted on that were too much for one request, so that who
// asks again gets the whole. It does so for one search at a time.
type counting struct {
	store LogReader
	base  context.Context
	loads *sync.WaitGroup
	busy  chan struct{}
}

func newCounting(o owner, store LogReader) *counting {
	return &counting{store: store, base: o.base, loads: o.loads, busy: make(chan struct{}, 1)}
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
		_ = c.store.CountOn(ctx, f) // who asks again meets what hindered it
	})
}
