package repo

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// RecentCommands bounds [Attacker.Commands]; all commands are kept and paged by
// the engine's Commands method.
const RecentCommands = 50

// MaxFingerprints bounds [Attacker.Fingerprints]; all are kept as bounties.
const MaxFingerprints = 50

// Attacker is the profile of one attacker address.
type Attacker struct {
	// UUID is [AttackerUUID] of IP.
	UUID string
	// IP is in the form of [AttackerAddress].
	IP string
	// FirstSeen and LastSeen are the earliest and latest event time.
	FirstSeen, LastSeen time.Time
	EventCount          int64
	// Services are in ascending order, Deckies in the order of first contact.
	Services, Deckies []string
	// BountyCount and CredentialCount count the distinct bounties stored for IP.
	BountyCount, CredentialCount int64
	// Fingerprints are the latest [MaxFingerprints] payloads of type
	// fingerprint, oldest first. Huge ones are left out.
	Fingerprints []json.RawMessage
	// Commands are the latest [RecentCommands], oldest first; a long text is cut
	// here, and there are fewer of very long ones. The events have all of it.
	Commands []Command
	Behavior Behavior
	// UpdatedAt is when the engine last changed the row (commit time).
	UpdatedAt time.Time
}

// IsTraversal reports whether the attacker was seen on two or more decoys.
func (a *Attacker) IsTraversal() bool { return len(a.Deckies) >= 2 }

// AttackerUUID is the id of an address on the wire: a name-based UUID (RFC 9562
// version 5), so that links survive a purge and are equal on every engine.
func AttackerUUID(ip string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("decnet:attacker:"+ip)).String()
}

// Command is one line that an attacker typed or had executed.
type Command struct {
	Time                 time.Time
	Service, Decky, Text string
}

// Behavior is what the timing and the traces of an attacker's events tell.
type Behavior struct {
	// OSGuess is "" when unknown. HopDistance is nil when unknown.
	OSGuess     string
	HopDistance *int64
	// TCPFingerprint is a JSON object; "" means none.
	TCPFingerprint  string
	RetransmitCount int64
	// Class is one of beaconing, interactive, scanning, brute_force, slow_scan,
	// mixed, unknown.
	Class string
	// BeaconInterval is in seconds and BeaconJitter in percent; nil unless beaconing.
	BeaconInterval, BeaconJitter *float64
	// Tools are in ascending order.
	Tools  []string
	Timing Timing
	Phases Phases
}

// Timing are statistics of the inter-arrival times (IAT) of an attacker's
// events, in seconds.
type Timing struct {
	// Mean, Median, Stdev (of the population), Min, Max and CV (Stdev / Mean) are
	// nil while there is no IAT.
	Mean, Median, Stdev, Min, Max, CV *float64
	EventCount                        int64
	// Duration is from first to last event, in seconds.
	Duration float64
}

// Phases says when an attacker went from looking around to taking things out.
type Phases struct {
	// ReconEnd and ExfilStart are zero while unknown.
	ReconEnd, ExfilStart time.Time
	// ExfilLatency is from ReconEnd to ExfilStart in seconds; nil unless both are known.
	ExfilLatency *float64
	// LargePayloads counts the events that moved at least a mebibyte.
	LargePayloads int64
}

// AttackerFilter chooses attackers. The zero value chooses all.
type AttackerFilter struct {
	// Search is a substring of the address, of a service, of a decky, or of the
	// behaviour class, where ASCII letters match in either case; "" means any.
	Search string
	// Service is equality with one of the attacker's services; "" means any.
	Service string
}

// IsZero reports whether the filter chooses everything.
func (f AttackerFilter) IsZero() bool { return f == AttackerFilter{} }

// AttackerSort is the order of a list of attackers; ties are broken by the
// later LastSeen, then by IP.
type AttackerSort int

const (
	// SortRecent puts the latest LastSeen first.
	SortRecent AttackerSort = iota
	// SortActive puts the highest EventCount first.
	SortActive
	// SortTraversals puts the most deckies first.
	SortTraversals
)

// AttackerQuery asks for one page of attackers.
type AttackerQuery struct {
	AttackerFilter
	Sort          AttackerSort
	Limit, Offset int
}

// CommandQuery asks for one page of an attacker's commands, oldest first.
type CommandQuery struct {
	// Service is equality; "" means any.
	Service       string
	Limit, Offset int
}
