package sqlite

import (
	"context"
	"database/sql"

	"decnet/repo"
)

// Repair computes anew whatever Check calls repairable, in one transaction.
// A profile that can't be read or lacks events is made of the events that are left,
// without what is not stored of them ([repo.Traits]).
func (s *Store) Repair(ctx context.Context) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		w, err := s.beginBatch(ctx, tx)
		if err != nil {
			return err
		}
		for _, step := range []func() error{
			w.repairIndexes, w.repairRollups, w.repairFacets, w.repairFacetDays, w.repairSearchIndex, w.repairAttackers, w.repairCredentials, w.repairCounters,
		} {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := step(); err != nil {
				return err
			}
		}
		w.add(counterAttackerVersion, 1) // nobody is told which attackers changed
		return w.writeCounters()
	})
	s.Forget()
	if err != nil {
		return failed("repair", err)
	}
	s.boundWAL(ctx)
	return nil
}

// run executes statements that may take long, so that the context can end them.
func (w *batchWriter) run(query string, args ...any) error {
	_, err := w.tx.ExecContext(w.ctx, query, args...)
	return err
}

func (w *batchWriter) repairIndexes() error {
	c := checker{ctx: w.ctx, tx: w.tx}
	if err := c.integrity(); err != nil || c.report.Total == 0 {
		return err
	}
	return w.run("REINDEX")
}

func (w *batchWriter) repairRollups() error {
	if err := w.run("DELETE FROM minutes"); err != nil {
		return err
	}
	err := w.run("INSERT INTO minutes (minute, count) SELECT time / ?, count(*) FROM logs GROUP BY 1", minute)
	if err != nil {
		return err
	}
	return w.repairDays(kindAll, "''")
}

// repairDays counts a kind anew by day, along the index of its column.
func (w *batchWriter) repairDays(kind repo.Column, column string) error {
	if err := w.run("DELETE FROM days WHERE kind = ?", string(kind)); err != nil {
		return err
	}
	return w.run(`INSERT INTO days (kind, day, value, counts)
		SELECT ?, at / ?, value, quarters_of(group_concat((at % ?) || ':' || n))
		FROM (SELECT `+column+` AS value, time / ? AS at, count(*) AS n FROM logs GROUP BY 1, 2)
		GROUP BY 2, 3`, string(kind), quartersOfDay, quartersOfDay, quarter)
}

// repairFacets keeps those without events: they remember what was active.
func (w *batchWriter) repairFacets() error {
	if err := w.run("UPDATE facets SET count = 0"); err != nil {
		return err
	}
	for _, kind := range facetColumns() {
		column, _ := logColumn(kind)
		err := w.run(`INSERT INTO facets (kind, value, count, first_time, last_time)
			SELECT ?, `+column+`, count(*), min(time), max(time) FROM logs WHERE true GROUP BY `+column+`
			ON CONFLICT (kind, value) DO UPDATE SET count = excluded.count,
			first_time = excluded.first_time, last_time = excluded.last_time`, string(kind))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *batchWriter) repairFacetDays() error {
	for _, kind := range facetColumns() {
		column, _ := logColumn(kind)
		if err := w.repairDays(kind, column); err != nil {
			return err
		}
	}
	return nil
}

// repairSearchIndex drops the index where Check complains of it: it is made anew in
// the background, and what it lacks is read.
func (w *batchWriter) repairSearchIndex() error {
	c := checker{ctx: w.ctx, tx: w.tx}
	if err := c.searchIndex(); err != nil || len(c.report.Findings) == 0 {
		return err
	}
	for _, query := range []string{"DELETE FROM search_segments", "DELETE FROM search_chunks"} {
		if err := w.run(query); err != nil {
			return err
		}
	}
	w.add(counterSearchVersion, 1)
	return nil
}

// repairAttackers mends the profiles that Check complains of.
func (w *batchWriter) repairAttackers() error {
	var broken []string
	c := checker{ctx: w.ctx, tx: w.tx, unsound: func(ip string) { broken = append(broken, ip) }}
	if err := c.attackers(); err != nil {
		return err
	}
	for _, ip := range broken {
		if err := w.repairAttacker(ip); err != nil {
			return err
		}
		// They are written: nothing of them is needed any more.
		w.touched = touched{byIP: map[string]*attackerInBatch{}}
	}
	return nil
}

func (w *batchWriter) repairAttacker(ip string) error {
	a, err := w.attacker(ip)
	if err != nil {
		return err
	}
	var left int64
	if err := w.tx.QueryRowContext(w.ctx, "SELECT count(*) FROM logs WHERE attacker_ip = ?", ip).Scan(&left); err != nil {
		return err
	}
	if a.state.Attacker().EventCount < left {
		if err := w.rebuild(a, left); err != nil {
			return err
		}
	}
	if err := w.writeAttacker(a); err != nil {
		return err
	}
	return w.run("UPDATE attackers SET expired_count = event_count - ? WHERE id = ?", left, a.id)
}

// repairCredentials has the row tell when attempts were whose times are wrong.
func (w *batchWriter) repairCredentials() error {
	var broken []int64
	c := checker{ctx: w.ctx, tx: w.tx}
	if err := c.credentialTimes(func(id, _, _ int64) { broken = append(broken, id) }); err != nil {
		return err
	}
	for _, id := range broken {
		if err := w.run("UPDATE credentials SET times = x'' WHERE id = ?", id); err != nil {
			return err
		}
	}
	return w.run(`UPDATE credentials SET attackers = (SELECT count(*) FROM credential_attackers WHERE credential = id)
		WHERE attackers <> (SELECT count(*) FROM credential_attackers WHERE credential = id)`)
}

func (w *batchWriter) repairCounters() error {
	for name, query := range counted() {
		var is int64
		if err := w.tx.QueryRowContext(w.ctx, query).Scan(&is); err != nil {
			return err
		}
		w.add(name, is-w.counters[name])
	}
	for name, query := range highest() {
		var is int64
		if err := w.tx.QueryRowContext(w.ctx, query).Scan(&is); err != nil {
			return err
		}
		w.add(name, max(0, is-w.counters[name]))
	}
	if err := w.run("DELETE FROM counters WHERE name GLOB ?", counterBountyType+"*"); err != nil {
		return err
	}
	return w.run("INSERT INTO counters (name, value) SELECT ? || type, count(*) FROM bounties GROUP BY type", counterBountyType)
}
