package sqlite

import (
	"database/sql/driver"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestWAL_IsCutBackAtItsLimit, which is nothing to tell of.
func TestWAL_IsCutBackAtItsLimit(t *testing.T) {
	t.Parallel()
	s, log := loggedStore(t, Options{CheckpointPages: 2})
	for range 3 {
		require.NoError(t, s.Commit(t.Context(), &repo.Batch{Events: bigEvents(20)}))
		info, err := os.Stat(s.path + "-wal")
		require.NoError(t, err)
		assert.Zero(t, info.Size())
	}
	assert.Empty(t, log.String())
	assert.Equal(t, s.walBase, s.walLimit.Load())
}

// TestSize_HasTheLog: it takes room on the disk, too.
func TestSize_HasTheLog(t *testing.T) {
	t.Parallel()
	s, _ := loggedStore(t, Options{})
	require.NoError(t, s.Commit(t.Context(), &repo.Batch{Events: bigEvents(20)}))
	info, err := os.Stat(s.path + "-wal")
	require.NoError(t, err)
	require.Positive(t, info.Size())
	var pages int64
	require.NoError(t, s.read.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages))
	size, err := s.Size(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 4096*pages+info.Size(), size)
}

// leakDriver counts the connections that are open.
type leakDriver struct {
	driver.Driver
	open atomic.Int64
}

type leakConn struct {
	connection
	open *atomic.Int64
}

func (d *leakDriver) Open(name string) (driver.Conn, error) {
	c, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	return leakConn{c.(connection), &d.open}, nil
}

func (c leakConn) Close() error {
	c.open.Add(-1)
	return c.connection.Close()
}

// TestMemory_IsFreed when the store is closed: a database in memory lives as long as
// a connection to it.
func TestMemory_IsFreed(t *testing.T) {
	t.Parallel()
	plain, err := newDriver()
	require.NoError(t, err)
	d := &leakDriver{Driver: plain}
	s, err := openMemory(d, Options{}.withDefaults(), memoryURI())
	require.NoError(t, err)
	require.NoError(t, migrateSchema(t.Context(), s.write))
	require.NoError(t, s.Ping(t.Context()))
	require.Greater(t, d.open.Load(), int64(1))
	require.NoError(t, s.Close())
	assert.Zero(t, d.open.Load())
}
