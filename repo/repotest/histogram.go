package repotest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

func assertHistogram(t *testing.T, s Store, events []repo.Event, f repo.LogFilter, interval time.Duration) {
	t.Helper()
	var sum int64
	for _, b := range assertBars(t, s, events, f, interval) {
		sum += b.Count
	}
	n, err := s.CountLogs(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, n, sum, "the bars add up to the total: %v %+v", interval, f)
}

// assertBars compares the histogram with one that is counted event by event.
func assertBars(t *testing.T, s Store, events []repo.Event, f repo.LogFilter, interval time.Duration) []repo.Bucket {
	t.Helper()
	want := naiveHistogram(events, f, interval)
	got, err := s.Histogram(t.Context(), f, interval)
	require.NoError(t, err)
	assert.Equal(t, want, got, "%v %+v", interval, f)
	return got
}

func testHistogramNaive(t *testing.T, s Store) {
	r := rand.New(rand.NewPCG(5, 5))
	events := randomEvents(r, 500)
	commit(t, s, events[:250]...)
	commit(t, s, events[250:]...)
	for _, minutes := range []int{1, 2, 7, 15, 30, 45, 60, 1439, 1440, 2880, 10080, 525600, 100_000_000} {
		interval := time.Duration(minutes) * time.Minute
		assertHistogram(t, s, events, repo.LogFilter{}, interval)
		for range 20 {
			f := repo.LogFilter{}
			if r.IntN(4) > 0 {
				f.Start = day().Add(time.Duration(r.Int64N(int64(80 * time.Hour))))
			}
			if r.IntN(4) > 0 {
				f.End = day().Add(time.Duration(r.Int64N(int64(80 * time.Hour))))
			}
			assertHistogram(t, s, events, f, interval)
		}
	}
}

// testHistogramEdges puts events and bounds on both sides of every kind of edge.
func testHistogramEdges(t *testing.T, s Store) {
	edges := []time.Duration{0, time.Minute, 15 * time.Minute, time.Hour, 24 * time.Hour, 48 * time.Hour}
	var events []repo.Event
	var times []time.Time
	for _, e := range edges {
		for _, d := range []time.Duration{-1, 0, 1} {
			events = append(events, event(e+d))
			times = append(times, day().Add(e+d))
		}
	}
	commit(t, s, events...)
	for _, start := range append(times, time.Time{}) {
		for _, end := range append(times, time.Time{}) {
			for _, minutes := range []int{1, 15, 60, 1440} {
				f := repo.LogFilter{Start: start, End: end}
				assertHistogram(t, s, events, f, time.Duration(minutes)*time.Minute)
			}
		}
	}
}

// testHistogramEnds has events at the first and last time that there is.
func testHistogramEnds(t *testing.T, s Store) {
	at := func(nanos int64) repo.Event {
		return repo.Event{Log: repo.Log{Time: time.Unix(0, nanos).UTC(), Fields: "{}"}}
	}
	events := []repo.Event{at(0), at(1), at(repo.MaxUnixNano - 1), at(repo.MaxUnixNano)}
	commit(t, s, events...)
	for _, f := range []repo.LogFilter{
		{},
		{Start: time.Unix(0, 1)},
		{End: time.Unix(0, repo.MaxUnixNano-1)},
		{Start: time.Unix(0, repo.MaxUnixNano)},
		{End: time.Unix(0, 0)},
		{Start: time.Unix(-5, 0), End: time.Unix(repo.MaxUnixNano/1e9+5, 0)},
		{Start: time.Unix(repo.MaxUnixNano/1e9+1, 0)},
		{End: time.Unix(-1, 0)},
	} {
		for _, minutes := range []int{1, 15, 1440, 100_000_000} {
			assertHistogram(t, s, events, f, time.Duration(minutes)*time.Minute)
		}
	}
	for _, bad := range []time.Duration{0, -time.Minute, time.Second, 90 * time.Second} {
		_, err := s.Histogram(t.Context(), repo.LogFilter{}, bad)
		require.Error(t, err, "%v is not a whole number of minutes", bad)
	}
}
