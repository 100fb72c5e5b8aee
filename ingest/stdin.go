package ingest

import (
	"context"
	"errors"
	"io"

	"decnet/repo"
)

const stdinPath = "-"

// readStdin reads a stream to its end. What it gives can't be read again, so a
// kill loses what was read and not committed.
func (in *Ingester) readStdin(ctx context.Context, src Source, id int) {
	s := in.newStreamReader(id, repo.Reject{Source: stdinPath, Path: stdinPath})
	s.format, _ = formatNamed(in.formats, src.Format)
	in.status.source(id, func(s *SourceStatus) { s.State = StateReading })
	err := s.readAll(ctx, in.opt.Stdin)
	in.status.source(id, func(s *SourceStatus) {
		s.State = StateDone
		if err != nil {
			s.State, s.LastError = StateFailed, err.Error()
		}
	})
	select {
	case in.chunks <- chunk{source: id, final: true}:
	case <-ctx.Done():
	}
}

// streamReader makes chunks of lines that have no position.
type streamReader struct {
	in     *Ingester
	id     int
	format Format
	place  repo.Reject
	chunk  chunk
	// found is the format that was recognised last.
	found string
	// parse recognises a line where no format is given.
	parse func(line []byte) (format string, records []Record, err error)
}

func (in *Ingester) newStreamReader(id int, place repo.Reject) *streamReader {
	return &streamReader{
		in: in, id: id, place: place, chunk: chunk{source: id},
		parse: func(line []byte) (string, []Record, error) { return in.parseAny(line, in.opt.Now()) },
	}
}

// readAll reads lines until the end of a stream or of ctx.
func (s *streamReader) readAll(ctx context.Context, from io.Reader) error {
	if from == nil {
		return errors.New("nothing is connected to standard input")
	}
	type piece struct {
		data []byte
		err  error
	}
	// A read can't be interrupted. Its goroutine ends with it, or with the process.
	pieces, free := make(chan piece), make(chan []byte, 2)
	free <- make([]byte, readSize)
	free <- make([]byte, readSize)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			var buf []byte
			select {
			case buf = <-free:
			case <-stop:
				return
			}
			n, err := from.Read(buf)
			select {
			case pieces <- piece{buf[:n], err}:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	lines := newLineReader(s.in.opt.MaxLine, 0, nil, nil)
	for {
		var p piece
		select {
		case p = <-pieces:
		case <-ctx.Done():
			return s.flush(ctx)
		}
		lines.feed(p.data)
		for line, ok := lines.next(); ok; line, ok = lines.next() {
			if err := s.take(ctx, &line); err != nil {
				return nil
			}
		}
		if p.err == nil {
			free <- p.data[:cap(p.data)]
			if err := s.flush(ctx); err != nil {
				return nil
			}
			continue
		}
		if line, ok := lines.rest(); ok {
			if err := s.take(ctx, &line); err != nil {
				return nil
			}
		}
		_ = s.flush(ctx) // an error says that it was stopped
		if errors.Is(p.err, io.EOF) {
			return nil
		}
		return p.err
	}
}

// take adds a line, and sends the chunk when it is full.
func (s *streamReader) take(ctx context.Context, line *rawLine) error {
	place := s.place
	place.Offset, place.SeenAt = line.begin, s.in.opt.Now()
	found := s.found
	s.chunk.takeLine(line, s.in.opt.MaxLine, &place, func(text []byte) ([]Record, error) {
		if s.format.Parse != nil {
			found = s.format.Name
			return s.format.parseAt(text, place.SeenAt)
		}
		name, records, err := s.parse(text)
		if name != "" {
			found = name
		}
		return records, err
	})
	if found != s.found {
		s.found = found
		s.in.status.source(s.id, func(st *SourceStatus) { st.Format = found })
	}
	if s.chunk.counts.Lines >= int64(min(chunkLines, s.in.opt.BatchSize)) || s.chunk.bytes >= chunkBytes {
		return s.flush(ctx)
	}
	return nil
}

func (s *streamReader) flush(ctx context.Context) error {
	if s.chunk.counts.Lines == 0 {
		return nil
	}
	c := s.chunk
	c.readAt = s.in.opt.Now()
	s.chunk = chunk{source: s.id}
	// Not given up when ctx is done: these lines can't be read again, and the
	// committer takes chunks until all readers have ended.
	s.in.chunks <- c
	return ctx.Err()
}
