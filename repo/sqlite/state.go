package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"decnet/repo"
)

// State returns the value of a key, or [repo.ErrNotFound].
func (s *Store) State(ctx context.Context, key string) (value string, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT value FROM settings WHERE key = ?", key).Scan(&value)
	if err != nil {
		return "", failed(fmt.Sprintf("setting %q", key), orNotFound(err))
	}
	return value, nil
}

// SetState stores the value of a key.
func (s *Store) SetState(ctx context.Context, key, value string) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES (?, ?)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
		return err
	})
	if err != nil {
		return fmt.Errorf("store the setting %q: %w", key, err)
	}
	return nil
}

// writePositions stores how far sources were read.
func (w *batchWriter) writePositions(list []repo.Position) error {
	for i := range list {
		p := &list[i]
		_, err := w.exec(`INSERT OR REPLACE INTO positions (source, path, device, inode, head_len, head_hash,
			byte_offset, tail_len, tail_hash, done, format, lines, accepted, duplicate, rejected, ignored, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			p.Source, p.Path, int64(p.Device), int64(p.Inode), // the same 64 bits, back and forth
			p.HeadLen, p.HeadHash, p.Offset, p.TailLen, p.TailHash, p.Done, p.Format,
			p.Lines, p.Accepted, p.Duplicate, p.Rejected, p.Ignored, w.now.UnixNano())
		if err != nil {
			return err
		}
	}
	return nil
}

// Positions returns how far each source was read, in the order of the sources.
func (s *Store) Positions(ctx context.Context) ([]repo.Position, error) {
	return listed(ctx, s, "positions", func(scan func(...any) error) (p repo.Position, err error) {
		var device, inode, updated int64
		err = scan(&p.Source, &p.Path, &device, &inode, &p.HeadLen, &p.HeadHash, &p.Offset, &p.TailLen,
			&p.TailHash, &p.Done, &p.Format, &p.Lines, &p.Accepted, &p.Duplicate, &p.Rejected, &p.Ignored, &updated)
		p.Device, p.Inode = uint64(device), uint64(inode)
		p.UpdatedAt = fromNanos(updated)
		return p, err
	}, `SELECT source, path, device, inode, head_len, head_hash,
		byte_offset, tail_len, tail_hash, done, format, lines, accepted, duplicate, rejected, ignored, updated_at
		FROM positions ORDER BY source`)
}

// writeSessions opens sessions, then forgets the closed ones.
func (w *batchWriter) writeSessions(opened []repo.Session, closed []string) error {
	for i := range opened {
		o := &opened[i]
		_, err := w.exec("INSERT OR REPLACE INTO sessions (key, service, dst_port, attacker, opened_at) VALUES (?, ?, ?, ?, ?)",
			o.Key, o.Service, o.DstPort, o.Attacker, nullNanos(o.OpenedAt))
		if err != nil {
			return err
		}
	}
	for _, key := range closed {
		if _, err := w.exec("DELETE FROM sessions WHERE key = ?", key); err != nil {
			return err
		}
	}
	return nil
}

// MaxOpenSessions bounds what OpenSessions returns.
const MaxOpenSessions = 100_000

// OpenSessions returns the sessions that did not end, newest first, at most the
// newest [MaxOpenSessions].
func (s *Store) OpenSessions(ctx context.Context) ([]repo.Session, error) {
	return listed(ctx, s, "sessions", func(scan func(...any) error) (o repo.Session, err error) {
		var opened sql.NullInt64
		err = scan(&o.Key, &o.Service, &o.DstPort, &o.Attacker, &opened)
		o.OpenedAt = fromNullNanos(opened)
		return o, err
	}, `SELECT key, service, dst_port, attacker, opened_at FROM sessions
		ORDER BY opened_at DESC, key LIMIT ?`, MaxOpenSessions)
}
