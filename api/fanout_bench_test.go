package api_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/testutil"
)

// tap is the connection of a stream's client inside the process. It counts the
// messages with events that arrive.
type tap struct {
	header  http.Header
	arrived *atomic.Int64
	opened  sync.WaitGroup
	once    sync.Once
}

func (t *tap) Header() http.Header { return t.header }
func (t *tap) WriteHeader(int)     {}
func (t *tap) Flush()              {}

// SetReadDeadline and SetWriteDeadline are what a stream wants of its connection.
func (t *tap) SetReadDeadline(time.Time) error  { return nil }
func (t *tap) SetWriteDeadline(time.Time) error { return nil }

func (t *tap) Write(b []byte) (int, error) {
	head := b[:min(len(b), 64)]
	if bytes.Contains(head, []byte(`"type":"logs"`)) {
		t.arrived.Add(1)
	}
	if bytes.Contains(head, []byte(`"type":"histogram"`)) { // the last of what a new stream gets
		t.once.Do(t.opened.Done)
	}
	return len(b), nil
}

// BenchmarkFanOut commits ten events and waits until the last of so many clients
// has them, inside the process: what the sockets cost comes on top. last-p50-ms and
// last-p99-ms are the time from before the commit to the last client; drops are
// clients that were sent away, and queries the calls of the store per client and
// commit.
func BenchmarkFanOut(b *testing.B) {
	for _, clients := range []int{1000, 5000} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { benchFanOut(b, clients) })
	}
}

func benchFanOut(b *testing.B, clients int) {
	b.Helper()
	w := testutil.New(b, testutil.WallClock())
	w.Seed(100)
	ctx, cancel := context.WithCancel(b.Context())
	var streams sync.WaitGroup
	var arrived, ended atomic.Int64
	taps := make([]*tap, clients)
	for i := range taps {
		t := &tap{header: http.Header{}, arrived: &arrived}
		t.opened.Add(1)
		taps[i] = t
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/stream", nil)
		r.Header.Set("Authorization", "Bearer "+w.Viewer.Token())
		streams.Go(func() {
			w.Server.ServeHTTP(t, r)
			ended.Add(1)
			t.once.Do(t.opened.Done)
		})
	}
	for _, t := range taps {
		t.opened.Wait()
	}
	require.Zero(b, ended.Load(), "streams that ended at once")
	calls, next := w.Calls.Total(), 100
	var took []time.Duration
	for b.Loop() {
		events := make([]repo.Event, 10)
		for i := range events {
			events[i] = testutil.Event(next)
			next++
		}
		want := arrived.Load() + int64(clients) - ended.Load()
		began := time.Now()
		w.Commit(events...)
		for arrived.Load() < want && ended.Load() == 0 {
			time.Sleep(100 * time.Microsecond) //nolint:forbidigo // a benchmark may look at the clock; the resolution of what it measures
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e6, "last-p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "last-p99-ms")
	b.ReportMetric(float64(ended.Load()), "drops")
	b.ReportMetric(float64(w.Calls.Total()-calls)/float64(clients*len(took)), "queries")
	cancel()
	streams.Wait()
}
