package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"decnet/ingest"
	"decnet/repo"
	"decnet/repo/sqlite"
)

type importCommand struct {
	Paths []string `arg:"" name:"path" sep:"none" help:"Files, directories and patterns to read, in this order; .gz files too; - for standard input. PATH=FORMAT names the format. What was read before is not read again."`
	lineOptions
	storeOptions
	logOptions
}

func (c *importCommand) validate(bad *faults) {
	c.lineOptions.validate(bad)
	c.storeOptions.validate(bad)
	c.logOptions.validate(bad)
}

// importGrace is how long the last commit may take after an interruption.
const importGrace = 10 * time.Second

// importFiles reads files to their end and tells what became of them.
func (p process) importFiles(ctx context.Context, c *importCommand) error {
	log := newLogger(c.logOptions, p.stderr)
	if err := makeDataDir(c.DataDir, log); err != nil {
		return err
	}
	path, err := c.databasePath()
	if err != nil {
		return err
	}
	return p.withLock(path, func() (err error) {
		store, err := openStore(ctx, path, p.now, log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		return p.importInto(ctx, c, store, log)
	})
}

func (p process) importInto(ctx context.Context, c *importCommand, store *sqlite.Store, log *slog.Logger) error {
	options := ingest.Options{Sink: store, Stdin: p.stdin, StopGrace: importGrace, Now: p.now, Log: log}
	if err := c.apply(&options); err != nil {
		return err
	}
	if err := c.addSources(&options, c.Paths, false); err != nil {
		return err
	}
	in, err := ingest.New(options)
	if err != nil {
		return err
	}
	before, err := foundIn(ctx, store)
	if err != nil {
		return err
	}
	begin := p.now()
	shown := p.startProgress(in, options.Sources)
	err = in.Run(ctx)
	shown()
	if err != nil {
		return err
	}
	// What was stored by the time of an interruption is worth telling, too.
	after, err := foundIn(context.WithoutCancel(ctx), store)
	if err != nil {
		return err
	}
	status := in.Status()
	p.printSummary(&status, before, after, p.now().Sub(begin))
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; the same command goes on from here: %w", context.Cause(ctx))
	}
	var failed []error
	for _, s := range status.Sources {
		if s.State == ingest.StateFailed {
			failed = append(failed, fmt.Errorf("%s: %s", printable(s.Path), s.LastError))
		}
		if s.State == ingest.StateWaiting && s.Note != "" {
			failed = append(failed, fmt.Errorf("%s: %s", printable(s.Path), s.Note))
		}
	}
	return errors.Join(failed...)
}

// findings are what an import adds to.
type findings struct{ attackers, credentials int64 }

func foundIn(ctx context.Context, store *sqlite.Store) (findings, error) {
	stats, err := store.Stats(ctx)
	if err != nil {
		return findings{}, err
	}
	credentials, err := store.CountCredentials(ctx, repo.CredentialFilter{})
	return findings{stats.Attackers, credentials}, err
}

func (p process) printSummary(s *ingest.Status, before, after findings, took time.Duration) {
	rejected, ignored := map[string]int64{}, map[string]int64{}
	var blank int64
	for i := range s.Sources {
		src := &s.Sources[i]
		blank += src.Ignored
		for reason, n := range src.RejectedBy {
			rejected[reason] += n
		}
		for reason, n := range src.IgnoredBy {
			ignored[reason] += n
			blank -= n
		}
	}
	if blank > 0 {
		ignored["blank"] = blank
	}
	rate := float64(s.Lines) / max(took.Seconds(), 0.001)
	_, _ = fmt.Fprintf(p.stdout, "lines        %d = %d accepted + %d duplicate + %d rejected + %d ignored\n",
		s.Lines, s.Accepted, s.Duplicate, s.Rejected, s.Ignored)
	p.printReasons("rejected", rejected)
	p.printReasons("ignored", ignored)
	_, _ = fmt.Fprintf(p.stdout, "attackers    %d, %d of them new\ncredentials  %d, %d of them new\ntime         %s, %.0f lines a second\n",
		after.attackers, after.attackers-before.attackers, after.credentials, after.credentials-before.credentials,
		took.Round(time.Millisecond), rate)
}

func (p process) printReasons(name string, counts map[string]int64) {
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		_, _ = fmt.Fprintf(p.stdout, "  %-10s %d as %s\n", name, counts[reason], printable(reason))
	}
}

// unpacked is a file's content, decompressed if its name says that it is packed.
func unpacked(f *os.File) (io.Reader, error) {
	if !strings.HasSuffix(f.Name(), ".gz") {
		return f, nil
	}
	return gzip.NewReader(f)
}

// How often progress is shown.
const (
	barInterval   = 200 * time.Millisecond
	plainInterval = 10 * time.Second
)

// startProgress shows how far the import is, until the function that it returns
// is called.
func (p process) startProgress(in *ingest.Ingester, sources []ingest.Source) (stop func()) {
	pr := progress{begin: p.now(), total: totalSize(sources)}
	return p.showProgress(func() string {
		status := in.Status()
		return pr.text(&status, p.now())
	})
}

// showProgress shows a line again and again, until the function that it returns
// is called: in its place on a terminal, else as a line now and then. The text is
// asked for in one goroutine.
func (p process) showProgress(text func() string) (stop func()) {
	f, ok := p.stderr.(*os.File)
	bar := ok && term.IsTerminal(int(f.Fd()))
	interval := plainInterval
	if bar {
		interval = barInterval
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-quit:
				return
			}
			if bar {
				_, _ = fmt.Fprint(p.stderr, "\r\x1b[K"+text())
			} else {
				_, _ = fmt.Fprintln(p.stderr, text())
			}
		}
	}()
	return func() {
		close(quit)
		<-done
		if bar {
			_, _ = fmt.Fprint(p.stderr, "\r\x1b[K")
		}
	}
}

// progress knows how much there is to read.
type progress struct {
	begin time.Time
	// total is the size of all plain files, 0 when it can't be told.
	total int64
	// first is what had been read before, by an earlier import.
	first    int64
	hasFirst bool
}

// totalSize adds up the files that are named one by one; 0 where one can't be
// told before it is read.
func totalSize(sources []ingest.Source) int64 {
	var total int64
	for _, s := range sources {
		info, err := os.Stat(s.Path)
		if err != nil || !info.Mode().IsRegular() || strings.HasSuffix(s.Path, ".gz") {
			return 0
		}
		total += info.Size()
	}
	return total
}

const barWidth = 30

// text is one line about how far it is.
func (pr *progress) text(s *ingest.Status, now time.Time) string {
	took := now.Sub(pr.begin)
	rate := float64(s.Lines) / max(took.Seconds(), 0.001)
	text := fmt.Sprintf("%d lines, %.0f a second", s.Lines, rate)
	if s.SinkError != "" {
		text += "; waiting: " + s.SinkError
	}
	var read int64
	for i := range s.Sources {
		read += s.Sources[i].Offset
	}
	if !pr.hasFirst && read > 0 {
		pr.first, pr.hasFirst = read, true
	}
	if pr.total <= 0 {
		return text
	}
	if read > pr.first {
		left := time.Duration(float64(took) * float64(pr.total-read) / float64(read-pr.first))
		text += ", " + max(left, 0).Round(time.Second).String() + " left"
	}
	return barOf(float64(read)/float64(pr.total)) + text
}

// barOf draws which part of the whole is done, and says it in percent.
func barOf(part float64) string {
	part = max(min(part, 1), 0)
	full := int(part * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f %%  ", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), part*100)
}
