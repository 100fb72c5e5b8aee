package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"decnet/repo"
)

// failed says what could not be done, and names the trouble of a disk.
func failed(what string, err error) error { return fmt.Errorf("%s: %w", what, trouble(err)) }

// wrapped is failed for an error that may be nil.
func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return failed(what, err)
}

// trouble gives the errors of SQLite that tell of the disk their name in package
// repo, by their result codes: their texts differ between versions.
func trouble(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) || isNamed(err) {
		return err
	}
	var named error
	switch e.Code() {
	case lib.SQLITE_IOERR_SHMSIZE:
		// The index of the write-ahead log could not grow.
		return fmt.Errorf("%w: %w", repo.ErrDiskFull, err)
	case lib.SQLITE_IOERR_CORRUPTFS, lib.SQLITE_IOERR_DATA:
		return fmt.Errorf("%w: %w", repo.ErrCorrupt, err)
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL:
		named = repo.ErrDiskFull
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		named = repo.ErrReadOnly
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		named = repo.ErrLocked
	case lib.SQLITE_IOERR:
		named = repo.ErrDisk
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		named = repo.ErrCorrupt
	default:
		return err
	}
	return fmt.Errorf("%w: %w", named, err)
}

// isNamed reports whether err has been through trouble.
func isNamed(err error) bool {
	return errors.Is(err, repo.ErrDiskFull) || errors.Is(err, repo.ErrReadOnly) ||
		errors.Is(err, repo.ErrLocked) || errors.Is(err, repo.ErrDisk) || errors.Is(err, repo.ErrCorrupt)
}
