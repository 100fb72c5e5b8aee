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
	// ErrNewerSchema says that the database was written by a newer decnet.
	ErrNewerSchema = errors.New("the database was written by a newer version of decnet")
)
