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
	w.keyed = true
	n, err := w.exec("INSERT INTO event_keys (key, seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING", e.Key, w.now.UnixNano())
	return n == 0, err
}

// writeReceipts counts and stores the answers to sensors.
func (w *batchWriter) writeReceipts(b *repo.Batch) error {
	for _, r := range b.Receipts {
		var accepted, duplicate int64
		for i := r.First; i < r.Last; i++ {
			switch {
			case b.Events[i].Part: // counted with the first event of its line
			case w.ids[i] > 0:
				accepted++
			default:
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
	if len(b.Receipts) == 0 && !w.keyed {
		return nil
	}
	return w.forgetKeys()
}

// forgetKeys removes keys and receipts that are too old, some at a time.
func (w *batchWriter) forgetKeys() error {
	for _, query := range []string{
		"DELETE FROM event_keys WHERE key IN (SELECT key FROM event_keys WHERE seen_at < ? ORDER BY seen_at LIMIT ?)",
		"DELETE FROM receipts WHERE (sensor, key) IN (SELECT sensor, key FROM receipts WHERE at < ? ORDER BY at LIMIT ?)",
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
		return repo.Receipt{}, failed("receipt", orNotFound(err))
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
		return failed("create sensor", err)
	}
	return nil
}

// Sensors returns all sensors in the order of their names.
func (s *Store) Sensors(ctx context.Context) ([]repo.Sensor, error) {
	return listed(ctx, s, "sensors", func(scan func(...any) error) (x repo.Sensor, err error) {
		var created int64
		var seen sql.NullInt64
		err = scan(&x.UUID, &x.Name, &x.TokenHash, &created, &seen, &x.Accepted, &x.Duplicate, &x.Rejected)
		x.CreatedAt, x.LastSeen = fromNanos(created), fromNullNanos(seen)
		return x, err
	}, `SELECT uuid, name, token_hash, created_at, last_seen, accepted, duplicate, rejected
		FROM sensors ORDER BY name`)
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
		return failed("delete sensor", err)
	}
	return nil
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
