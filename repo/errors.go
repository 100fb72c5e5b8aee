package repo

import "errors"

// The errors that callers tell apart. Engines wrap them with context.
var (
	// ErrNotFound says that the row which was asked for does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a unique value, such as a user name, is taken.
	ErrConflict = errors.New("already exists")
	// ErrLastAdmin says that the change would leave no administrator.
	ErrLastAdmin = errors.New("no administrator would remain")
	// ErrDiskFull, ErrReadOnly, ErrLocked, ErrDisk and ErrCorrupt say why an engine
	// can't write (or read, for the last three). Nothing of the write was stored,
	// and it may be tried again once the trouble is over.
	ErrDiskFull = errors.New("the disk is full")
	ErrReadOnly = errors.New("the database cannot be written")
	ErrLocked   = errors.New("the database is locked by another process")
	ErrDisk     = errors.New("the disk does not do what it is asked for")
	ErrCorrupt  = errors.New("the database is damaged")
	// ErrTooBroad says that a search would have to read more events than one request
	// may. What the method returns beside it, if anything, holds for what was read.
	ErrTooBroad = errors.New("the search would read too many events")
	// ErrNewerSchema says that the database was written by a newer decnet.
	ErrNewerSchema = errors.New("the database was written by a newer version of decnet")
)
