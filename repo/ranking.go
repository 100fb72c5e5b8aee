package repo

import "time"

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
	Value string
	// Count is at least 1.
	Count int64
}

// Ranking is the answer to a [RankingQuery]. It counts the events that are
// stored: one that expired is no longer counted.
type Ranking struct {
	// List has the values with the most events first, and equal ones by value. It
	// is never nil. [UnknownAttacker] is no attacker and never in it.
	List []Ranked
	// Events is how many events there are in the range, of all values.
	Events int64
	// Distinct is how many values have events in the range, or -1 where finding
	// out would cost too much, as it may of attackers. Of attackers it may count
	// some of whom all events have expired.
	Distinct int64
	// Exact says that no value which is missing in List has more events than one in
	// it. It is false only of attackers, when engines gave up looking; the counts in
	// List are right also then.
	Exact bool
}
