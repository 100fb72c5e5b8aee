package sqlite

import (
	"context"
	"database/sql"

	"decnet/repo"
)

// The rows in the table counters that say what is kept of rejected lines;
// counterRejects counts all that ever were.
const (
	counterRejectsKept     = "rejects_kept"
	counterRejectBytesKept = "reject_bytes_kept"
)

// writeRejects stores lines that gave no event, cut to [repo.MaxRejectLine].
func (w *batchWriter) writeRejects(list []repo.Reject) error {
	for i := range list {
		r := &list[i]
		line := orEmpty(r.Line[:min(len(r.Line), repo.MaxRejectLine)])
		_, err := w.exec(`INSERT INTO rejects (id, source, path, byte_offset, reason, detail, size, seen_at, line)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, w.add(counterRejectID, 1), r.Source, r.Path, r.Offset,
			r.Reason, r.Detail, r.Size, nullNanos(r.SeenAt), line)
		if err != nil {
			return err
		}
		w.add(counterRejectsKept, 1)
		w.add(counterRejectBytesKept, int64(len(line)))
	}
	if len(list) > 0 {
		w.add(counterRejects, int64(len(list)))
	}
	return w.trimRejects()
}

// trimAtOnce is how many rejects are removed before looking at the bounds again.
const trimAtOnce = 100

// trimRejects removes the oldest rejects beyond the bounds.
func (w *batchWriter) trimRejects() error {
	for w.counters[counterRejectsKept] > repo.MaxRejects || w.counters[counterRejectBytesKept] > repo.MaxRejectBytes {
		excess := max(w.counters[counterRejectsKept]-repo.MaxRejects, 1)
		old, err := w.oldestRejects(min(excess, trimAtOnce))
		if err != nil || len(old) == 0 {
			return err
		}
		if err := w.removeRejects(old); err != nil {
			return err
		}
	}
	return nil
}

type oldReject struct {
	id, bytes int64
	seenAt    sql.NullInt64
}

// oldestRejects returns the rejects that came first, oldest first.
func (w *batchWriter) oldestRejects(limit int64) ([]oldReject, error) {
	st, err := w.stmt("SELECT id, length(line), seen_at FROM rejects ORDER BY id LIMIT ?") //nolint:sqlclosecheck // Closed with the transaction.
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(w.quiet, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (r oldReject, err error) {
		err = scan(&r.id, &r.bytes, &r.seenAt)
		return r, err
	})
}

func (w *batchWriter) removeRejects(list []oldReject) error {
	for _, r := range list {
		if _, err := w.exec("DELETE FROM rejects WHERE id = ?", r.id); err != nil {
			return err
		}
		w.add(counterRejectsKept, -1)
		w.add(counterRejectBytesKept, -r.bytes)
	}
	return nil
}

const selectRejects = "SELECT id, source, path, byte_offset, reason, detail, size, seen_at, line FROM rejects"

func scanReject(scan func(...any) error) (r repo.Reject, err error) {
	var seen sql.NullInt64
	err = scan(&r.ID, &r.Source, &r.Path, &r.Offset, &r.Reason, &r.Detail, &r.Size, &seen, &r.Line)
	r.SeenAt = fromNullNanos(seen)
	return r, err
}

// Rejects returns up to limit rejected lines with an id above after, ascending.
func (s *Store) Rejects(ctx context.Context, after int64, limit int) ([]repo.Reject, error) {
	return listed(ctx, s, "rejects", scanReject, selectRejects+" WHERE id > ? ORDER BY id LIMIT ?", after, limit)
}

// RejectPage returns a page of the rejected lines that are kept, newest first,
// and how many of them the query chooses in all.
func (s *Store) RejectPage(ctx context.Context, q repo.RejectQuery) (list []repo.Reject, total int64, err error) {
	var c conditions
	if q.Reason != "" {
		c.add("reason = ?", q.Reason)
	}
	if q.Source != "" {
		c.add("path = ?", q.Source)
	}
	count, args := "SELECT count(*) FROM rejects"+c.where(), c.args
	if len(c.parts) == 0 {
		count, args = selectCounter, []any{counterRejectsKept}
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, count, args...).Scan(&total); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, selectRejects+c.where()+" ORDER BY id DESC LIMIT ? OFFSET ?",
			append(c.args, q.Limit, q.Offset)...)
		if err != nil {
			return err
		}
		list, err = collect(rows, scanReject)
		return err
	})
	if err != nil {
		return nil, 0, failed("list rejects", err)
	}
	return list, total, nil
}

// CountRejects returns how many lines were ever rejected.
func (s *Store) CountRejects(ctx context.Context) (int64, error) {
	return s.count(ctx, "rejects", selectCounter, counterRejects)
}
