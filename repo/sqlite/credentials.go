package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"decnet/repo"
)

const (
	counterCredentials  = "credentials"
	counterCredentialID = "last_credential_id"
)

// pair is what makes a credential the same as another.
type pair struct{ username, password string }

// credentialInBatch gathers what one batch says of a pair, so that a burst of
// tries costs one update.
type credentialInBatch struct {
	attempts    int64
	first, last time.Time
	attackers   map[int64]bool
	services    map[string]bool
}

// countCredential notes one try of a pair.
func (w *batchWriter) countCredential(e *repo.Event, payload string, a *attackerInBatch) {
	p := pairOf(payload)
	c := w.credentials[p]
	if c == nil {
		c = &credentialInBatch{first: e.Time, last: e.Time, attackers: map[int64]bool{}, services: map[string]bool{}}
		w.credentials[p] = c
		w.pairs = append(w.pairs, p)
	}
	c.attempts++
	if e.Time.Before(c.first) {
		c.first = e.Time
	}
	if e.Time.After(c.last) {
		c.last = e.Time
	}
	c.services[e.Service] = true
	if a != nil {
		c.attackers[a.id] = true
	}
}

// pairOf reads a payload. A value that is not a string is its JSON text, as in
// the migration that made credentials of older bounties.
func pairOf(payload string) pair {
	var fields struct{ Username, Password json.RawMessage }
	if json.Unmarshal([]byte(payload), &fields) != nil {
		return pair{}
	}
	return pair{plainText(fields.Username), plainText(fields.Password)}
}

func plainText(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// credentialHash is 128 bits of SHA-256 over the pair; see bountyHash.
func credentialHash(p pair) []byte {
	h := sha256.New()
	var n [binary.MaxVarintLen64]byte
	h.Write(n[:binary.PutUvarint(n[:], uint64(len(p.username)))])
	h.Write([]byte(p.username))
	h.Write([]byte(p.password))
	return h.Sum(nil)[:16]
}

// hashCredential is credentialHash as an SQL function.
func hashCredential(args []driver.Value) driver.Value {
	return credentialHash(pair{text(args[0]), text(args[1])})
}

// writeCredentials stores what the batch says of credentials, in the order in
// which they were first tried.
func (w *batchWriter) writeCredentials() error {
	for _, p := range w.pairs {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.writeCredential(p, w.credentials[p]); err != nil {
			return err
		}
	}
	return nil
}

func (w *batchWriter) writeCredential(p pair, c *credentialInBatch) error {
	st, err := w.stmt(`INSERT INTO credentials (id, hash, username, password, attempts, attackers, first_seen, last_seen)
		VALUES (?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT (hash) DO UPDATE SET attempts = attempts + excluded.attempts,
		first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)
		RETURNING id`) //nolint:sqlclosecheck // Closed with the transaction.
	if err != nil {
		return err
	}
	next := w.counters[counterCredentialID] + 1
	var id int64
	err = st.QueryRowContext(w.quiet, next, credentialHash(p), p.username, p.password, c.attempts,
		c.first.UnixNano(), c.last.UnixNano()).Scan(&id)
	if err != nil {
		return err
	}
	if id == next {
		w.add(counterCredentialID, 1)
		w.add(counterCredentials, 1)
	}
	var fresh int64
	for attacker := range c.attackers {
		n, err := w.exec("INSERT OR IGNORE INTO credential_attackers (credential, attacker) VALUES (?, ?)", id, attacker)
		if err != nil {
			return err
		}
		fresh += n
	}
	if fresh > 0 {
		if _, err := w.exec("UPDATE credentials SET attackers = attackers + ? WHERE id = ?", fresh, id); err != nil {
			return err
		}
	}
	for service := range c.services {
		if _, err := w.exec("INSERT OR IGNORE INTO credential_services (credential, service) VALUES (?, ?)", id, service); err != nil {
			return err
		}
	}
	return nil
}

func credentialsWhere(f repo.CredentialFilter) conditions {
	var c conditions
	if f.Service != "" {
		c.add("EXISTS (SELECT 1 FROM credential_services AS x WHERE x.service = ? AND x.credential = c.id)", f.Service)
	}
	if f.Search != "" {
		c.add("contains_fold(?, c.username, c.password)", f.Search)
	}
	return c
}

func credentialsOrder(sort repo.CredentialSort) string {
	switch sort {
	case repo.SortCredentialAttackers:
		return " ORDER BY c.attackers DESC, c.last_seen DESC, c.id DESC"
	case repo.SortCredentialRecent:
		return " ORDER BY c.last_seen DESC, c.id DESC"
	case repo.SortCredentialAttempts:
	}
	return " ORDER BY c.attempts DESC, c.last_seen DESC, c.id DESC"
}

// pageOfCredentials is the query of a page.
func pageOfCredentials(q repo.CredentialQuery) (string, []any) {
	c := credentialsWhere(q.CredentialFilter)
	return `SELECT c.id, c.username, c.password, c.attempts, c.attackers, c.first_seen, c.last_seen,
		(SELECT json_group_array(service) FROM credential_services WHERE credential = c.id)
		FROM credentials AS c` + c.where() + credentialsOrder(q.Sort) + " LIMIT ? OFFSET ?", append(c.args, q.Limit, q.Offset)
}

// Credentials returns a page.
func (s *Store) Credentials(ctx context.Context, q repo.CredentialQuery) ([]repo.Credential, error) {
	query, args := pageOfCredentials(q)
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	list, err := collect(rows, func(scan func(...any) error) (c repo.Credential, err error) {
		var first, last int64
		var services string
		err = scan(&c.ID, &c.Username, &c.Password, &c.Attempts, &c.Attackers, &first, &last, &services)
		if err == nil {
			err = json.Unmarshal([]byte(services), &c.Services)
		}
		slices.Sort(c.Services)
		c.FirstSeen, c.LastSeen = fromNanos(first), fromNanos(last)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	return list, nil
}

// CountCredentials returns how many credentials the filter chooses. Without a
// search its cost does not depend on the number of events.
func (s *Store) CountCredentials(ctx context.Context, f repo.CredentialFilter) (int64, error) {
	switch {
	case f.IsZero():
		return s.count(ctx, "credentials", selectCounter, counterCredentials)
	case f.Search == "":
		return s.count(ctx, "credentials", "SELECT count(*) FROM credential_services WHERE service = ?", f.Service)
	}
	c := credentialsWhere(f)
	return s.count(ctx, "credentials", "SELECT count(*) FROM credentials AS c"+c.where(), c.args...)
}
