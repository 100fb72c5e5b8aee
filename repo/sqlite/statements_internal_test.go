package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// countedDriver counts the statements that were prepared and those not yet ended.
type countedDriver struct {
	driver.Driver
	prepared, open atomic.Int64
}

type countedConn struct {
	connection
	d *countedDriver
}

type countedStmt struct {
	driver.Stmt
	driver.StmtQueryContext
	driver.StmtExecContext
	d *countedDriver
}

func (d *countedDriver) Open(name string) (driver.Conn, error) {
	c, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return countedConn{c.(connection), d}, nil
}

func (c countedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	st, err := c.connection.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.d.prepared.Add(1)
	c.d.open.Add(1)
	return countedStmt{st, st.(driver.StmtQueryContext), st.(driver.StmtExecContext), c.d}, nil
}

func (s countedStmt) Close() error {
	s.d.open.Add(-1)
	return s.Stmt.Close()
}

// preparingStore is a store in a file whose pool for reading has one connection.
func preparingStore(t *testing.T) (*Store, *countedDriver) {
	t.Helper()
	plain, err := newDriver()
	require.NoError(t, err)
	d := &countedDriver{Driver: plain}
	s, err := openFile(t.Context(), d, Options{Path: filepath.Join(t.TempDir(), "x.db"), Readers: 1}, true)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		assert.Zero(t, d.open.Load(), "statements that nobody ended")
	})
	_, err = s.write.ExecContext(t.Context(), "CREATE TABLE x (n INTEGER); INSERT INTO x VALUES (1), (2), (3)")
	require.NoError(t, err)
	d.prepared.Store(0)
	return s, d
}

// one returns the only value of a query.
func one(t *testing.T, s *Store, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, s.read.QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}

func TestPreparing_PreparesAQueryOnce(t *testing.T) {
	t.Parallel()
	s, d := preparingStore(t)
	for i := range 3 {
		assert.Equal(t, i, one(t, s, "SELECT count(*) FROM x WHERE n <= ?", i))
	}
	assert.EqualValues(t, 1, d.prepared.Load())
	_, err := s.write.ExecContext(t.Context(), "ALTER TABLE x ADD COLUMN m; INSERT INTO x VALUES (0, 0)")
	require.NoError(t, err)
	assert.Equal(t, 2, one(t, s, "SELECT count(*) FROM x WHERE n <= ?", 1), "after a change of the schema")
}

func TestPreparing_OneQueryInsideItself(t *testing.T) {
	t.Parallel()
	s, _ := preparingStore(t)
	var pairs []string
	require.NoError(t, s.snapshot(t.Context(), func(tx *sql.Tx) error {
		numbers := func(f func(n int) error) error {
			rows, err := tx.QueryContext(t.Context(), "SELECT n FROM x ORDER BY n")
			if err != nil {
				return err
			}
			return each(rows, func(scan func(...any) error) error {
				var n int
				return errors.Join(scan(&n), f(n))
			})
		}
		return numbers(func(outer int) error {
			return numbers(func(inner int) error {
				pairs = append(pairs, fmt.Sprint(outer, inner))
				return nil
			})
		})
	}))
	assert.Equal(t, []string{"1 1", "1 2", "1 3", "2 1", "2 2", "2 3", "3 1", "3 2", "3 3"}, pairs)
}

func TestPreparing_OneThatWasInterruptedIsMadeAnew(t *testing.T) {
	t.Parallel()
	s, _ := preparingStore(t)
	const count = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) SELECT n FROM c"
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := s.read.QueryContext(ctx, count, 1<<40)
	require.NoError(t, err)
	err = each(rows, func(func(...any) error) error {
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	for range 2 {
		got, err := s.read.QueryContext(t.Context(), count, 2)
		require.NoError(t, err)
		list, err := collect(got, func(scan func(...any) error) (n int, err error) {
			err = scan(&n)
			return n, err
		})
		require.NoError(t, err)
		assert.Equal(t, []int{1, 2}, list)
	}
}

// TestPreparing_KeepsFew: the texts of searches have no end.
func TestPreparing_KeepsFew(t *testing.T) {
	t.Parallel()
	s, d := preparingStore(t)
	before := d.open.Load()
	for i := range 3 * keptStatements {
		require.Equal(t, i, one(t, s, fmt.Sprintf("SELECT %d", i)))
		require.LessOrEqual(t, d.open.Load()-before, int64(keptStatements))
	}
	require.Equal(t, 3*keptStatements-1, one(t, s, fmt.Sprintf("SELECT %d", 3*keptStatements-1)))
	assert.EqualValues(t, 3*keptStatements, d.prepared.Load(), "the last is kept")
	require.Equal(t, 7, one(t, s, fmt.Sprintf("SELECT %*d", longestStatement, 7)))
	assert.EqualValues(t, 3*keptStatements, d.prepared.Load(), "a long text is not")
}
