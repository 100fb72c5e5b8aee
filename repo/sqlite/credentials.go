package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"decnet/repo"
)

const (
	counterCredentials  = "credentials"
	counterCredentialID = "last_credential_id" //nolint:gosec // the name of a counter
)

// pair is what makes a credential the same as another.
type pair struct{ username, password string }

// tried gathers what one batch says of credentials, so that a burst of tries
// costs one update for each pair.
type tried struct {
	byPayload map[string]*credentialInBatch
	byPair    map[pair]*credentialInBatch
	order     []*credentialInBatch
}

func newTried() tried {
	return tried{byPayload: map[string]*credentialInBatch{}, byPair: map[pair]*credentialInBatch{}}
}

type credentialInBatch struct {
	pair
	attempts    int64
	first, last int64
	event       int64 // the last one that was counted
	// times has the quarters of an hour of the attempts, in the order of the events.
	times    []attemptsAt
	services []string
	// attackers are those whose bounty is new. One whose bounty was known is in
	// credential_attackers already.
	attackers []int64
}

// count notes that an event tried the pair of a bounty.
func (t *tried) count(event int64, b *repo.Bounty) *credentialInBatch {
	c, nanos := t.byPayload[b.Payload], b.Time.UnixNano()
	if c == nil {
		p := pairOf(b.Payload)
		if c = t.byPair[p]; c == nil {
			c = &credentialInBatch{pair: p, first: nanos, last: nanos}
			t.byPair[p] = c
			t.order = append(t.order, c)
		}
		t.byPayload[b.Payload] = c
	}
	c.first, c.last = min(c.first, nanos), max(c.last, nanos)
	if !slices.Contains(c.services, b.Service) {
		c.services = append(c.services, b.Service)
	}
	if c.event != event {
		c.attempts++
		c.event = event
		c.countAt(nanos / quarter)
	}
	return c
}

// countAt counts an attempt in its quarter of an hour, which is mostly that of the
// attempt before.
func (c *credentialInBatch) countAt(quarter int64) {
	if i := len(c.times) - 1; i >= 0 && c.times[i].at == quarter {
		c.times[i].n++
		return
	}
	c.times = append(c.times, attemptsAt{quarter, 1})
}

// pairOf reads a payload. A value that is not a string is its JSON text, as in
// the migration that made credentials of older bounties.
func pairOf(payload string) pair {
	if p, ok := plainPair(payload); ok {
		return p
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(payload), &fields) != nil {
		return pair{}
	}
	return pair{plainText(fields["username"]), plainText(fields["password"])}
}

// plainPair reads the payload that nearly all credentials have: two strings and
// no escapes. Decoding takes five times as long.
func plainPair(payload string) (p pair, ok bool) {
	if strings.IndexByte(payload, '\\') >= 0 {
		return p, false
	}
	rest, ok := strings.CutPrefix(payload, `{"password":"`)
	if !ok {
		return p, false
	}
	if p.password, rest, ok = strings.Cut(rest, `"`); !ok {
		return p, false
	}
	if rest, ok = strings.CutPrefix(rest, `,"username":"`); !ok {
		return p, false
	}
	p.username, rest, ok = strings.Cut(rest, `"`)
	return p, ok && rest == "}"
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
	for _, c := range w.tried.order {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.writeCredential(c); err != nil {
			return err
		}
	}
	return nil
}

func (w *batchWriter) writeCredential(c *credentialInBatch) error {
	hash := credentialHash(c.pair)
	known, err := w.knownCredential(hash)
	isNew := errors.Is(err, sql.ErrNoRows)
	if err != nil && !isNew {
		return err
	}
	if isNew {
		known.id = w.add(counterCredentialID, 1)
		w.add(counterCredentials, 1)
	}
	var fresh int64
	for _, attacker := range c.attackers {
		n, err := w.exec("INSERT INTO credential_attackers (credential, attacker) VALUES (?, ?) ON CONFLICT DO NOTHING", known.id, attacker)
		if err != nil {
			return err
		}
		fresh += n
	}
	packed, err := w.addServices(known.id, known.services, c.services)
	if err != nil {
		return err
	}
	for _, a := range c.times {
		known.times.add(a.at, a.n)
	}
	times := known.times.encode(nil)
	if isNew {
		_, err = w.exec(`INSERT INTO credentials
			(id, hash, username, password, attempts, attackers, first_seen, last_seen, services, times)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, known.id, hash, c.username, c.password, c.attempts, fresh, c.first, c.last, packed, times)
		return err
	}
	_, err = w.exec(`UPDATE credentials SET attempts = attempts + ?, attackers = attackers + ?,
		first_seen = min(first_seen, ?), last_seen = max(last_seen, ?), services = ?, times = ? WHERE id = ?`,
		c.attempts, fresh, c.first, c.last, packed, times, known.id)
	return err
}

// knownCredential is what the row of a credential says.
type knownCredential struct {
	id       int64
	services []byte
	times    attemptTimes
}

func (w *batchWriter) knownCredential(hash []byte) (k knownCredential, err error) {
	st, err := w.stmt("SELECT id, services, times FROM credentials WHERE hash = ?") //nolint:sqlclosecheck // Closed with the transaction.
	if err != nil {
		return k, err
	}
	var times []byte
	if err := st.QueryRowContext(w.quiet, hash).Scan(&k.id, &k.services, &times); err != nil {
		return k, err
	}
	if k.times.decode(times) {
		return k, nil
	}
	// Rare: a row from before there were times, or damage.
	var attempts, first, last int64
	err = w.tx.QueryRowContext(w.quiet, "SELECT attempts, first_seen, last_seen FROM credentials WHERE id = ?", k.id).Scan(&attempts, &first, &last)
	if err == nil {
		timesOf(nil, attempts, first, last, &k.times)
	}
	return k, err
}

// maxServices bounds how many services a credential shows: names come from logs.
// By any of the others it is still found.
const maxServices = 256

// addServices stores those of the services that are not in the list yet, and
// returns the longer list.
func (w *batchWriter) addServices(id int64, packed []byte, services []string) ([]byte, error) {
	known := unpack(packed)
	before := len(known)
	for _, service := range services {
		i, found := slices.BinarySearch(known, service)
		if found {
			continue
		}
		_, err := w.exec("INSERT INTO credential_services (service, credential) VALUES (?, ?) ON CONFLICT DO NOTHING", service, id)
		if err != nil {
			return nil, err
		}
		if len(known) < maxServices {
			known = slices.Insert(known, i, service)
		}
	}
	if len(known) == before {
		return packed, nil
	}
	return pack(known...), nil
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
	return `SELECT c.id, c.username, c.password, c.attempts, c.attackers, c.first_seen, c.last_seen, c.services
		FROM credentials AS c` + c.where() + credentialsOrder(q.Sort) + " LIMIT ? OFFSET ?", append(c.args, q.Limit, q.Offset)
}

// Credentials returns a page.
func (s *Store) Credentials(ctx context.Context, q repo.CredentialQuery) ([]repo.Credential, error) {
	query, args := pageOfCredentials(q)
	return listed(ctx, s, "credentials", func(scan func(...any) error) (c repo.Credential, err error) {
		var first, last int64
		var services []byte
		err = scan(&c.ID, &c.Username, &c.Password, &c.Attempts, &c.Attackers, &first, &last, &services)
		c.Services = unpack(services)
		c.FirstSeen, c.LastSeen = fromNanos(first), fromNanos(last)
		return c, err
	}, query, args...)
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
