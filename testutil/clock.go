package testutil

import (
	"sync"
	"time"
)

// Clock is the time of one world. It stands still until a test moves it.
type Clock struct {
	mu   sync.Mutex
	t    time.Time
	wall bool
}

// epoch is where the clock of every world begins.
func epoch() time.Time { return time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC) }

// Now tells the world's time.
func (c *Clock) Now() time.Time {
	if c.wall {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Advance moves the clock on. It panics in a world with [WallClock], where time
// passes by itself.
func (c *Clock) Advance(d time.Duration) {
	if c.wall {
		panic("testutil: a wall clock can't be moved")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
