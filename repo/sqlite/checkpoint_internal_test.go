package sqlite

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// loggedStore is a store in a file that tells the log of its troubles.
func loggedStore(t *testing.T, o Options) (*Store, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	o.Path, o.Log = filepath.Join(t.TempDir(), "x.db"), slog.New(slog.NewTextHandler(&log, nil))
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s, &log
}

// TestCheckpointer_KeepsTheLogShort: what is in the log is moved beside the writer long
// before a commit would have to wait for that, so that the log begins anew.
func TestCheckpointer_KeepsTheLogShort(t *testing.T) {
	t.Parallel()
	const pages = 100
	s, log := loggedStore(t, Options{CheckpointPages: pages})
	var most int64
	for range 60 {
		require.NoError(t, s.Commit(t.Context(), &repo.Batch{Events: bigEvents(10)}))
		s.checkpoints.running.Wait()
		info, err := os.Stat(s.path + "-wal")
		require.NoError(t, err)
		most = max(most, info.Size()/4096)
	}
	assert.Greater(t, most, int64(pages), "not before")
	assert.Less(t, most, int64(2*pages))
	assert.Empty(t, log.String())
}

// TestCheckpointer_TellsWhatFails, but not that the store is being closed.
func TestCheckpointer_TellsWhatFails(t *testing.T) {
	t.Parallel()
	s, log := loggedStore(t, Options{})
	require.NoError(t, s.checkpoints.db.Close())
	s.checkpoints.start(s.log)
	s.checkpoints.running.Wait()
	assert.Contains(t, log.String(), "could not be moved")
	log.Reset()
	s.checkpoints.stop()
	s.checkpoints.start(s.log)
	s.checkpoints.running.Wait()
	assert.Empty(t, log.String())
}
