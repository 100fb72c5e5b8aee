package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"decnet/profile"
	"decnet/repo"
)

// Check looks for damage, and computes anew whatever is kept beside the rows to
// compare it. It reads one snapshot, in bounded memory, while ingest goes on. An
// error means that it could not be carried through; damage is a finding.
func (s *Store) Check(ctx context.Context) (repo.Report, error) {
	c := checker{ctx: ctx}
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		c.tx = tx
		for _, step := range []func() error{
			c.integrity, c.foreignKeys, c.counters, c.minutes, c.allDays, c.facets, c.facetDays, c.searchIndex, c.attackers, c.credentials,
		} {
			err := step()
			if err = trouble(err); errors.Is(err, repo.ErrCorrupt) {
				c.report.Add(repo.Finding{Kind: "integrity", Detail: err.Error()})
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return repo.Report{}, failed("check", err)
	}
	return c.report, nil
}

type checker struct {
	ctx    context.Context
	tx     *sql.Tx
	report repo.Report
	// unsound is told of each attacker whose profile needs repair; nil for nobody.
	unsound func(ip string)
}

func (c *checker) attacker(ip, format string, args ...any) {
	if c.unsound != nil {
		c.unsound(ip)
	}
	c.wrong("attacker", format, args...)
}

func (c *checker) wrong(kind, format string, args ...any) {
	c.report.Add(repo.Finding{Kind: kind, Detail: fmt.Sprintf(format, args...), Repairable: true})
}

// query calls f for each row.
func (c *checker) query(f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := c.tx.QueryContext(c.ctx, query, args...)
	if err != nil {
		return err
	}
	return each(rows, f)
}

func (c *checker) number(query string, args ...any) (n int64, err error) {
	err = c.tx.QueryRowContext(c.ctx, query, args...).Scan(&n)
	return n, err
}

func (c *checker) integrity() error {
	return c.query(func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		if err == nil && text != "ok" {
			// An index can be made anew from its table.
			c.report.Add(repo.Finding{Kind: "integrity", Detail: text, Repairable: strings.Contains(text, " index ")})
		}
		return err
	}, "PRAGMA integrity_check")
}

func (c *checker) foreignKeys() error {
	return c.query(func(scan func(...any) error) error {
		var table, parent string
		var row, key sql.NullInt64
		err := scan(&table, &row, &parent, &key)
		if err == nil {
			c.report.Add(repo.Finding{Kind: "foreign_key", Detail: fmt.Sprintf("row %d of %s refers to no row of %s", row.Int64, table, parent)})
		}
		return err
	}, "PRAGMA foreign_key_check")
}

// counted are the counters that count rows, and how.
func counted() map[string]string {
	return map[string]string{ //nolint:gosec // No secrets: names of counters.
		counterLogs:            "SELECT count(*) FROM logs",
		counterAttackers:       "SELECT count(*) FROM attackers",
		counterBounties:        "SELECT count(*) FROM bounties",
		counterCredentials:     "SELECT count(*) FROM credentials",
		counterRejectsKept:     "SELECT count(*) FROM rejects",
		counterRejectBytesKept: "SELECT coalesce(sum(length(line)), 0) FROM rejects",
		counterDeckies:         "SELECT count(*) FROM facets WHERE kind = 'decky'",
	}
}

// highest are the counters that give out ids, and the column that they must not
// be below.
func highest() map[string]string {
	return map[string]string{ //nolint:gosec // As above.
		counterLogID:        "SELECT coalesce(max(id), 0) FROM logs",
		counterAttackerID:   "SELECT coalesce(max(id), 0) FROM attackers",
		counterBountyID:     "SELECT coalesce(max(id), 0) FROM bounties",
		counterCredentialID: "SELECT coalesce(max(id), 0) FROM credentials",
		counterRejectID:     "SELECT coalesce(max(id), 0) FROM rejects",
	}
}

func (c *checker) counters() (err error) {
	if c.report.Events, err = c.number(counted()[counterLogs]); err != nil {
		return err
	}
	for name, query := range counted() {
		if err := c.counter(name, query, func(kept, is int64) bool { return kept == is }); err != nil {
			return err
		}
	}
	for name, query := range highest() {
		if err := c.counter(name, query, func(kept, is int64) bool { return kept >= is }); err != nil {
			return err
		}
	}
	return c.query(func(scan func(...any) error) error {
		var name string
		var kept, is int64
		err := scan(&name, &kept, &is)
		if err == nil {
			c.wrong("counter", "%s is %d and should be %d", name, kept, is)
		}
		return err
	}, `SELECT name, sum(kept), sum(n) FROM (
			SELECT name, value AS kept, 0 AS n FROM counters WHERE name GLOB ?
			UNION ALL SELECT ? || type, 0, count(*) FROM bounties GROUP BY type)
		GROUP BY name HAVING sum(kept) <> sum(n)`, counterBountyType+"*", counterBountyType)
}

func (c *checker) counter(name, query string, ok func(kept, is int64) bool) error {
	kept, err := c.number(selectCounter, name)
	if err != nil {
		return err
	}
	is, err := c.number(query)
	if err == nil && !ok(kept, is) {
		c.wrong("counter", "%s is %d and should be %d", name, kept, is)
	}
	return err
}

// minutes compares each minute with its rows along the time index. If all of
// them are right and add up to all rows, none is missing.
func (c *checker) minutes() error {
	var sum int64
	err := c.query(func(scan func(...any) error) error {
		var at, kept, is int64
		err := scan(&at, &kept, &is)
		if sum += is; err == nil && kept != is {
			c.wrong("rollup", "the minute from %v counts %d events and holds %d", fromNanos(at*minute).Format(time.RFC3339), kept, is)
		}
		return err
	}, "SELECT minute, count, (SELECT count(*) FROM logs WHERE time >= minute * ?1 AND time < (minute + 1) * ?1) FROM minutes", minute)
	if err == nil && sum != c.report.Events {
		c.wrong("rollup", "the minutes cover %d of %d events", sum, c.report.Events)
	}
	return err
}

func (c *checker) allDays() error {
	return c.days("rollup", kindAll, func(_ string, from, to int64) (int64, error) {
		return c.number("SELECT count(*) FROM logs WHERE time >= ? AND time < ?", from, to)
	})
}

// facetDays compares each facet of each day with its rows.
func (c *checker) facetDays() error {
	for _, kind := range facetColumns() {
		column, _ := logColumn(kind)
		err := c.days("facet", kind, func(value string, from, to int64) (int64, error) {
			return c.number("SELECT count(*) FROM logs WHERE "+column+" = ? AND time >= ? AND time < ?", value, from, to)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// days compares each quarter of an hour of a kind with its rows, which rows counts.
// If all of them are right and add up to all rows, none is missing.
func (c *checker) days(finding string, kind repo.Column, rows func(value string, from, to int64) (int64, error)) error {
	var sum int64
	err := c.query(func(scan func(...any) error) error {
		var day int64
		var value string
		var packed []byte
		if err := scan(&day, &value, &packed); err != nil {
			return err
		}
		var kept quarters
		kept.add(packed, 1)
		if !bytes.Equal(packed, kept.pack()) {
			c.wrong(finding, "day %d of %s %q cannot be read", day, kind, value)
		}
		for i, n := range kept {
			if n == 0 {
				continue
			}
			at := (day*quartersOfDay + int64(i)) * quarter
			is, err := rows(value, at, at+quarter)
			if err != nil {
				return err
			}
			if sum += is; n != is {
				c.wrong(finding, "%s %q counts %d events in the 15 minutes from %v and has %d", kind, value, n, fromNanos(at).Format(time.RFC3339), is)
			}
		}
		return nil
	}, "SELECT day, value, counts FROM days WHERE kind = ?", string(kind))
	if err == nil && sum != c.report.Events {
		c.wrong(finding, "the days of %s cover %d of %d events", kind, sum, c.report.Events)
	}
	return err
}

// facetColumns are the columns that have facets.
func facetColumns() []repo.Column {
	return []repo.Column{repo.ColumnDecky, repo.ColumnService, repo.ColumnEvent}
}

func (c *checker) facets() error {
	for _, kind := range facetColumns() {
		column, _ := logColumn(kind)
		var sum int64
		err := c.query(func(scan func(...any) error) error {
			var value string
			var kept, is int64
			var tight bool
			err := scan(&value, &kept, &is, &tight)
			switch sum += is; {
			case err != nil:
			case kept != is:
				c.wrong("facet", "%s %q counts %d events and has %d", kind, value, kept, is)
			case !tight:
				c.wrong("facet", "%s %q has events outside of its times", kind, value)
			}
			return err
		}, `SELECT value, count, (SELECT count(*) FROM logs WHERE `+column+` = value),
				coalesce((SELECT time FROM logs WHERE `+column+` = value ORDER BY time LIMIT 1) >= first_time
				     AND (SELECT time FROM logs WHERE `+column+` = value ORDER BY time DESC LIMIT 1) <= last_time, 1)
			FROM facets WHERE kind = ?`, string(kind))
		if err != nil {
			return err
		}
		if sum != c.report.Events {
			c.wrong("facet", "the values of %s cover %d of %d events", kind, sum, c.report.Events)
		}
	}
	return nil
}

// searchIndex compares how many rows each segment of the index has with those that
// are there. A segment that knows of too few would hide rows from a search.
func (c *checker) searchIndex() error {
	return c.query(func(scan func(...any) error) error {
		var first, kept, is int64
		err := scan(&first, &kept, &is)
		if err == nil && kept != is {
			c.wrong("search_index", "the segment from event %d on counts %d events and has %d", first, kept, is)
		}
		return err
	}, `SELECT first_id, rows - removed, (SELECT count(*) FROM logs WHERE id BETWEEN first_id AND last_id) FROM search_segments`)
}

// attackers compares the columns with the states, and the states with the rows:
// events may have expired, so that a profile knows at least those that are left.
func (c *checker) attackers() error {
	err := c.query(func(scan func(...any) error) error {
		var id, first, last, events, deckies, expired, left int64
		var ip string
		var state []byte
		if err := scan(&id, &ip, &first, &last, &events, &deckies, &state, &expired, &left); err != nil {
			return err
		}
		st, err := profile.Unmarshal(state)
		if err != nil {
			c.attacker(ip, "the profile of %s: %v", ip, err)
			return nil
		}
		a := st.Attacker()
		switch {
		case a.EventCount != events || int64(len(a.Deckies)) != deckies ||
			events > 0 && (a.FirstSeen.UnixNano() != first || a.LastSeen.UnixNano() != last):
			c.attacker(ip, "the row of %s disagrees with its profile", ip)
		case left > events:
			c.attacker(ip, "the profile of %s knows %d of at least %d events", ip, events, left)
		case left != events-expired:
			c.attacker(ip, "%s has %d events and should have %d", ip, left, events-expired)
		}
		return nil
	}, `SELECT id, ip, first_seen, last_seen, event_count, decky_count, state, expired_count,
		(SELECT count(*) FROM logs WHERE attacker_ip = ip) FROM attackers`)
	if err != nil {
		return err
	}
	// An address without a profile. The grouping walks the index.
	return c.query(func(scan func(...any) error) error {
		var ip string
		if err := scan(&ip); err != nil || ip == repo.UnknownAttacker {
			return err
		}
		key, err := attackerKey(ip)
		if err != nil {
			return err
		}
		n, err := c.number("SELECT count(*) FROM attackers WHERE uuid = ?", key[:])
		if err == nil && n == 0 {
			c.attacker(ip, "%s has events and no profile", ip)
		}
		return err
	}, "SELECT attacker_ip FROM logs GROUP BY attacker_ip")
}

func (c *checker) credentials() error {
	err := c.credentialTimes(func(id, attempts, sum int64) {
		c.wrong("credential", "credential %d counts %d attempts, and %d by time", id, attempts, sum)
	})
	if err != nil {
		return err
	}
	return c.query(func(scan func(...any) error) error {
		var id, kept, is int64
		err := scan(&id, &kept, &is)
		if err == nil {
			c.wrong("credential", "credential %d counts %d attackers and has %d", id, kept, is)
		}
		return err
	}, `SELECT id, attackers, n FROM (SELECT id, attackers,
			(SELECT count(*) FROM credential_attackers WHERE credential = id) AS n FROM credentials)
		WHERE attackers <> n`)
}

// credentialTimes calls f for each credential whose attempts by time do not add up
// to its attempts: 0 where they can't be read.
func (c *checker) credentialTimes(f func(id, attempts, sum int64)) error {
	var times attemptTimes
	return c.query(func(scan func(...any) error) error {
		var id, attempts, sum int64
		var packed sql.RawBytes
		if err := scan(&id, &attempts, &packed); err != nil {
			return err
		}
		if times.decode(packed) {
			sum = times.sum()
		}
		if sum != attempts {
			f(id, attempts, sum)
		}
		return nil
	}, "SELECT id, attempts, times FROM credentials WHERE length(times) > 0")
}
