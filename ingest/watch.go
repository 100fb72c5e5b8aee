package ingest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// restAfter is how long a file of a directory may be silent until it is closed;
// it is looked at on, and opened again when it has changed.
const restAfter = 10 * time.Minute

// maxOpenFiles bounds the files of one directory or pattern that are followed at
// the same time. Those changed last come first; the others are read one by one.
const maxOpenFiles = 64

// isPattern reports whether a path means several files.
func isPattern(path string) bool {
	info, err := os.Stat(path)
	if err == nil {
		return info.IsDir()
	}
	return strings.HasSuffix(path, string(filepath.Separator)) || strings.ContainsAny(path, "*?[")
}

// watcher reads the files of a directory or a pattern.
type watcher struct {
	in   *Ingester
	src  Source
	id   int
	path string
	// files are those that were seen, by path.
	files map[string]*watched
	// ended gets the paths of readers that ended.
	ended chan string
}

type watched struct {
	number  int
	running bool
	// size and changed are what the file was when its reader ended last.
	size    int64
	changed time.Time
	read    bool
}

func (in *Ingester) newWatcher(src Source, id int) *watcher {
	path, err := filepath.Abs(src.Path)
	if err != nil {
		path = src.Path
	}
	return &watcher{in: in, src: src, id: id, path: path, files: map[string]*watched{}, ended: make(chan string, maxOpenFiles)}
}

// found is a file of the directory or pattern.
type found struct {
	path string
	info os.FileInfo
}

// list returns the files, the one that was changed first before the others.
func (w *watcher) list() ([]found, error) {
	pattern := w.path
	if info, err := os.Stat(pattern); err == nil && info.IsDir() {
		entries, err := os.ReadDir(pattern)
		if err != nil {
			return nil, err
		}
		var list []found
		for _, e := range entries {
			list = appendRegular(list, filepath.Join(pattern, e.Name()))
		}
		return sorted(list), nil
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	var list []found
	for _, path := range paths {
		list = appendRegular(list, path)
	}
	return sorted(list), nil
}

func appendRegular(list []found, path string) []found {
	if strings.HasPrefix(filepath.Base(path), ".") {
		return list
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return list
	}
	return append(list, found{path, info})
}

func sorted(list []found) []found {
	slices.SortFunc(list, func(a, b found) int {
		return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()), cmp.Compare(a.path, b.path))
	})
	return list
}

// run reads all files that there are and, if the source follows, those that come.
func (w *watcher) run(ctx context.Context) {
	var readers errgroup.Group
	first := true
	for ctx.Err() == nil {
		list, err := w.list()
		switch {
		case err != nil:
			w.in.status.source(w.id, func(s *SourceStatus) { s.State, s.LastError = StateFailed, err.Error() })
		case !w.src.Follow:
			w.readInOrder(ctx, list)
		default:
			w.follow(ctx, &readers, list, first)
		}
		if err == nil {
			w.note(list)
		}
		if first {
			first = false
			// The files that were there are read, or those who read them tell their end.
			select {
			case w.in.chunks <- chunk{source: w.id, final: true}:
			case <-ctx.Done():
			}
		}
		if !w.src.Follow {
			break
		}
		w.wait(ctx)
	}
	for running := w.running(); running > 0; running-- {
		w.end(<-w.ended)
	}
	_ = readers.Wait() // they return nil
}

func (w *watcher) note(list []found) {
	w.in.status.source(w.id, func(s *SourceStatus) {
		s.LastError = ""
		s.State, s.Note = StateDone, fmt.Sprintf("%d files.", len(list))
		if w.src.Follow {
			s.State = StateFollowing
		}
		if len(list) == 0 {
			s.State, s.Note = StateWaiting, "No file is there yet."
		}
	})
}

func (w *watcher) wait(ctx context.Context) {
	t := time.NewTimer(w.in.opt.PollInterval)
	defer t.Stop()
	for {
		select {
		case path := <-w.ended:
			w.end(path)
		case <-t.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) running() int {
	n := 0
	for _, f := range w.files {
		if f.running {
			n++
		}
	}
	return n
}

// end notes what a file was when its reader ended.
func (w *watcher) end(path string) { w.files[path].running = false }

func (w *watcher) readInOrder(ctx context.Context, list []found) {
	for _, f := range list {
		if ctx.Err() != nil {
			return
		}
		w.readOnce(ctx, f)
	}
}

// readOnce reads what is in a file now.
func (w *watcher) readOnce(ctx context.Context, f found) {
	known := w.see(f)
	r := w.newReader(f, known)
	if w.src.Follow && !isGzip(f.path) {
		r.peek(ctx)
	} else {
		r.once(ctx)
	}
}

// see notes the file as it is before it is read: what comes later shows as a change.
func (w *watcher) see(f found) *watched {
	known := w.files[f.path]
	if known == nil {
		known = &watched{number: w.in.status.stream(KindFile, f.path)}
		w.in.status.source(known.number, func(s *SourceStatus) {
			s.Follow, s.State, s.Format = w.src.Follow && !isGzip(f.path), StateWaiting, w.src.Format
		})
		w.files[f.path] = known
	}
	known.size, known.changed, known.read = f.info.Size(), f.info.ModTime(), true
	return known
}

func (w *watcher) newReader(f found, known *watched) *reader {
	r := w.in.newReader(Source{Path: f.path, Format: w.src.Format, Follow: w.src.Follow}, known.number)
	r.atEnd = true // the watcher tells of the first end
	r.rests = true
	return r
}

// follow sees to all files that changed since they were read.
func (w *watcher) follow(ctx context.Context, g *errgroup.Group, list []found, first bool) {
	for path, f := range w.files {
		if !f.running && !slices.ContainsFunc(list, func(f found) bool { return f.path == path }) {
			delete(w.files, path)
		}
	}
	for i, f := range list {
		if ctx.Err() != nil {
			return
		}
		known := w.files[f.path]
		if known != nil && (known.running || known.read && known.size == f.info.Size() && known.changed.Equal(f.info.ModTime())) {
			continue
		}
		live := w.in.opt.Now().Sub(f.info.ModTime()) < restAfter && len(list)-i <= maxOpenFiles
		if first || !live || isGzip(f.path) || w.running() >= maxOpenFiles {
			// At the start all is read in the order in which it was written; what is
			// followed then goes on from there.
			w.readOnce(ctx, f)
		}
		if live && !isGzip(f.path) && w.running() < maxOpenFiles {
			known := w.see(f)
			known.running = true
			r := w.newReader(f, known)
			g.Go(func() error {
				r.follow(ctx)
				w.ended <- f.path
				return nil
			})
		}
	}
}
