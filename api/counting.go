package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"decnet/repo"
)

// countTimeout bounds how long a total that is a lower bound is counted on.
const countTimeout = time.Minute

// counting counts totals on that were too much for one request, so that who asks
// again gets the whole: the store remembers how far it came. It does so for one
// search at a time, and rests as long as it works.
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
		c.run(ctx, f)
	})
}

// stalls is how often in a row a part of the count may find nothing new. Some parts
// have none of what is looked for, and somebody else may be counting just now.
const stalls = 32

// run counts until it is done, fails or gets no further.
func (c *counting) run(ctx context.Context, f repo.LogFilter) {
	last, stalled := int64(-1), 0
	for {
		began := time.Now()
		n, err := c.store.CountLogs(ctx, f)
		if stalled++; n > last {
			last, stalled = n, 0
		}
		if !errors.Is(err, repo.ErrTooBroad) || stalled > stalls {
			return
		}
		rest := time.NewTimer(time.Since(began))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return
		}
	}
}
