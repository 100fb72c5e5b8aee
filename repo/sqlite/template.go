package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"

	"modernc.org/sqlite"
)

// Template is a migrated and prepared database from which tests clone their own
// in a fraction of the time that migrating takes. Its methods may be called from
// many goroutines.
type Template struct {
	driver driver.Driver
	store  *Store
	image  []byte
}

// NewTemplate migrates a database in memory and runs prepare on it, which may be
// nil, to put in what every clone should hold. Close it after its last Clone.
func NewTemplate(ctx context.Context, prepare func(ctx context.Context, s *Store) error) (*Template, error) {
	drv, err := newDriver()
	if err != nil {
		return nil, err
	}
	name := memoryURI()
	name.empty = true
	s, err := openMemory(drv, Options{}.withDefaults(), name)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	t := &Template{driver: drv, store: s}
	err = migrateSchema(ctx, s.write)
	if err == nil && prepare != nil {
		err = prepare(ctx, s)
	}
	if err == nil {
		t.image, err = serialize(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("template: %w", errors.Join(err, s.Close()))
	}
	return t, nil
}

// openMemory opens a database in memory.
func openMemory(drv driver.Driver, o Options, name dsn) (*Store, error) {
	first, err := drv.Open(name.writer(o))
	if err != nil {
		return nil, err
	}
	kept, ok := first.(connection)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's %T lacks methods", first), first.Close())
	}
	return newStore(drv, o, name, kept), nil
}

// serialize returns the bytes of the database file.
func serialize(ctx context.Context, s *Store) (image []byte, err error) {
	err = s.raw(ctx, func(c any) error {
		src, ok := c.(interface{ Serialize() ([]byte, error) })
		if !ok {
			return fmt.Errorf("the driver's %T cannot serialize", c)
		}
		image, err = src.Serialize()
		return err
	})
	return image, err
}

// raw runs f on a connection of the driver.
func (s *Store) raw(ctx context.Context, f func(driverConn any) error) error {
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	return errors.Join(conn.Raw(onDriver(f)), conn.Close())
}

// Clone returns a store of its own: in memory, or at Options.Path when that is
// set, in a file in WAL mode as in production. A database in memory has no WAL:
// a reader waits while a write transaction is open, up to Options.BusyTimeout.
func (t *Template) Clone(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if o.Path != "" {
		if err := os.WriteFile(o.Path, t.image, 0o600); err != nil {
			return nil, fmt.Errorf("clone: %w", err)
		}
		return openFile(ctx, t.driver, o, false)
	}
	name := memoryURI()
	copied, err := t.backup(ctx, name.writer(o))
	if err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	// A connection that a backup made knows none of our functions.
	s, err := openMemory(t.driver, o, name)
	return s, errors.Join(err, copied.Close())
}

// backup copies the template and returns the connection to the copy.
func (t *Template) backup(ctx context.Context, target string) (copied driver.Conn, err error) {
	err = t.store.raw(ctx, func(c any) error {
		src, ok := c.(interface {
			NewBackup(target string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver's %T cannot back up", c)
		}
		b, err := src.NewBackup(target)
		if err != nil {
			return err
		}
		if _, err := b.Step(-1); err != nil {
			return errors.Join(err, b.Finish())
		}
		copied, err = b.Commit()
		return err
	})
	return copied, err
}

// Close frees the template; its clones live on.
func (t *Template) Close() error { return t.store.Close() }
