package ingest_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

func TestDirectory_NewFilesAppearAndRotationDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{"a directory": "", "a pattern": "*.json*"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, dir string) {
				t.Helper()
				write(t, filepath.Join(dir, "a.json"), text(0, 10))
				write(t, filepath.Join(dir, ".hidden.json"), text(900, 910))
				require.NoError(t, os.Mkdir(filepath.Join(dir, "sub.json"), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "old.json.gz"), zipped(t, text(10, 20)), 0o600))
				sink := newMemSink()
				p := start(t, sink, filepath.Join(dir, pattern))
				<-p.in.CaughtUp()
				assert.Len(t, sink.events, 20, "caught up means that all files are read")
				p.settle()

				write(t, filepath.Join(dir, "b.json"), text(20, 30))
				add(t, filepath.Join(dir, "a.json"), text(30, 40))
				p.settle()
				assert.Len(t, sink.events, 40)

				for n := range 5 {
					rename(t, filepath.Join(dir, "a.json"), filepath.Join(dir, fmt.Sprintf("a.json.%d", n)))
					add(t, filepath.Join(dir, fmt.Sprintf("a.json.%d", n)), text(40+n*10, 45+n*10))
					write(t, filepath.Join(dir, "a.json"), text(45+n*10, 50+n*10))
					p.settle()
				}
				p.finish(t)
				assertEach(t, sink, 90)

				p = start(t, sink, filepath.Join(dir, pattern))
				<-p.in.CaughtUp()
				p.settle()
				p.finish(t)
				assertEach(t, sink, 90)
			})
		})
	}
}

// assertEach asserts that events 0 to before n are stored, once each.
func assertEach(t *testing.T, sink *memSink, n int) {
	t.Helper()
	raws := sink.raws()
	slices.Sort(raws)
	want := events(0, n)
	slices.Sort(want)
	assert.Equal(t, want, raws)
}

func TestDirectory_SilentFilesAreClosedAndLookedAtOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		long := time.Now().Add(-24 * time.Hour)
		const files = 200
		for n := range files {
			path := filepath.Join(dir, fmt.Sprintf("%03d.json", n))
			write(t, path, text(n, n+1))
			require.NoError(t, os.Chtimes(path, long, long))
		}
		sink := newMemSink()
		p := start(t, sink, dir)
		<-p.in.CaughtUp()
		p.settle()
		assertEach(t, sink, files)
		assert.Less(t, openUnder(t, dir), 5)

		path := filepath.Join(dir, "007.json")
		add(t, path, text(files, files+1))
		p.settle()
		assertEach(t, sink, files+1)
		assert.Positive(t, openUnder(t, dir), "it is followed again")
		require.NoError(t, os.Chtimes(path, time.Now(), time.Now()))
		time.Sleep(time.Hour) //nolint:forbidigo // in a bubble
		synctest.Wait()
		assert.Zero(t, openUnder(t, dir))
		p.finish(t)
		assertEach(t, sink, files+1)
	})
}

// TestDirectory_AFileThatWentAndCameIsAnother, even one of the same length and age.
func TestDirectory_AFileThatWentAndCameIsAnother(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		long := time.Now().Add(-24 * time.Hour)
		put := func(name, content string) {
			path := filepath.Join(dir, name)
			write(t, path, content)
			require.NoError(t, os.Chtimes(path, long, long))
		}
		put("stays.json", text(0, 1))
		put("log.json", text(197, 198))
		p := start(t, newMemSink(), dir)
		p.settle()
		require.NoError(t, os.Remove(filepath.Join(dir, "log.json")))
		p.settle()
		put("log.json", text(294, 295))
		p.settle()
		p.finish(t)
		assert.ElementsMatch(t, []string{event(0), event(197), event(294)}, p.sink.raws())
	})
}

// TestDirectory_OpensSoManyFilesAndReadsTheOthers, those written last first, and
// never more at the same time.
func TestDirectory_OpensSoManyFilesAndReadsTheOthers(t *testing.T) {
	t.Parallel()
	const most, files = 64, 66
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		for n := range files {
			path := filepath.Join(dir, fmt.Sprintf("%03d.json", n))
			write(t, path, text(n, n+1))
			at := time.Now().Add(time.Duration(n) * time.Millisecond)
			require.NoError(t, os.Chtimes(path, at, at))
		}
		p := start(t, newMemSink(), dir)
		<-p.in.CaughtUp()
		p.settle()
		assertEach(t, p.sink, files)
		assert.Equal(t, most, openUnder(t, dir))

		add(t, filepath.Join(dir, "000.json"), text(files, files+1))
		write(t, filepath.Join(dir, "new.json"), text(files+1, files+2))
		p.settle()
		assertEach(t, p.sink, files+2)
		assert.Equal(t, most, openUnder(t, dir), "there is no room for those that came")
		p.finish(t)
	})
}

// openUnder counts the files of a directory that this process has open.
func openUnder(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	n := 0
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, dir) {
			n++
		}
	}
	return n
}

func TestDirectory_ReadOnceInTheOrderOfTheirLastChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for n, name := range []string{"c", "a", "b"} {
		path := filepath.Join(dir, name)
		write(t, path, text(n, n+1))
		at := time.Date(2026, 1, n+1, 0, 0, 0, 0, time.UTC)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: dir}}})
	assert.Equal(t, events(0, 3), sink.raws())
	assert.True(t, st.CaughtUp)
	assert.Equal(t, ingest.StateDone, st.Sources[0].State)
	assert.Len(t, st.Sources, 4, "each file is a source of its own")
	empty := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: filepath.Join(dir, "x*")}}})
	assert.Equal(t, ingest.StateWaiting, empty.Sources[0].State)
}

func TestStdin_IsReadToItsEnd(t *testing.T) {
	t.Parallel()
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{
		Sink: sink, Stdin: strings.NewReader(text(0, 4000) + "hello\n" + event(4000)), Sources: []ingest.Source{{Path: "-"}}, BatchSize: 10,
	})
	assert.Equal(t, events(0, 4001), sink.raws())
	assert.LessOrEqual(t, slices.Max(sink.sizes), 10)
	assert.Equal(t, ingest.Counts{Lines: 4002, Accepted: 4001, Rejected: 1}, st.Counts)
	assert.Equal(t, ingest.StateDone, st.Sources[0].State)
	assert.Equal(t, ingest.KindStdin, st.Sources[0].Kind)
	assert.Equal(t, "decnet", st.Sources[0].Format)
	require.Len(t, sink.rejects, 1)
	assert.EqualValues(t, len(text(0, 4000)), sink.rejects[0].Offset)
}

func TestStdin_ASilentOneKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		from, to := io.Pipe()
		sink := newMemSink()
		p := startWith(t, ingest.Options{Sink: sink, Stdin: from, Sources: []ingest.Source{{Path: "-"}}, BatchWait: testWait})
		addTo(t, to, text(0, 3))
		p.settle()
		assert.Len(t, sink.events, 3, "not only at the end")
		p.finish(t)
		require.NoError(t, to.Close())
	})
}
