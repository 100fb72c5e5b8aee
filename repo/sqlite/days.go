package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"decnet/repo"
)

const (
	minute        = int64(time.Minute)
	quarter       = int64(15 * time.Minute)
	quartersOfDay = int64(96)
)

// The kinds of rows in the table days, beside the columns that have facets. Their
// value is empty.
const (
	kindAll     repo.Column = "all"
	kindExpired repo.Column = "expired"
)

// quarters are the numbers of events in the quarters of an hour of a day in UTC.
// A row holds them as pairs of uvarints, of those only that have events, so that
// something rare takes a few bytes and something frequent no more than its digits.
type quarters [quartersOfDay]int64

// add adds what a row holds, sign times. It stops where it cannot read on: Check
// finds such a row, and no commit may fail because of it.
func (q *quarters) add(packed []byte, sign int64) {
	for at := 0; ; at++ {
		gap, size := binary.Uvarint(packed)
		if size <= 0 || gap >= uint64(len(q)) {
			return
		}
		packed = packed[size:]
		n, size := binary.Uvarint(packed)
		if at += int(gap); size <= 0 || at >= len(q) {
			return
		}
		packed = packed[size:]
		q[at] += sign * int64(n)
	}
}

// pack is what a row holds. Counts that are not positive are left out.
func (q *quarters) pack() []byte {
	packed := make([]byte, 0, 2*quartersOfDay)
	gap := uint64(0)
	for _, n := range q {
		if n <= 0 {
			gap++
			continue
		}
		packed = binary.AppendUvarint(packed, gap)
		packed = binary.AppendUvarint(packed, uint64(n))
		gap = 0
	}
	return packed
}

// quartersSum is the SQL function quarters_sum(counts, more), quartersLess
// quarters_less(counts, fewer).
func quartersSum(args []driver.Value) driver.Value  { return combineQuarters(args, 1) }
func quartersLess(args []driver.Value) driver.Value { return combineQuarters(args, -1) }

func combineQuarters(args []driver.Value, sign int64) driver.Value {
	var q quarters
	if b, ok := args[0].([]byte); ok {
		q.add(b, 1)
	}
	if b, ok := args[1].([]byte); ok {
		q.add(b, sign)
	}
	return q.pack()
}

// quartersOf is the SQL function quarters_of(list), for the migration: a list
// like 12:7,13:1 of quarters and their counts.
func quartersOf(args []driver.Value) driver.Value {
	var q quarters
	for pair := range strings.SplitSeq(text(args[0]), ",") {
		place, count, _ := strings.Cut(pair, ":")
		at, err := strconv.ParseUint(place, 10, 8)
		n, err2 := strconv.ParseInt(count, 10, 64)
		if err == nil && err2 == nil && at < uint64(len(q)) {
			q[at] += n
		}
	}
	return q.pack()
}

// dayKey is a row of the table days.
type dayKey struct {
	facetKey
	day int64
}

// days is what the batch counted, by day.
func (w *batchWriter) days() map[dayKey]*quarters {
	for k, f := range w.facets {
		w.endRun(k, f)
	}
	all := make(map[dayKey]*quarters, len(w.facets)+1)
	count := func(k facetKey, at, n int64) {
		key := dayKey{k, at / quartersOfDay}
		q := all[key]
		if q == nil {
			q = new(quarters)
			all[key] = q
		}
		q[at%quartersOfDay] += n
	}
	for at, n := range w.minutes {
		count(facetKey{kind: kindAll}, at*minute/quarter, n)
	}
	for k, n := range w.facetQuarters {
		count(k.facetKey, k.quarter, n)
	}
	return all
}

const addToDay = `INSERT INTO days (kind, day, value, counts) VALUES (?, ?, ?, ?)
	ON CONFLICT (kind, day, value) DO UPDATE SET counts = quarters_sum(counts, excluded.counts)`

func (w *batchWriter) writeDays() error {
	for k, q := range w.days() {
		if _, err := w.exec(addToDay, string(k.kind), k.day, k.value, q.pack()); err != nil {
			return err
		}
	}
	return nil
}

// lowerDays takes what was counted from the days. What all events lose, the
// expired ones gain.
func (w *batchWriter) lowerDays() error {
	const which = " WHERE kind = ? AND day = ? AND value = ?"
	for k, q := range w.days() {
		packed := q.pack()
		if k.kind == kindAll {
			if _, err := w.exec(addToDay, string(kindExpired), k.day, "", packed); err != nil {
				return err
			}
		}
		_, err := w.exec("UPDATE days SET counts = quarters_less(counts, ?)"+which, packed, string(k.kind), k.day, k.value)
		if err != nil {
			return err
		}
		_, err = w.exec("DELETE FROM days"+which+" AND counts = x''", string(k.kind), k.day, k.value)
		if err != nil {
			return err
		}
	}
	return nil
}

// selectDays has two rows for a day of which some events have expired. Both are
// walked along their keys and merged: nothing is sorted.
const (
	selectDays = `SELECT day, counts FROM days WHERE kind = 'all' AND day >= ?1 AND day <= ?2
		UNION ALL SELECT day, counts FROM days WHERE kind = 'expired' AND day >= ?1 AND day <= ?2
		ORDER BY day`
	selectStoredDays = "SELECT day, counts FROM days WHERE kind = 'all' AND day >= ? AND day <= ?"
	// selectFacetDays looks a value up in each day that has events.
	selectFacetDays = `SELECT f.day, f.counts FROM days AS a CROSS JOIN days AS f
		ON f.kind = ?3 AND f.day = a.day AND f.value = ?4
		WHERE a.kind = 'all' AND a.day >= ?1 AND a.day <= ?2 ORDER BY a.day`
)

// eachQuarter runs a query of (day, counts) in the order of days, the first two
// arguments of which are the first and the last day, and calls add for each
// quarter of [from, to) that has events, in ascending order, with its time in Unix
// nanoseconds. The bounds must be multiples of a quarter.
func eachQuarter(ctx context.Context, tx *sql.Tx, from, to int64, add func(nanos, n int64), query string, args ...any) error {
	first, end := from/quarter, to/quarter
	rows, err := tx.QueryContext(ctx, query, append([]any{first / quartersOfDay, (end - 1) / quartersOfDay}, args...)...)
	if err != nil {
		return err
	}
	var sum quarters
	current := int64(-1)
	flush := func() {
		for i, n := range sum {
			if at := current*quartersOfDay + int64(i); n != 0 && at >= first && at < end {
				add(at*quarter, n)
			}
		}
		sum = quarters{}
	}
	err = each(rows, func(scan func(...any) error) error {
		var day int64
		var packed sql.RawBytes
		if err := scan(&day, &packed); err != nil {
			return err
		}
		if day != current {
			flush()
			current = day
		}
		sum.add(packed, 1)
		return nil
	})
	flush()
	return err
}
