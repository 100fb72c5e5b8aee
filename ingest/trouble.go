package ingest

import (
	"errors"

	"decnet/repo"
)

// troubleWith says what an operator can do about an error of the store; "" for
// an error of no known kind.
func troubleWith(err error) string {
	const later = " Nothing that was read is lost, and storing goes on by itself."
	switch {
	case errors.Is(err, repo.ErrDiskFull):
		return "The disk of the database is full: free some space." + later
	case errors.Is(err, repo.ErrReadOnly):
		return "The database can't be written: make its directory and files writable for this service, and look whether the file system was remounted read-only." + later
	case errors.Is(err, repo.ErrLocked):
		return "Another program holds the database locked: end it." + later
	case errors.Is(err, repo.ErrDisk):
		return "The disk of the database fails: look into the system's log for errors of the disk or its connection, and make a backup to another one." + later
	case errors.Is(err, repo.ErrCorrupt):
		return "The database is damaged: stop the service and run decnet check, or restore a backup." + later
	}
	return ""
}
