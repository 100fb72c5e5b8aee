package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"decnet/repo"
)

const (
	// rankedRows is up to how many events of a range are visited to rank attackers.
	rankedRows = 20_000
	// rankingWork bounds what ranking more of them costs: visiting an entry of an
	// index costs 1, looking up an attacker attackerWork.
	rankingWork  = 4_000_000
	attackerWork = 100
)

// Ranking tells which values of a column have the most events in a range. Of
// deckies, services and event types it is exact, and its cost depends on how many
// of them there are and on the length of the range only. Attackers and
// credentials are looked up until nobody who is left can have more, which
// [repo.Ranking.Exact] tells.
func (s *Store) Ranking(ctx context.Context, q repo.RankingQuery) (repo.Ranking, error) {
	var r repo.Ranking
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		span := spanOf(repo.LogFilter{Start: q.Start, End: q.End})
		events, err := sumRollups(ctx, tx, span)
		if err != nil {
			return err
		}
		k := ranker{ctx: ctx, tx: tx, span: span, limit: q.Limit, events: events, counts: map[string]int64{}}
		switch {
		case q.By == repo.ColumnCredential:
			r, err = k.credentials(credentialWork)
		case q.By != repo.ColumnAttacker:
			r, err = k.facets(q.By)
		case events <= rankedRows:
			r, err = k.attackersOfRows()
		default:
			r, err = k.attackersByWeight(rankingWork)
		}
		r.Events = events
		return err
	})
	if err != nil {
		return repo.Ranking{}, failed("ranking", err)
	}
	return r, nil
}

type ranker struct {
	ctx    context.Context
	tx     *sql.Tx
	span   span
	limit  int
	events int64 // in the span
	counts map[string]int64
}

// add adds the rows (value, count) of a query to the counts, which costs less
// than having SQLite group them.
func (k *ranker) add(query string, args ...any) error {
	rows, err := k.tx.QueryContext(k.ctx, query, args...)
	if err != nil {
		return err
	}
	return each(rows, func(scan func(...any) error) error {
		var value string
		var n int64
		err := scan(&value, &n)
		if n > 0 {
			k.counts[value] += n
		}
		return err
	})
}

// ranking is the answer where all values were counted.
func (k *ranker) ranking() repo.Ranking {
	list := make([]repo.Ranked, 0, len(k.counts))
	for value, n := range k.counts {
		list = append(list, repo.Ranked{Value: value, Count: n})
	}
	slices.SortFunc(list, byCount)
	return repo.Ranking{List: slices.Clip(list[:min(len(list), k.limit)]), Distinct: int64(len(list)), Exact: true}
}

func byCount(a, b repo.Ranked) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Password, b.Password))
}

// facets ranks a column that has facets. Quarters of an hour that a
// bound cuts are counted along the column's index, for those values which they have.
func (k *ranker) facets(kind repo.Column) (repo.Ranking, error) {
	column, ok := logColumn(kind)
	if !ok {
		return repo.Ranking{}, fmt.Errorf("no column %q", kind)
	}
	if k.span == whole() {
		err := k.add("SELECT value, count FROM facets WHERE kind = ?", string(kind))
		return k.ranking(), err
	}
	for _, p := range split(nil, k.span.first, k.span.last+1, []int64{quarter}) {
		var err error
		if p.resolution == quarter {
			err = k.addDays(kind, p)
		} else {
			err = k.add(`SELECT value, (SELECT count(*) FROM logs WHERE `+column+` = value AND time >= ? AND time < ?)
				FROM days WHERE kind = ? AND day = ?`, p.from, p.to, string(kind), p.from/(quartersOfDay*quarter))
		}
		if err != nil {
			return repo.Ranking{}, err
		}
	}
	return k.ranking(), nil
}

// addDays adds what the days count in a part of whole quarters.
func (k *ranker) addDays(kind repo.Column, p part) error {
	first, end := p.from/quarter, p.to/quarter
	rows, err := k.tx.QueryContext(k.ctx, "SELECT day, value, counts FROM days WHERE kind = ? AND day >= ? AND day <= ?",
		string(kind), first/quartersOfDay, (end-1)/quartersOfDay)
	if err != nil {
		return err
	}
	return each(rows, func(scan func(...any) error) error {
		var day int64
		var value, packed sql.RawBytes
		if err := scan(&day, &value, &packed); err != nil {
			return err
		}
		var q quarters
		q.add(packed, 1)
		n := int64(0)
		for _, count := range q[max(0, first-day*quartersOfDay):min(quartersOfDay, end-day*quartersOfDay)] {
			n += count
		}
		if n > 0 {
			k.counts[string(value)] += n
		}
		return nil
	})
}

// attackersOfRows counts event by event.
func (k *ranker) attackersOfRows() (repo.Ranking, error) {
	err := k.add("SELECT attacker_ip, 1 FROM logs INDEXED BY logs_time WHERE time >= ? AND time <= ? AND attacker_ip <> ?",
		k.span.first, k.span.last, repo.UnknownAttacker)
	return k.ranking(), err
}

// attackersByWeight looks attackers up in the order of how many events of theirs
// there ever were. None can have more in the range than that: when enough are
// found that have more than the next one has at all, nobody who is missing belongs
// among them. All events of somebody who came and went within the range are in it.
func (k *ranker) attackersByWeight(work int64) (repo.Ranking, error) {
	kept, err := k.nothingExpired()
	if err != nil {
		return repo.Ranking{}, err
	}
	r := repo.Ranking{List: []repo.Ranked{}, Exact: true}
	if r.Distinct, err = k.distinctAttackers(); err != nil {
		return repo.Ranking{}, err
	}
	rows, err := k.tx.QueryContext(k.ctx, rankAttackers, kept, k.span.first, k.span.last)
	if err != nil {
		return repo.Ranking{}, err
	}
	err = each(rows, func(scan func(...any) error) error {
		var a repo.Ranked
		var ever int64
		if err := scan(&a.Value, &ever, &a.Count); err != nil {
			return err
		}
		full := len(r.List) == k.limit
		if full && ever <= r.List[k.limit-1].Count {
			return errRanked
		}
		if a.Count > 0 && (!full || byCount(a, r.List[k.limit-1]) < 0) {
			at, _ := slices.BinarySearchFunc(r.List, a, byCount)
			r.List = slices.Insert(r.List, at, a)
			r.List = r.List[:min(len(r.List), k.limit)]
		}
		if work -= attackerWork + a.Count; work < 0 {
			r.Exact = false
			return errRanked
		}
		return nil
	})
	if errors.Is(err, errRanked) {
		err = nil
	}
	return r, err
}

// errRanked ends the look through attackers.
var errRanked = errors.New("ranked")

// rankAttackers walks attackers_active; only those whose row the walk visits are
// counted.
const rankAttackers = `SELECT ip, event_count, CASE WHEN ?1 AND first_seen >= ?2 AND last_seen <= ?3 THEN event_count
	ELSE (SELECT count(*) FROM logs WHERE attacker_ip = ip AND time >= ?2 AND time <= ?3) END
	FROM attackers INDEXED BY attackers_active WHERE last_seen >= ?2 ORDER BY event_count DESC, last_seen DESC, ip`

// nothingExpired reports whether all events of the span that were ever stored
// still are.
func (k *ranker) nothingExpired() (bool, error) {
	var last sql.NullInt64
	err := k.tx.QueryRowContext(k.ctx, "SELECT max(minute) FROM expired_minutes").Scan(&last)
	return !last.Valid || (last.Int64+1)*minute <= k.span.first, err
}

// distinctAttackers counts the attackers of a span that nothing comes after; of
// any other it would have to look at everybody's events.
func (k *ranker) distinctAttackers() (n int64, err error) {
	if k.span == whole() {
		err = k.tx.QueryRowContext(k.ctx, selectCounter, counterAttackers).Scan(&n)
		return n, err
	}
	var later bool
	err = k.tx.QueryRowContext(k.ctx, "SELECT EXISTS (SELECT 1 FROM attackers WHERE last_seen > ?)", k.span.last).Scan(&later)
	if err != nil || later {
		return -1, err
	}
	err = k.tx.QueryRowContext(k.ctx, "SELECT count(*) FROM attackers WHERE last_seen >= ?", k.span.first).Scan(&n)
	return n, err
}
