package sqlite

import (
	"context"
	"database/sql"
	"time"

	"decnet/repo"
)

// Expire removes up to limit of the oldest events before a time, with their
// commands, and up to limit rejects that were read before it, and before the
// events that are left: who makes room removes what is old of both. It is one
// short transaction: the caller pauses between calls, so that ingest and readers
// are never kept waiting, and calls again while more is true.
//
// Counts follow the rows: totals, lists and search see what is there. What was
// learnt stays: attackers, their profiles, bounties, credentials, how many events
// there were in each minute, for the histogram without a search, the number of
// deckies that were ever active, and the keys of events, so that an event which is
// sent again does not come back.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (removed int64, more bool, err error) {
	last := spanOf(repo.LogFilter{End: before.Add(-1)}).last
	err = s.update(ctx, func(tx *sql.Tx) error {
		w, err := s.beginBatch(ctx, tx)
		if err != nil {
			return err
		}
		var moreEvents, moreRejects bool
		var reached int64
		if removed, reached, moreEvents, err = w.expireEvents(last, limit); err != nil {
			return err
		}
		if moreEvents {
			before = fromNanos(reached)
		}
		if moreRejects, err = w.expireRejects(before, limit); err != nil {
			return err
		}
		more = moreEvents || moreRejects
		if err = w.forgetKeys(); err != nil {
			return err
		}
		if err = w.writeCounters(); err != nil {
			return err
		}
		return w.giveBack()
	})
	if err != nil {
		return 0, false, failed("expire", err)
	}
	s.moveWAL(ctx)
	return removed, more, nil
}

type oldEvent struct {
	repo.Log
	nanos int64
}

// expireEvents removes the oldest events up to a time. If there are more of them,
// it tells the time that it reached.
func (w *batchWriter) expireEvents(last int64, limit int) (removed, reached int64, more bool, err error) {
	// One more than is removed tells whether there are more.
	rows, err := w.tx.QueryContext(w.quiet, `SELECT id, time, decky, service, event_type, attacker_ip FROM logs
		WHERE time <= ? ORDER BY time, id LIMIT ?`, last, limit+1)
	if err != nil {
		return 0, 0, false, err
	}
	list, err := collect(rows, func(scan func(...any) error) (e oldEvent, err error) {
		err = scan(&e.ID, &e.nanos, &e.Decky, &e.Service, &e.EventType, &e.AttackerIP)
		return e, err
	})
	if err != nil {
		return 0, 0, false, err
	}
	if more = len(list) > limit; more {
		reached, list = list[limit].nanos, list[:limit]
	}
	for i := range list {
		if err := w.ctx.Err(); err != nil {
			return 0, 0, false, err
		}
		if err := w.expireEvent(&list[i]); err != nil {
			return 0, 0, false, err
		}
	}
	w.add(counterLogs, -int64(len(list)))
	if err := w.lowerSegments(list); err != nil {
		return 0, 0, false, err
	}
	if err := w.lowerMinutes(); err != nil {
		return 0, 0, false, err
	}
	if err := w.lowerDays(); err != nil {
		return 0, 0, false, err
	}
	if err := w.lowerFacets(); err != nil {
		return 0, 0, false, err
	}
	return int64(len(list)), reached, more, w.lowerAttackers(list)
}

// lowerAttackers notes how many events of each attacker are gone.
func (w *batchWriter) lowerAttackers(list []oldEvent) error {
	gone := map[string]int64{}
	for i := range list {
		if ip := list[i].AttackerIP; ip != repo.UnknownAttacker {
			gone[ip]++
		}
	}
	for ip, n := range gone {
		key, err := attackerKey(ip)
		if err != nil {
			return err
		}
		if _, err = w.exec("UPDATE attackers SET expired_count = expired_count + ? WHERE uuid = ?", n, key[:]); err != nil {
			return err
		}
	}
	return nil
}

func (w *batchWriter) expireEvent(e *oldEvent) error {
	for _, query := range []string{"DELETE FROM logs WHERE id = ?", "DELETE FROM commands WHERE id = ?"} {
		if _, err := w.exec(query, e.ID); err != nil {
			return err
		}
	}
	w.countRollups(e.nanos)
	w.countFacets(&e.Log, e.nanos)
	return nil
}

// lowerSegments notes in the search index which of its segments lost rows.
func (w *batchWriter) lowerSegments(list []oldEvent) error {
	removed := map[int64]int64{}
	for i := range list {
		removed[list[i].ID/smallRows]++
	}
	w.add(counterSearchVersion, 1)
	for small, n := range removed {
		_, err := w.exec("UPDATE search_segments SET removed = removed + ? WHERE first_id <= ? AND last_id >= ?",
			n, small*smallRows, small*smallRows)
		if err != nil {
			return err
		}
	}
	return nil
}

// expireRejects removes the oldest rejects that were read before a time. One
// whose time is not known is as old as those around it.
func (w *batchWriter) expireRejects(before time.Time, limit int) (more bool, err error) {
	list, err := w.oldestRejects(int64(limit) + 1)
	if err != nil {
		return false, err
	}
	n := 0
	for n < len(list) && (!list[n].seenAt.Valid || fromNanos(list[n].seenAt.Int64).Before(before)) {
		n++
	}
	more = n > limit
	return more, w.removeRejects(list[:min(n, limit)])
}

const (
	// sparePages are kept free, with one page of the file in spareShare: ingest
	// needs them again soon.
	sparePages = 256
	spareShare = 32
	// pagesAtOnce bounds how much one call gives back (4 MiB), because the pages
	// at the end of the file have to move.
	pagesAtOnce = 1024
)

// giveBack shrinks the file by some of its free pages. It does nothing in a
// database that was made before auto_vacuum was set: there they are used again,
// and the file shrinks at the next purge.
func (w *batchWriter) giveBack() error {
	var pages, free int64
	err := w.tx.QueryRowContext(w.ctx, "SELECT p.page_count, f.freelist_count FROM pragma_page_count AS p, pragma_freelist_count AS f").
		Scan(&pages, &free)
	if err != nil {
		return err
	}
	excess := free - sparePages - pages/spareShare
	if excess <= 0 {
		return nil
	}
	query := "PRAGMA incremental_vacuum(256)"
	if excess >= pagesAtOnce {
		query = "PRAGMA incremental_vacuum(1024)"
	}
	rows, err := w.tx.QueryContext(w.ctx, query)
	if err != nil {
		return err
	}
	return each(rows, func(func(...any) error) error { return nil })
}

// SizeExceeds reports whether what is stored takes more than a number of bytes.
// Free pages are not counted, nor is the write-ahead log, which is bounded: after
// Expire the answer is right at once, and the file follows.
func (s *Store) SizeExceeds(ctx context.Context, bytes int64) (bool, error) {
	var used int64
	err := s.read.QueryRowContext(ctx, `SELECT (p.page_count - f.freelist_count) * s.page_size
		FROM pragma_page_count AS p, pragma_freelist_count AS f, pragma_page_size AS s`).Scan(&used)
	if err != nil {
		return false, failed("size", err)
	}
	return used > bytes, nil
}
