package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
	"decnet/repo"
)

func bareHub() *hub { return &hub{wake: make(chan struct{})} }

// rowsFrom is a message of n rows, the first of which has the id.
func rowsFrom(id int64, n int) *message {
	m := &message{logs: make([]repo.Log, n)}
	for i := range m.logs {
		m.logs[i].ID = id + int64(i)
	}
	return m
}

// TestHub_WhoKeepsUpIsNeverBehind: that the oldest rows were dropped is the
// business of those only who have not read them.
func TestHub_WhoKeepsUpIsNeverBehind(t *testing.T) {
	t.Parallel()
	h := bareHub()
	next, _ := h.subscribe()
	slow := next
	for id := int64(1); id < 3*hubRows; id += 5000 {
		h.push(rowsFrom(id, 5000))
		batch, end, _, behind := h.read(next)
		require.False(t, behind, "at id %d", id)
		require.Len(t, batch, 1)
		require.Equal(t, id, batch[0].logs[0].ID)
		next = end
	}
	_, _, _, behind := h.read(slow)
	assert.True(t, behind)
	end, lastID := h.subscribe()
	assert.Equal(t, next, end)
	assert.EqualValues(t, 3*hubRows, lastID)
}

// TestHub_KeepsWhatItPromises: no row is dropped below the bounds, and no memory
// is held beyond them.
func TestHub_KeepsWhatItPromises(t *testing.T) {
	t.Parallel()
	for name, full := range map[string][]*message{
		"rows":  {rowsFrom(1, hubRows/2), rowsFrom(hubRows/2+1, hubRows/2)},
		"bytes": {{size: hubBytes / 2}, {size: hubBytes / 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := bareHub()
			h.push(full...)
			batch, _, _, behind := h.read(0)
			assert.False(t, behind)
			assert.Len(t, batch, 2)
			h.push(&message{logs: []repo.Log{{ID: hubRows + 1}}, size: 1})
			_, _, _, behind = h.read(0)
			assert.True(t, behind, "the oldest made room")
			batch, _, _, behind = h.read(1)
			assert.False(t, behind, "no more than was needed")
			assert.Len(t, batch, 2)
		})
	}
	t.Run("one message alone is kept, however large", func(t *testing.T) {
		t.Parallel()
		h := bareHub()
		for next := range uint64(3) {
			h.push(&message{size: 2 * hubBytes})
			batch, _, _, behind := h.read(next)
			assert.False(t, behind)
			assert.Len(t, batch, 1)
		}
	})
	t.Run("counters without a row", func(t *testing.T) {
		t.Parallel()
		h := bareHub()
		for range hubRows {
			h.push(&message{})
		}
		_, _, _, behind := h.read(0)
		assert.False(t, behind)
		h.push(&message{})
		_, _, _, behind = h.read(0)
		assert.True(t, behind)
		_, _, _, behind = h.read(1)
		assert.False(t, behind, "no more than was needed")
	})
	t.Run("nobody listens any more", func(t *testing.T) {
		t.Parallel()
		s := &Server{hub: bareHub()}
		s.hub.open.Store(1)
		s.Publish([]repo.Log{{ID: 7}})
		s.hub.open.Store(0)
		s.Publish([]repo.Log{{ID: 8}})
		_, _, _, behind := s.hub.read(0)
		assert.True(t, behind, "what the last stream left is kept")
		assert.Zero(t, s.hub.rows+s.hub.bytes)
		next, lastID := s.hub.subscribe()
		assert.EqualValues(t, 8, lastID)
		s.hub.open.Store(1)
		s.Publish([]repo.Log{{ID: 9}})
		batch, _, _, behind := s.hub.read(next)
		assert.False(t, behind)
		require.Len(t, batch, 1)
		assert.EqualValues(t, 9, batch[0].logs[0].ID)
	})
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		s := &Server{hub: bareHub()}
		s.Publish([]repo.Log{{ID: 7}})
		batch, _, _, behind := s.hub.read(0)
		assert.False(t, behind)
		assert.Empty(t, batch)
		_, lastID := s.hub.subscribe()
		assert.EqualValues(t, 7, lastID)
	})
}

// TestHub_AllOfARowTakesRoom, whatever an attacker has written the most into.
func TestHub_AllOfARowTakesRoom(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", hubBytes/4-1024) // it is kept as it came, and as it is sent
	for name, row := range map[string]repo.Log{
		"the line": {RawLine: large}, "the fields": {Fields: large}, "the message": {Msg: large}, "the original": {Original: []byte(large + large)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Server{hub: bareHub()}
			s.hub.open.Store(1)
			for row.ID = 1; row.ID <= 3; row.ID++ {
				_, _, _, behind := s.hub.read(0)
				assert.False(t, behind)
				s.Publish([]repo.Log{row})
			}
			_, _, _, behind := s.hub.read(0)
			assert.True(t, behind, "the oldest made room")
		})
	}
}

// countersOnly answers what a snapshot asks.
type countersOnly struct{ LogReader }

func (countersOnly) Stats(context.Context) (repo.Stats, error) { return repo.Stats{Logs: 5}, nil }

func (countersOnly) Histogram(context.Context, repo.LogFilter, time.Duration) ([]repo.Bucket, error) {
	return make([]repo.Bucket, 3), nil
}

// Deckies implements [Fleet].
func (countersOnly) Deckies(context.Context) ([]fleet.Decky, error) { return nil, nil }

// TestHub_CountersTakeRoomToo: a histogram may be a megabyte.
func TestHub_CountersTakeRoomToo(t *testing.T) {
	t.Parallel()
	h := bareHub()
	h.server = &Server{resources: resources{
		stats:     &statsResource{store: countersOnly{}, deckies: &deckiesResource{fleet: countersOnly{}}},
		histogram: &histogramResource{store: countersOnly{}},
	}}
	m := h.snapshot(t.Context(), true)
	require.NotEmpty(t, m.stats)
	require.NotEmpty(t, m.histogram)
	h.push(m)
	assert.Equal(t, len(m.stats)+len(m.histogram), h.bytes)
}
