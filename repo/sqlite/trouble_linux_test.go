package sqlite

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestTrouble_AFailingDiskIsNamedAndForgottenWhenItWorks has the system refuse
// each write to the log, as it does when a disk is gone.
func TestTrouble_AFailingDiskIsNamedAndForgottenWhenItWorks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "decnet.db")
	s, err := Open(ctx, Options{Path: path})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(10)}))

	// Readers don't write to the log: which of the descriptors is the writer's
	// does not matter.
	reopen(t, path+"-wal", os.O_RDONLY)
	require.ErrorIs(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(1000)}), repo.ErrDisk)
	stats, err := s.Stats(ctx)
	require.NoError(t, err, "readers go on")
	assert.EqualValues(t, 10, stats.Logs)

	reopen(t, path+"-wal", os.O_RDWR)
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(1000)}))
	stats, err = s.Stats(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 1010, stats.Logs)
}

// reopen puts newly opened descriptors in the place of all those of a file that
// this process has.
func reopen(t *testing.T, path string, mode int) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	found := false
	for _, entry := range open {
		if name, err := os.Readlink("/proc/self/fd/" + entry.Name()); err != nil || name != path {
			continue
		}
		number, err := strconv.Atoi(entry.Name())
		require.NoError(t, err)
		f, err := os.OpenFile(path, mode, 0)
		require.NoError(t, err)
		require.NoError(t, syscall.Dup3(int(f.Fd()), number, syscall.O_CLOEXEC))
		require.NoError(t, f.Close())
		found = true
	}
	require.True(t, found)
}
