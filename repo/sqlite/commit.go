package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"decnet/repo"
)

// The names of rows in the table counters.
const (
	counterLogs       = "logs"
	counterDeckies    = "deckies"
	counterAttackers  = "attackers"
	counterBounties   = "bounties"
	counterRejects    = "rejects"
	counterLogID      = "last_log_id"
	counterBountyID   = "last_bounty_id"
	counterAttackerID = "last_attacker_id"
	counterRejectID   = "last_reject_id"

	// counterBountyType is followed by the type.
	counterBountyType = "bounties:"
)

// Commit stores a batch in one transaction, whole or not at all, and then fills
// in the ids of its events. The times of events must be valid ([repo.ValidTime])
// and their Fields what [repo.Log] says. It may be called from many goroutines;
// the calls queue.
func (s *Store) Commit(ctx context.Context, b *repo.Batch) error {
	for i := range b.Events {
		if !repo.ValidTime(b.Events[i].Time) {
			return fmt.Errorf("commit: event %d has the time %v, which is out of range", i, b.Events[i].Time)
		}
	}
	var w *batchWriter
	err := s.updateRaw(ctx, func(tx *sql.Tx, raw driver.ConnPrepareContext) (err error) {
		if w, err = s.beginBatch(ctx, tx); err != nil {
			return err
		}
		w.direct.conn = raw
		return errors.Join(w.write(b), w.direct.close())
	})
	if err != nil {
		return fmt.Errorf("commit %d events: %w", len(b.Events), err)
	}
	for i := range b.Events {
		b.Events[i].ID = w.ids[i]
	}
	for i, r := range b.Receipts {
		r.Accepted, r.Duplicate, r.At = w.receipts[i][0], w.receipts[i][1], w.now
	}
	s.moveWAL(ctx)
	return nil
}

// batchWriter is one Commit under way. It keeps nothing for the next one, so
// that a failed transaction leaves nothing behind in memory either.
type batchWriter struct {
	ctx context.Context
	// quiet is ctx without its end. The driver starts a goroutine for each
	// statement whose context can end, which would cost more than the insert; ctx
	// is looked at between the rows.
	quiet context.Context
	tx    *sql.Tx
	now   time.Time
	log   *slog.Logger
	stmts map[string]*sql.Stmt
	// searches are told which attackers change.
	searches *attackerSearches
	// direct runs what changes rows past database/sql, where it is set.
	direct directWriter

	counters map[string]int64
	changed  map[string]bool
	before   int64 // the last log id when the batch began
	touched  touched
	minutes  map[int64]int64 // by Unix minute
	facets   map[facetKey]*facetInBatch
	// facetQuarters has what ended runs of facets counted.
	facetQuarters map[facetQuarter]int64
	tried         tried
	// ids are those of the batch's events, 0 for duplicates; receipts the numbers
	// of accepted and duplicate events of each receipt.
	ids      []int64
	receipts [][2]int64
	keyed    bool // some event has a key
}

func (s *Store) beginBatch(ctx context.Context, tx *sql.Tx) (*batchWriter, error) {
	w := &batchWriter{
		ctx:      ctx,
		quiet:    context.WithoutCancel(ctx),
		tx:       tx,
		now:      s.now().UTC(),
		log:      s.log,
		searches: s.attackers,
		stmts:    map[string]*sql.Stmt{},
		counters: map[string]int64{},
		changed:  map[string]bool{},
		touched:  touched{byIP: map[string]*attackerInBatch{}},
		minutes:  map[int64]int64{},
		facets:   map[facetKey]*facetInBatch{},
		tried:    newTried(),

		facetQuarters: map[facetQuarter]int64{},
	}
	rows, err := tx.QueryContext(ctx, "SELECT name, value FROM counters")
	if err != nil {
		return nil, err
	}
	err = each(rows, func(scan func(...any) error) error {
		var name string
		var value int64
		err := scan(&name, &value)
		w.counters[name] = value
		return err
	})
	w.before = w.counters[counterLogID]
	return w, err
}

// stmt prepares a statement once per transaction. Single-row statements that are
// prepared once are faster than VALUES of many rows.
func (w *batchWriter) stmt(query string) (*sql.Stmt, error) {
	if st, ok := w.stmts[query]; ok {
		return st, nil
	}
	st, err := w.tx.PrepareContext(w.quiet, query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = st
	return st, nil
}

// exec runs a statement and reports how many rows it changed.
func (w *batchWriter) exec(query string, args ...any) (int64, error) {
	if w.direct.conn != nil {
		return w.direct.exec(w.quiet, query, args)
	}
	st, err := w.stmt(query) //nolint:sqlclosecheck // Closed with the transaction.
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(w.quiet, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// add raises a counter and returns its new value.
func (w *batchWriter) add(counter string, n int64) int64 {
	w.counters[counter] += n
	w.changed[counter] = true
	return w.counters[counter]
}

func (w *batchWriter) write(b *repo.Batch) error {
	w.ids = make([]int64, len(b.Events))
	for i := range b.Events {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		var err error
		if w.ids[i], err = w.event(&b.Events[i]); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"attackers", w.writeAttackers},
		{"minutes", w.writeMinutes},
		{"facets", w.writeFacets},
		{"days", w.writeDays},
		{"credentials", w.writeCredentials},
		{"rejects", func() error { return w.writeRejects(b.Rejects) }},
		{"positions", func() error { return w.writePositions(b.Positions) }},
		{"sessions", func() error { return w.writeSessions(b.Sessions, b.ClosedSessions) }},
		{"receipts", func() error { return w.writeReceipts(b) }},
		{"counters", w.writeCounters},
	} {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

const insertLog = `INSERT INTO logs
	(id, time, decky, service, event_type, attacker_ip, raw_line, fields, msg, trace_id, span_id, original)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const insertPlainLog = `INSERT INTO logs
	(id, time, decky, service, event_type, attacker_ip, raw_line, fields, msg, trace_id, span_id, original)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', NULL)`

// event writes one event and all that hangs on it, and returns its id: 0 for a
// duplicate, of which nothing is written.
func (w *batchWriter) event(e *repo.Event) (id int64, err error) {
	if known, err := w.isDuplicate(e); known || err != nil {
		return 0, err
	}
	id = w.add(counterLogID, 1)
	w.add(counterLogs, 1)
	nanos := e.Time.UnixNano()
	if err = w.insert(id, nanos, &e.Log); err != nil {
		return 0, err
	}
	w.countRollups(nanos)
	w.countFacets(&e.Log, nanos)

	var a *attackerInBatch // nil when there is none
	if e.AttackerIP != repo.UnknownAttacker {
		if a, err = w.attacker(e.AttackerIP); err != nil {
			return 0, err
		}
		a.state.Add(e)
	}
	for i := range e.Bounties {
		if err := w.bounty(id, e, &e.Bounties[i], a); err != nil {
			return 0, err
		}
	}
	if a == nil || e.Command == "" {
		return id, nil
	}
	_, err = w.exec("INSERT INTO commands (id, attacker, time, service, decky, text) VALUES (?, ?, ?, ?, ?, ?)",
		id, a.id, nanos, e.Service, e.Decky, e.Command)
	return id, err
}

// insert writes the row of an event. Few have what the last columns are for, and
// binding a value costs as much as storing it.
func (w *batchWriter) insert(id, nanos int64, l *repo.Log) (err error) {
	if l.TraceID == "" && l.SpanID == "" && l.Original == nil {
		_, err = w.exec(insertPlainLog, id, nanos, l.Decky, l.Service, l.EventType, l.AttackerIP, l.RawLine, l.Fields, l.Msg)
		return err
	}
	_, err = w.exec(insertLog, id, nanos, l.Decky, l.Service, l.EventType, l.AttackerIP,
		l.RawLine, l.Fields, l.Msg, l.TraceID, l.SpanID, l.Original)
	return err
}

// bounty stores a bounty unless it is known. The unique index decides that, not
// a look beforehand.
func (w *batchWriter) bounty(event int64, e *repo.Event, found *repo.Bounty, a *attackerInBatch) error {
	b := repo.Bounty{
		ID:   w.counters[counterBountyID] + 1,
		Time: e.Time, Decky: e.Decky, Service: e.Service, AttackerIP: e.AttackerIP,
		Type: found.Type, Payload: found.Payload,
	}
	n, err := w.exec(`INSERT INTO bounties (id, time, decky, service, attacker_ip, type, payload, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING`,
		b.ID, b.Time.UnixNano(), b.Decky, b.Service, b.AttackerIP, b.Type, b.Payload, bountyHash(&b))
	if err != nil {
		return err
	}
	if b.Type == repo.BountyCredential {
		c := w.tried.count(event, &b)
		if n > 0 && a != nil {
			c.attackers = append(c.attackers, a.id)
		}
	}
	if n == 0 {
		return nil
	}
	w.add(counterBountyID, 1)
	w.add(counterBounties, 1)
	w.add(counterBountyType+b.Type, 1)
	if a != nil {
		a.state.AddBounty(&b)
	}
	return nil
}

// bountyHash is what makes a bounty the same as another: 128 bits of SHA-256,
// for which nobody can find two payloads that collide by chance or with any
// sensible effort. An index over the payloads themselves would be many times
// larger.
func bountyHash(b *repo.Bounty) []byte {
	h := sha256.New()
	for _, part := range []string{b.Type, b.AttackerIP} {
		var n [binary.MaxVarintLen64]byte
		h.Write(n[:binary.PutUvarint(n[:], uint64(len(part)))])
		h.Write([]byte(part))
	}
	h.Write([]byte(b.Payload))
	return h.Sum(nil)[:16]
}

func (w *batchWriter) writeCounters() error {
	for name := range w.changed {
		_, err := w.exec(`INSERT INTO counters (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, w.counters[name])
		if err != nil {
			return err
		}
	}
	return nil
}
