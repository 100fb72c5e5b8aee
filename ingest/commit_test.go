package ingest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]ingest.Options{
		"no sink":                  {},
		"source 1 has no path":     {Sink: newMemSink(), Sources: []ingest.Source{{}}},
		`unknown format "cowry"`:   {Sink: newMemSink(), Sources: []ingest.Source{{Path: "x", Format: "cowry"}}},
		"source 2 has no path":     {Sink: newMemSink(), Sources: []ingest.Source{{Path: "x"}, {Format: "cowrie"}}},
		`source x: unknown format`: {Sink: newMemSink(), Sources: []ingest.Source{{Path: "x", Format: "Cowrie"}}},
	} {
		_, err := ingest.New(opt)
		assert.ErrorContains(t, err, want)
	}
}

func TestRun_OnlyOnce(t *testing.T) {
	t.Parallel()
	in, err := ingest.New(ingest.Options{Sink: newMemSink()})
	require.NoError(t, err)
	require.NoError(t, in.Run(t.Context()))
	<-in.CaughtUp() // no source is no reason to wait
	require.Error(t, in.Run(t.Context()))
}

func TestBatch_WaitsForCompanyButNotLonger(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		write(t, path, "")
		sink := newMemSink()
		p := startWith(t, ingest.Options{
			Sink: sink, Sources: []ingest.Source{{Path: path, Follow: true}},
			PollInterval: time.Second, BatchWait: 3500 * time.Millisecond,
		})
		<-p.in.CaughtUp()
		begin := time.Now()
		var committed time.Time
		sink.lie = func(int) error { committed = time.Now(); return nil }
		time.Sleep(time.Second / 2) //nolint:forbidigo // in a bubble, and between two looks
		for n := range 6 {
			add(t, path, text(n, n+1))
			time.Sleep(time.Second) //nolint:forbidigo // in a bubble
		}
		p.settle()
		p.finish(t)
		assert.Equal(t, []int{4, 2}, sink.sizes, "lines of a second each, in batches of 3.5 s")
		assert.Equal(t, events(0, 6), sink.raws())
		assert.Less(t, committed.Sub(begin), 10*time.Second)
	})
}

func TestBatch_NeverLargerThanItsSize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var sources []ingest.Source
	for n := range 3 {
		path := filepath.Join(dir, fmt.Sprintf("%d.json", n))
		write(t, path, text(n*1000, n*1000+1000))
		sources = append(sources, ingest.Source{Path: path})
	}
	for _, size := range []int{1, 2, 7, 255, 256, 257, 1000, 5000} {
		sink := newMemSink()
		st := ingestAll(t, ingest.Options{Sink: sink, Sources: sources, BatchSize: size})
		for _, got := range sink.sizes {
			assert.LessOrEqual(t, got, size)
		}
		assert.EqualValues(t, len(sink.sizes), st.Batches)
		assert.ElementsMatch(t, events(0, 3000), sink.raws())
		positions, err := sink.Positions(t.Context())
		require.NoError(t, err)
		assert.Len(t, positions, 3)
	}
}

// TestBatch_RejectsTakePlacesToo: a log of garbage must not make a batch without
// bound.
func TestBatch_RejectsTakePlacesToo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.json")
	var b strings.Builder
	for n := range 600 {
		b.WriteString(event(n) + "\ngarbage\n")
	}
	write(t, path, b.String())
	for _, size := range []int{10, 300, 400} {
		sink := newMemSink()
		ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path, Format: "decnet"}}, BatchSize: size})
		for _, got := range sink.sizes {
			assert.LessOrEqual(t, got, size)
		}
		_, rejects := sink.stored()
		assert.Len(t, rejects, 600)
	}
}

// TestBatch_FullOnesWaitForNothing: lines that fill a batch to the last place are
// one commit, and are committed at once.
func TestBatch_FullOnesWaitForNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		write(t, path, "")
		sink := newMemSink()
		p := startWith(t, ingest.Options{
			Sink: sink, Sources: []ingest.Source{{Path: path, Follow: true}},
			PollInterval: testPoll, BatchWait: time.Hour, BatchSize: 10,
		})
		<-p.in.CaughtUp()
		add(t, path, text(0, 4))
		p.settle()
		add(t, path, text(4, 10))
		p.settle()
		assert.Equal(t, []int{10}, sink.sizes)
		p.finish(t)
	})
}

// TestBatch_IsBoundedInBytes: batches are held in memory until they are stored.
func TestBatch_IsBoundedInBytes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.json")
	line := strings.Replace(event(1), `"pad":"x"`, `"pad":"`+strings.Repeat("x", 700_000)+`"`, 1) + "\n"
	write(t, path, strings.Repeat(line, 30))
	sink := newMemSink()
	ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}, BatchWait: time.Hour})
	require.Len(t, sink.raws(), 30)
	for _, n := range sink.sizes {
		assert.LessOrEqual(t, n*len(line), 16<<20)
	}
	assert.Len(t, sink.sizes, 2, "and no smaller than need be")
}

// TestBatch_PositionsCoverTheRows looks at every commit: what a position says
// was accepted is stored by then, no more and no less.
func TestBatch_PositionsCoverTheRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var sources []ingest.Source
	for n := range 3 {
		path := filepath.Join(dir, fmt.Sprintf("%d.json", n))
		write(t, path, text(n*1000, n*1000+700)+"garbage\n\n"+text(n*1000+700, n*1000+900))
		sources = append(sources, ingest.Source{Path: path})
	}
	sink := newMemSink()
	sink.lie = func(int) error {
		var accepted, rejected int64
		for _, p := range sink.positions {
			accepted += p.Accepted
			rejected += p.Rejected
			assert.Equal(t, p.Lines, p.Accepted+p.Rejected+p.Ignored)
		}
		assert.EqualValues(t, len(sink.events), accepted)
		assert.EqualValues(t, len(sink.rejects), rejected)
		return nil
	}
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: sources, BatchSize: 100})
	assert.Equal(t, ingest.Counts{Lines: 2706, Accepted: 2700, Rejected: 3, Ignored: 3}, st.Counts)
}

func TestSink_FailuresAreRetriedAndSeen(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 5))
		sink := newMemSink()
		begin := time.Now()
		var tries []time.Duration
		sink.fail = func(call int) error {
			tries = append(tries, time.Since(begin))
			if call <= 5 {
				return errSink
			}
			return nil
		}
		p := startWith(t, ingest.Options{
			Sink: sink, Sources: []ingest.Source{{Path: path, Follow: true}}, NoJitter: true,
			RetryMin: 100 * time.Millisecond, RetryMax: 400 * time.Millisecond,
		})
		time.Sleep(650 * time.Millisecond) //nolint:forbidigo // in a bubble
		synctest.Wait()
		require.ErrorContains(t, p.in.Health(), errSink.Error())
		assert.Equal(t, errSink.Error(), p.in.Status().SinkError)
		assert.Zero(t, p.in.Status().Accepted, "what is not stored is not counted")
		<-p.in.CaughtUp()
		require.NoError(t, p.in.Health())
		assert.Empty(t, p.in.Status().SinkError)
		assert.EqualValues(t, 5, p.in.Status().Retries)
		p.finish(t)
		ms := time.Millisecond
		assert.Equal(t, []time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1100 * ms, 1500 * ms}, tries)
		assert.Equal(t, events(0, 5), sink.raws())
	})
}

func TestSink_LostAnswerDoublesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.json")
	write(t, path, text(0, 100))
	sink := newMemSink()
	sink.lie = func(call int) error {
		if call%2 == 1 {
			return errSink
		}
		return nil
	}
	st := ingestAll(t, ingest.Options{
		Sink: sink, Sources: []ingest.Source{{Path: path}}, BatchSize: 10, RetryMin: time.Microsecond, NoJitter: true,
	})
	assert.Equal(t, events(0, 100), sink.raws())
	assert.EqualValues(t, 100, st.Accepted)
}

// loadSink fails to load a few times.
type loadSink struct {
	*memSink
	failures int
}

func (s *loadSink) Positions(ctx context.Context) ([]repo.Position, error) {
	if s.failures--; s.failures >= 0 {
		return nil, errSink
	}
	return s.memSink.Positions(ctx)
}

func TestSink_FailsToLoadAtFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.json")
	write(t, path, text(0, 10))
	sink := newMemSink()
	ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
	add(t, path, text(10, 12))
	ingestAll(t, ingest.Options{
		Sink: &loadSink{sink, 3}, Sources: []ingest.Source{{Path: path}}, RetryMin: time.Microsecond, NoJitter: true,
	})
	assert.Equal(t, events(0, 12), sink.raws(), "nothing is read before the positions are known")
}

func TestStop_CommitsWhatWasRead(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		write(t, path, "")
		sink := newMemSink()
		p := startWith(t, ingest.Options{
			Sink: sink, Sources: []ingest.Source{{Path: path, Follow: true}}, BatchWait: time.Hour,
		})
		<-p.in.CaughtUp()
		add(t, path, text(0, 7))
		p.settle()
		assert.Empty(t, sink.raws())
		p.finish(t)
		assert.Equal(t, events(0, 7), sink.raws())
	})
}

func TestStop_DoesNotWaitForeverForABrokenSink(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 7000)) // more than the queue takes: the reader hangs too
		sink := newMemSink()
		sink.fail = func(int) error { return errSink }
		p := startWith(t, ingest.Options{
			Sink: sink, Sources: []ingest.Source{{Path: path, Follow: true}}, BatchSize: 10, StopGrace: 3 * time.Second,
		})
		p.settle()
		begin := time.Now()
		p.stop()
		require.ErrorIs(t, <-p.done, errSink)
		assert.LessOrEqual(t, time.Since(begin), 3*time.Second)

		sink.fail = nil
		catchUp(t, sink, path)
		assert.Equal(t, events(0, 7000), sink.raws(), "the next process reads it")
	})
}

func TestStatus_TellsLagAndRejects(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 3)+"\n{}\nnot JSON\n")
		p := start(t, newMemSink(), path)
		<-p.in.CaughtUp()
		synctest.Wait()
		info, err := os.Stat(path)
		require.NoError(t, err)
		st := p.in.Status()
		want := ingest.SourceStatus{
			Kind: ingest.KindFile, Rate: 0.1, LastEvent: time.Date(2026, 4, 14, 9, 0, 0, 0, time.UTC),
			Path: path, Follow: true, State: ingest.StateFollowing, Format: "decnet",
			Offset: info.Size(), Size: info.Size(),
			Counts:     ingest.Counts{Lines: 6, Accepted: 3, Rejected: 2, Ignored: 1},
			RejectedBy: map[string]int64{"no_timestamp": 1, "not_json": 1},
			IgnoredBy:  map[string]int64{},
			LastLine:   time.Now(),
		}
		assert.Equal(t, []ingest.SourceStatus{want}, st.Sources)
		assert.True(t, st.CaughtUp)
		st.Sources[0].RejectedBy["not_json"] = 100
		assert.EqualValues(t, 1, p.in.Status().Sources[0].RejectedBy["not_json"], "a snapshot is the caller's own")
		p.finish(t)
	})
}

func cowrieLine(session, event, rest string, second int) string {
	return fmt.Sprintf(`{"eventid":"cowrie.%s","session":"%s","sensor":"s","src_ip":"203.0.113.45","timestamp":"2026-04-14T%02d:%02d:%02dZ"%s}`,
		event, session, second/3600, second/60%60, second%60, rest)
}

func TestSessions_AreBoundedHereAndInTheStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cowrie.json")
	var b strings.Builder
	for n := range 100 {
		b.WriteString(cowrieLine(fmt.Sprintf("%012d", n), "session.connect", `,"protocol":"telnet"`, n) + "\n")
	}
	for n := range 100 {
		b.WriteString(cowrieLine(fmt.Sprintf("%012d", n), "login.failed", `,"username":"a","password":"b"`, 200+n) + "\n")
	}
	write(t, path, b.String())
	for _, size := range []int{1, 5000} {
		sink := newMemSink()
		ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}, MaxSessions: 10, BatchSize: size})
		assert.Len(t, sink.sessions, 10)
		telnet := 0
		for _, e := range sink.events[100:] {
			if e.Service == "telnet" {
				telnet++
			}
		}
		assert.Equal(t, 10, telnet, "the sessions that were silent the longest are forgotten")
	}
}

func TestSessions_AnIDThatIsUsedAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cowrie.json")
	connect := func(protocol string) string {
		return cowrieLine("x", "session.connect", `,"protocol":"`+protocol+`"`, 1) + "\n"
	}
	login := cowrieLine("x", "login.failed", "", 2) + "\n"
	closed := cowrieLine("x", "session.closed", "", 3) + "\n"
	sink := newMemSink()
	for _, step := range []struct {
		lines string
		open  int
	}{
		{connect("telnet"), 1}, {closed + connect("ssh") + login, 1}, {connect("telnet") + login, 1},
		{closed + connect("ssh") + closed, 0}, {login, 0}, {connect("telnet") + closed, 0},
	} {
		add(t, path, step.lines)
		ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
		assert.Len(t, sink.sessions, step.open, "after %s", step.lines)
	}
	var services []string
	for _, e := range sink.events {
		services = append(services, e.Service)
	}
	assert.Equal(t, []string{
		"telnet", "telnet", "ssh", "ssh", "telnet", "telnet", "telnet", "ssh", "ssh", "ssh", "telnet", "telnet",
	}, services)
}
