package ingest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

var errSink = errors.New("the sink was told to fail")

// memSink keeps batches in memory. It is strict: a batch that breaks a promise
// of package repo ends the tests, since a commit that fails for good is tried for
// ever.
type memSink struct {
	mu        sync.Mutex
	events    []repo.Event
	rejects   []repo.Reject
	positions map[string]repo.Position
	sessions  map[string]repo.Session
	receipts  map[[2]string]repo.Receipt
	keys      map[string]bool
	sizes     []int
	// fail is asked before a batch is stored, lie after it; an error is returned.
	fail, lie func(batch int) error
	calls     int
	conflicts int
}

func newMemSink() *memSink {
	return &memSink{positions: map[string]repo.Position{}, sessions: map[string]repo.Session{},
		receipts: map[[2]string]repo.Receipt{}, keys: map[string]bool{}}
}

func (s *memSink) Commit(ctx context.Context, b *repo.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.fail != nil {
		if err := s.fail(s.calls); err != nil {
			return err
		}
	}
	for _, r := range b.Receipts {
		if _, known := s.receipts[[2]string{r.Sensor, r.Key}]; known && r.Key != "" {
			if s.conflicts++; s.conflicts > 100 {
				panic("a receipt is stored, and its push stays in the batch")
			}
			return repo.ErrConflict
		}
	}
	sources := map[string]bool{}
	for _, p := range b.Positions {
		if sources[p.Source] {
			panic("a batch has two positions of " + p.Source)
		}
		sources[p.Source] = true
	}
	for i := range b.Events {
		e := &b.Events[i]
		if e.ID = 0; e.Key != nil && s.keys[string(e.Key)] {
			continue
		}
		if e.Key != nil {
			s.keys[string(e.Key)] = true
		}
		e.ID = int64(len(s.events) + 1)
		s.events = append(s.events, *e)
	}
	for _, r := range b.Receipts {
		s.answer(r, b.Events[r.First:r.Last])
	}
	s.rejects = append(s.rejects, b.Rejects...)
	for _, p := range b.Positions {
		s.positions[p.Source] = p
	}
	for _, open := range b.Sessions {
		s.sessions[open.Key] = open
	}
	for _, key := range b.ClosedSessions {
		delete(s.sessions, key)
	}
	s.sizes = append(s.sizes, len(b.Events)+len(b.Rejects))
	if s.lie != nil {
		return s.lie(s.calls)
	}
	return nil
}

// answer fills in and keeps a receipt.
func (s *memSink) answer(r *repo.Receipt, events []repo.Event) {
	r.Accepted, r.Duplicate, r.At = 0, 0, time.Unix(1, 0)
	for i := range events {
		switch e := &events[i]; {
		case e.Part:
		case e.ID > 0:
			r.Accepted++
		default:
			r.Duplicate++
		}
	}
	if r.Key != "" {
		s.receipts[[2]string{r.Sensor, r.Key}] = *r
	}
}

func (s *memSink) Receipt(_ context.Context, sensor, key string) (repo.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.receipts[[2]string{sensor, key}]
	if !known {
		return r, repo.ErrNotFound
	}
	return r, nil
}

func (s *memSink) Positions(context.Context) ([]repo.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []repo.Position
	for _, p := range s.positions {
		all = append(all, p)
	}
	return all, nil
}

func (s *memSink) OpenSessions(context.Context) ([]repo.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []repo.Session
	for _, open := range s.sessions {
		all = append(all, open)
	}
	slices.SortFunc(all, func(a, b repo.Session) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.Key, b.Key))
	})
	return all, nil
}

// raws are the raw lines of the stored events, in their order.
func (s *memSink) raws() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var raws []string
	for i := range s.events {
		raws = append(raws, s.events[i].RawLine)
	}
	return raws
}

func (s *memSink) stored() ([]repo.Event, []repo.Reject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events), slices.Clone(s.rejects)
}

// ingestAll runs an ingester over sources that end.
func ingestAll(t *testing.T, opt ingest.Options) ingest.Status {
	t.Helper()
	in, err := ingest.New(opt)
	require.NoError(t, err)
	require.NoError(t, in.Run(t.Context()))
	return in.Status()
}

// checkEvent asserts what package repo promises of every event.
func checkEvent(t *testing.T, e *repo.Event) {
	t.Helper()
	assert.True(t, repo.ValidTime(e.Time), "time %v", e.Time)
	assert.Equal(t, "UTC", e.Time.Location().String())
	if e.AttackerIP != repo.UnknownAttacker {
		assert.Equal(t, repo.AttackerAddress(e.AttackerIP), e.AttackerIP)
	} else {
		assert.Empty(t, e.Bounties, "a bounty without an attacker")
	}
	assert.NotEmpty(t, e.Decky)
	assert.NotEmpty(t, e.Service)
	assert.NotEmpty(t, e.EventType)
	for _, text := range []string{e.Decky, e.Service, e.EventType, e.Msg, e.Fields} {
		assert.True(t, utf8.ValidString(text), "not UTF-8: %q", text)
	}
	checkJSON(t, e.Fields)
	for _, b := range e.Bounties {
		checkJSON(t, b.Payload)
		keys := topKeys(t, b.Payload)
		assert.True(t, slices.IsSorted(keys), "keys of %s", b.Payload)
	}
	if e.Traits.TCPFingerprint != "" {
		checkJSON(t, e.Traits.TCPFingerprint)
	}
}

// checkJSON asserts that text is an object in normal form.
func checkJSON(t *testing.T, text string) {
	t.Helper()
	require.True(t, json.Valid([]byte(text)), "not JSON: %q", text)
	assert.True(t, utf8.ValidString(text), "not UTF-8: %q", text)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, []byte(text)))
	assert.Equal(t, compact.String(), text, "not compact")
	keys := topKeys(t, text)
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(keys))), len(keys), "a key comes twice in %s", text)
}

// topKeys are the keys of an object, in their order.
func topKeys(t *testing.T, text string) []string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	token, err := dec.Token()
	require.NoError(t, err)
	require.Equal(t, json.Delim('{'), token, "not an object: %s", text)
	var keys []string
	for dec.More() {
		key, err := dec.Token()
		require.NoError(t, err)
		keys = append(keys, key.(string))
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
	}
	return keys
}
