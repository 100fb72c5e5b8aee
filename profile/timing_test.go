package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/profile"
	"decnet/repo"
)

// naive computes the statistics over the whole series of sorted times.
func naive(events []repo.Event) (mean, median, stdev, lowest, highest float64) {
	var times []int64
	for i := range events {
		times = append(times, events[i].Time.UnixNano())
	}
	slices.Sort(times)
	var gaps []float64
	var sum float64
	for i := 1; i < len(times); i++ {
		g := float64(times[i]-times[i-1]) / 1e9
		gaps = append(gaps, g)
		sum += g
	}
	mean = sum / float64(len(gaps))
	var squares float64
	for _, g := range gaps {
		squares += (g - mean) * (g - mean)
	}
	slices.Sort(gaps)
	n := len(gaps)
	return mean, (gaps[(n-1)/2] + gaps[n/2]) / 2, math.Sqrt(squares / float64(n)), gaps[0], gaps[n-1]
}

// shapes are ways in which gaps are distributed.
func shapes() map[string]func(*rand.Rand) time.Duration {
	return map[string]func(*rand.Rand) time.Duration{
		"steady":     func(*rand.Rand) time.Duration { return time.Minute },
		"jitter":     func(r *rand.Rand) time.Duration { return time.Minute + time.Duration(r.IntN(1000)) },
		"uniform":    func(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(int64(time.Hour))) },
		"exponent":   func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * 1e9) },
		"all scales": func(r *rand.Rand) time.Duration { return time.Duration(1) << r.IntN(45) },
		"bursts": func(r *rand.Rand) time.Duration {
			if r.IntN(10) == 0 {
				return time.Hour
			}
			return time.Duration(r.IntN(3)) * time.Millisecond
		},
		"whole seconds": func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(3)) * time.Second },
		"same instant":  func(*rand.Rand) time.Duration { return 0 },
		"two values":    func(r *rand.Rand) time.Duration { return time.Second << (10 * r.IntN(2)) },
		"nanoseconds":   func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(200)) },
	}
}

func TestTiming_StreamingEqualsTheWholeSeries(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		for _, n := range []int{2, 3, 4, profile.MaxChain, profile.MaxChain + 1, 500, 5001} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(11, uint64(n)))
				gaps := make([]time.Duration, n-1)
				for i := range gaps {
					gaps[i] = shape(rng)
				}
				events := gapsOf("ssh", gaps...)
				mean, median, stdev, lowest, highest := naive(events)
				// Places are swapped by fewer than the chain's length.
				for i := 0; i+30 < len(events); i += 30 {
					rng.Shuffle(30, func(a, b int) { events[i+a], events[i+b] = events[i+b], events[i+a] })
				}
				got := stored(t, fold(events...)).Attacker().Behavior.Timing
				assertClose(t, mean, got.Mean, 1e-12, "mean")
				assertClose(t, stdev, got.Stdev, 1e-9, "stdev")
				assertClose(t, lowest, got.Min, 0, "min")
				assertClose(t, highest, got.Max, 0, "max")
				tolerance := 0.01
				if n <= profile.MaxChain {
					tolerance = 1e-12
				}
				assertClose(t, median, got.Median, tolerance, "median")
				if mean == 0 {
					assert.Nil(t, got.CV, "no CV without a mean")
				} else {
					assertClose(t, stdev/mean, got.CV, 1e-9, "cv")
				}
			})
		}
	}
}

// assertClose compares with a relative tolerance and a nanosecond's thousandth.
func assertClose(t *testing.T, want float64, got *float64, relative float64, what string) {
	t.Helper()
	require.NotNil(t, got, what)
	assert.InDelta(t, want, *got, math.Abs(want)*relative+1e-12, what)
}

func TestTiming_OneEventHasNoGap(t *testing.T) {
	t.Parallel()
	got := fold(at(0, "ssh")).Attacker().Behavior.Timing
	assert.Equal(t, repo.Timing{EventCount: 1}, got)
}

func TestTiming_ZeroGapsAreGaps(t *testing.T) {
	t.Parallel()
	got := fold(gapsOf("ssh", 0, 10*time.Second, 0, 10*time.Second)...).Attacker().Behavior.Timing
	assertClose(t, 5, got.Mean, 0, "mean")
	assertClose(t, 0, got.Min, 0, "min")
	assertClose(t, 5, got.Stdev, 1e-12, "stdev")
	assertClose(t, 5, got.Median, 0, "median")
}

// TestTiming_SmallJitterOnALongBeatIsNotLost would fail with sums of squares in
// floating point.
func TestTiming_SmallJitterOnALongBeatIsNotLost(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	var gaps []time.Duration
	for range 100 {
		gaps = append(gaps, day-time.Microsecond, day+time.Microsecond)
	}
	got := fold(gapsOf("ssh", gaps...)...).Attacker().Behavior.Timing
	assertClose(t, 1e-6, got.Stdev, 1e-9, "stdev")
}

// TestTiming_AnOlderFileReadAfterwards: its own gaps count, the jump back does not.
func TestTiming_AnOlderFileReadAfterwards(t *testing.T) {
	t.Parallel()
	const n = 300
	var events []repo.Event
	for _, day := range []int{2, 0, 1} {
		for i := range n {
			events = append(events, at(time.Duration(day)*24*time.Hour+time.Duration(i)*time.Minute, "ssh"))
		}
	}
	a := stored(t, fold(events...)).Attacker()
	got := a.Behavior.Timing
	assert.Equal(t, int64(3*n), got.EventCount)
	assertClose(t, 60, got.Median, 0.01, "median")
	assertClose(t, 60, got.Min, 0, "min")
	// One gap between the days that were read in order, none for the jump back.
	between := (24*time.Hour - (n-1)*time.Minute).Seconds()
	assertClose(t, between, got.Max, 0, "max")
	assertClose(t, (3*(n-1)*60+between)/(3*(n-1)+1), got.Mean, 1e-12, "mean")
	assert.InDelta(t, (48*time.Hour + (n-1)*time.Minute).Seconds(), got.Duration, 0)
}

// TestTiming_AsLateAsMayBe: an event at the very instant of the oldest time that
// is kept in order has a gap of its own, of zero.
func TestTiming_AsLateAsMayBe(t *testing.T) {
	t.Parallel()
	events := gapsOf("ssh", repeat(profile.MaxChain-1, time.Minute)...)
	events = append(events, events[0])
	got := stored(t, fold(events...)).Attacker().Behavior.Timing
	assertClose(t, 0, got.Min, 0, "min")
	assertClose(t, 60*float64(profile.MaxChain-1)/float64(profile.MaxChain), got.Mean, 1e-12, "mean")

	// The same among those that came too late for that.
	const n = profile.MaxChain
	old := gapsOf("ssh", repeat(n-1, time.Minute)...)
	recent := gapsOf("ssh", repeat(n-1, time.Minute)...)
	for i := range recent {
		recent[i].Time = recent[i].Time.Add(24 * time.Hour)
	}
	all := slices.Concat(recent, old, old[:1])
	got = stored(t, fold(all...)).Attacker().Behavior.Timing
	assertClose(t, 0, got.Min, 0, "min")
	assertClose(t, 60*float64(2*(n-1))/float64(2*(n-1)+1), got.Mean, 1e-12, "mean")
}

// TestTiming_WhatCameLateIsNotLost when what came later still takes its place.
func TestTiming_WhatCameLateIsNotLost(t *testing.T) {
	t.Parallel()
	const n = profile.MaxChain
	old, recent := gapsOf("ssh", repeat(n-1, 30*time.Second)...), gapsOf("ssh", repeat(n-1, time.Minute)...)
	for i := range recent {
		recent[i].Time = recent[i].Time.Add(24 * time.Hour)
	}
	got := stored(t, fold(slices.Concat(recent, old, []repo.Event{at(-time.Hour, "ssh")})...)).Attacker().Behavior.Timing
	assertClose(t, 45, got.Mean, 1e-12, "mean")
	assertClose(t, 30, got.Min, 0, "min")
	assertClose(t, 15, got.Stdev, 1e-9, "stdev")
}

// TestTiming_AClockThatIsACenturyAhead makes squares of more than 128 bits.
func TestTiming_AClockThatIsACenturyAhead(t *testing.T) {
	t.Parallel()
	events := append(gapsOf("ssh", repeat(1000, time.Second, 3*time.Second)...), at(100*365*24*time.Hour, "ssh"))
	mean, _, stdev, _, highest := naive(events)
	got := stored(t, fold(events...)).Attacker().Behavior.Timing
	assertClose(t, mean, got.Mean, 1e-12, "mean")
	assertClose(t, stdev, got.Stdev, 1e-9, "stdev")
	assertClose(t, highest, got.Max, 1e-12, "max")
}

func TestTiming_EventsInReverseStayBoundedAndSane(t *testing.T) {
	t.Parallel()
	s := profile.New()
	for i := range 1000 {
		e := at(-time.Duration(i)*time.Minute, "ssh")
		s.Add(&e)
	}
	got := s.Attacker().Behavior.Timing
	assertClose(t, 60, got.Mean, 1e-12, "mean")
	assertClose(t, 60, got.Median, 0.01, "median")
	assertClose(t, 0, got.Stdev, 0, "stdev")
}

func TestSketch_NoBucketIsOffByMoreThanAPercent(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(13, 14))
	last := -1
	for v := uint64(0); v < 20_000; v++ {
		require.LessOrEqual(t, profile.BucketError(v), 0.01+1e-9, v)
		index := profile.BucketOf(v)
		require.GreaterOrEqual(t, index, last)
		last = index
	}
	for range 20_000 {
		v := rng.Uint64() >> rng.IntN(64)
		require.LessOrEqual(t, profile.BucketError(v), 0.01+1e-9, v)
	}
	assert.Equal(t, profile.MaxBucket, profile.BucketOf(math.MaxUint64))
}
