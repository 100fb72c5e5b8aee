package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// forever is later than any event.
func forever() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// fileSize is that of the database alone, once its log was moved into it.
func fileSize(t *testing.T, s *sqlite.Store, path string) int64 {
	t.Helper()
	require.NoError(t, s.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// TestExpire_BySize is how an operator bounds the disk: remove the oldest until
// what is stored fits. The file follows, beside a writer.
func TestExpire_BySize(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	for range 4 {
		require.NoError(t, s.Commit(ctx, someEvents(5000)))
	}
	const limit = 4 << 20
	over, err := s.SizeExceeds(ctx, limit)
	require.NoError(t, err)
	require.True(t, over)
	for over {
		_, more, err := s.Expire(ctx, forever(), 500)
		require.NoError(t, err)
		require.True(t, more)
		require.NoError(t, s.Commit(ctx, someEvents(10)))
		over, err = s.SizeExceeds(ctx, limit)
		require.NoError(t, err)
	}
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	assert.Greater(t, st.Logs, int64(2000), "not more than needed")
	assert.Less(t, fileSize(t, s, path), int64(limit*5/4))
}

// TestExpire_OlderDatabase was made before space could be given back: its free
// pages are used again, and a purge makes it one that can.
func TestExpire_OlderDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	require.NoError(t, open(t, path).Close())
	rawSQL(t, path, "PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum = NONE; VACUUM")
	fill := func(s *sqlite.Store) {
		require.NoError(t, s.Commit(ctx, someEvents(5000)))
		for more := true; more; {
			var err error
			_, more, err = s.Expire(ctx, forever(), 2000)
			require.NoError(t, err)
		}
	}
	s := open(t, path)
	fill(s)
	full := fileSize(t, s, path)
	assert.Greater(t, full, int64(3<<20))
	s = open(t, path)
	fill(s)
	assert.Less(t, fileSize(t, s, path), full*11/10, "free pages are used again")
	s = open(t, path)
	_, err := s.Purge(ctx)
	require.NoError(t, err)
	fill(s)
	assert.Less(t, fileSize(t, s, path), int64(2<<20))
}

// TestExpire_LateEvents: what comes late, older than all that is left, is found.
func TestExpire_LateEvents(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := clone(t, template(t), sqlite.Options{})
	require.NoError(t, s.Commit(ctx, someEvents(100)))
	removed, _, err := s.Expire(ctx, time.Date(2026, 4, 17, 0, 0, 50, 0, time.UTC), 1000)
	require.NoError(t, err)
	require.Equal(t, int64(50), removed)
	// A sensor was offline and sends what is older than all that is left.
	require.NoError(t, s.Commit(ctx, someEvents(1)))
	f := repo.LogFilter{Search: repo.ParseSearch("service:ssh")}
	list, err := s.Logs(ctx, repo.LogQuery{LogFilter: f, Limit: 100})
	require.NoError(t, err)
	assert.Len(t, list, 51)
	n, err := s.CountLogs(ctx, f)
	require.NoError(t, err)
	assert.Equal(t, int64(51), n)
}

// TestKeys_AreForgotten: a week later nobody sends anything again.
func TestKeys_AreForgotten(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	s := clone(t, template(t), sqlite.Options{Now: func() time.Time { return now }})
	send := func(batch string) int64 {
		b := someEvents(1)
		b.Events[0].Key = []byte("sixteen bytes...")
		b.Receipts = []*repo.Receipt{{Sensor: "s", Key: batch, Last: 1}}
		require.NoError(t, s.Commit(ctx, b))
		return b.Receipts[0].Accepted
	}
	require.Equal(t, int64(1), send("one"))
	now = now.Add(repo.ReceiptLifetime)
	require.Zero(t, send("two"))
	_, err := s.Receipt(ctx, "s", "one")
	require.NoError(t, err)

	now = now.Add(1)
	require.Zero(t, send("three"), "forgotten after this commit")
	_, err = s.Receipt(ctx, "s", "one")
	require.ErrorIs(t, err, repo.ErrNotFound)
	_, err = s.Receipt(ctx, "s", "two")
	require.NoError(t, err)
	require.Equal(t, int64(1), send("four"))

	// Also when nothing is sent any more.
	now = now.Add(repo.ReceiptLifetime + 1)
	_, _, err = s.Expire(ctx, time.Unix(0, 0), 10)
	require.NoError(t, err)
	_, err = s.Receipt(ctx, "s", "four")
	require.ErrorIs(t, err, repo.ErrNotFound)
}

// TestKeys_AreForgottenWithoutReceipts, too: not all who send keys want an answer.
func TestKeys_AreForgottenWithoutReceipts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	s := clone(t, template(t), sqlite.Options{Now: func() time.Time { return now }})
	send := func(key string) int64 {
		b := someEvents(1)
		b.Events[0].Key = []byte(key)
		require.NoError(t, s.Commit(ctx, b))
		return b.Events[0].ID
	}
	require.Positive(t, send("one"))
	require.Zero(t, send("one"))
	now = now.Add(repo.ReceiptLifetime + 1)
	require.Positive(t, send("two"))
	require.Positive(t, send("one"))
}
