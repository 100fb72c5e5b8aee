package sqlite_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo/sqlite"
)

func TestPurge_GivesSpaceBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.Commit(ctx, someEvents(5000)))
	require.NoError(t, s.Close())
	s = open(t, path)
	full, err := s.Size(ctx)
	require.NoError(t, err)
	require.Greater(t, full, int64(3<<20))
	_, err = s.Purge(ctx)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(1<<20))
}

// TestPurge_BesideReader keeps a reader's snapshot alive: the purge does not
// fail, and waits no longer than the busy timeout.
func TestPurge_BesideReader(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := clone(t, template(t), sqlite.Options{Path: path, BusyTimeout: time.Millisecond})
	require.NoError(t, s.Commit(ctx, someEvents(100)))
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	count := func() (n int) {
		require.NoError(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM logs").Scan(&n))
		return n
	}
	require.Equal(t, 100, count())
	p, err := s.Purge(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(100), p.Logs)
	assert.Equal(t, 100, count(), "the reader still sees what it began with")
	require.NoError(t, tx.Rollback())
	require.NoError(t, db.Close())
}

// TestWAL_ShortLogWaitsForNobody has a reader that does not end: while the log is
// short no commit waits for it, and nobody is told of it.
func TestWAL_ShortLogWaitsForNobody(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	var log bytes.Buffer
	s := clone(t, template(t), sqlite.Options{Path: path, BusyTimeout: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	var n int
	require.NoError(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM logs").Scan(&n))
	for range 3 {
		require.NoError(t, s.Commit(ctx, someEvents(1)))
	}
	assert.Empty(t, log.String())
	require.NoError(t, tx.Rollback())
	require.NoError(t, db.Close())
}

// TestWAL_IsBounded commits much more than the bound: the log must not grow with
// it.
func TestWAL_IsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, CheckpointPages: 30})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	for range 20 {
		require.NoError(t, s.Commit(t.Context(), someEvents(100)))
	}
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	size, err := s.Size(t.Context())
	require.NoError(t, err)
	require.Greater(t, size, int64(3<<19))
	assert.Less(t, info.Size(), int64(1<<20))
}

// TestWAL_IsBoundedBesideReaders has a reader in the log at any moment, each
// beginning before the one before it ends, as under a steady load.
func TestWAL_IsBoundedBesideReaders(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	var log bytes.Buffer
	s := clone(t, template(t), sqlite.Options{Path: path, CheckpointPages: 20, Log: slog.New(slog.NewTextHandler(&log, nil))})
	db, err := sql.Open("sqlite", path+"?_busy_timeout=5000")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	begin := func() *sql.Tx {
		tx, err := db.BeginTx(ctx, nil)
		if assert.NoError(t, err) {
			var n int
			assert.NoError(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM logs").Scan(&n))
		}
		return tx
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	first := begin()
	go func() {
		defer close(stopped)
		for tx := first; ; {
			next := begin()
			assert.NoError(t, tx.Rollback())
			tx = next
			select {
			case <-stop:
				assert.NoError(t, tx.Rollback())
				return
			default:
			}
		}
	}()
	for range 40 {
		require.NoError(t, s.Commit(ctx, someEvents(50)))
	}
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	close(stop)
	<-stopped
	size, err := s.Size(ctx)
	require.NoError(t, err)
	require.Greater(t, size, int64(3<<19))
	assert.Less(t, info.Size(), int64(1<<20), log.String())
}

// TestWAL_LongReader never ends: commits go on, the log grows and somebody is
// told.
func TestWAL_LongReader(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	var log bytes.Buffer
	s := clone(t, template(t), sqlite.Options{
		Path: path, CheckpointPages: 20, BusyTimeout: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	var n int
	require.NoError(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM logs").Scan(&n))
	for range 30 {
		require.NoError(t, s.Commit(ctx, someEvents(50)))
	}
	warnings := strings.Count(log.String(), "the write-ahead log keeps growing")
	assert.Positive(t, warnings)
	assert.Less(t, warnings, 10, "not at every commit")
	require.NoError(t, tx.Rollback())
	require.NoError(t, db.Close())
	for range 30 {
		require.NoError(t, s.Commit(ctx, someEvents(50)))
	}
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(1<<20), "it is cut back once the reader is gone")
}
