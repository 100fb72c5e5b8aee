package ingest_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

func TestFollow_RenameKeepsWhatTheOldFileStillGets(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 3))
		old, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		defer func() { assert.NoError(t, old.Close()) }()
		p := start(t, newMemSink(), path)
		p.settle()

		rename(t, path, path+".1")
		addTo(t, old, text(3, 5))
		p.settle()
		assert.Equal(t, events(0, 5), p.sink.raws(), "a renamed file is still followed")
		assert.Contains(t, p.in.Status().Sources[0].Note, "renamed")
		assert.Empty(t, p.in.IngestStatus().Sources[0].Problem, "nothing is wrong")

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
		"longer than what is read at once": {next: 2500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, dir string) {
				t.Helper()
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

// TestFollow_HoleAfterTruncation is what becomes of a log whose writer does not
// append: it goes on at its old offset, and all before that is NUL.
func TestFollow_HoleAfterTruncation(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		f, err := os.Create(path)
		require.NoError(t, err)
		defer func() { assert.NoError(t, f.Close()) }()
		p := start(t, newMemSink(), path)
		for n := range 4 {
			addTo(t, f, text(n*20, n*20+20))
			p.settle()
			copyFile(t, path, fmt.Sprint(path, ".", n))
			require.NoError(t, os.Truncate(path, 0))
		}
		addTo(t, f, text(80, 81))
		p.settle()
		p.finish(t)
		assert.Equal(t, events(0, 81), p.sink.raws())
		_, rejects := p.sink.stored()
		assert.Empty(t, rejects)
	})
}

func TestFollow_TruncationWithoutCopyKeepsTheCutLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		write(t, path, text(0, 3)+`{"half`)
		var logged bytes.Buffer
		p := startWith(t, ingest.Options{
			Sink: newMemSink(), Sources: []ingest.Source{{Path: path, Follow: true}}, PollInterval: testPoll, BatchWait: testWait,
			Log: slog.New(slog.NewTextHandler(&logged, nil)),
		})
		p.settle()
		require.NoError(t, os.Truncate(path, 0))
		add(t, path, text(3, 5))
		p.settle()
		p.finish(t)
		assert.Equal(t, events(0, 5), p.sink.raws())
		_, rejects := p.sink.stored()
		require.Len(t, rejects, 1, "half a line is not lost silently")
		assert.Equal(t, `{"half`, string(rejects[0].Line))
		assert.Contains(t, logged.String(), "what was written just before may be lost")
	})
}

func TestFollow_DeleteAndRecreate(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		p := start(t, newMemSink(), path)
		<-p.in.CaughtUp() // nothing there is nothing to wait for
		assert.Equal(t, ingest.StateWaiting, p.in.Status().Sources[0].State)
		assert.Contains(t, p.in.IngestStatus().Sources[0].Problem, "does not exist")
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
		t.Helper()
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
		t.Helper()
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
	for name, replaced := range map[string]bool{"nothing": false, "an empty file": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, dir string) {
				t.Helper()
				path := filepath.Join(dir, "log.json")
				write(t, path, text(0, 5))
				sink := newMemSink()
				catchUp(t, sink, path)
				rename(t, path, path+".1")
				if replaced {
					write(t, path, "")
				}
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
		})
	}
}

func TestFollow_LosesItsEndWhileRunning(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
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
