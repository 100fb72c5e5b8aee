package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

func bigEvents(n int) []repo.Event {
	events := make([]repo.Event, n)
	for i := range events {
		events[i] = repo.Event{Log: repo.Log{
			Time: time.Unix(int64(i), 0), Decky: "d", Service: "ssh", EventType: "connect",
			AttackerIP: fmt.Sprintf("192.0.2.%d", i%250), RawLine: strings.Repeat("x", 4000), Fields: "{}",
		}}
	}
	return events
}

// TestTrouble_AFullDiskStoresNothingAndGoesOn fills a database to its last page.
func TestTrouble_AFullDiskStoresNothingAndGoesOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := Open(ctx, Options{Path: filepath.Join(t.TempDir(), "decnet.db")})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(10)}))
	_, err = s.write.ExecContext(ctx, "PRAGMA max_page_count = 200")
	require.NoError(t, err)

	batch := &repo.Batch{Events: bigEvents(1000), Positions: []repo.Position{{Source: "a", Offset: 7}}}
	err = s.Commit(ctx, batch)
	require.ErrorIs(t, err, repo.ErrDiskFull)
	assert.Zero(t, batch.Events[0].ID)
	stats, err := s.Stats(ctx)
	require.NoError(t, err, "readers go on")
	assert.EqualValues(t, 10, stats.Logs)
	positions, err := s.Positions(ctx)
	require.NoError(t, err)
	assert.Empty(t, positions, "the position did not move without the rows")

	_, err = s.write.ExecContext(ctx, "PRAGMA max_page_count = 1000000")
	require.NoError(t, err)
	require.NoError(t, s.Commit(ctx, batch), "space is back")
	stats, err = s.Stats(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 1010, stats.Logs)
}

func TestTrouble_AnotherProcessHoldsTheLock(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "decnet.db")
	s, err := Open(ctx, Options{Path: path, BusyTimeout: time.Millisecond})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	other, err := Open(ctx, Options{Path: path})
	require.NoError(t, err)
	defer func() { assert.NoError(t, other.Close()) }()
	tx, err := other.write.BeginTx(ctx, nil)
	require.NoError(t, err)
	require.ErrorIs(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(1)}), repo.ErrLocked)
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(1)}))
}

func TestTrouble_ADamagedFileIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "decnet.db")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("this is no database ", 500)), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := Open(ctx, Options{Path: path, BusyTimeout: time.Hour})
	require.ErrorIs(t, err, repo.ErrCorrupt)
	require.NoError(t, ctx.Err(), "at once: it gets no better by waiting")
}

// TestTrouble_AReadOnlyDatabase is what a file system does that was remounted
// after an error of its disk.
func TestTrouble_AReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := Open(ctx, Options{Path: filepath.Join(t.TempDir(), "decnet.db")})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	_, err = s.write.ExecContext(ctx, "PRAGMA query_only = 1")
	require.NoError(t, err)
	require.ErrorIs(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(1)}), repo.ErrReadOnly)
	require.ErrorIs(t, s.SetState(ctx, "k", "v"), repo.ErrReadOnly)
	_, err = s.Stats(ctx)
	require.NoError(t, err)
	_, err = s.write.ExecContext(ctx, "PRAGMA query_only = 0")
	require.NoError(t, err)
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(1)}))
}

// TestTrouble_ExpiryMakesRoom: retention is the way out.
func TestTrouble_ExpiryMakesRoom(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := Open(ctx, Options{Path: filepath.Join(t.TempDir(), "decnet.db")})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(500)}))
	var pages int64
	require.NoError(t, s.write.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages))
	_, err = s.write.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	require.NoError(t, err)
	require.ErrorIs(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(500)}), repo.ErrDiskFull)
	// Removing the oldest makes room, for which no page is needed.
	removed, _, err := s.Expire(ctx, time.Unix(400, 0), 1000)
	require.NoError(t, err)
	require.Equal(t, int64(400), removed)
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(100)}))
}
