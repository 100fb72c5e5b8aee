package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// dsn names a database in SQLite's URI form, without the parameters that differ
// between writer and readers.
type dsn struct {
	base   string // "file:…", percent-encoded, without "?"
	memory bool
	// empty says that the database is about to be made. How it gives space back can
	// only be chosen then; see [Store.Expire].
	empty bool
}

// fileURI names a file. SQLite decodes percent escapes, so that a path may hold
// "?", "#" and "%"; a NUL would end it early.
func fileURI(path string) (dsn, error) {
	if path == "" {
		return dsn{}, errors.New("the path of the database is empty")
	}
	if strings.ContainsRune(path, 0) {
		return dsn{}, errors.New("the path of the database holds a NUL")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return dsn{}, fmt.Errorf("the path of the database: %w", err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}
	return dsn{base: u.String()}, nil
}

// memoryURI names a fresh database in memory that all connections of this
// process can share. The name is random: a test's name in it would be parsed as
// a URI, and two equal names would share one database. Without the leading slash
// each connection would get a database of its own.
func memoryURI() dsn { return dsn{base: "file:/" + rand.Text(), memory: true} }

// writer is the name for the connection that writes. The driver applies
// _busy_timeout before anything else, so that the other pragmas, which may need
// a lock, wait for it.
func (d dsn) writer(o Options) string {
	q := d.common(o)
	q.Set("_txlock", "immediate")
	q.Add("_pragma", "foreign_keys(1)")
	if d.empty {
		q.Set("_auto_vacuum", "INCREMENTAL")
	}
	if !d.memory {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(NORMAL)")
		// The checkpointer does it; this is for a log that it could not move.
		q.Add("_pragma", "wal_autocheckpoint("+strconv.Itoa(4*o.CheckpointPages)+")")
		// A log that a long reader let grow is cut back once it was moved whole.
		q.Add("_pragma", "journal_size_limit("+strconv.Itoa(2*4096*o.CheckpointPages)+")")
		q.Add("_pragma", "cache_size(-"+strconv.Itoa(o.CacheKiB)+")")
	}
	return d.base + "?" + q.Encode()
}

// checkpointer is the name for the connection that only moves the write-ahead log.
func (d dsn) checkpointer(o Options) string {
	q := d.common(o)
	q.Add("_pragma", "synchronous(NORMAL)")
	q.Add("_pragma", "wal_autocheckpoint(0)")
	q.Add("_pragma", "cache_size(-256)")
	return d.base + "?" + q.Encode()
}

// reader is the name for connections that only read: a file is opened
// read-only, and query_only guards the database in memory, whose VFS knows no
// such mode.
func (d dsn) reader(o Options) string {
	q := d.common(o)
	q.Set("_query_only", "1")
	if !d.memory {
		q.Set("mode", "ro")
		q.Add("_pragma", "cache_size(-"+strconv.Itoa(max(o.CacheKiB/8, 1))+")")
	}
	return d.base + "?" + q.Encode()
}

func (d dsn) common(o Options) url.Values {
	q := url.Values{}
	q.Set("_busy_timeout", strconv.FormatInt(o.BusyTimeout.Milliseconds(), 10))
	// A misspelt column in double quotes is an error and not a string.
	q.Set("_dqs", "0")
	if d.memory {
		q.Set("vfs", "memdb")
	}
	return q
}

// connector opens connections of a driver value that is registered nowhere, so
// that our SQL functions need no package-level state.
type connector struct {
	driver driver.Driver
	dsn    string
	// first is used once, instead of opening another; nil for none.
	first chan driver.Conn
	// wrap makes what the pool gets of a connection that was opened; nil changes nothing.
	wrap func(driver.Conn) (driver.Conn, error)
}

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case conn := <-c.first:
		return conn, nil
	default:
	}
	conn, err := c.driver.Open(c.dsn)
	if err != nil || c.wrap == nil {
		return conn, err
	}
	return c.wrap(conn)
}

// Driver implements [driver.Connector].
func (c connector) Driver() driver.Driver { return c.driver }

// connection is all that a connection of the driver can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keeper is a connection that holds a database in memory alive, which dies with
// its last one. The pool may use it and cannot end it: the driver would have it
// discarded after a statement was interrupted.
type keeper struct{ connection }

// IsValid implements [driver.Validator].
func (keeper) IsValid() bool { return true }

// ResetSession implements [driver.SessionResetter].
func (keeper) ResetSession(context.Context) error { return nil }

// Close does nothing; see [Store.Close].
func (keeper) Close() error { return nil }
