package sqlite

import (
	"context"
	"database/sql"
	"log/slog"

	"decnet/repo"
)

// Purge removes events, bounties, attackers, credentials and all that is computed
// from them, and gives the space back. The keys of events and receipts go too, so
// that what is sent again is stored again. Read positions, sessions, rejects,
// users, sensors and settings stay, and ids go on where they were.
func (s *Store) Purge(ctx context.Context) (repo.Purged, error) {
	var p repo.Purged
	var version int64
	err := s.update(ctx, func(tx *sql.Tx) error {
		for _, c := range []struct {
			counter string
			n       *int64
		}{{counterLogs, &p.Logs}, {counterBounties, &p.Bounties}, {counterAttackers, &p.Attackers}} {
			if err := tx.QueryRowContext(ctx, selectCounter, c.counter).Scan(c.n); err != nil {
				return err
			}
		}
		// Without WHERE, SQLite drops whole trees and does not visit the rows.
		for _, query := range []string{
			"DELETE FROM logs", "DELETE FROM bounties", "DELETE FROM commands", "DELETE FROM attacker_services",
			"DELETE FROM attackers", "DELETE FROM minutes", "DELETE FROM expired_minutes", "DELETE FROM days", "DELETE FROM facets",
			"DELETE FROM credentials",
			"DELETE FROM credential_attackers", "DELETE FROM credential_services", "DELETE FROM event_keys", "DELETE FROM receipts",
			"DELETE FROM search_segments", "DELETE FROM search_chunks", raiseSearchVersion, raiseAttackerVersion,
		} {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, selectCounter, counterSearchVersion).Scan(&version); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM counters WHERE name IN (?, ?, ?, ?, ?) OR name GLOB ?",
			counterLogs, counterDeckies, counterAttackers, counterBounties, counterCredentials, counterBountyType+"*")
		return err
	})
	if err != nil {
		return repo.Purged{}, failed("purge", err)
	}
	s.counts.forget(version)
	s.rows.forget()
	s.shrink(ctx)
	return p, nil
}

// shrink gives free pages back to the file system at once: VACUUM costs what is
// left, not what was there. It also sets auto_vacuum in an older database. It is
// no error if it fails: free pages are used again.
func (s *Store) shrink(ctx context.Context) {
	if s.path == "" {
		return
	}
	_, err := s.write.ExecContext(ctx, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
	if err == nil {
		err = s.checkpoint(ctx)
	}
	if err != nil {
		s.log.WarnContext(ctx, "could not shrink the database", slog.Any("error", err))
	}
}
