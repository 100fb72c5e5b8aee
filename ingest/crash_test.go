package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

// capture makes n lines of a Cowrie log in which sessions of both protocols are
// interleaved, with all that can be wrong with a line in between. The same seed
// gives the same lines.
func capture(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	var open []string
	for i := range n {
		second := i % 80000
		ip := fmt.Sprintf(`,"src_ip":"198.51.100.%d"`, rng.IntN(50))
		pick := func() string { return open[rng.IntN(len(open))] }
		switch kind := rng.IntN(100); {
		case kind < 20 || len(open) == 0:
			open = append(open, fmt.Sprintf("%012x", i))
			protocol := []string{"ssh", "telnet"}[rng.IntN(2)]
			b.WriteString(cowrieLine(open[len(open)-1], "session.connect", `,"protocol":"`+protocol+`"`+ip, second))
		case kind < 50:
			b.WriteString(cowrieLine(pick(), "login.failed", fmt.Sprintf(`,"username":"u%d","password":"\u0000\\%d"%s`, rng.IntN(9), rng.IntN(99), ip), second))
		case kind < 70:
			b.WriteString(cowrieLine(pick(), "command.input", fmt.Sprintf(`,"input":"echo \"%s\""%s`, strings.Repeat("é", rng.IntN(300)), ip), second))
		case kind < 75:
			b.WriteString(cowrieLine(pick(), "client.kex", fmt.Sprintf(`,"hassh":"%032x"%s`, rng.IntN(5), ip), second))
		case kind < 90:
			at := rng.IntN(len(open))
			b.WriteString(cowrieLine(open[at], "session.closed", `,"duration":"2.7"`+ip, second))
			open = append(open[:at], open[at+1:]...)
		case kind < 93:
			b.WriteString("\xff\xfe not a line\x00")
		case kind < 95:
			b.WriteString(strings.Repeat("long ", 150+rng.IntN(100)))
		case kind < 97:
			b.WriteString(" ")
		default:
			b.WriteString(cowrieLine(pick(), "login.failed", `,"username":"`+"\xe9"+`","password":"p"`+ip, second) + "\r")
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// outcome is what a sink holds in the end, without what differs from run to run.
type outcome struct {
	Events   []repo.Event
	Rejects  []repo.Reject
	Sessions []repo.Session
	Counts   ingest.Counts
	Offset   int64
}

func (s *memSink) outcome(t *testing.T) outcome {
	t.Helper()
	var o outcome
	o.Events, o.Rejects = s.stored()
	for i := range o.Events {
		o.Events[i].ID = 0
	}
	for i := range o.Rejects {
		o.Rejects[i].SeenAt = time.Time{}
	}
	var err error
	o.Sessions, err = s.OpenSessions(t.Context())
	require.NoError(t, err)
	require.Len(t, s.positions, 1, "one file is one source")
	for _, p := range s.positions {
		o.Counts = ingest.Counts{Lines: p.Lines, Accepted: p.Accepted, Rejected: p.Rejected, Ignored: p.Ignored}
		o.Offset = p.Offset
	}
	return o
}

// maxLine makes some lines of a capture too long.
const maxLine = 900

// TestCrash_AnywhereGivesTheSameRows writes a log in pieces of any size and kills
// the ingester before or after any commit, with batches of any size. What comes
// out must be what one undisturbed run gives.
func TestCrash_AnywhereGivesTheSameRows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			log := capture(seed, 3000)
			path := filepath.Join(t.TempDir(), "cowrie.json")
			write(t, path, string(log))
			whole := newMemSink()
			ingestAll(t, ingest.Options{Sink: whole, Sources: []ingest.Source{{Path: path, Format: "cowrie"}}, MaxLine: maxLine})
			want := whole.outcome(t)
			require.Greater(t, len(want.Events), 2000)
			require.Greater(t, len(want.Rejects), 100)
			require.NotEmpty(t, want.Sessions)

			crashing := filepath.Join(t.TempDir(), "cowrie.json")
			got := newMemSink()
			crashes := ingestWithCrashes(t, seed, log, crashing, got)
			for i := range want.Rejects {
				want.Rejects[i].Path = crashing
			}
			assert.Equal(t, want, got.outcome(t))
			assert.Greater(t, crashes, 5, "the test did crash")
		})
	}
}

func ingestWithCrashes(t *testing.T, seed uint64, log []byte, path string, sink *memSink) (crashes int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	write(t, path, "")
	for written := 0; ; {
		if written < len(log) {
			n := min(1+rng.IntN(len(log)/15), len(log)-written)
			add(t, path, string(log[written:written+n]))
			written += n
		}
		died := runAndMaybeDie(t, rng, path, sink)
		if died {
			crashes++
		} else if written == len(log) {
			return crashes
		}
	}
}

// runAndMaybeDie runs an ingester until it has caught up, or is killed at some
// commit: before it, or after it but before anybody learns of it.
func runAndMaybeDie(t *testing.T, rng *rand.Rand, path string, sink *memSink) (died bool) {
	t.Helper()
	return runUntil(t, path, sink, 1+rng.IntN(4), rng.IntN(2) == 0, 1+rng.IntN(150))
}

func runUntil(t *testing.T, path string, sink *memSink, deadline int, after bool, batchSize int) (died bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sink.calls = 0
	die := func(call int) error {
		if call < deadline {
			return nil
		}
		died = true
		cancel()
		return errSink
	}
	sink.fail, sink.lie = die, nil
	if after {
		sink.fail, sink.lie = func(int) error {
			if died {
				return errSink
			}
			return nil
		}, die
	}
	in, err := ingest.New(ingest.Options{
		Sink: sink, Sources: []ingest.Source{{Path: path, Follow: true}}, MaxLine: maxLine,
		BatchSize: batchSize, PollInterval: time.Millisecond, BatchWait: time.Millisecond, StopGrace: 1,
	})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	select {
	case <-in.CaughtUp():
		cancel()
		err = <-done
	case err = <-done:
	}
	if !died {
		require.NoError(t, err)
	}
	sink.fail, sink.lie = nil, nil
	return died
}

// TestCrash_WhileDrainingRotatedFiles kills the ingester at every commit of a
// catch-up over three rotated files and the current one.
func TestCrash_WhileDrainingRotatedFiles(t *testing.T) {
	t.Parallel()
	for deadline := 1; deadline <= 12; deadline++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint("commit ", deadline, " after ", after), func(t *testing.T) {
				t.Parallel()
				testCrashWhileDraining(t, deadline, after)
			})
		}
	}
}

func testCrashWhileDraining(t *testing.T, deadline int, after bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log.json")
	sink := newMemSink()
	write(t, path, text(0, 10))
	ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
	add(t, path, text(10, 30))
	rename(t, path, path+".3")
	for n, name := range []string{".2", ".1", ""} {
		write(t, path+name, text(30+n*20, 50+n*20))
		at := time.Date(2026, 4, 14, 9, n, 0, 0, time.UTC)
		require.NoError(t, os.Chtimes(path+name, at, at))
	}
	before := time.Date(2026, 4, 14, 8, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes(path+".3", before, before))

	died := runUntil(t, path, sink, deadline, after, 5)
	assert.True(t, died)
	for died { // and again, a little later
		deadline++
		died = runUntil(t, path, sink, deadline, after, 7)
	}
	assert.Equal(t, events(0, 90), sink.raws())
}

// TestGrowth_InAnyPiecesGivesTheSameRows lets a running ingester see a log grow
// byte by byte and in larger pieces, through rotations.
func TestGrowth_InAnyPiecesGivesTheSameRows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			log := capture(100+seed, 400)
			whole := newMemSink()
			path := filepath.Join(t.TempDir(), "cowrie.json")
			write(t, path, string(log))
			ingestAll(t, ingest.Options{Sink: whole, Sources: []ingest.Source{{Path: path, Format: "cowrie"}}})
			want, wantRejects := whole.stored()
			bubble(t, func(t *testing.T, dir string) {
				t.Helper()
				sink := newMemSink()
				growWithRotations(t, seed, log, filepath.Join(dir, "cowrie.json"), sink)
				got, gotRejects := sink.stored()
				assert.Equal(t, want, got)
				assert.Len(t, gotRejects, len(wantRejects))
			})
		})
	}
}

func growWithRotations(t *testing.T, seed uint64, log []byte, path string, sink *memSink) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	p := startWith(t, ingest.Options{
		Sink: sink, Sources: []ingest.Source{{Path: path, Format: "cowrie", Follow: true}},
		PollInterval: testPoll, BatchWait: testWait, BatchSize: 1 + rng.IntN(50),
	})
	sizes := []int{1, 7, 300, 20000}
	for rotations := 0; len(log) > 0; {
		n := min(1+rng.IntN(sizes[rng.IntN(len(sizes))]), len(log))
		add(t, path, string(log[:n]))
		atLineEnd := log[n-1] == '\n'
		log = log[n:]
		if rng.IntN(3) > 0 {
			p.settle()
		}
		if atLineEnd && rng.IntN(2) == 0 {
			rotations++
			rotated := fmt.Sprintf("%s.%d", path, rotations)
			if rng.IntN(2) == 0 {
				rename(t, path, rotated)
				continue
			}
			copyFile(t, path, rotated)
			require.NoError(t, os.Truncate(path, 0))
			p.settle() // or the copy of the copy would be the third to have the same content
		}
	}
	p.settle()
	p.finish(t)
}
