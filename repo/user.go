package repo

import "time"

// Role says what a user may do.
type Role string

// The roles of the wire contract: a viewer reads, an admin reads and writes.
const (
	RoleViewer Role = "viewer"
	RoleAdmin  Role = "admin"
)

// User is an account of the API.
type User struct {
	// UUID is random, given by the caller of CreateUser.
	UUID     string
	Username string
	// PasswordHash is a hash of package auth, never a password.
	PasswordHash string
	Role         Role
	// MustChangePassword locks the user out of all but the change of the password.
	MustChangePassword bool
	// TokenVersion goes up whenever tokens given out before must stop working:
	// on each change of password or role. Engines raise it.
	TokenVersion int64
	CreatedAt    time.Time
}

// Purged counts the rows that a purge removed.
type Purged struct {
	Logs, Bounties, Attackers int64
}
