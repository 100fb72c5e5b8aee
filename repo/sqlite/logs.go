package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"decnet/repo"
)

// Stats returns the counters; its cost does not depend on the number of rows.
func (s *Store) Stats(ctx context.Context) (repo.Stats, error) {
	var st repo.Stats
	rows, err := s.read.QueryContext(ctx, "SELECT name, value FROM counters WHERE name IN (?, ?, ?, ?)",
		counterLogs, counterAttackers, counterDeckies, counterBounties)
	if err != nil {
		return st, failed("stats", err)
	}
	counters := map[string]*int64{
		counterLogs: &st.Logs, counterAttackers: &st.Attackers, counterDeckies: &st.ActiveDeckies, counterBounties: &st.Bounties,
	}
	err = each(rows, func(scan func(...any) error) error {
		var name string
		var value int64
		err := scan(&name, &value)
		if n, ok := counters[name]; ok {
			*n = value
		}
		return err
	})
	if err != nil {
		return repo.Stats{}, failed("stats", err)
	}
	return st, nil
}

const selectLogs = `SELECT id, time, decky, service, event_type, attacker_ip, raw_line, fields,
	msg, trace_id, span_id, original FROM logs`

func scanLog(scan func(...any) error) (l repo.Log, err error) {
	var nanos int64
	err = scan(&l.ID, &nanos, &l.Decky, &l.Service, &l.EventType, &l.AttackerIP, &l.RawLine, &l.Fields,
		&l.Msg, &l.TraceID, &l.SpanID, &l.Original)
	l.Time = fromNanos(nanos)
	return l, err
}

// pageOfLogs is the query of the ids of a page, newest first.
func pageOfLogs(q repo.LogQuery, n narrowed) (string, []any, error) {
	var c conditions
	if err := c.addExpr(q.Search, n.access); err != nil {
		return "", nil, err
	}
	limit := int64(q.Limit)
	if n.exact && q.After.IsZero() {
		// Nothing lies behind the last row: SQLite need not look for it.
		limit = min(limit, n.count-int64(q.Offset))
	}
	if !q.After.IsZero() {
		n.last = min(n.last, q.After.Time.UnixNano())
		c.addAfter(q.After)
	}
	c.addSpan(n.span, n.access)
	return "SELECT id FROM logs" + c.where() + " ORDER BY time DESC, id DESC LIMIT ? OFFSET ?", append(c.args, limit, q.Offset), nil
}

// Logs returns a page, newest first. A search that would have to read more events
// than [Options.SearchRows] to find it gets [repo.ErrTooBroad].
func (s *Store) Logs(ctx context.Context, q repo.LogQuery) (list []repo.Log, err error) {
	key, again := pageKey(q)
	if again {
		if list, ok, err := s.knownPage(ctx, key); ok || err != nil {
			return list, wrapped("list logs", err)
		}
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		if list, err = s.logPage(ctx, tx, q); err != nil || !again {
			return err
		}
		return s.rememberPage(ctx, tx, key, list)
	})
	if err != nil {
		return nil, failed("list logs", err)
	}
	return list, nil
}

// logPage finds a page.
func (s *Store) logPage(ctx context.Context, tx *sql.Tx, q repo.LogQuery) ([]repo.Log, error) {
	n, err := narrow(ctx, tx, q.LogFilter)
	switch {
	case err != nil:
		return nil, err
	case n.empty() || n.exact && n.count <= int64(q.Offset):
		return []repo.Log{}, nil
	case n.hunted(q.Search):
		return s.huntedPage(ctx, tx, q, n)
	}
	return s.page(ctx, tx, q, n)
}

// page finds a page along the index that is walked.
func (s *Store) page(ctx context.Context, tx *sql.Tx, q repo.LogQuery, n narrowed) ([]repo.Log, error) {
	query, args, err := pageOfLogs(q, n)
	if err != nil {
		return nil, err
	}
	return s.logsOf(ctx, tx, query, args...)
}

const (
	// walkedRows are looked at, for each row that is wanted but at least so many,
	// before the search index is asked: what is frequent is found among them.
	walkedRows, leastWalked = 8, 1000
	// farRows is the offset from which on nothing is walked.
	farRows = 5000
)

// huntedPage finds a page by walking the newest rows, and by the search index where
// there are not enough hits among them.
func (s *Store) huntedPage(ctx context.Context, tx *sql.Tx, q repo.LogQuery, n narrowed) ([]repo.Log, error) {
	if wanted := q.Offset + q.Limit; wanted <= farRows {
		list, all, err := s.walkedPage(ctx, tx, q, n, max(leastWalked, walkedRows*wanted))
		if err != nil || all || len(list) == q.Limit {
			return list, err
		}
	}
	h, err := s.newHunt(ctx, tx, q.LogFilter, n.span, s.searchRows)
	if err != nil {
		return nil, err
	}
	keys, err := h.newest(q.Offset+q.Limit, q.After)
	if err != nil || len(keys) <= q.Offset {
		return []repo.Log{}, err
	}
	ids := make([]int64, 0, len(keys)-q.Offset)
	for _, k := range keys[q.Offset:] {
		ids = append(ids, k.id)
	}
	return s.logsByID(ctx, tx, ids)
}

// walkedPage looks for a page among some of the newest rows along the index that is
// walked; all says that there are no others.
func (s *Store) walkedPage(ctx context.Context, tx *sql.Tx, q repo.LogQuery, n narrowed, rows int) (list []repo.Log, all bool, err error) {
	if !q.After.IsZero() {
		n.last = min(n.last, q.After.Time.UnixNano())
	}
	var c conditions
	if n.driver != (repo.Equals{}) {
		if err := c.addExpr(n.driver, n.access); err != nil {
			return nil, false, err
		}
	}
	c.addSpan(n.span, n.access)
	var edge int64
	err = tx.QueryRowContext(ctx, "SELECT time FROM logs"+c.where()+" ORDER BY time DESC LIMIT 1 OFFSET ?", append(c.args, rows)...).Scan(&edge)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		all = true
	case err != nil:
		return nil, false, err
	default:
		// Of many rows with one time some would lie beyond the edge.
		n.first = max(n.first, edge+1)
	}
	list, err = s.page(ctx, tx, q, n)
	return list, all, err
}

// Log returns one event, or [repo.ErrNotFound].
func (s *Store) Log(ctx context.Context, id int64) (repo.Log, error) {
	l, err := scanLog(s.read.QueryRowContext(ctx, selectLogs+" WHERE id = ?", id).Scan)
	if err != nil {
		return repo.Log{}, failed("log", orNotFound(err))
	}
	return l, nil
}

// logsAfter is the query of LogsAfter.
func logsAfter(after int64, f repo.LogFilter, limit int) (string, []any, error) {
	var c conditions
	c.add("id > ?", after)
	if err := c.addExpr(f.Search, access{byID: true}); err != nil {
		return "", nil, err
	}
	c.addSpan(spanOf(f), access{byID: true})
	return selectLogs + c.where() + " ORDER BY id LIMIT ?", append(c.args, limit), nil
}

// LogsAfter returns up to limit events with an id above after, ascending.
func (s *Store) LogsAfter(ctx context.Context, after int64, f repo.LogFilter, limit int) ([]repo.Log, error) {
	query, args, err := logsAfter(after, f, limit)
	if err != nil {
		return nil, failed(fmt.Sprintf("list logs after %d", after), err)
	}
	return listed(ctx, s, fmt.Sprintf("logs after %d", after), scanLog, query, args...)
}

// LastLogID returns the highest id ever given to an event, 0 when none was.
func (s *Store) LastLogID(ctx context.Context) (int64, error) {
	return s.count(ctx, "the last log id", selectCounter, counterLogID)
}

// CountLogs returns how many events the filter chooses. Without a search its
// cost does not depend on the number of events. Beside [repo.ErrTooBroad] it returns
// how many there are at least; asking again counts on from there.
func (s *Store) CountLogs(ctx context.Context, f repo.LogFilter) (n int64, err error) {
	if f.IsZero() {
		return s.count(ctx, "logs", selectCounter, counterLogs)
	}
	key := filterKey(f)
	if s.answers.logCounts.Contains(key) {
		version, err := logVersionOf(ctx, s.read)
		if err != nil {
			return 0, failed("count logs", err)
		}
		if n, ok := known(s.answers.logCounts, key, version); ok {
			return n, nil
		}
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		if n, err = s.countLogs(ctx, tx, f); err != nil {
			return err
		}
		version, err := logVersionOf(ctx, tx)
		s.answers.logCounts.Add(key, versioned[logVersion, int64]{version, n})
		return err
	})
	if err != nil {
		if !errors.Is(err, repo.ErrTooBroad) {
			n = 0
		}
		return n, failed("count logs", err)
	}
	return n, nil
}

// countLogs counts what a filter chooses.
func (s *Store) countLogs(ctx context.Context, tx *sql.Tx, f repo.LogFilter) (n int64, err error) {
	if f.Search == nil {
		return sumRollups(ctx, tx, spanOf(f))
	}
	known, err := narrow(ctx, tx, f)
	if err != nil {
		return 0, err
	}
	if known.empty() || known.exact {
		return known.count, nil
	}
	if known.hunted(f.Search) {
		return s.countByIndex(ctx, tx, f)
	}
	if e, ok := hasFacet(f.Search); ok {
		return sumFacet(ctx, tx, e, known.span)
	}
	var c conditions
	if err := c.addExpr(f.Search, known.access); err != nil {
		return 0, err
	}
	c.addSpan(known.span, known.access)
	err = tx.QueryRowContext(ctx, "SELECT count(*) FROM logs"+c.where(), c.args...).Scan(&n)
	return n, err
}
