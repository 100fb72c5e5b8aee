package ingest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

func TestSources_OneFileIsReadOnceWhateverItsNames(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
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
		t.Helper()
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
	z, err := gzip.NewReader(bytes.NewReader(whole[:len(whole)/2]))
	require.NoError(t, err)
	readable, _ := io.ReadAll(z)
	lines := bytes.Count(readable, []byte("\n"))
	require.Greater(t, lines, 500)
	assert.Equal(t, events(0, lines), sink.raws())
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
	device := filepath.Join(dir, "device.json")
	require.NoError(t, os.Symlink(os.DevNull, device))
	sink := newMemSink()
	in, err := ingest.New(ingest.Options{Sink: sink, Sources: []ingest.Source{
		{Path: filepath.Join(dir, "missing.json")}, {Path: device}, {Path: good},
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

func TestFollow_RecoversFromAFault(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		require.NoError(t, os.Symlink(os.DevNull, path))
		var logged bytes.Buffer
		p := startWith(t, ingest.Options{
			Sink: newMemSink(), Sources: []ingest.Source{{Path: path, Follow: true}}, PollInterval: testPoll, BatchWait: testWait,
			Log: slog.New(slog.NewTextHandler(&logged, nil)),
		})
		<-p.in.CaughtUp() // others need not wait for it
		p.settle()
		assert.Equal(t, 1, strings.Count(logged.String(), "a source can't be read"), "once, not with each look")
		require.ErrorContains(t, p.in.Health(), "not a regular file")
		require.NoError(t, os.Remove(path))
		write(t, path, text(0, 3))
		p.settle()
		require.NoError(t, p.in.Health())
		assert.Empty(t, p.in.Status().Sources[0].LastError)
		assert.Equal(t, events(0, 3), p.sink.raws())
		p.finish(t)
	})
}

// TestSources_RelativePaths: a position is found again from another working directory.
func TestSources_RelativePaths(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.json")
	here, err := os.Getwd()
	require.NoError(t, err)
	relative, err := filepath.Rel(here, path)
	require.NoError(t, err)
	for _, name := range []string{relative, filepath.Dir(relative)} {
		write(t, path, text(0, 3))
		sink := newMemSink()
		ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: name}}})
		assert.Equal(t, events(0, 3), sink.raws())
		positions, err := sink.Positions(t.Context())
		require.NoError(t, err)
		require.Len(t, positions, 1)
		assert.Equal(t, path, positions[0].Path, name)
	}
}

// TestOnce_FilesAreReadInTheirOrder matters where a session spans two files.
func TestOnce_FilesAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var sources []ingest.Source
	for n := range 10 {
		path := filepath.Join(dir, fmt.Sprintf("%d.gz", n))
		require.NoError(t, os.WriteFile(path, zipped(t, text(n*300, n*300+300)), 0o600))
		sources = append(sources, ingest.Source{Path: path, Follow: true})
	}
	sink := newMemSink()
	ingestAll(t, ingest.Options{Sink: sink, Sources: sources})
	assert.Equal(t, events(0, 3000), sink.raws())
}

// TestOnce_SameBeginningOtherContent has two logs that share their first
// kilobyte and more, but not what was read last: they are two files.
func TestOnce_SameBeginningOtherContent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.json"), filepath.Join(dir, "second.json")
	write(t, first, text(0, 20))
	write(t, second, text(0, 15)+text(100, 130))
	sink := newMemSink()
	for _, path := range []string{first, second} {
		ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
	}
	want := append(events(0, 20), events(0, 15)...)
	assert.Equal(t, append(want, events(100, 130)...), sink.raws())
}

// TestFollow_WhatALinkMeansIsRotatedWhereItLies, also while nobody looks.
func TestFollow_WhatALinkMeansIsRotatedWhereItLies(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
		file, link := filepath.Join(dir, "data", "log.json"), filepath.Join(dir, "log.json")
		require.NoError(t, os.Symlink(file, link))
		write(t, file, text(0, 5))
		sink := newMemSink()
		catchUp(t, sink, link)
		add(t, file, text(5, 8))
		rename(t, file, file+".1")
		write(t, file, text(8, 10))
		catchUp(t, sink, link)
		assert.Equal(t, events(0, 10), sink.raws())
	})
}

// TestFollow_ABrokenRotatedFileIsToldAndPassed: what can't be read was lost while
// nobody looked, and the log is where somebody will.
func TestFollow_ABrokenRotatedFileIsToldAndPassed(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "log.json")
		sink := newMemSink()
		write(t, path, text(0, 10))
		ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
		rename(t, path, path+".2")
		long := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(path+".2", long, long))
		packed := zipped(t, text(10, 5000))
		write(t, path+".1.gz", string(packed[:len(packed)/2]))
		write(t, path, text(5000, 5003))
		var logged bytes.Buffer
		p := startWith(t, ingest.Options{
			Sink: sink, Sources: []ingest.Source{{Path: path, Follow: true}}, PollInterval: testPoll, BatchWait: testWait,
			Log: slog.New(slog.NewTextHandler(&logged, nil)),
		})
		<-p.in.CaughtUp()
		p.settle()
		p.finish(t)
		assert.Contains(t, logged.String(), "a rotated file can't be read")
		assert.Contains(t, logged.String(), "log.json.1.gz")
		raws := sink.raws()
		assert.Equal(t, events(5000, 5003), raws[len(raws)-3:])
	})
}

// TestFollow_AFileMayPassToAnotherSource: it belongs to one source at a time, and
// who no longer reads it gives it free.
func TestFollow_AFileMayPassToAnotherSource(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		first, second := filepath.Join(dir, "first.json"), filepath.Join(dir, "second.json")
		write(t, first, text(0, 3))
		p := start(t, newMemSink(), first, second)
		p.settle()
		rename(t, first, second)
		write(t, first, text(3, 5))
		p.settle()
		add(t, second, text(5, 7))
		p.settle()
		p.finish(t)
		assert.Equal(t, events(0, 7), p.sink.raws())
		assert.Equal(t, ingest.StateFollowing, p.in.Status().Sources[1].State)
	})
}

// TestOnce_WrittenAnewAtTheSameLength has a log that was replaced in place by one
// that begins alike and is as long: only what was read last tells them apart.
func TestOnce_WrittenAnewAtTheSameLength(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.json")
	source := []ingest.Source{{Path: path}}
	sink := newMemSink()
	write(t, path, text(100, 120)+event(197)+"\n")
	ingestAll(t, ingest.Options{Sink: sink, Sources: source})
	write(t, path, text(100, 120)+event(294)+"\n")
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: source})
	assert.EqualValues(t, 21, st.Accepted)
	assert.Equal(t, event(294), sink.raws()[len(sink.raws())-1])
}
