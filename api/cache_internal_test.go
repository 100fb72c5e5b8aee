package api

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testOwner lives as long as the test; ending it before the test's own end
// waits for every load.
func testOwner(t *testing.T) owner {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	loads := &sync.WaitGroup{}
	t.Cleanup(func() {
		cancel()
		loads.Wait()
	})
	return owner{now: time.Now, base: ctx, loads: loads}
}

func TestCache_ManyCallersMakeOneLoadAWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var loads atomic.Int64
		c := newCache(testOwner(t), "x", 5*time.Second, func(context.Context) (int64, error) {
			time.Sleep(time.Second)
			return loads.Add(1), nil
		})
		round := func() {
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					v, err := c.get(t.Context())
					assert.NoError(t, err)
					assert.Equal(t, loads.Load(), v)
				})
			}
			wg.Wait()
		}
		round()
		assert.EqualValues(t, 1, loads.Load(), "the first window")
		time.Sleep(5*time.Second - 1)
		round()
		assert.EqualValues(t, 1, loads.Load(), "its last nanosecond")
		time.Sleep(time.Nanosecond)
		round()
		assert.EqualValues(t, 2, loads.Load(), "the second window")
		assert.Equal(t, CacheCounts{Name: "x", Hits: 50, Misses: 100, Loads: 2}, c.counts())
	})
}

func TestCache_ACallerThatGivesUpCancelsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCache(testOwner(t), "x", time.Second, func(ctx context.Context) (string, error) {
			select {
			case <-time.After(time.Minute / 4):
				return "loaded", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		})
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.get(impatient)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, time.Second, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), "it gave up in time")
		})
		synctest.Wait()
		wg.Go(func() {
			v, err := c.get(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, "loaded", v)
		})
		wg.Wait()
	})
}

func TestCache_AnErrorIsAnsweredButNotKept(t *testing.T) {
	t.Parallel()
	sick := errors.New("sick")
	var loads int
	c := newCache(testOwner(t), "x", time.Hour, func(context.Context) (string, error) {
		if loads++; loads == 1 {
			return "", sick
		}
		return "well", nil
	})
	_, err := c.get(t.Context())
	require.ErrorIs(t, err, sick)
	v, err := c.get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "well", v)
}

func TestCache_APanicIsAnError(t *testing.T) {
	t.Parallel()
	c := newCache(testOwner(t), "x", time.Hour, func(context.Context) (string, error) { panic("oh") })
	_, err := c.get(t.Context())
	require.ErrorContains(t, err, "panic: oh")
}

// TestCache_ALoadFromBeforeAResetIsNeverStored is the race that a TTL cache
// with a plain Reset loses: a slow reader loads the old value, a write commits
// and resets, and the reader stores the old value.
func TestCache_ALoadFromBeforeAResetIsNeverStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stored atomic.Value
		stored.Store("old")
		c := newCache(testOwner(t), "x", time.Hour, func(context.Context) (string, error) {
			v, _ := stored.Load().(string)
			time.Sleep(time.Second) // the old value is in hand
			return v, nil
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			v, err := c.get(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, "old", v, "it began before the write, so it may see what was before")
		})
		synctest.Wait()
		stored.Store("new")
		c.reset()
		wg.Go(func() { // joins no load from before the reset
			v, err := c.get(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, "new", v)
		})
		wg.Wait()
		v, err := c.get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "new", v)
	})
}

func TestCache_ALoadEndsWithTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		base, stop := context.WithCancel(t.Context())
		loads := &sync.WaitGroup{}
		c := newCache(owner{now: time.Now, base: base, loads: loads}, "x", time.Hour, func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		go func() {
			time.Sleep(time.Second)
			stop()
		}()
		_, err := c.get(t.Context())
		require.ErrorIs(t, err, context.Canceled)
		loads.Wait()
	})
}
