package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"decnet/repo"
)

const (
	// readSize is how many bytes are read at once.
	readSize = 256 << 10
	// chunkLines and chunkBytes bound what goes to the committer at once, and
	// chunkQueue how much of it may wait: a second core parses ahead while the
	// first one commits: as much as the next batch needs, and not without bound.
	chunkLines = 256
	chunkBytes = 512 << 10
	chunkQueue = 24
)

// reader reads one source.
type reader struct {
	in    *Ingester
	index int
	src   Source
	// path is src.Path made absolute, so that a position is found again from
	// another working directory.
	path    string
	formats []Format
	// atEnd says that the committer was told of the first end.
	atEnd bool
	// rests says that the source is one of many and ends when nothing came for
	// restAfter, or when its name is free.
	rests, resting bool

	// What follows belongs to the file being read.
	file   *file
	lines  *lineReader
	format Format
	pos    repo.Position
	chunk  chunk
	buf    []byte
	// reference is a time by which the lines being read were written: see
	// [Format.ParseAt].
	reference time.Time
}

// newReader makes a reader of a source with a number on the board.
func (in *Ingester) newReader(src Source, index int) *reader {
	path, err := filepath.Abs(src.Path)
	if err != nil {
		path = src.Path
	}
	return &reader{in: in, index: index, src: src, path: path, formats: in.formats}
}

func (r *reader) run(ctx context.Context) {
	if r.follows() {
		r.follow(ctx)
	} else {
		r.once(ctx)
	}
	r.end(ctx)
}

// follows reports whether the source goes on at the end of its file.
func (r *reader) follows() bool { return r.src.Follow && !isGzip(r.path) }

// end tells the committer, once, that the source was read to its end.
func (r *reader) end(ctx context.Context) {
	if r.atEnd {
		return
	}
	r.atEnd = true
	select {
	case r.in.chunks <- chunk{source: r.index, final: true}:
	case <-ctx.Done():
	}
}

// setState notes a state in which nothing is wrong; where something is, fail
// notes it.
func (r *reader) setState(state State, note string) {
	r.in.status.source(r.index, func(s *SourceStatus) {
		s.State, s.Note, s.LastError = state, note, ""
	})
}

func (r *reader) fail(err error) {
	r.in.status.source(r.index, func(s *SourceStatus) {
		if s.State != StateFailed {
			r.in.opt.Log.Error("a source can't be read", slog.String("path", r.src.Path), slog.Any("error", err))
		}
		s.State, s.Note, s.LastError = StateFailed, "", err.Error()
	})
}

// once reads a file to its end.
func (r *reader) once(ctx context.Context) {
	f, err := openFile(r.path)
	if err != nil {
		r.fail(err)
		return
	}
	defer f.close()
	if !r.in.files.claim(f.id, r.index) {
		r.setState(StateDone, "The same file is read under another name.")
		return
	}
	defer r.in.files.release(f.id, r.index)
	r.setState(StateReading, "")
	if err := r.attach(f); err != nil {
		r.fail(err)
		return
	}
	r.noteSize()
	if err := r.finish(ctx, f.gz != nil); err != nil {
		if ctx.Err() == nil {
			r.fail(err)
		}
		return
	}
	r.setState(StateDone, "")
}

// peek reads the whole lines that a file has now, and leaves it.
func (r *reader) peek(ctx context.Context) {
	if !r.open() {
		return
	}
	defer r.leave()
	r.noteSize()
	switch err := r.readOn(ctx); {
	case ctx.Err() != nil:
	case errors.Is(err, errReplaced):
		r.restart(ctx)
	case err != nil:
		r.fail(err)
	default:
		r.setState(StateFollowing, "Nothing is written to the file at the moment.")
	}
}

// isSilent reports whether nothing was written to the current file for so long
// that one of many is not kept open.
func (r *reader) isSilent() bool {
	if !r.rests {
		return false
	}
	info, err := r.file.f.Stat()
	return err == nil && r.in.opt.Now().Sub(info.ModTime()) >= restAfter
}

// finish reads the current file to its end, last line included; done says that
// it will not grow.
func (r *reader) finish(ctx context.Context, done bool) error {
	if r.file.gz != nil && r.pos.Done {
		return nil
	}
	if err := r.readOn(ctx); err != nil {
		return err
	}
	if line, ok := r.lines.rest(); ok {
		r.take(line)
	}
	if offset, _ := r.lines.mark(); done && offset > 0 && !r.pos.Done {
		r.pos.Done = true
		return r.send(ctx)
	}
	return r.flush(ctx)
}

// attach makes f the current file and finds out where to go on in it.
func (r *reader) attach(f *file) error {
	pos, offset, known := r.in.files.find(f)
	if !known {
		r.begin(f)
		return nil
	}
	r.file, r.pos, r.format = f, pos, Format{}
	r.setPlace(f)
	var head, history []byte
	if f.gz == nil || !pos.Done {
		var ok bool
		if head, ok = f.readExactly(0, min(offset, edge)); !ok {
			return fmt.Errorf("%s: %w", f.path, errReplaced)
		}
		n := min(offset, edge)
		if history, ok = f.readExactly(offset-n, n); !ok {
			return fmt.Errorf("%s: %w", f.path, errReplaced)
		}
	}
	r.lines = newLineReader(r.in.opt.MaxLine, offset, head, history)
	r.chooseFormat(pos.Format)
	r.in.status.source(r.index, func(s *SourceStatus) { s.Offset = offset })
	return nil
}

// begin makes f the current file and reads it from its first byte.
func (r *reader) begin(f *file) {
	r.file, r.format = f, Format{}
	r.pos = repo.Position{Source: r.in.files.newKey()}
	r.setPlace(f)
	r.lines = newLineReader(r.in.opt.MaxLine, 0, nil, nil)
	r.chooseFormat("")
	r.in.status.source(r.index, func(s *SourceStatus) { s.Offset = 0 })
}

func (r *reader) setPlace(f *file) {
	// The path is the source's also while a rotated file is read: that is how the
	// next start finds out what was left unread.
	r.pos.Path, r.pos.Device, r.pos.Inode = r.path, f.id.dev, f.id.inode
	r.chunk = chunk{source: r.index}
}

func (r *reader) chooseFormat(stored string) {
	name := r.src.Format
	if name == "" {
		name = stored
	}
	r.format, _ = formatNamed(r.formats, name)
	r.noteFormat()
}

func (r *reader) noteFormat() {
	name := r.format.Name
	r.pos.Format = name
	r.in.status.source(r.index, func(s *SourceStatus) { s.Format = name })
}

// readOn reads and takes whole lines up to the present end of the file. It
// returns errReplaced when the file is not the one that was read.
func (r *reader) readOn(ctx context.Context) error {
	if r.buf == nil {
		r.buf = make([]byte, edge+readSize)
	}
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.noteReference()
		data, err := r.read()
		if err != nil && !errors.Is(err, io.EOF) {
			// What came before a broken place in a .gz is as good as any.
			return errors.Join(r.takeLines(ctx, data), r.flush(ctx), err)
		}
		if takeErr := r.takeLines(ctx, data); takeErr != nil {
			return takeErr
		}
		if err != nil {
			return r.flush(ctx)
		}
	}
}

func (r *reader) takeLines(ctx context.Context, data []byte) error {
	r.lines.feed(data)
	for {
		line, ok := r.lines.next()
		if !ok {
			return nil
		}
		r.take(line)
		if r.chunkIsFull() {
			if err := r.send(ctx); err != nil {
				return err
			}
		}
	}
}

// read returns the next bytes. A plain file is read together with the bytes
// before them, in one call, so that no truncation can hide between the check
// and the reading.
func (r *reader) read() ([]byte, error) {
	offset := r.lines.end()
	if r.file.gz != nil {
		n, err := r.file.readAt(r.buf[:readSize], offset)
		return r.buf[:n], err
	}
	seen := r.lines.seen()
	n, err := r.file.readAt(r.buf[:len(seen)+readSize], offset-int64(len(seen)))
	if n < len(seen) || string(r.buf[:len(seen)]) != string(seen) {
		if err == nil || errors.Is(err, io.EOF) {
			err = errReplaced
		}
		return nil, err
	}
	return r.buf[len(seen):n], err
}

func (r *reader) chunkIsFull() bool {
	return r.chunk.counts.Lines >= int64(min(chunkLines, r.in.opt.BatchSize)) || r.chunk.bytes >= chunkBytes
}

// take makes of a line what it is.
func (r *reader) take(line rawLine) {
	place := repo.Reject{Source: r.pos.Source, Path: r.file.path, Offset: line.begin, SeenAt: r.in.opt.Now()}
	r.chunk.takeLine(&line, r.in.opt.MaxLine, &place, r.parse)
}

func (r *reader) parse(line []byte) ([]Record, error) {
	if r.format.Parse == nil {
		var ok bool
		if r.format, ok = sniff(r.formats, line); !ok {
			return nil, reject(ReasonUnknownFormat, "No known format recognises the line.")
		}
		r.noteFormat()
	}
	return r.format.parseAt(line, r.reference)
}

// flush sends the chunk if anything is in it.
func (r *reader) flush(ctx context.Context) error {
	if r.chunk.counts.Lines == 0 {
		return nil
	}
	return r.send(ctx)
}

func (r *reader) send(ctx context.Context) error {
	offset, tail := r.lines.mark()
	r.pos.Offset = offset
	r.pos.HeadLen, r.pos.TailLen = min(offset, edge), int64(len(tail))
	r.pos.UpdatedAt = r.in.opt.Now()
	r.pos.HeadHash, r.pos.TailHash = sumOf(r.lines.head[:r.pos.HeadLen]), sumOf(tail)
	c := r.chunk
	c.pos, c.readAt = r.pos, r.pos.UpdatedAt
	r.chunk = chunk{source: r.index}
	select {
	case r.in.chunks <- c:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.in.files.update(c.pos)
	return nil
}

// wait pauses for the poll interval.
func (r *reader) wait(ctx context.Context) {
	t := time.NewTimer(r.in.opt.PollInterval)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// noteReference takes the time at which the file was last changed, before what
// was written by then is read. Of a file that can't tell it, nothing was written
// later than now.
func (r *reader) noteReference() {
	r.reference = r.in.opt.Now()
	if info, err := r.file.f.Stat(); err == nil && info.ModTime().Before(r.reference) {
		r.reference = info.ModTime()
	}
}

// noteSize writes down how long the current file is.
func (r *reader) noteSize() {
	if size, err := r.file.size(); err == nil {
		r.in.status.source(r.index, func(s *SourceStatus) { s.Size = size })
	}
}

func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
