package sqlite

import (
	"context"
	"database/sql"
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

// pageOfLogs is the query of a page, newest first.
func pageOfLogs(q repo.LogQuery, n narrowed) (string, []any, error) {
	var c conditions
	if err := c.addExpr(q.Search, n.access); err != nil {
		return "", nil, err
	}
	c.addSpan(n.span, n.access)
	limit := int64(q.Limit)
	if n.exact {
		// Nothing lies behind the last row: SQLite need not look for it.
		limit = min(limit, n.count-int64(q.Offset))
	}
	return selectLogs + c.where() + " ORDER BY time DESC, id DESC LIMIT ? OFFSET ?", append(c.args, limit, q.Offset), nil
}

// Logs returns a page, newest first.
func (s *Store) Logs(ctx context.Context, q repo.LogQuery) (list []repo.Log, err error) {
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		n, err := narrow(ctx, tx, q.LogFilter)
		if err != nil {
			return err
		}
		if n.empty() || n.exact && n.count <= int64(q.Offset) {
			list = []repo.Log{}
			return nil
		}
		query, args, err := pageOfLogs(q, n)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		list, err = collect(rows, scanLog)
		return err
	})
	if err != nil {
		return nil, failed("list logs", err)
	}
	return list, nil
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
// cost does not depend on the number of events.
func (s *Store) CountLogs(ctx context.Context, f repo.LogFilter) (n int64, err error) {
	if f.IsZero() {
		return s.count(ctx, "logs", selectCounter, counterLogs)
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		if f.Search == nil {
			n, err = sumRollups(ctx, tx, spanOf(f))
			return err
		}
		known, err := narrow(ctx, tx, f)
		if err != nil {
			return err
		}
		if known.empty() || known.exact {
			n = known.count
			return nil
		}
		var c conditions
		if err := c.addExpr(f.Search, known.access); err != nil {
			return err
		}
		c.addSpan(known.span, known.access)
		return tx.QueryRowContext(ctx, "SELECT count(*) FROM logs"+c.where(), c.args...).Scan(&n)
	})
	if err != nil {
		return 0, failed("count logs", err)
	}
	return n, nil
}
