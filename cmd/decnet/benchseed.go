package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"decnet/bench/seed"
	"decnet/ingest"
	"decnet/repo"
	"decnet/repo/sqlite"
)

type benchCommands struct {
	Seed benchSeedCommand `cmd:"" help:"Fill a database with made-up events by the laws of real captures. Can be interrupted and repeated; what is there already is not made again."`
	Load benchLoadCommand `cmd:"" help:"Put a service under the load of many dashboards, check its answers and tell how it bore it; exit code 1 when an answer was wrong or missing."`
}

type benchSeedCommand struct {
	Rows     int64  `required:"" placeholder:"N" help:"How many of the seed's events the database is to have. 1, 2 or 5 times a power of ten, from 1000 on, spread evenly over the 30 days."`
	Seed     uint64 `default:"1" help:"Chooses the events: the same seed gives the same ones."`
	End      string `placeholder:"TIME" help:"Instant at which the 30 days of the events end, such as 2026-11-24T12:00:00Z. The present one when not given; where the seed was begun before, the one of that time."`
	Force    bool   `help:"Also into a database that has events which were not made by this command."`
	Database string `placeholder:"FILE" help:"Database file, instead of --data-dir and --db-url."`
	storeOptions
	logOptions
}

const (
	maxSeedRows = 1_000_000_000
	// seedBatch is larger than what serve takes by default: nobody reads meanwhile.
	seedBatch = 40_000
	// seedCheckpoint is how many pages of 4 KiB the log may have, a gigabyte, and
	// seedCache how many KiB of pages are kept in memory, of which SQLite takes twice as much.
	seedCheckpoint = 256 << 10
	seedCache      = 256 << 10
)

func (c *benchSeedCommand) validate(bad *faults) {
	if c.Database != "" {
		c.DBURL = c.Database
	}
	bad.check(c.Rows >= 1 && c.Rows <= maxSeedRows, "--rows must be from 1 to %d.", maxSeedRows)
	if c.End != "" {
		_, err := time.Parse(time.RFC3339, c.End)
		bad.check(err == nil, "--end %q is not a time such as 2026-11-24T12:00:00Z.", c.End)
	}
	c.storeOptions.validate(bad)
	c.logOptions.validate(bad)
}

// benchSeed makes the events that the database lacks.
func (p process) benchSeed(ctx context.Context, c *benchSeedCommand) error {
	log := newLogger(c.logOptions, p.stderr)
	path, err := c.databasePath()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		// Looked at without the lock: a database that has all may be served already.
		full, err := p.hasSeed(ctx, c, path, log)
		if full || err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for the database: %w", err)
	}
	if c.DBURL == "" {
		if err := makeDataDir(c.DataDir, log); err != nil {
			return err
		}
	}
	return p.withLock(path, func() error {
		return p.withSeeded(ctx, c, path, log, func(store *sqlite.Store, s *seeded) error {
			return p.seedInto(ctx, c, store, s, log)
		})
	})
}

// hasSeed reports whether a database has all the rows, and says so.
func (p process) hasSeed(ctx context.Context, c *benchSeedCommand, path string, log *slog.Logger) (full bool, err error) {
	err = p.withSeeded(ctx, c, path, log, func(_ *sqlite.Store, s *seeded) error {
		if full = s.position.Lines >= c.Rows; full {
			_, _ = fmt.Fprintf(p.stdout, "The database has %d events of seed %d already, up to %s.\n",
				s.position.Lines, c.Seed, s.end.Format(time.RFC3339))
		}
		return nil
	})
	return full, err
}

func (p process) withSeeded(ctx context.Context, c *benchSeedCommand, path string, log *slog.Logger, do func(*sqlite.Store, *seeded) error) (err error) {
	// A database of that size is made in one go: what is written to the log last
	// spares writing the same pages again and again.
	store, err := openStoreWith(ctx, sqlite.Options{
		Path: path, Now: p.now, Log: log, CheckpointPages: seedCheckpoint, CacheKiB: seedCache,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s, err := p.openSeeded(ctx, c, store)
	if err != nil {
		return err
	}
	return do(store, s)
}

// seeded is a sink that knows how many rows of a seed the database has. They come
// as a stream, whose position the ingester counts in lines; here each seed has a
// position of its own, which is committed with the rows. So a run that was killed
// is continued where its last commit was, whatever else was stored meanwhile.
type seeded struct {
	*sqlite.Store
	position repo.Position
	end      time.Time
}

// streamsPosition is what package ingest calls the position of all streams.
const streamsPosition = "streams"

// seedPosition begins the names of the positions of seeds.
const seedPosition = "bench-seed-"

// openSeeded looks for what is there of the seed.
func (p process) openSeeded(ctx context.Context, c *benchSeedCommand, store *sqlite.Store) (*seeded, error) {
	s := &seeded{Store: store, end: p.now().UTC().Truncate(time.Second)}
	if c.End != "" {
		at, err := time.Parse(time.RFC3339, c.End)
		if err != nil {
			return nil, fmt.Errorf("--end: %w", err)
		}
		s.end = at.UTC()
	}
	s.position.Source = seedPosition + strconv.FormatUint(c.Seed, 10)
	all, err := store.Positions(ctx)
	if err != nil {
		return nil, err
	}
	others := false
	for i := range all {
		if all[i].Source == s.position.Source {
			s.position = all[i]
			return s, s.goOn(ctx, c)
		}
		others = others || strings.HasPrefix(all[i].Source, seedPosition)
	}
	s.position.Path = s.name(s.end)
	stats, err := store.Stats(ctx)
	if err != nil {
		return nil, err
	}
	if stats.Logs > 0 && !others && !c.Force {
		return nil, fmt.Errorf("the database has %d events that were not made up: take an empty one, or mix them with --force", stats.Logs)
	}
	return s, nil
}

// name is what a position remembers of how the rows were made.
func (*seeded) name(end time.Time) string {
	return fmt.Sprintf("version %d until %s", seed.Version, end.Format(time.RFC3339))
}

// goOn checks that the rows to come fit those that are there.
func (s *seeded) goOn(ctx context.Context, c *benchSeedCommand) error {
	_, until, _ := strings.Cut(s.position.Path, " until ")
	end, err := time.Parse(time.RFC3339, until)
	if err != nil || s.position.Path != s.name(end) {
		return fmt.Errorf("the database has events of seed %d that another version of decnet made: take another seed or an empty database", c.Seed)
	}
	if c.End != "" && !s.end.Equal(end) {
		return fmt.Errorf("the database has events of seed %d that end at %s: leave --end out, or take another seed or an empty database", c.Seed, until)
	}
	s.end = end
	stats, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	if stats.Logs < s.position.Lines {
		return fmt.Errorf("the database had %d events of seed %d and has lost some since: take another seed or an empty database", s.position.Lines, c.Seed)
	}
	return nil
}

// Commit stores the batch with the position of the seed.
func (s *seeded) Commit(ctx context.Context, b *repo.Batch) error {
	for i := range b.Positions {
		if b.Positions[i].Source == streamsPosition {
			b.Positions[i].Source, b.Positions[i].Path = s.position.Source, s.position.Path
		}
	}
	return s.Store.Commit(ctx, b)
}

// Positions returns that of the seed alone, under the name that streams have.
func (s *seeded) Positions(ctx context.Context) ([]repo.Position, error) {
	all, err := s.Store.Positions(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Source == s.position.Source {
			all[i].Source = streamsPosition
			return all[i : i+1], nil
		}
	}
	return nil, nil
}

// seedInto makes the rows from the first that is missing.
func (p process) seedInto(ctx context.Context, c *benchSeedCommand, store *sqlite.Store, s *seeded, log *slog.Logger) error {
	g, err := seed.New(seed.Config{Seed: c.Seed, End: s.end})
	if err != nil {
		return err
	}
	g.GoTo(s.position.Lines)
	in, err := ingest.New(ingest.Options{
		Sink: s, Sources: []ingest.Source{{Path: "-"}}, Stdin: g.Lines(c.Rows - s.position.Lines),
		BatchSize: seedBatch, BatchWait: time.Minute, StopGrace: importGrace, Now: p.now, Log: log,
	})
	if err != nil {
		return err
	}
	before, err := foundIn(ctx, store)
	if err != nil {
		return err
	}
	begin := p.now()
	shown := p.showProgress(func() string { return seedProgress(in.Status().Lines, s.position.Lines, c.Rows, p.now().Sub(begin)) })
	err = in.Run(ctx)
	shown()
	if err != nil {
		return err
	}
	after, err := foundIn(context.WithoutCancel(ctx), store)
	if err != nil {
		return err
	}
	status := in.Status()
	p.printSummary(&status, before, after, p.now().Sub(begin))
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; the same command goes on from here: %w", context.Cause(ctx))
	}
	if status.Accepted != status.Lines || s.position.Lines+status.Lines != c.Rows {
		return fmt.Errorf("of %d made lines %d became events", c.Rows-s.position.Lines, status.Accepted)
	}
	return nil
}

// seedProgress is one line about how far it is: done of this run, upon first that
// were there.
func seedProgress(done, first, rows int64, took time.Duration) string {
	text := barOf(float64(first+done)/float64(rows)) +
		fmt.Sprintf("%d of %d events, %.0f a second", first+done, rows, float64(done)/max(took.Seconds(), 0.001))
	if done > 0 {
		left := time.Duration(float64(took) * float64(rows-first-done) / float64(done))
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}
