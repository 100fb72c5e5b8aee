package ingest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

// smallDisk is a file system of so many bytes. Where this process may not mount
// one, the test is skipped.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSYS) {
		t.Skip("a file system can't be mounted here: ", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// A real disk that is really full: reading goes on, nothing is lost, and what
// waits is stored when there is room again.
func TestDiskFull_OnARealDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "size=8m")
	ballast := filepath.Join(disk, "ballast")
	store := openStore(t, filepath.Join(disk, "decnet.db"))
	free(t, disk, ballast)

	log := filepath.Join(t.TempDir(), "log.json")
	write(t, log, text(0, 2000))
	in, err := ingest.New(ingest.Options{
		Sink: store, Sources: []ingest.Source{{Path: log, Follow: true}}, AcceptPushes: true,
		BatchWait: time.Millisecond, PollInterval: 10 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	require.Eventually(t, func() bool { return in.Health() != nil }, 20*time.Second, 5*time.Millisecond)
	assert.ErrorContains(t, in.Health(), "free some space")
	_, err = in.Push(t.Context(), pushOf("k", event(5000)))
	require.ErrorIs(t, err, ingest.ErrBusy)
	_, err = store.Stats(t.Context())
	require.NoError(t, err, "readers go on")

	require.NoError(t, os.Remove(ballast))
	require.Eventually(t, func() bool { return in.Status().Accepted == 2000 && in.Health() == nil }, 20*time.Second, 5*time.Millisecond)
	receipt, err := in.Push(t.Context(), pushOf("k", event(5000)))
	require.NoError(t, err)
	assert.EqualValues(t, 1, receipt.Accepted)
	cancel()
	require.NoError(t, <-done)
	n, err := store.CountLogs(t.Context(), repo.LogFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 2001, n, "once each")
}

// free fills a disk but for a little.
func free(t *testing.T, disk, ballast string) {
	t.Helper()
	var st syscall.Statfs_t
	require.NoError(t, syscall.Statfs(disk, &st))
	const left = 128 << 10
	room := int64(st.Bavail)*st.Bsize - left
	require.Positive(t, room)
	require.NoError(t, os.WriteFile(ballast, make([]byte, room), 0o600))
}
