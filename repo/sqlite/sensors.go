package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"decnet/repo"
)

// keyLifetime is how long the id of an event makes a copy of it a duplicate: as
// long as a receipt makes a copy of its batch one.
const keyLifetime = repo.ReceiptLifetime

// expireAtOnce bounds how many old keys and receipts a commit removes, so that
// none of them takes long; they come at most as fast as they go.
const expireAtOnce = 20_000

// isDuplicate notes the key of an event and reports whether it was known.
func (w *batchWriter) isDuplicate(e *repo.Event) (bool, error) {
	if e.Key == nil {
		return false, nil
	}
	n, err := w.exec("INSERT INTO event_keys (key, seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING", e.Key, w.now.UnixNano())
	return n == 0, err
}

// writeReceipts fills in and stores the answers to sensors. ids are those of the
// batch's events, 0 for duplicates.
func (w *batchWriter) writeReceipts(list []*repo.Receipt, ids []int64) error {
	for _, r := range list {
		var accepted, duplicate int64
		for _, id := range ids[r.First:r.Last] {
			if id > 0 {
				accepted++
			} else {
				duplicate++
			}
		}
		w.receipts = append(w.receipts, [2]int64{accepted, duplicate})
		_, err := w.exec(`UPDATE sensors SET last_seen = ?, accepted = accepted + ?, duplicate = duplicate + ?,
			rejected = rejected + ? WHERE uuid = ?`, w.now.UnixNano(), accepted, duplicate, r.Rejected, r.Sensor)
		if err != nil {
			return err
		}
		if r.Key == "" {
			continue
		}
		rejects, err := json.Marshal(r.Rejects)
		if err != nil {
			return err
		}
		_, err = w.exec(`INSERT INTO receipts (sensor, key, body_hash, accepted, duplicate, rejected, ignored, rejects, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, r.Sensor, r.Key, orEmpty(r.BodyHash), accepted, duplicate, r.Rejected,
			r.Ignored, string(rejects), w.now.UnixNano())
		if isUnique(err) {
			return fmt.Errorf("receipt %q: %w", r.Key, repo.ErrConflict)
		}
		if err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return nil
	}
	for _, query := range []string{
		"DELETE FROM event_keys WHERE key IN (SELECT key FROM event_keys WHERE seen_at < ? ORDER BY seen_at LIMIT ?)",
		`DELETE FROM receipts WHERE (sensor, key) IN (SELECT sensor, key FROM receipts WHERE at < ? ORDER BY at LIMIT ?)`,
	} {
		if _, err := w.exec(query, w.now.Add(-keyLifetime).UnixNano(), expireAtOnce); err != nil {
			return err
		}
	}
	return nil
}

// orEmpty is for columns that are NOT NULL.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Receipt returns the answer that a sensor was given under a key, or
// [repo.ErrNotFound].
func (s *Store) Receipt(ctx context.Context, sensor, key string) (repo.Receipt, error) {
	r := repo.Receipt{Sensor: sensor, Key: key}
	var rejects string
	var at int64
	err := s.read.QueryRowContext(ctx, `SELECT body_hash, accepted, duplicate, rejected, ignored, rejects, at
		FROM receipts WHERE sensor = ? AND key = ?`, sensor, key).
		Scan(&r.BodyHash, &r.Accepted, &r.Duplicate, &r.Rejected, &r.Ignored, &rejects, &at)
	if err == nil {
		err = json.Unmarshal([]byte(rejects), &r.Rejects)
	}
	if err != nil {
		return repo.Receipt{}, fmt.Errorf("receipt: %w", orNotFound(err))
	}
	r.At = fromNanos(at)
	return r, nil
}

// CreateSensor stores a new sensor, or returns [repo.ErrConflict] for a taken
// name or UUID. A zero CreatedAt means now.
func (s *Store) CreateSensor(ctx context.Context, sensor repo.Sensor) error {
	if sensor.CreatedAt.IsZero() {
		sensor.CreatedAt = s.now()
	}
	err := s.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO sensors (uuid, name, token_hash, created_at) VALUES (?, ?, ?, ?)",
			sensor.UUID, sensor.Name, sensor.TokenHash, sensor.CreatedAt.UnixNano())
		if isUnique(err) {
			return repo.ErrConflict
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("create sensor: %w", err)
	}
	return nil
}

// Sensors returns all sensors in the order of their names.
func (s *Store) Sensors(ctx context.Context) ([]repo.Sensor, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT uuid, name, token_hash, created_at, last_seen, accepted, duplicate, rejected
		FROM sensors ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list sensors: %w", err)
	}
	list, err := collect(rows, func(scan func(...any) error) (x repo.Sensor, err error) {
		var created int64
		var seen sql.NullInt64
		err = scan(&x.UUID, &x.Name, &x.TokenHash, &created, &seen, &x.Accepted, &x.Duplicate, &x.Rejected)
		x.CreatedAt, x.LastSeen = fromNanos(created), fromNullNanos(seen)
		return x, err
	})
	if err != nil {
		return nil, fmt.Errorf("list sensors: %w", err)
	}
	return list, nil
}

// DeleteSensor forgets a sensor and its receipts; its events stay. It returns
// [repo.ErrNotFound].
func (s *Store) DeleteSensor(ctx context.Context, uuid string) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM sensors WHERE uuid = ?", uuid)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return orElse(err, repo.ErrNotFound)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM receipts WHERE sensor = ?", uuid)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete sensor: %w", err)
	}
	return nil
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// RejectPage returns a page of rejected lines, newest first, and how many the
// query chooses in all.
func (s *Store) RejectPage(ctx context.Context, q repo.RejectQuery) (list []repo.Reject, total int64, err error) {
	var c conditions
	if q.Reason != "" {
		c.add("reason = ?", q.Reason)
	}
	if q.Source != "" {
		c.add("path = ?", q.Source)
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		count := "SELECT count(*) FROM rejects" + c.where()
		if err := tx.QueryRowContext(ctx, count, c.args...).Scan(&total); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT id, source, path, byte_offset, reason, detail, size, seen_at, line
			FROM rejects`+c.where()+" ORDER BY id DESC LIMIT ? OFFSET ?", append(c.args, q.Limit, q.Offset)...)
		if err != nil {
			return err
		}
		list, err = collect(rows, scanReject)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list rejects: %w", err)
	}
	return list, total, nil
}

// MaxRejects bounds the rejected lines that are kept: the newest. A pot whose
// format nobody knows would fill the disk otherwise.
const MaxRejects = 100_000

// trimRejects removes the oldest rejects beyond MaxRejects; their ids are dense.
func (w *batchWriter) trimRejects() error {
	_, err := w.exec("DELETE FROM rejects WHERE id <= ?", w.counters[counterRejectID]-MaxRejects)
	return err
}
