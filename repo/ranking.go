package repo

import "time"

// ColumnCredential ranks credentials, by the attempts of which [Credential.Attempts]
// is the number. It is no column of [Log]: the search language does not know it.
const ColumnCredential Column = "credential"

// RankingQuery asks which values of a column have the most events.
type RankingQuery struct {
	By Column
	// Start and End are inclusive; a zero time means no bound.
	Start, End time.Time
	// Limit is at least 1; the caller has checked its bound.
	Limit int
}

// Ranked is a value with the number of its events.
type Ranked struct {
	// Value is the user name, of a credential.
	Value string
	// Password is that of a credential, and "" of anything else.
	Password string
	// Count is at least 1.
	Count int64
}

// Ranking is the answer to a [RankingQuery]. It counts the events that are
// stored: one that expired is no longer counted, but as an attempt of a credential.
//
// Engines need not remember when each attempt of a credential was. They may widen the
// range, for each credential, to whole quarters of an hour in UTC, and to whole days
// where it has attempts on two later days.
type Ranking struct {
	// List has the values with the most events first, and equal ones by value, then
	// by password. It is never nil. [UnknownAttacker] is no attacker and never in it.
	List []Ranked
	// Events is how many events there are in the range, of all values. The range is
	// as it was asked for.
	Events int64
	// Distinct is how many values have events in the range, or -1 where finding
	// out would cost too much, as it may of attackers and credentials. Of attackers
	// it may count some of whom all events have expired.
	Distinct int64
	// Exact says that no value which is missing in List has more events than one in
	// it. It is false only of attackers and credentials: when engines gave up looking,
	// and when they know of attempts only that they were between two times of which
	// the range has one. The counts in List are right also then, but may lack such
	// attempts.
	Exact bool
}
