// Package sqlite is the embedded engine: it keeps everything of package repo in
// one SQLite file (WAL), without cgo.
//
// It promises what package repo promises, and that:
//
//   - There is one writer. All writes go through a pool of one connection whose
//     transactions begin with a write lock, so that two writes queue in Go and
//     never meet SQLITE_BUSY halfway; a transaction that began as a reader and
//     wants to write is refused by SQLite at once, whatever busy_timeout says.
//   - Reads run beside the writer on a pool that cannot write. In WAL mode they
//     never wait for it and see only whole commits.
//   - kill -9 loses no committed batch: a commit is in the kernel's hands when it
//     returns. A power failure may lose the last commits (synchronous=NORMAL
//     syncs at checkpoints), but rows and read positions go together, so that the
//     lines are simply read again.
//   - Other processes may use the file at the same time, as "decnet user reset"
//     does.
//
// DESIGN.md beside this file gives the reasons and the numbers. Only cmd, tests
// and testutil import this package; it imports repo and profile.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"decnet/repo"
)

// Options say how to open a store. Only Path is needed.
type Options struct {
	// Path is the database file; its directory must exist. The file is created
	// with mode 0600.
	Path string
	// Now gives the wall time of a commit; nil means [time.Now].
	Now func() time.Time
	// Log takes what is worth telling and has no caller to tell; nil means none.
	Log *slog.Logger
	// Readers is the size of the read-only pool; 0 means twice GOMAXPROCS, at
	// least 4.
	Readers int
	// CheckpointPages is after how many pages of 4 KiB in the write-ahead log they are
	// moved into the database; 0 means 16384 (64 MiB). More makes ingest faster and
	// the log bigger.
	CheckpointPages int
	// CacheKiB is the page cache of the writer, in KiB, and bounds that of each
	// reader to an eighth of it; 0 means 32768. It takes twice as much memory, since
	// the allocator rounds a page and its header up to 8 KiB.
	CacheKiB int
	// SearchRows is how many events one search may read that an index of columns
	// does not answer; 0 means 150000, which take about a fifth of a second. To count
	// its total it may read a twelfth of them.
	SearchRows int64
	// BusyTimeout is how long to wait for another process's lock; 0 means 5 s.
	BusyTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Readers <= 0 {
		o.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if o.CheckpointPages <= 0 {
		o.CheckpointPages = 16384
	}
	if o.CacheKiB <= 0 {
		o.CacheKiB = 32768
	}
	if o.SearchRows <= 0 {
		o.SearchRows = 150_000
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 5 * time.Second
	}
	return o
}

// Store is an open database. Its methods may be called from many goroutines.
type Store struct {
	now  func() time.Time
	log  *slog.Logger
	path string // "" in memory

	write *sql.DB // one connection, immediate transactions
	read  *sql.DB // cannot write
	// walLimit is the size of the write-ahead log, in bytes, at which Commit stops
	// trusting the automatic checkpoints; walBase is where it begins.
	walLimit atomic.Int64
	walBase  int64
	keeper   driver.Conn // of a database in memory
	// checkpoints is nil for a database in memory.
	checkpoints *checkpointer

	searchRows int64
	counts     *searchCounts
	segments   segmentList
	rows       *rowCache
	attackers  *attackerSearches
	answers    *answers

	closeOnce sync.Once
	closeErr  error
}

// Open opens the database, creating or migrating it first. It returns
// [repo.ErrNewerSchema] for a database of a newer decnet, and leaves that as it is;
// [repo.ErrCorrupt] for a file that is no database.
func Open(ctx context.Context, o Options) (*Store, error) {
	drv, err := newDriver()
	if err != nil {
		return nil, err
	}
	return openFile(ctx, drv, o, true)
}

// openFile opens a database file; without migrate, its schema must be ours.
func openFile(ctx context.Context, drv driver.Driver, o Options, migrate bool) (*Store, error) {
	o = o.withDefaults()
	empty, err := createPrivate(o.Path)
	if err != nil {
		return nil, err
	}
	name, err := fileURI(o.Path)
	if err != nil {
		return nil, err
	}
	name.empty = empty
	s := newStore(drv, o, name, nil)
	s.path = o.Path
	// The writer comes first: a database that is not in WAL mode yet could not be
	// brought there beside a reader.
	err = s.connectWriter(ctx, o.BusyTimeout)
	if err == nil && migrate {
		err = migrateSchema(ctx, s.write)
	}
	if err == nil {
		beside := sql.OpenDB(connector{driver: drv, dsn: name.checkpointer(o)})
		beside.SetMaxOpenConns(1)
		s.checkpoints = newCheckpointer(beside, o.CheckpointPages)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, errors.Join(trouble(err), s.Close()))
	}
	return s, nil
}

// connectWriter makes the first connection. Of several that bring a new file into
// WAL mode at once, SQLite refuses some without waiting, because each would wait
// for the other: those try again for as long as a lock may take.
func (s *Store) connectWriter(ctx context.Context, patience time.Duration) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = time.Millisecond, 100*time.Millisecond
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := s.write.PingContext(ctx)
		if err != nil && !errors.Is(trouble(err), repo.ErrLocked) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(patience))
	return err
}

// newStore makes the pools. The keeper becomes the connection that writes.
func newStore(drv driver.Driver, o Options, name dsn, kept connection) *Store {
	writer := connector{driver: drv, dsn: name.writer(o)}
	if kept != nil {
		writer.first = make(chan driver.Conn, 1)
		writer.first <- keeper{kept}
	}
	s := &Store{
		now:   o.Now,
		log:   o.Log,
		write: sql.OpenDB(writer),
		read:  sql.OpenDB(connector{driver: drv, dsn: name.reader(o), wrap: newPreparing}),

		searchRows: o.SearchRows,
		counts:     newSearchCounts(),
		rows:       newRowCache(),
		attackers:  newAttackerSearches(),
		answers:    newAnswers(),
	}
	if kept != nil {
		s.keeper = kept
	}
	s.walBase = 4 * 4096 * int64(o.CheckpointPages)
	s.walLimit.Store(s.walBase)
	s.write.SetMaxOpenConns(1)
	s.write.SetMaxIdleConns(1)
	s.read.SetMaxOpenConns(o.Readers)
	s.read.SetMaxIdleConns(o.Readers)
	return s
}

// createPrivate makes sure that the file exists with mode 0600 before SQLite
// would create it with the process's umask: it holds password hashes. It reports
// whether there is nothing in it.
func createPrivate(path string) (empty bool, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, fmt.Errorf("create the database: %w", err)
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("create the database: %w", err)
	}
	return info.Size() == 0, nil
}

// Ping makes the engine answer a trivial query.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.read.QueryRowContext(ctx, "SELECT 1 FROM counters LIMIT 1").Scan(&one); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return failed("ping", err)
	}
	return nil
}

// Size returns how many bytes the database takes, its write-ahead log included.
func (s *Store) Size(ctx context.Context) (bytes int64, err error) {
	err = s.read.QueryRowContext(ctx,
		"SELECT c.page_count * s.page_size FROM pragma_page_count AS c, pragma_page_size AS s").Scan(&bytes)
	if err != nil {
		return 0, failed("size", err)
	}
	if s.path == "" {
		return bytes, nil
	}
	wal, err := s.walSize()
	if err != nil {
		return 0, failed("size", err)
	}
	return bytes + wal, nil
}

// walSize returns the size of the write-ahead log, 0 where there is none.
func (s *Store) walSize() (int64, error) {
	wal, err := os.Stat(s.path + "-wal")
	switch {
	case err == nil:
		return wal.Size(), nil
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	}
	return 0, err
}

// boundWAL cuts the write-ahead log back when it has outgrown its limit. The
// checkpoints that SQLite makes by itself wait for nobody: while there is always
// some reader in the log, they can never begin it anew, and it would grow as long
// as the load lasts. This one waits for the readers that are there, while new
// ones already read from the database. It gives up after the busy timeout, as
// beside a long search, and then the limit goes up, so that not every commit
// waits.
func (s *Store) boundWAL(ctx context.Context) {
	if s.path == "" {
		return
	}
	size, err := s.walSize()
	if err != nil || size < s.walLimit.Load() {
		return
	}
	if err = s.checkpoint(ctx); err == nil {
		s.walLimit.Store(s.walBase)
		return
	}
	s.walLimit.Store(2 * size)
	s.log.WarnContext(ctx, "the write-ahead log keeps growing", slog.Int64("bytes", size), slog.Any("error", err))
}

// checkpoint moves the whole write-ahead log into the database and empties it.
func (s *Store) checkpoint(ctx context.Context) error {
	var busy bool
	var frames, moved int64
	err := s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err != nil {
		return failed("checkpoint", err)
	}
	if busy {
		return fmt.Errorf("checkpoint: a reader is in the way (%d of %d pages moved)", moved, frames)
	}
	return nil
}

// PoolStats returns the state of the write pool (one connection: its wait count
// is how often a write queued) and of the read pool.
func (s *Store) PoolStats() (write, read sql.DBStats) {
	return s.write.Stats(), s.read.Stats()
}

// Close waits for running statements, moves the write-ahead log into the
// database and closes both pools. Calling it again returns the same error.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		// The writer goes last: SQLite moves the log when the last connection closes,
		// which a read-only one could not do.
		var err error
		if s.checkpoints != nil {
			err = s.checkpoints.close()
		}
		err = errors.Join(err, s.read.Close(), s.write.Close())
		if s.keeper != nil {
			err = errors.Join(err, s.keeper.Close())
		}
		if err != nil {
			s.closeErr = failed("close the database", err)
		}
	})
	return s.closeErr
}

// snapshot runs f in a read transaction, so that all its statements see the
// same commit.
func (s *Store) snapshot(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return trouble(err)
	}
	err = f(tx)
	return errors.Join(trouble(err), ignoreDone(tx.Rollback()))
}

// update runs f in a write transaction and commits it if f succeeds.
func (s *Store) update(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return trouble(err)
	}
	return s.end(ctx, tx, f(tx))
}

// end commits a transaction, or rolls it back where something failed.
func (s *Store) end(ctx context.Context, tx *sql.Tx, err error) error {
	if err == nil {
		err = tx.Commit()
	}
	if err == nil {
		return nil
	}
	// When the context ended, database/sql has rolled back already and the error
	// of the statement that met this says less than the context's own.
	rollback := ignoreDone(tx.Rollback())
	if err = trouble(err); isNamed(err) {
		// SQLite has rolled back by itself and complains that nothing is left to do.
		rollback = nil
	}
	return errors.Join(ctx.Err(), err, rollback)
}

// ignoreDone drops the error of a rollback that the context's end already did.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
