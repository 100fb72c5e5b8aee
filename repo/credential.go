package repo

import "time"

// Credential is a pair of user name and password that attackers tried, over all
// attackers, services and decoys.
type Credential struct {
	// ID is given by the engine.
	ID                 int64
	Username, Password string
	// Services are in ascending order.
	Services []string
	// Attempts counts the events, Attackers the distinct addresses.
	Attempts, Attackers int64
	FirstSeen, LastSeen time.Time
}

// CredentialFilter chooses credentials. The zero value chooses all.
type CredentialFilter struct {
	// Search is a substring of the user name or the password, where ASCII letters
	// match in either case; "" means any.
	Search string
	// Service is equality with one of the credential's services; "" means any.
	Service string
}

// IsZero reports whether the filter chooses everything.
func (f CredentialFilter) IsZero() bool { return f == CredentialFilter{} }

// CredentialSort is the order of a list of credentials; ties are broken by the
// later LastSeen, then by the higher id.
type CredentialSort int

const (
	// SortCredentialAttempts puts the most tried first.
	SortCredentialAttempts CredentialSort = iota
	// SortCredentialAttackers puts those first that most attackers tried.
	SortCredentialAttackers
	// SortCredentialRecent puts the latest first.
	SortCredentialRecent
)

// CredentialQuery asks for one page of credentials.
type CredentialQuery struct {
	CredentialFilter
	Sort          CredentialSort
	Limit, Offset int
}
