package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"decnet/repo"
)

// trouble gives the errors of SQLite that tell of the disk their name in package
// repo, by their result codes: their texts differ between versions.
func trouble(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	var named error
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL:
		named = repo.ErrDiskFull
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		named = repo.ErrReadOnly
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		named = repo.ErrLocked
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		named = repo.ErrCorrupt
	default:
		return err
	}
	return fmt.Errorf("%w: %w", named, err)
}
