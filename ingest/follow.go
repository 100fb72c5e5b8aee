package ingest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"decnet/repo"
)

// follow reads a file that grows, under a name that may come to mean another
// file at any time, until ctx is done.
func (r *reader) follow(ctx context.Context) {
	r.catchUp(ctx)
	for ctx.Err() == nil && !r.resting {
		if !r.open() {
			if r.rests {
				return
			}
			r.end(ctx)
			r.wait(ctx)
			continue
		}
		r.followFile(ctx)
		r.leave()
	}
}

// open makes the file that the name means now the current one.
func (r *reader) open() bool {
	f, err := openFile(r.path)
	switch {
	case notThere(err):
		r.setState(StateWaiting, "The file does not exist yet.")
		return false
	case err != nil:
		r.fail(err)
		return false
	}
	return r.enter(f)
}

func (r *reader) enter(f *file) bool {
	if !r.in.files.claim(f.id, r.index) {
		f.close()
		r.setState(StateWaiting, "The same file is read under another name.")
		return false
	}
	if err := r.attach(f); err != nil {
		r.in.files.release(f.id, r.index)
		f.close()
		r.fail(err)
		return false
	}
	return true
}

func (r *reader) leave() {
	r.in.files.release(r.file.id, r.index)
	r.file.close()
}

// followFile reads the current file until another one, with something in it,
// has its name; then it reads the old one's end and returns.
func (r *reader) followFile(ctx context.Context) {
	r.setState(StateReading, "")
	for ctx.Err() == nil {
		r.noteSize()
		// Looked at before reading: what was written before the file was replaced
		// is then read in any case.
		rotated, note, err := r.isRotated()
		readErr := r.readOn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(readErr, errReplaced):
			r.restart(ctx)
			continue
		case readErr != nil:
			r.fail(readErr)
		case rotated:
			if err := r.finish(ctx, true); err != nil && ctx.Err() == nil {
				r.fail(err)
			}
			return
		case err != nil:
			r.fail(err)
		default:
			r.setState(StateFollowing, note)
			if r.isSilent() {
				r.resting = true
				return
			}
		}
		r.end(ctx)
		r.wait(ctx)
	}
}

// isRotated reports whether the name means another file that has something in
// it. An empty one does not count: its writer may still use the old file.
func (r *reader) isRotated() (rotated bool, note string, err error) {
	info, err := os.Stat(r.path)
	switch {
	case notThere(err):
		return false, "The file was renamed or deleted; waiting for a new one.", nil
	case err != nil:
		return false, "", err
	}
	return !os.SameFile(info, r.file.info) && info.Size() > 0, "", nil
}

// restart goes on in a file that was truncated and written anew: with the rest
// of its copy, if there is one beside it, then from its beginning. What was read
// before is on its way already.
func (r *reader) restart(ctx context.Context) {
	if offset, ok := r.file.resume(&r.pos); ok {
		r.in.opt.Log.Warn("a followed file lost its end; going on from there", slog.String("path", r.path), slog.Int64("offset", offset))
		if r.attach(r.file) == nil {
			return
		}
	}
	truncated := r.file
	if rotated := r.findCopy(r.pos); rotated != nil {
		r.drain(ctx, rotated)
	} else {
		r.loseEnd(ctx)
	}
	r.file = truncated
	if ctx.Err() == nil {
		r.begin(truncated)
	}
}

// loseEnd keeps what is left of a line whose end was truncated away.
func (r *reader) loseEnd(ctx context.Context) {
	if line, ok := r.lines.rest(); ok {
		r.take(line)
	}
	// An error says that ctx is done: the line is read again, or lost to all.
	_ = r.flush(ctx)
	if r.pos.Offset > 0 {
		r.in.opt.Log.Warn("a followed file was truncated and has no copy beside it; "+
			"what was written just before may be lost",
			slog.String("path", r.path), slog.Int64("offset", r.pos.Offset))
	}
}

// drain reads a file that was rotated away to its end.
func (r *reader) drain(ctx context.Context, f *file) {
	defer f.close()
	if !r.in.files.claim(f.id, r.index) {
		return
	}
	defer r.in.files.release(f.id, r.index)
	err := r.attach(f)
	if err == nil {
		err = r.finish(ctx, true)
	}
	if err != nil && ctx.Err() == nil {
		r.in.opt.Log.Error("a rotated file can't be read", slog.String("path", f.path), slog.Any("error", err))
	}
}

// catchUp reads what was rotated away while nobody was looking: the file that
// had this name last, and those that came and went since.
func (r *reader) catchUp(ctx context.Context) {
	last, ok := r.lastFile()
	if !ok {
		return
	}
	if f, err := openFile(r.path); err == nil {
		_, same := f.resume(&last)
		f.close()
		if same {
			return
		}
	}
	f := r.findCopy(last)
	if f == nil {
		if !last.Done {
			r.in.opt.Log.Warn("the file that was followed last is gone; lines at its end may be lost",
				slog.String("path", r.path))
		}
		return
	}
	between := r.rotatedSince(f)
	if len(between) == 0 && r.nameIsFree() {
		// Renamed, and nothing has its name yet: its writer may still use it.
		if r.enter(f) {
			r.followFile(ctx)
			r.leave()
		}
		return
	}
	r.drain(ctx, f)
	for _, f := range between {
		r.drain(ctx, f)
	}
}

func (r *reader) nameIsFree() bool {
	info, err := os.Stat(r.path)
	return notThere(err) || err == nil && info.Size() == 0
}

// lastFile is the position of the file that was read under this name last.
func (r *reader) lastFile() (repo.Position, bool) {
	for _, p := range r.in.files.all() {
		if p.Path == r.path {
			return p, true
		}
	}
	return repo.Position{}, false
}

// siblings are the files beside the source, and beside what it links to.
func (r *reader) siblings() []string {
	dirs := []string{filepath.Dir(r.path)}
	if target, err := filepath.EvalSymlinks(r.path); err == nil && filepath.Dir(target) != dirs[0] {
		dirs = append(dirs, filepath.Dir(target))
	}
	var paths []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if path := filepath.Join(dir, e.Name()); path != r.path && e.Type().IsRegular() {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// findCopy opens the file beside the source that holds what was read up to a
// position: the same file under a new name, or a copy of it whose name begins
// with the source's.
func (r *reader) findCopy(p repo.Position) *file {
	if p.HeadLen == 0 {
		return nil
	}
	base := filepath.Base(r.path)
	var copies []string
	for _, path := range r.siblings() {
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case p.Inode != 0 && identify(info) == fileID{p.Device, p.Inode}:
			if f := openCopy(path, &p); f != nil {
				return f
			}
		case strings.HasPrefix(filepath.Base(path), base):
			copies = append(copies, path)
		}
	}
	for _, path := range copies {
		if f := openCopy(path, &p); f != nil {
			return f
		}
	}
	return nil
}

func openCopy(path string, p *repo.Position) *file {
	f, err := openFile(path)
	if err != nil {
		return nil
	}
	if _, ok := f.resume(p); !ok {
		f.close()
		return nil
	}
	return f
}

// rotatedSince opens the files that took the source's name after first and lost
// it again, oldest first. Only names that a rotation gives count (a number or a
// date behind the source's own): an analyst's extract beside the log is not it.
func (r *reader) rotatedSince(first *file) []*file {
	info, err := first.f.Stat()
	if err != nil || !isRotationOf(first.path, r.path) {
		return nil
	}
	type rotated struct {
		f     *file
		wrote time.Time
	}
	var found []rotated
	for _, path := range r.siblings() {
		st, err := os.Stat(path)
		if err != nil || path == first.path || !isRotationOf(path, r.path) || !st.ModTime().After(info.ModTime()) {
			continue
		}
		f, err := openFile(path)
		if err != nil {
			continue
		}
		if _, _, known := r.in.files.find(f); known {
			f.close()
			continue
		}
		found = append(found, rotated{f, st.ModTime()})
	}
	slices.SortFunc(found, func(a, b rotated) int { return a.wrote.Compare(b.wrote) })
	files := make([]*file, len(found))
	for i := range found {
		files[i] = found[i].f
	}
	return files
}

// isRotationOf reports whether a name is base, a dot or dash, and a number or a
// date, with .gz or without.
func isRotationOf(path, source string) bool {
	suffix, ok := strings.CutPrefix(filepath.Base(path), filepath.Base(source))
	suffix = strings.TrimSuffix(suffix, ".gz")
	if !ok || len(suffix) < 2 || suffix[0] != '.' && suffix[0] != '-' {
		return false
	}
	return suffix[1] >= '0' && suffix[1] <= '9' && strings.Trim(suffix[1:], "0123456789-_.:TZ") == ""
}
