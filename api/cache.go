package api

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// loadTimeout bounds a load, which no caller's context can cancel.
const loadTimeout = 30 * time.Second

// cache holds one value for a short time. It is TTL + single-flight +
// generation:
//
//   - N concurrent callers make one load; a caller that gives up cancels nobody.
//   - The window begins when the value has arrived, so that a load which takes
//     longer than the window still serves all who waited for it.
//   - An error is answered to those who waited, and not kept.
//   - reset begins a new generation: a load that began before may answer its own
//     callers, but is never stored and never joined by later ones.
//   - No lock is held while loading.
type cache[V any] struct {
	name string
	ttl  time.Duration
	now  func() time.Time
	load func(ctx context.Context) (V, error)
	// base outlives every caller and ends with the server; loads counts the
	// goroutines that the server waits for.
	base  context.Context
	loads *sync.WaitGroup

	entry                atomic.Pointer[cacheEntry[V]]
	mu                   sync.Mutex
	generation           uint64
	flight               *flight[V]
	hits, misses, nloads atomic.Int64
}

type cacheEntry[V any] struct {
	value   V
	expires time.Time
}

// flight is one load under way; value and err are set before done is closed.
type flight[V any] struct {
	generation uint64
	done       chan struct{}
	value      V
	err        error
}

// newCache returns a cold cache; the owner gives the context and the group.
func newCache[V any](o owner, name string, ttl time.Duration, load func(ctx context.Context) (V, error)) *cache[V] {
	return &cache[V]{name: name, ttl: ttl, now: o.now, load: load, base: o.base, loads: o.loads}
}

// owner is what a cache needs of the server that it lives in.
type owner struct {
	now   func() time.Time
	base  context.Context
	loads *sync.WaitGroup
}

// get returns the value, loading it when it is missing or its window has
// passed. It gives up with the context's error, without stopping the load.
func (c *cache[V]) get(ctx context.Context) (V, error) {
	if e := c.entry.Load(); e != nil && c.now().Before(e.expires) {
		c.hits.Add(1)
		return e.value, nil
	}
	c.misses.Add(1)
	f, hit := c.join()
	if hit != nil {
		return hit.value, nil
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var zero V
		return zero, fmt.Errorf("wait for %s: %w", c.name, ctx.Err())
	}
}

// join returns the flight of this generation, beginning one when there is none,
// or the entry that another caller has stored meanwhile.
func (c *cache[V]) join() (*flight[V], *cacheEntry[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entry.Load(); e != nil && c.now().Before(e.expires) {
		return nil, e
	}
	if c.flight == nil {
		c.flight = &flight[V]{generation: c.generation, done: make(chan struct{})}
		c.nloads.Add(1)
		c.loads.Add(1)
		go c.run(c.flight)
	}
	return c.flight, nil
}

func (c *cache[V]) run(f *flight[V]) {
	defer c.loads.Done()
	defer close(f.done)
	f.value, f.err = c.guardedLoad()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight == f {
		c.flight = nil
	}
	if f.err == nil && f.generation == c.generation {
		c.entry.Store(&cacheEntry[V]{value: f.value, expires: c.now().Add(c.ttl)})
	}
}

// guardedLoad turns a panic into an error: it runs in a goroutine of its own,
// where a panic would end the process.
func (c *cache[V]) guardedLoad() (v V, err error) {
	ctx, cancel := context.WithTimeout(c.base, loadTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("load %s: panic: %v\n%s", c.name, r, debug.Stack())
		}
	}()
	v, err = c.load(ctx)
	if err != nil {
		return v, fmt.Errorf("load %s: %w", c.name, err)
	}
	return v, nil
}

// reset forgets the value and disowns a load under way.
func (c *cache[V]) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.flight = nil
	c.entry.Store(nil)
}

func (c *cache[V]) counts() CacheCounts {
	return CacheCounts{Name: c.name, Hits: c.hits.Load(), Misses: c.misses.Load(), Loads: c.nloads.Load()}
}

// CacheCounts are the counters of one cached handler since the start.
type CacheCounts struct {
	Name string
	// Hits were answered from memory, Misses waited; of the misses, Loads asked
	// the store and the rest shared a load.
	Hits, Misses, Loads int64
}

// Resetter is a handler with a cache.
type Resetter interface {
	// Reset makes the cache cold: the next call asks the store.
	Reset()
}

// resettable is what a cache is to the routes that drop it.
type resettable interface{ reset() }

// counted is a cache whose counters are shown.
type counted interface {
	resettable
	counts() CacheCounts
}
