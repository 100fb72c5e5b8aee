package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHistogram_IsThreePercentTooHighAtMost(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(r.ExpFloat64()*r.ExpFloat64()*20_000) * time.Microsecond
		all = append(all, d)
		h.record(d)
	}
	slices.Sort(all)
	for _, part := range []float64{0.01, 0.5, 0.95, 0.99, 0.999, 1} {
		want := all[max(int(part*float64(len(all)))-1, 0)]
		got := h.quantile(part)
		assert.GreaterOrEqualf(t, got, want, "quantile %v", part)
		assert.LessOrEqualf(t, float64(got), float64(want)*1.032+1000, "quantile %v", part)
	}
	assert.Equal(t, all[len(all)-1].Microseconds(), h.max.Load())
}

func TestHistogram_Edges(t *testing.T) {
	t.Parallel()
	var h histogram
	assert.Zero(t, h.quantile(0.99))
	h.record(-time.Second)
	assert.Zero(t, h.quantile(1))
	h.record(100 * 24 * time.Hour)
	assert.Positive(t, h.quantile(1))
	last := -1
	for micros := uint64(0); micros < 1<<34; micros += 1 + micros/50 {
		b := bucketOf(micros)
		assert.GreaterOrEqual(t, b, last)
		assert.Less(t, b, buckets)
		if b < buckets-1 {
			assert.GreaterOrEqual(t, upperOf(b), int64(micros))
		}
		last = b
	}
}

func TestPhases_OfASpike(t *testing.T) {
	t.Parallel()
	o := Options{Mode: Spike, URL: "http://127.0.0.1:1"}
	_, err := o.complete()
	require.NoError(t, err)
	p := o.phases()
	for _, c := range []struct {
		at    time.Duration
		users int
	}{{0, 10}, {4 * time.Second, 10}, {7500 * time.Millisecond, 505}, {10 * time.Second, 1000}, {11 * time.Second, 10}, {25 * time.Second, 10}} {
		users, more := usersAt(p, c.at)
		assert.True(t, more)
		assert.Equalf(t, c.users, users, "at %v", c.at)
	}
	_, more := usersAt(p, lengthOf(p))
	assert.False(t, more)
}

// spikeWith is a spike whose p99 is as given in each quarter of a second after
// the fall, and 2 ms before.
func spikeWith(after ...time.Duration) *SpikeReport {
	r := &run{options: Options{Mode: Spike, Duration: 5 * time.Second}}
	r.windows.list = make([]histogram, 200)
	fall := spikeCalm + spikeRise + spikeHold
	for at := time.Duration(0); at < fall; at += windowLength {
		r.windows.record(r.windows.begin.Add(at), 4*time.Millisecond)
	}
	for i := range int(r.options.Duration / windowLength) {
		d := 4 * time.Millisecond
		if i < len(after) {
			d = after[i]
		}
		r.windows.record(r.windows.begin.Add(fall+time.Duration(i)*windowLength), d)
	}
	return r.spike()
}

func TestSpike_RecoversWhenTheLatencyStaysLow(t *testing.T) {
	t.Parallel()
	slow, fine := 300*time.Millisecond, 7*time.Millisecond
	for name, c := range map[string]struct {
		after []time.Duration
		want  float64
	}{
		"at once":               {nil, 0},
		"after two windows":     {[]time.Duration{slow, slow}, 0.5},
		"a short calm is none":  {[]time.Duration{slow, fine, fine, slow, fine}, 1},
		"twice as slow is fine": {[]time.Duration{fine, fine, fine, fine}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rep := spikeWith(c.after...)
			require.NotNil(t, rep.Recovered)
			assert.InDelta(t, c.want, *rep.Recovered, 0.001)
			assert.InDelta(t, 8, rep.Limit, 0.3)
		})
	}
	assert.Nil(t, spikeWith(slices.Repeat([]time.Duration{slow}, 20)...).Recovered)
}

func TestReport_TellsADrift(t *testing.T) {
	t.Parallel()
	r := &run{options: Options{Mode: Sustained, Duration: 9 * time.Second}}
	r.windows.list = make([]histogram, 60)
	for i := range 36 {
		d := 10 * time.Millisecond
		if i >= 24 {
			d = 20 * time.Millisecond
		}
		r.windows.record(r.windows.begin.Add(time.Duration(i)*windowLength), d)
	}
	rep := r.report(9 * time.Second)
	require.NotNil(t, rep.Drift)
	assert.InDelta(t, 2, rep.Drift.P50, 0.1)
	assert.InDelta(t, 2, rep.Drift.P99, 0.1)
	require.Len(t, rep.Windows, 2)
	assert.Equal(t, int64(20), rep.Windows[0].Count)
	assert.Equal(t, int64(16), rep.Windows[1].Count)
}

func TestReadMetrics(t *testing.T) {
	t.Parallel()
	got, err := readMetrics(strings.NewReader("# HELP x\nprocess_cpu_seconds_total 12.5\nother 1\nprocess_resident_memory_bytes 6.1e+07\n"))
	require.NoError(t, err)
	assert.Equal(t, reading{12.5, 61_000_000}, got)
	for _, text := range []string{"", "process_cpu_seconds_total 1\n", "process_cpu_seconds_total x\nprocess_resident_memory_bytes 1\n"} {
		_, err := readMetrics(strings.NewReader(text))
		require.Errorf(t, err, "%q", text)
	}
}

func TestReadProc(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc here")
	}
	got, err := readProc(os.Getpid())
	require.NoError(t, err)
	assert.Greater(t, got.rss, int64(1<<20))
	assert.GreaterOrEqual(t, got.cpu, 0.0)
	_, err = readProc(-1)
	assert.Error(t, err)
}

func TestWatch_TellsTheDifference(t *testing.T) {
	t.Parallel()
	list := []reading{{10, 100}, {14, 300}}
	at := time.Unix(0, 0)
	stop := watch(t.Context(), func() time.Time {
		at = at.Add(2 * time.Second)
		return at
	}, func(context.Context) (reading, error) {
		next := list[0]
		list = list[1:]
		return next, nil
	})
	u, err := stop()
	require.NoError(t, err)
	assert.Equal(t, &Usage{CPUSeconds: 4, Cores: 2, RSSBefore: 100, RSSAfter: 300, RSSMost: 300}, u)

	stop = watch(t.Context(), time.Now, func(context.Context) (reading, error) { return reading{}, errors.New("no") })
	_, err = stop()
	assert.Error(t, err)
}
