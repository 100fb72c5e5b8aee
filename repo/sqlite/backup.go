package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"decnet/repo"
)

// backupStep is how many pages are copied between two looks at the context
// (4 MiB).
const backupStep = 1024

// Backup copies the database, as of now, into a new file with mode 0600. Readers
// and the writer go on; the write-ahead log can't begin anew meanwhile. The file
// appears whole or not at all. It returns [repo.ErrConflict] if there is one.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.backup(ctx, path); err != nil {
		return failed("backup", err)
	}
	return nil
}

func (s *Store) backup(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, repo.ErrConflict)
	}
	// In the same directory, so that it can be given its name at once.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	temp := f.Name()
	defer func() {
		for _, name := range []string{temp, temp + "-journal", temp + "-wal", temp + "-shm"} {
			if e := os.Remove(name); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}()
	err = s.copyTo(ctx, temp)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return publish(temp, path)
}

// copyTo copies the pages of one snapshot.
func (s *Store) copyTo(ctx context.Context, path string) error {
	target, err := fileURI(path)
	if err != nil {
		return err
	}
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	// The transaction holds the snapshot from the first page to the last: without
	// it, the copy would begin anew with each commit.
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	var n int
	if err = tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err == nil {
		// Nobody reads the copy before it is whole: it needs no journal.
		err = conn.Raw(onDriver(copyPages(ctx, target.base+"?_journal_mode=OFF&_synchronous=OFF")))
	}
	return errors.Join(err, ignoreDone(tx.Rollback()), conn.Close())
}

func copyPages(ctx context.Context, target string) func(driverConn any) error {
	return func(c any) error {
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
		for more := true; more && err == nil; {
			if err = ctx.Err(); err == nil {
				more, err = b.Step(backupStep)
			}
		}
		return errors.Join(err, b.Finish())
	}
}

// publish gives a file its name unless another one has it by now, which a rename
// would replace.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path, repo.ErrConflict)
	}
	if err != nil {
		// A file system without hard links.
		if err := os.Rename(temp, path); err != nil {
			return err
		}
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
