package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

// event is a line of the collector that is unlike any other.
func event(n int) string {
	return fmt.Sprintf(`{"timestamp":"2026-04-14 09:00:00","decky":"web","service":"http","event_type":"request",`+
		`"attacker_ip":"203.0.113.45","fields":{"n":%d,"pad":"%s"},"msg":""}`, n, strings.Repeat("x", n%97))
}

func events(from, to int) []string {
	var lines []string
	for n := from; n < to; n++ {
		lines = append(lines, event(n))
	}
	return lines
}

func text(from, to int) string { return strings.Join(events(from, to), "\n") + "\n" }

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func add(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	require.NoError(t, err)
	addTo(t, f, content)
	require.NoError(t, f.Close())
}

func addTo(t *testing.T, f io.Writer, content string) {
	t.Helper()
	_, err := io.WriteString(f, content)
	require.NoError(t, err)
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(from, to))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	write(t, to, string(content))
}

func zipped(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	addTo(t, z, content)
	require.NoError(t, z.Close())
	return b.Bytes()
}

const (
	testPoll = time.Second
	testWait = 100 * time.Millisecond
)

// process is an ingester that runs in a bubble.
type process struct {
	in   *ingest.Ingester
	sink *memSink
	stop context.CancelFunc
	done chan error
}

// start runs an ingester over followed paths; inside a bubble.
func start(t *testing.T, sink *memSink, paths ...string) *process {
	t.Helper()
	opt := ingest.Options{Sink: sink, PollInterval: testPoll, BatchWait: testWait, NoJitter: true}
	for _, path := range paths {
		opt.Sources = append(opt.Sources, ingest.Source{Path: path, Follow: true})
	}
	return startWith(t, opt)
}

func startWith(t *testing.T, opt ingest.Options) *process {
	t.Helper()
	in, err := ingest.New(opt)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{in: in, stop: cancel, done: make(chan error, 1)}
	p.sink, _ = opt.Sink.(*memSink)
	go func() { p.done <- in.Run(ctx) }()
	return p
}

// settle lets every followed file be polled a few times, and batches wait.
func (p *process) settle() {
	time.Sleep(4*testPoll + 2*testWait) //nolint:forbidigo // in a bubble
	synctest.Wait()
}

func (p *process) finish(t *testing.T) {
	t.Helper()
	p.stop()
	require.NoError(t, <-p.done)
}

// catchUp runs an ingester over followed paths until it has read what is there.
func catchUp(t *testing.T, sink *memSink, paths ...string) {
	t.Helper()
	p := start(t, sink, paths...)
	<-p.in.CaughtUp()
	p.settle()
	p.finish(t)
}

// bubble runs a test with fake time.
func bubble(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { test(t, dir) })
}

func TestFollow_RenameKeepsWhatTheOldFileStillGets(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 3))
		old, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		defer old.Close()
		p := start(t, newMemSink(), path)
		p.settle()

		rename(t, path, path+".1")
		addTo(t, old, text(3, 5))
		p.settle()
		assert.Equal(t, events(0, 5), p.sink.raws(), "a renamed file is still followed")
		assert.Contains(t, p.in.Status().Sources[0].Note, "renamed")

		write(t, path, "")
		addTo(t, old, text(5, 7)+event(7)) // the last one without its end
		p.settle()
		assert.Equal(t, events(0, 7), p.sink.raws(), "an empty new file does not end the old one")

		add(t, path, text(8, 10))
		p.settle()
		assert.Equal(t, events(0, 10), p.sink.raws(), "the old file's last line, then the new file")
		p.finish(t)
	})
}

func TestFollow_CopyTruncate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late bool // lines come between the last look and the copy
		next int  // lines of the new content
	}{
		"shorter": {next: 1}, "longer": {next: 40}, "late": {late: true, next: 1}, "late and longer": {late: true, next: 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, dir string) {
				path := filepath.Join(dir, "log.json")
				write(t, path, text(0, 20))
				p := start(t, newMemSink(), path)
				p.settle()
				n := 20
				if c.late {
					add(t, path, text(20, 25)+event(25))
					n = 26
				}
				copyFile(t, path, path+".1")
				require.NoError(t, os.Truncate(path, 0))
				add(t, path, text(n, n+c.next))
				p.settle()
				assert.Equal(t, events(0, n+c.next), p.sink.raws())
				add(t, path, text(n+c.next, n+c.next+2))
				p.settle()
				assert.Equal(t, events(0, n+c.next+2), p.sink.raws())
				p.finish(t)

				catchUp(t, p.sink, path)
				assert.Len(t, p.sink.raws(), n+c.next+2, "a restart reads nothing twice")
			})
		})
	}
}

func TestFollow_TruncationWithoutCopyKeepsTheCutLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 3)+`{"half`)
		p := start(t, newMemSink(), path)
		p.settle()
		require.NoError(t, os.Truncate(path, 0))
		add(t, path, text(3, 5))
		p.settle()
		p.finish(t)
		assert.Equal(t, events(0, 5), p.sink.raws())
		_, rejects := p.sink.stored()
		require.Len(t, rejects, 1, "half a line is not lost silently")
		assert.Equal(t, `{"half`, string(rejects[0].Line))
	})
}

func TestFollow_DeleteAndRecreate(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "log.json")
		p := start(t, newMemSink(), path)
		<-p.in.CaughtUp() // nothing there is nothing to wait for
		assert.Equal(t, ingest.StateWaiting, p.in.Status().Sources[0].State)
		require.NoError(t, p.in.Health())
		for n := range 5 {
			write(t, path, text(n*4, n*4+4))
			p.settle()
			require.NoError(t, os.Remove(path))
			if n%2 == 0 {
				p.settle()
			}
		}
		p.finish(t)
		assert.Equal(t, events(0, 20), p.sink.raws())
	})
}

func TestFollow_HalfALineWaitsForItsEnd(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "log.json")
		line := event(1)
		write(t, path, text(0, 1)+line[:30])
		p := start(t, newMemSink(), path)
		p.settle()
		assert.Equal(t, events(0, 1), p.sink.raws())
		st := p.in.Status().Sources[0]
		assert.Equal(t, ingest.StateFollowing, st.State)
		assert.EqualValues(t, 30, st.Lag)
		p.finish(t)

		add(t, path, line[30:])
		p = start(t, p.sink, path)
		p.settle()
		assert.Equal(t, events(0, 1), p.sink.raws())
		add(t, path, "\n")
		p.settle()
		p.finish(t)
		assert.Equal(t, events(0, 2), p.sink.raws())
	})
}

// TestFollow_WhatHappenedWhileDown rotates in every way between two runs: of the
// lines 0..24 of the file the first run read 0..19, the new content is 25..34.
func TestFollow_WhatHappenedWhileDown(t *testing.T) {
	t.Parallel()
	for name, rotate := range map[string]func(t *testing.T, path string){
		"nothing": func(t *testing.T, path string) {
			t.Helper()
			add(t, path, text(25, 35))
		},
		"renamed": func(t *testing.T, path string) {
			t.Helper()
			rename(t, path, path+".1")
			write(t, path, text(25, 35))
		},
		"renamed to any name": func(t *testing.T, path string) {
			t.Helper()
			rename(t, path, filepath.Join(filepath.Dir(path), "2026-04-14.json"))
			write(t, path, text(25, 35))
		},
		"renamed, the last line has no end": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Truncate(path, int64(len(text(0, 25))-1)))
			rename(t, path, path+".1")
			write(t, path, text(25, 35))
		},
		"renamed twice": func(t *testing.T, path string) {
			t.Helper()
			rename(t, path, path+".2")
			write(t, path+".1", text(25, 30))
			write(t, path, text(30, 35))
			// Beside it, but no rotation of it: never read.
			write(t, path+".bak", text(100, 110))
			write(t, path+"-extract.json", text(200, 210))
			rotated := time.Date(2026, 4, 14, 9, 0, 0, 0, time.UTC)
			require.NoError(t, os.Chtimes(path+".2", rotated, rotated))
		},
		"renamed and compressed": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.WriteFile(path+".1.gz", zipped(t, text(0, 25)), 0o600))
			require.NoError(t, os.Remove(path))
			write(t, path, text(25, 35))
		},
		"copied and truncated": func(t *testing.T, path string) {
			t.Helper()
			copyFile(t, path, path+".1")
			require.NoError(t, os.Truncate(path, 0))
			add(t, path, text(25, 35))
		},
		"moved to another disk": func(t *testing.T, path string) {
			t.Helper()
			copyFile(t, path, path+".tmp")
			require.NoError(t, os.Remove(path))
			rename(t, path+".tmp", path)
			add(t, path, text(25, 35))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testWhileDown(t, rotate, events(0, 35))
		})
	}
	lost := append(events(0, 20), events(25, 35)...)
	for name, rotate := range map[string]func(t *testing.T, path string){
		"truncated": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Truncate(path, 0))
			add(t, path, text(25, 35))
		},
		"deleted and made anew": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Remove(path))
			write(t, path, text(25, 35))
		},
		"lost its end": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Truncate(path, int64(len(text(0, 18)))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testWhileDown(t, rotate, lost)
		})
	}
}

func testWhileDown(t *testing.T, rotate func(*testing.T, string), want []string) {
	t.Helper()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 20))
		sink := newMemSink()
		catchUp(t, sink, path)
		require.Equal(t, events(0, 20), sink.raws())
		add(t, path, text(20, 25))
		rotate(t, path)

		p := start(t, sink, path)
		<-p.in.CaughtUp()
		p.settle()
		if len(sink.raws()) == 20 { // it lost its end
			add(t, path, text(25, 35))
			p.settle()
		}
		assert.Equal(t, want, sink.raws())
		p.finish(t)
		catchUp(t, sink, path)
		assert.Equal(t, want, sink.raws(), "a restart reads nothing twice")
	})
}

func TestFollow_RenamedWhileDownAndNotYetReplaced(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 5))
		sink := newMemSink()
		catchUp(t, sink, path)
		rename(t, path, path+".1")
		p := start(t, sink, path)
		<-p.in.CaughtUp()
		add(t, path+".1", text(5, 8)) // its writer did not notice yet
		p.settle()
		assert.Equal(t, events(0, 8), sink.raws())
		write(t, path, text(8, 10))
		p.settle()
		p.finish(t)
		assert.Equal(t, events(0, 10), sink.raws())
	})
}

func TestFollow_LosesItsEndWhileRunning(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 20))
		p := start(t, newMemSink(), path)
		p.settle()
		require.NoError(t, os.Truncate(path, int64(len(text(0, 18)))))
		p.settle()
		add(t, path, text(20, 25))
		p.settle()
		p.finish(t)
		assert.Equal(t, events(0, 25), p.sink.raws(), "lines that were read are not read again")
	})
}

func TestSources_OneFileIsReadOnceWhateverItsNames(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "log.json")
		link, hard := filepath.Join(dir, "link.json"), filepath.Join(dir, "hard.json")
		write(t, path, text(0, 5))
		require.NoError(t, os.Symlink(path, link))
		require.NoError(t, os.Link(path, hard))
		p := start(t, newMemSink(), path, link, hard, path)
		<-p.in.CaughtUp()
		add(t, path, text(5, 8))
		p.settle()
		assert.Equal(t, events(0, 8), p.sink.raws())
		waiting := 0
		for _, s := range p.in.Status().Sources {
			if s.State == ingest.StateWaiting {
				waiting++
			}
		}
		assert.Equal(t, 3, waiting)
		p.finish(t)

		catchUp(t, p.sink, hard)
		assert.Len(t, p.sink.raws(), 8, "the position is the file's, not the name's")
	})
}

func TestFollow_LinkToAnotherFile(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		link := filepath.Join(dir, "current")
		for n := range 3 {
			write(t, filepath.Join(dir, fmt.Sprintf("day%d.json", n)), text(n*5, n*5+5))
		}
		require.NoError(t, os.Symlink("day0.json", link))
		p := start(t, newMemSink(), link)
		p.settle()
		require.NoError(t, os.Remove(link))
		require.NoError(t, os.Symlink("day1.json", link))
		p.settle()
		p.finish(t)
		require.NoError(t, os.Remove(link))
		require.NoError(t, os.Symlink("day2.json", link))
		catchUp(t, p.sink, link)
		assert.Equal(t, events(0, 15), p.sink.raws())
	})
}

func TestOnce_GzipIsReadOnceAndNotBesideItsPlainFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, packed := filepath.Join(dir, "log.json"), filepath.Join(dir, "log.json.1.gz")
	write(t, plain, text(0, 20))
	sink := newMemSink()
	ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: plain}}})
	// Two members, as logrotate and cat make them, and more lines than were read.
	both := append(zipped(t, text(0, 25)), zipped(t, text(25, 30)+event(30))...)
	require.NoError(t, os.WriteFile(packed, both, 0o600))
	for range 3 {
		st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: packed, Follow: true}}})
		assert.Equal(t, ingest.StateDone, st.Sources[0].State)
		assert.Equal(t, events(0, 31), sink.raws())
	}
	positions, err := sink.Positions(t.Context())
	require.NoError(t, err)
	require.Len(t, positions, 1)
	assert.True(t, positions[0].Done)
}

func TestOnce_BrokenGzipGivesWhatCameBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "cut.gz")
	whole := zipped(t, text(0, 2000))
	require.NoError(t, os.WriteFile(path, whole[:len(whole)/2], 0o600))
	sink := newMemSink()
	in, err := ingest.New(ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
	require.NoError(t, err)
	require.NoError(t, in.Run(t.Context()))
	got := sink.raws()
	assert.Greater(t, len(got), 500)
	assert.Equal(t, events(0, len(got)), got)
	assert.Equal(t, ingest.StateFailed, in.Status().Sources[0].State)
	require.ErrorContains(t, in.Health(), "unexpected EOF")

	require.NoError(t, os.WriteFile(path, whole, 0o600))
	ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
	assert.Equal(t, events(0, 2000), sink.raws(), "mended, it goes on where it broke")
}

func TestSources_ThatCantBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good.json")
	write(t, good, text(0, 3))
	sink := newMemSink()
	in, err := ingest.New(ingest.Options{Sink: sink, Sources: []ingest.Source{
		{Path: filepath.Join(dir, "missing.json")}, {Path: dir}, {Path: good},
	}})
	require.NoError(t, err)
	require.NoError(t, in.Run(t.Context()))
	<-in.CaughtUp()
	assert.Equal(t, events(0, 3), sink.raws(), "one bad source does not stop another")
	st := in.Status()
	assert.Equal(t, ingest.StateFailed, st.Sources[0].State)
	assert.Contains(t, st.Sources[0].LastError, "no such file")
	assert.Contains(t, st.Sources[1].LastError, "not a regular file")
	assert.Equal(t, ingest.StateDone, st.Sources[2].State)
	require.ErrorContains(t, in.Health(), "missing.json")
}

func TestLines_LongOnesAreRejectedAndTheNextIsNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "log.json")
	long := `{"a":"` + strings.Repeat("A", 10<<20) + `"}`
	justTooLong := strings.Repeat("B", ingest.DefaultMaxLine+1)
	longest := `{"a":"` + strings.Repeat("C", ingest.DefaultMaxLine-8) + `"}`
	write(t, path, event(0)+"\n"+long+"\r\n"+event(1)+"\r\n"+justTooLong+"\n"+longest+"\n"+event(2)+"\n"+long)
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path, Format: "decnet"}}})
	assert.Equal(t, events(0, 3), sink.raws())
	_, rejects := sink.stored()
	require.Len(t, rejects, 4)
	for i, want := range []struct {
		line   string
		reason string
	}{{long, "line_too_long"}, {justTooLong, "line_too_long"}, {longest, "no_timestamp"}, {long, "line_too_long"}} {
		assert.Equal(t, want.reason, rejects[i].Reason)
		assert.EqualValues(t, len(want.line), rejects[i].Size)
		assert.Equal(t, want.line[:64<<10], string(rejects[i].Line))
	}
	assert.Equal(t, map[string]int64{"line_too_long": 3, "no_timestamp": 1}, st.Sources[0].RejectedBy)
}
