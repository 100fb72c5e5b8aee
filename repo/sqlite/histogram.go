package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"decnet/repo"
)

// part is a stretch of time [from, to) in Unix nanoseconds, whose events are
// counted by the buckets of a resolution, which is quarter or minute, or by rows
// where that is 0.
type part struct{ resolution, from, to int64 }

// split covers [from, to) with buckets of the first resolution, and with finer
// ones and at last with rows where an edge cuts a bucket. At most two parts are
// of rows, and each of those lies within one minute.
func split(parts []part, from, to int64, resolutions []int64) []part {
	if from >= to {
		return parts
	}
	if len(resolutions) == 0 {
		return append(parts, part{0, from, to})
	}
	size := resolutions[0]
	first, end := (from+size-1)/size*size, to/size*size
	if first > end { // all within one bucket
		return split(parts, from, to, resolutions[1:])
	}
	parts = split(parts, from, first, resolutions[1:])
	if first < end {
		parts = append(parts, part{resolutions[0], first, end})
	}
	return split(parts, end, to, resolutions[1:])
}

const countPart = "SELECT count(*) FROM logs WHERE time >= ? AND time < ?"

// sumRollups counts the events of a span.
func sumRollups(ctx context.Context, tx *sql.Tx, s span) (total int64, err error) {
	for _, p := range split(nil, s.first, s.last+1, []int64{quarter, minute}) {
		n := int64(0)
		switch p.resolution {
		case quarter:
			err = eachQuarter(ctx, tx, p.from, p.to, func(_, count int64) { n += count }, selectStoredDays)
		case minute:
			err = tx.QueryRowContext(ctx, "SELECT coalesce(sum(count), 0) FROM minutes WHERE minute >= ? AND minute < ?",
				p.from/minute, p.to/minute).Scan(&n)
		default:
			err = tx.QueryRowContext(ctx, countPart, p.from, p.to).Scan(&n)
		}
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// Histogram counts events in buckets of the interval, a whole number of minutes,
// at least one; the oldest bucket first. Without a search its cost depends on
// the number of buckets only, and events that have expired are counted, too, in
// all minutes that the filter covers whole.
func (s *Store) Histogram(ctx context.Context, f repo.LogFilter, interval time.Duration) ([]repo.Bucket, error) {
	if interval < time.Minute || interval%time.Minute != 0 {
		return nil, fmt.Errorf("histogram: the interval %v is not a whole number of minutes", interval)
	}
	h := histogram{interval: int64(interval), buckets: []repo.Bucket{}}
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		if f.Search == nil {
			return h.fromRollups(ctx, tx, spanOf(f))
		}
		known, err := narrow(ctx, tx, f)
		if err != nil || known.empty() {
			return err
		}
		if known.hunted(f.Search) {
			hunt, err := s.newHunt(ctx, tx, f, spanOf(f), histogramShare*s.searchRows)
			if err != nil {
				return err
			}
			return h.fromIndex(hunt)
		}
		e, ok := hasFacet(f.Search)
		if !ok {
			return h.fromRows(ctx, tx, f, known)
		}
		if h.interval%quarter == 0 {
			return h.fromFacet(ctx, tx, e, known.span)
		}
		rows, err := sumFacet(ctx, tx, e, known.span)
		switch {
		case err != nil:
			return err
		case rows > histogramShare*s.searchRows:
			return repo.ErrTooBroad
		}
		return h.fromRows(ctx, tx, f, known)
	})
	if err != nil {
		return nil, failed("histogram", err)
	}
	return h.buckets, nil
}

type histogram struct {
	interval int64 // in nanoseconds
	buckets  []repo.Bucket
	last     int64 // the start of the last bucket
}

// add counts n events at a time; times come in ascending order.
func (h *histogram) add(nanos, n int64) {
	if n == 0 {
		return
	}
	start := nanos / h.interval * h.interval
	if last := len(h.buckets) - 1; last >= 0 && h.last == start {
		h.buckets[last].Count += n
		return
	}
	h.last = start
	h.buckets = append(h.buckets, repo.Bucket{Start: fromNanos(start), Count: n})
}

func (h *histogram) fromRollups(ctx context.Context, tx *sql.Tx, s span) error {
	usable := []int64{quarter, minute}
	if h.interval%quarter != 0 {
		usable = usable[1:]
	}
	for _, p := range split(nil, s.first, s.last+1, usable) {
		var err error
		switch p.resolution {
		case quarter:
			err = eachQuarter(ctx, tx, p.from, p.to, h.add, selectDays)
		case minute:
			err = h.addMinutes(ctx, tx, p)
		default:
			var n int64
			err = tx.QueryRowContext(ctx, countPart, p.from, p.to).Scan(&n)
			h.add(p.from, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *histogram) addMinutes(ctx context.Context, tx *sql.Tx, p part) error {
	var expired sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT max(minute) FROM expired_minutes").Scan(&expired); err != nil {
		return err
	}
	query := "SELECT minute, count FROM minutes WHERE minute >= ?1 AND minute < ?2 ORDER BY minute"
	if expired.Valid && expired.Int64 >= p.from/minute { // Both are walked along their keys and merged: nothing is sorted.
		query = `SELECT minute, count FROM minutes WHERE minute >= ?1 AND minute < ?2
			UNION ALL SELECT minute, count FROM expired_minutes WHERE minute >= ?1 AND minute < ?2
			ORDER BY minute`
	}
	return h.addRows(ctx, tx, minute, query, p.from/minute, p.to/minute)
}

// addRows adds the rows (bucket, count) of a query, whose buckets are of size
// nanoseconds.
func (h *histogram) addRows(ctx context.Context, tx *sql.Tx, size int64, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return each(rows, func(scan func(...any) error) error {
		var bucket, n int64
		err := scan(&bucket, &n)
		h.add(bucket*size, n)
		return err
	})
}

func (h *histogram) fromRows(ctx context.Context, tx *sql.Tx, f repo.LogFilter, known narrowed) error {
	var c conditions
	if err := c.addExpr(f.Search, known.access); err != nil {
		return err
	}
	c.addSpan(known.span, known.access)
	return h.addRows(ctx, tx, h.interval, "SELECT time / ? AS bucket, count(*) FROM logs"+c.where()+
		" GROUP BY bucket ORDER BY bucket", append([]any{h.interval}, c.args...)...)
}

// hasFacet returns the search if it is for one value that rollups are kept of.
func hasFacet(e repo.Expr) (repo.Equals, bool) {
	eq, ok := e.(repo.Equals)
	return eq, ok && eq.Column != repo.ColumnAttacker
}

// facetParts covers a span with the quarters of an hour of a value, and its ends by
// counting rows, which are at most those of two quarters. It calls add for each with
// its time, in ascending order.
func facetParts(ctx context.Context, tx *sql.Tx, e repo.Equals, s span, add func(nanos, n int64)) error {
	column, _ := logColumn(e.Column)
	for _, p := range split(nil, s.first, s.last+1, []int64{quarter}) {
		if p.resolution == quarter {
			if err := eachQuarter(ctx, tx, p.from, p.to, add, selectFacetDays, string(e.Column), e.Value); err != nil {
				return err
			}
			continue
		}
		var n int64
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM logs WHERE "+column+" = ? AND time >= ? AND time < ?", e.Value, p.from, p.to).Scan(&n)
		if err != nil {
			return err
		}
		add(p.from, n)
	}
	return nil
}

// sumFacet counts the rows of a span that have a value.
func sumFacet(ctx context.Context, tx *sql.Tx, e repo.Equals, s span) (total int64, err error) {
	err = facetParts(ctx, tx, e, s, func(_, n int64) { total += n })
	return total, err
}

// fromFacet counts by the quarters of a value, which divide the interval.
func (h *histogram) fromFacet(ctx context.Context, tx *sql.Tx, e repo.Equals, s span) error {
	return facetParts(ctx, tx, e, s, h.add)
}

// histogramShare is how many times as many events a histogram of a search may read
// as a page: it is asked for less often, and part of one is of no use.
const histogramShare = 5

// fromIndex counts the rows of a search by the search index.
func (h *histogram) fromIndex(hunt *hunt) error {
	counts := map[int64]int64{}
	for _, seg := range append(hunt.segments, hunt.tail) {
		if !hunt.meets(seg) {
			continue
		}
		p, err := hunt.place(seg)
		if err != nil {
			return err
		}
		if !hunt.spend(p) {
			return repo.ErrTooBroad
		}
		if p.rows == 0 {
			continue
		}
		found, err := hunt.tx.QueryContext(hunt.ctx, p.query("time / ? AS bucket, count(*)", "GROUP BY bucket"),
			append([]any{h.interval}, p.cond.args...)...)
		if err != nil {
			return err
		}
		err = each(found, func(scan func(...any) error) error {
			var bucket, n int64
			err := scan(&bucket, &n)
			counts[bucket] += n
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, bucket := range slices.Sorted(maps.Keys(counts)) {
		h.add(bucket*h.interval, counts[bucket])
	}
	return nil
}
