package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/google/uuid"

	"decnet/profile"
	"decnet/repo"
)

// touched are the attackers of one batch, in the order of their first event.
type touched struct {
	byIP  map[string]*attackerInBatch
	order []*attackerInBatch
}

type attackerInBatch struct {
	id    int64
	isNew bool
	ip    string
	key   uuid.UUID
	state *profile.State
}

// attacker returns the state of an attacker, read once per batch.
func (w *batchWriter) attacker(ip string) (*attackerInBatch, error) {
	if a, ok := w.touched.byIP[ip]; ok {
		return a, nil
	}
	key, err := attackerKey(ip)
	if err != nil {
		return nil, err
	}
	a := &attackerInBatch{ip: ip, key: key}
	st, err := w.stmt("SELECT id, state FROM attackers WHERE uuid = ?") //nolint:sqlclosecheck // Closed with the transaction.
	if err != nil {
		return nil, err
	}
	var state []byte
	err = st.QueryRowContext(w.quiet, key[:]).Scan(&a.id, &state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		a.isNew = true
		a.id = w.add(counterAttackerID, 1)
		w.add(counterAttackers, 1)
		a.state = profile.New()
	case err != nil:
		return nil, err
	default:
		if a.state, err = profile.Unmarshal(state); err != nil {
			w.log.WarnContext(w.ctx, "a damaged profile is made anew of the events that are left",
				slog.String("attacker", ip), slog.Any("error", err))
			if err := w.rebuild(a, rebuildAtOnce); err != nil {
				return nil, err
			}
		}
	}
	w.touched.byIP[ip] = a
	w.touched.order = append(w.touched.order, a)
	return a, nil
}

// attackerKey is the stored form of [repo.AttackerUUID].
func attackerKey(ip string) (uuid.UUID, error) { return uuid.Parse(repo.AttackerUUID(ip)) }

func (w *batchWriter) writeAttackers() error {
	if len(w.touched.order) == 0 {
		return nil
	}
	ids := make([]int64, len(w.touched.order))
	for i, a := range w.touched.order {
		ids[i] = a.id
	}
	w.searches.changed(w.add(counterAttackerVersion, 1), ids)
	for _, a := range w.touched.order {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.writeAttacker(a); err != nil {
			return fmt.Errorf("%s: %w", a.ip, err)
		}
	}
	return nil
}

func (w *batchWriter) writeAttacker(a *attackerInBatch) error {
	p, state := a.state.Stored()
	search := pack(append(append([]string{a.ip, p.Behavior.Class}, p.Services...), p.Deckies...)...)
	query := `UPDATE attackers SET first_seen = ?, last_seen = ?, event_count = ?, decky_count = ?,
		updated_at = ?, search = ?, state = ? WHERE id = ?`
	args := []any{p.FirstSeen.UnixNano(), p.LastSeen.UnixNano(), p.EventCount, len(p.Deckies),
		w.now.UnixNano(), search, state, a.id}
	if a.isNew {
		query = `INSERT INTO attackers
			(first_seen, last_seen, event_count, decky_count, updated_at, search, state, id, uuid, ip)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
		args = append(args, a.key[:], a.ip)
	}
	if _, err := w.exec(query, args...); err != nil {
		return err
	}
	for _, service := range p.Services {
		_, err := w.exec("INSERT INTO attacker_services (service, attacker) VALUES (?, ?) ON CONFLICT DO NOTHING",
			service, a.id)
		if err != nil {
			return err
		}
	}
	return nil
}

// rebuildAtOnce is of how many events a commit makes a damaged profile anew, the
// latest: more would keep ingest waiting. Repair takes all.
const rebuildAtOnce = 10_000

// rebuild makes the state of an attacker of the events that were stored before
// this batch. Traits are not stored: what they told is lost.
func (w *batchWriter) rebuild(a *attackerInBatch, limit int64) error {
	a.state = profile.New()
	rows, err := w.tx.QueryContext(w.quiet, `SELECT l.time, l.decky, l.service, l.event_type, coalesce(c.text, '') FROM
		(SELECT id, time, decky, service, event_type FROM logs WHERE attacker_ip = ? AND id <= ? ORDER BY time DESC, id DESC LIMIT ?) AS l
		LEFT JOIN commands AS c ON c.id = l.id ORDER BY l.time, l.id`, a.ip, w.before, limit)
	if err != nil {
		return err
	}
	err = each(rows, func(scan func(...any) error) error {
		e := repo.Event{Log: repo.Log{AttackerIP: a.ip}}
		var nanos int64
		err := scan(&nanos, &e.Decky, &e.Service, &e.EventType, &e.Command)
		if err == nil {
			e.Time = fromNanos(nanos)
			a.state.Add(&e)
		}
		return err
	})
	if err != nil {
		return err
	}
	rows, err = w.tx.QueryContext(w.quiet, "SELECT time, type, payload FROM bounties WHERE attacker_ip = ? ORDER BY id", a.ip)
	if err != nil {
		return err
	}
	return each(rows, func(scan func(...any) error) error {
		var b repo.Bounty
		var nanos int64
		err := scan(&nanos, &b.Type, &b.Payload)
		if err == nil {
			b.Time = fromNanos(nanos)
			a.state.AddBounty(&b)
		}
		return err
	})
}

const attackerColumns = "a.ip, a.updated_at, a.state, a.first_seen, a.last_seen, a.event_count"

// scanAttacker reads a profile. A damaged one shows what its row has beside it:
// it must not hide the others of a list.
func scanAttacker[B []byte | sql.RawBytes](d *profile.Decoder, scan func(...any) error) (repo.Attacker, error) {
	var ip string
	var updated, first, last, events int64
	var state B
	if err := scan(&ip, &updated, &state, &first, &last, &events); err != nil {
		return repo.Attacker{}, err
	}
	a, err := d.Attacker(state)
	if err != nil {
		a = profile.New().Attacker()
		a.FirstSeen, a.LastSeen, a.EventCount = fromNanos(first), fromNanos(last), events
	}
	a.UUID, a.IP, a.UpdatedAt = repo.AttackerUUID(ip), ip, fromNanos(updated)
	return a, nil
}

// attackersWhere compiles a filter.
func attackersWhere(f repo.AttackerFilter) conditions {
	var c conditions
	if f.Service != "" {
		c.add("EXISTS (SELECT 1 FROM attacker_services AS x WHERE x.service = ? AND x.attacker = a.id)", f.Service)
	}
	if f.Search != "" {
		c.add("packed_contains_fold(?, a.search)", f.Search)
	}
	return c
}

func attackersOrder(sort repo.AttackerSort) string {
	switch sort {
	case repo.SortActive:
		return " ORDER BY a.event_count DESC, a.last_seen DESC, a.ip"
	case repo.SortTraversals:
		return " ORDER BY a.decky_count DESC, a.last_seen DESC, a.ip"
	case repo.SortRecent:
	}
	return " ORDER BY a.last_seen DESC, a.ip"
}

// pageOfAttackers is the query of a page.
func pageOfAttackers(q repo.AttackerQuery) (string, []any) {
	c := attackersWhere(q.AttackerFilter)
	return "SELECT a.id, a.updated_at, a.event_count FROM attackers AS a" + c.where() +
		attackersOrder(q.Sort) + " LIMIT ? OFFSET ?", append(c.args, q.Limit, q.Offset)
}

// Attackers returns a page, behaviour included.
func (s *Store) Attackers(ctx context.Context, q repo.AttackerQuery) (list []repo.Attacker, err error) {
	if list, ok, err := s.knownAttackers(ctx, q); ok || err != nil {
		return list, wrapped("list attackers", err)
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		version, err := attackerVersionOf(ctx, tx)
		if err != nil {
			return err
		}
		var versions []attackerVersion
		if q.Search != "" && q.Service == "" {
			list, versions, err = s.searchedPage(ctx, tx, q)
		} else {
			query, args := pageOfAttackers(q)
			list, versions, err = s.attackersOf(ctx, tx, query, args...)
		}
		if err == nil {
			s.answers.attackerPages.Add(q, versioned[int64, []attackerVersion]{version, versions})
		}
		return err
	})
	if err != nil {
		return nil, failed("list attackers", err)
	}
	return list, nil
}

// CountAttackers returns how many attackers the filter chooses.
func (s *Store) CountAttackers(ctx context.Context, f repo.AttackerFilter) (n int64, err error) {
	if f.IsZero() {
		return s.count(ctx, "attackers", selectCounter, counterAttackers)
	}
	if s.answers.attackerCounts.Contains(f) {
		version, err := attackerVersionOf(ctx, s.read)
		if err != nil {
			return 0, failed("count attackers", err)
		}
		if n, ok := known(s.answers.attackerCounts, f, version); ok {
			return n, nil
		}
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		if n, err = s.countAttackers(ctx, tx, f); err != nil {
			return err
		}
		version, err := attackerVersionOf(ctx, tx)
		s.answers.attackerCounts.Add(f, versioned[int64, int64]{version, n})
		return err
	})
	if err != nil {
		return 0, failed("count attackers", err)
	}
	return n, nil
}

// countAttackers counts what a filter chooses.
func (s *Store) countAttackers(ctx context.Context, tx *sql.Tx, f repo.AttackerFilter) (n int64, err error) {
	switch {
	case f.Search == "":
		err = tx.QueryRowContext(ctx, "SELECT count(*) FROM attacker_services WHERE service = ?", f.Service).Scan(&n)
	case f.Service == "":
		found, err := s.matching(ctx, tx, f.Search)
		return int64(len(found)), err
	default:
		c := attackersWhere(f)
		err = tx.QueryRowContext(ctx, "SELECT count(*) FROM attackers AS a"+c.where(), c.args...).Scan(&n)
	}
	return n, err
}

// Attacker returns one profile, or [repo.ErrNotFound].
func (s *Store) Attacker(ctx context.Context, id string) (repo.Attacker, error) {
	key, ok := parseUUID(id)
	if !ok {
		return repo.Attacker{}, fmt.Errorf("attacker: %w", repo.ErrNotFound)
	}
	a, err := scanAttacker[[]byte](&profile.Decoder{}, s.read.QueryRowContext(ctx,
		"SELECT "+attackerColumns+" FROM attackers AS a WHERE a.uuid = ?", key).Scan)
	if err != nil {
		return repo.Attacker{}, failed("attacker", orNotFound(err))
	}
	return a, nil
}

// pageOfCommands is the query of a page, oldest first.
func pageOfCommands(c conditions, q repo.CommandQuery) (string, []any) {
	return "SELECT time, service, decky, text FROM commands" + c.where() + " ORDER BY time, id LIMIT ? OFFSET ?",
		append(c.args, q.Limit, q.Offset)
}

// Commands returns a page of an attacker's commands, oldest first, and how many
// the query chooses in all, or [repo.ErrNotFound].
func (s *Store) Commands(ctx context.Context, id string, q repo.CommandQuery) (list []repo.Command, total int64, err error) {
	key, ok := parseUUID(id)
	if !ok {
		return nil, 0, fmt.Errorf("commands: %w", repo.ErrNotFound)
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		var attacker int64
		err := tx.QueryRowContext(ctx, "SELECT id FROM attackers WHERE uuid = ?", key).Scan(&attacker)
		if err != nil {
			return orNotFound(err)
		}
		var c conditions
		c.add("attacker = ?", attacker)
		if q.Service != "" {
			c.add("service = ?", q.Service)
		}
		if err = tx.QueryRowContext(ctx, "SELECT count(*) FROM commands"+c.where(), c.args...).Scan(&total); err != nil {
			return err
		}
		query, args := pageOfCommands(c, q)
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		list, err = collect(rows, func(scan func(...any) error) (c repo.Command, err error) {
			var nanos int64
			err = scan(&nanos, &c.Service, &c.Decky, &c.Text)
			c.Time = fromNanos(nanos)
			return c, err
		})
		return err
	})
	if err != nil {
		return nil, 0, failed("commands", err)
	}
	return list, total, nil
}

// parseUUID returns the stored form of a UUID as it is on the wire; other
// spellings of it that package uuid knows name nothing.
func parseUUID(s string) ([]byte, bool) {
	id, err := uuid.Parse(s)
	if err != nil || id.String() != strings.ToLower(s) {
		return nil, false
	}
	return id[:], true
}
