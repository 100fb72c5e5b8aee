package repo

import "time"

// The bounty types of the wire contract.
const (
	BountyCredential  = "credential"
	BountyFingerprint = "fingerprint"
	BountyPayload     = "payload"
)

// Bounty is something an attacker left behind: a credential that was tried, a
// fingerprint of the tool, a file. The same (Type, AttackerIP, Payload) is
// stored once, at the time that it was first seen in.
type Bounty struct {
	// ID is given by the engine.
	ID int64
	// Time, Decky, Service and AttackerIP are those of the event that gave it.
	Time                       time.Time
	Decky, Service, AttackerIP string
	// Type is one of the Bounty constants.
	Type string
	// Payload is a compact JSON object with its keys in ascending order, so that
	// equal payloads are equal texts.
	Payload string
}

// BountyFilter chooses bounties. The zero value chooses all.
type BountyFilter struct {
	// Type is equality on [Bounty.Type]; "" means any.
	Type string
	// Search is a substring of decky, service, attacker_ip, type or payload, where
	// ASCII letters match in either case; "" means any.
	Search string
}

// IsZero reports whether the filter chooses everything.
func (f BountyFilter) IsZero() bool { return f == BountyFilter{} }

// BountyQuery asks for one page of bounties, newest first.
type BountyQuery struct {
	BountyFilter
	Limit, Offset int
}
