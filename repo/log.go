package repo

import (
	"net/netip"
	"time"
)

// UnknownAttacker stands in [Log.AttackerIP] where an event has no attacker, as
// the decoys' own start-up messages have none. It never gets a profile.
const UnknownAttacker = "Unknown"

// MaxUnixNano is the last time that an event can have: the end of the year 2261.
// The first is the Unix epoch. Between them nanoseconds fit an int64 and years
// fit RFC 3339.
const MaxUnixNano int64 = 9214646399_999999999

// ValidTime reports whether an event can have the time t.
func ValidTime(t time.Time) bool {
	return t.Unix() >= 0 && t.Unix() <= MaxUnixNano/int64(time.Second)
}

// Log is one event as it is stored and listed.
type Log struct {
	// ID is given by the engine; it ascends in commit order.
	ID int64
	// Time is when the decoy saw the event, in UTC.
	Time time.Time
	// Decky is the decoy's name, Service the protocol that it imitated.
	Decky, Service string
	// EventType is the format's own word for what happened.
	EventType string
	// AttackerIP is an address in the form of [AttackerAddress], or [UnknownAttacker].
	AttackerIP string
	// RawLine is the line as the decoy wrote it, byte for byte.
	RawLine string
	// Original is the line as decnet read it, kept only where RawLine and Fields
	// could not hold it without loss (bytes that are not UTF-8 inside a JSON
	// envelope). It is not on the wire.
	Original []byte
	// Fields is a compact JSON object: valid UTF-8, without duplicate keys at its
	// top and without unpaired surrogate escapes.
	Fields string
	// Msg is the free text of the event, TraceID and SpanID its W3C trace
	// context; "" means none.
	Msg, TraceID, SpanID string
}

// AttackerAddress returns the canonical form of an attacker's address: IPv4
// inside IPv6 is unmapped, a zone dropped. Whatever is not an address gives
// [UnknownAttacker]; the event's fields and raw line still hold what was sent.
func AttackerAddress(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return UnknownAttacker
	}
	return a.Unmap().WithZone("").String()
}

// AddressScope says where an address in the form of [AttackerAddress] can come
// from: private (RFC 1918, RFC 4193), loopback, link_local, unspecified,
// multicast, or public for all else. An address that is not public is no
// stranger's: it is a host of one's own, a proxy, or a decoy that sees no sender.
func AddressScope(ip string) string {
	a, err := netip.ParseAddr(ip)
	switch {
	case err != nil || a.IsUnspecified():
		return "unspecified"
	case a.IsLoopback():
		return "loopback"
	case a.IsPrivate():
		return "private"
	case a.IsLinkLocalUnicast():
		return "link_local"
	case a.IsMulticast():
		return "multicast"
	}
	return "public"
}

// LogFilter chooses events. The zero value chooses all.
type LogFilter struct {
	// Search is nil for no condition.
	Search Expr
	// Start and End are inclusive; a zero time means no bound.
	Start, End time.Time
}

// IsZero reports whether the filter chooses everything.
func (f LogFilter) IsZero() bool {
	return f.Search == nil && f.Start.IsZero() && f.End.IsZero()
}

// Match reports whether the filter chooses l. Every engine must choose the
// same rows; the stream uses it to filter rows in memory.
func (f LogFilter) Match(l *Log) bool {
	if !f.Start.IsZero() && l.Time.Before(f.Start) {
		return false
	}
	if !f.End.IsZero() && l.Time.After(f.End) {
		return false
	}
	return f.Search == nil || f.Search.Match(l)
}

// LogQuery asks for one page of events, newest first.
type LogQuery struct {
	LogFilter
	// Limit is at least 1, Offset at least 0; the caller has checked their bounds.
	Limit, Offset int
	// After is the place behind which the page begins, before Offset is counted;
	// the zero value is the newest event.
	After LogPlace
}

// LogPlace is the place of an event in the order of pages, the newest first. It
// stays right whatever is stored or removed meanwhile, which an offset does not.
type LogPlace struct {
	Time time.Time
	ID   int64
}

// IsZero reports whether it is no place.
func (p LogPlace) IsZero() bool { return p.ID == 0 && p.Time.IsZero() }

// Place returns the place of the event.
func (l *Log) Place() LogPlace { return LogPlace{l.Time, l.ID} }

// Bucket is one bar of a histogram.
type Bucket struct {
	// Start is the bucket's first instant: a multiple of the interval since 1970.
	Start time.Time
	// Count is at least 1: empty buckets are left out.
	Count int64
}

// Stats are the counters of the whole store. All are kept beside the rows, so
// that reading them costs the same at any size.
type Stats struct {
	// Logs is the number of events that are stored: one that expired is no longer
	// counted.
	Logs int64
	// Attackers is the number of distinct attacker addresses.
	Attackers int64
	// ActiveDeckies is the number of distinct decoys that ever sent an event.
	ActiveDeckies int64
	// Bounties is the number of stored bounties.
	Bounties int64
}
