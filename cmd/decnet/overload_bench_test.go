package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/api"
)

// The load of BenchmarkOverload: clients that ask again at once, far more than
// two processors serve, and for how long. One that is turned away comes back after
// a pause.
const (
	overloadReaders   = 400
	overloadSearchers = 100
	overloadTime      = 5 * time.Second
	overloadPause     = 100 * time.Millisecond
)

// BenchmarkOverload is what becomes of the answers when too much is asked, with a
// hundred thousand events: the rate of the reads that were answered, the p99 of reads
// and of searches, and the share that was turned away. Without gates everybody waits.
func BenchmarkOverload(b *testing.B) {
	for _, gates := range []struct {
		name string
		api.Admission
	}{
		{"none", api.Admission{Reads: 1 << 20, Searches: 1 << 20}},
		{"default", api.Admission{}},
		{"reads=2", api.Admission{Reads: 2}},
		{"reads=16", api.Admission{Reads: 16}},
		{"reads=32", api.Admission{Reads: 32}},
		{"searches=1", api.Admission{Searches: 1}},
		{"searches=4", api.Admission{Searches: 4}},
	} {
		b.Run(gates.name, func(b *testing.B) {
			store := openCurve(b, min(100_000, slices.Max(curveRows(b))))
			server := newCurveServer(b, store, gates.Admission)
			var reads, searches overloadTally
			for b.Loop() {
				overload(b, server, &reads, &searches)
			}
			seconds := overloadTime.Seconds() * float64(b.N)
			b.ReportMetric(0, "ns/op") // it is the time that was given
			b.ReportMetric(float64(len(reads.took))/seconds, "reads/s")
			b.ReportMetric(float64(len(searches.took))/seconds, "searches/s")
			b.ReportMetric(reads.p99().Seconds()*1e3, "read-p99-ms")
			b.ReportMetric(searches.p99().Seconds()*1e3, "search-p99-ms")
			b.ReportMetric(float64(reads.shed)/float64(reads.shed+len(reads.took)), "reads-shed")
			b.ReportMetric(float64(searches.shed)/float64(searches.shed+len(searches.took)), "searches-shed")
		})
	}
}

// overloadTally is what the clients of one kind saw.
type overloadTally struct {
	mu   sync.Mutex
	took []time.Duration // of those that were answered
	shed int
	bad  []int
}

func (t *overloadTally) note(status int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch status {
	case http.StatusOK:
		t.took = append(t.took, took)
	case http.StatusServiceUnavailable:
		t.shed++
	default:
		t.bad = append(t.bad, status)
	}
}

func (t *overloadTally) p99() time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	slices.Sort(t.took)
	return t.took[len(t.took)*99/100]
}

func overload(b *testing.B, server *curveServer, reads, searches *overloadTally) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), overloadTime)
	defer cancel()
	var clients sync.WaitGroup
	for i := range overloadReaders + overloadSearchers {
		tally, path := reads, "/api/v1/logs?limit=100&offset="+strconv.Itoa(i)
		if i >= overloadReaders {
			tally, path = searches, fmt.Sprintf("/api/v1/logs?search=ssh&limit=100&offset=%d", i)
		}
		clients.Go(func() { overloadClient(ctx, server, path, tally) })
	}
	clients.Wait()
	require.Empty(b, reads.bad)
	require.Empty(b, searches.bad)
}

// overloadClient asks until the time is over. Its last request may end later.
func overloadClient(ctx context.Context, server *curveServer, path string, tally *overloadTally) {
	for ctx.Err() == nil {
		r := httptest.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+server.token)
		answer := httptest.NewRecorder()
		began := time.Now()
		server.ServeHTTP(answer, r)
		tally.note(answer.Code, time.Since(began))
		if answer.Code == http.StatusServiceUnavailable {
			select {
			case <-time.After(overloadPause):
			case <-ctx.Done():
			}
		}
	}
}
