//go:build fuzz

package fuzz

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"decnet/ingest"
	"decnet/repo"
)

// rowSink keeps what a row would hold, and the sessions that are open.
type rowSink struct {
	events   []string
	rejects  []string
	sessions map[string]repo.Session
}

func (s *rowSink) Commit(_ context.Context, b *repo.Batch) error {
	for i := range b.Events {
		e := &b.Events[i]
		e.ID = 0
		traits, err := json.Marshal(e.Traits)
		if err != nil {
			return err
		}
		s.events = append(s.events, fmt.Sprintf("%+v %+v %q %s", e.Log, e.Bounties, e.Command, traits))
		e.ID = int64(len(s.events))
	}
	for i := range b.Rejects {
		s.rejects = append(s.rejects, b.Rejects[i].Reason+" "+string(b.Rejects[i].Line))
	}
	for _, open := range b.Sessions {
		s.sessions[open.Key] = open
	}
	for _, key := range b.ClosedSessions {
		delete(s.sessions, key)
	}
	return nil
}

// Positions has none: each file is read once.
func (s *rowSink) Positions(context.Context) ([]repo.Position, error) { return nil, nil }

func (s *rowSink) OpenSessions(context.Context) ([]repo.Session, error) {
	return slices.SortedFunc(maps.Values(s.sessions), func(a, b repo.Session) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.Key, b.Key))
	}), nil
}

func (s *rowSink) Receipt(context.Context, string, string) (repo.Receipt, error) {
	return repo.Receipt{}, repo.ErrNotFound
}

// ingestCase is a stream of lines and the ways in which it comes.
type ingestCase struct {
	// Format is named to the ingester: where it has to recognise it, what a line
	// that is broken is rejected for depends on the lines before it.
	Format string
	Lines  []string
	// Cuts are the places, in lines, at which a file ends and the next begins.
	Cuts []int
	// Batch is how many events are committed at once; CRLF ends lines so.
	Batch int
	CRLF  bool
	// Pieces is how many bytes at a time are read from standard input.
	Pieces int
}

// TestProperty_AnySplitGivesTheSameRows cuts a stream into files, batches and
// reads. A line is drawn as it is, cut, or glued to another.
func TestProperty_AnySplitGivesTheSameRows(t *testing.T) {
	t.Parallel()
	byFormat, names := sniffed(t)
	dir := t.TempDir()
	var made atomic.Int64
	property[ingestCase]{
		draw: func(r *rand.Rand) ingestCase {
			c := ingestCase{Format: pick(r, names...), Batch: 1 + r.IntN(7), CRLF: r.IntN(4) == 0, Pieces: 1 + r.IntN(300)}
			lines := byFormat[c.Format]
			at := r.IntN(len(lines)) // neighbours belong to one session
			for range r.IntN(20) {
				line := string(lines[at%len(lines)])
				at += pick(r, 1, 1, 1, r.IntN(len(lines)))
				switch r.IntN(12) {
				case 0:
					line = line[:r.IntN(len(line))]
				case 1:
					line += line
				case 2:
					line = ""
				}
				c.Lines = append(c.Lines, line)
			}
			for range r.IntN(4) {
				c.Cuts = append(c.Cuts, r.IntN(len(c.Lines)+1))
			}
			slices.Sort(c.Cuts)
			return c
		},
		smaller: smallerIngest,
		holds: func(c ingestCase) error {
			where := filepath.Join(dir, strconv.FormatInt(made.Add(1), 10))
			if err := os.Mkdir(where, 0o700); err != nil {
				return err
			}
			defer func() { _ = os.RemoveAll(where) }()
			whole, err := c.read(t.Context(), where, nil, ingest.DefaultBatchSize)
			if err != nil {
				return err
			}
			split, err := c.read(t.Context(), where, c.Cuts, c.Batch)
			if err != nil {
				return err
			}
			if err := same("events of files", split, whole); err != nil {
				return err
			}
			piped, err := c.pipe(t.Context())
			if err != nil {
				return err
			}
			return same("events of standard input", piped, whole)
		},
	}.check(t, 60)
}

// sniffed are the captured lines by the format that recognises them.
func sniffed(t *testing.T) (byFormat map[string][][]byte, names []string) {
	t.Helper()
	formats := ingest.Formats()
	byFormat = map[string][][]byte{}
	for _, line := range captured(t) {
		for _, f := range formats {
			if f.Sniff(line) {
				byFormat[f.Name] = append(byFormat[f.Name], line)
				break
			}
		}
	}
	return byFormat, slices.Sorted(maps.Keys(byFormat))
}

func (c ingestCase) text(lines []string) string {
	end := "\n"
	if c.CRLF {
		end = "\r\n"
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line + end)
	}
	return b.String()
}

// read ingests the lines from files that end at the cuts.
func (c ingestCase) read(ctx context.Context, dir string, cuts []int, batch int) (*rowSink, error) {
	sink := &rowSink{sessions: map[string]repo.Session{}}
	from := 0
	for i, to := range append(slices.Clone(cuts), len(c.Lines)) {
		path := filepath.Join(dir, fmt.Sprintf("%d-%d.log", len(cuts), i))
		if err := os.WriteFile(path, []byte(c.text(c.Lines[from:to])), 0o600); err != nil {
			return nil, err
		}
		if err := os.Chtimes(path, began(), began()); err != nil { // lines without a year take it from here
			return nil, err
		}
		opt := ingest.Options{Sources: []ingest.Source{{Path: path, Format: c.Format}}, BatchSize: batch}
		if err := ingestInto(ctx, sink, opt); err != nil {
			return nil, err
		}
		from = to
	}
	return sink, nil
}

// pipe ingests the lines from standard input, a few bytes at a time.
func (c ingestCase) pipe(ctx context.Context) (*rowSink, error) {
	sink := &rowSink{sessions: map[string]repo.Session{}}
	in := &slowReader{text: c.text(c.Lines), size: c.Pieces}
	return sink, ingestInto(ctx, sink, ingest.Options{Sources: []ingest.Source{{Path: "-", Format: c.Format}}, Stdin: in, BatchSize: c.Batch})
}

// ingestInto reads sources that end.
func ingestInto(ctx context.Context, sink *rowSink, opt ingest.Options) error {
	opt.Sink, opt.Now, opt.NoJitter, opt.Log = sink, began, true, slog.New(slog.DiscardHandler)
	opt.BatchWait = -1
	in, err := ingest.New(opt)
	if err != nil {
		return err
	}
	return in.Run(ctx)
}

// slowReader gives a few bytes at a time.
type slowReader struct {
	text string
	size int
}

// Read implements [io.Reader].
func (r *slowReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	n := copy(p, r.text[:min(r.size, len(r.text))])
	r.text = r.text[n:]
	return n, nil
}

func smallerIngest(c ingestCase) []ingestCase {
	var out []ingestCase
	for _, lines := range without(c.Lines) {
		next := c
		next.Lines = lines
		next.Cuts = slices.Clone(c.Cuts)
		for i := range next.Cuts {
			next.Cuts[i] = min(next.Cuts[i], len(lines))
		}
		out = append(out, next)
	}
	for _, cuts := range without(c.Cuts) {
		next := c
		next.Cuts = cuts
		out = append(out, next)
	}
	if c.CRLF {
		next := c
		next.CRLF = false
		out = append(out, next)
	}
	if c.Batch > 1 {
		next := c
		next.Batch = 1
		out = append(out, next)
	}
	return out
}
