package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestRendered_WhatIsLargeIsNotKept: attackers choose how large an event is, and
// thousands are kept.
func TestRendered_WhatIsLargeIsNotKept(t *testing.T) {
	t.Parallel()
	event := func(text string) func() []byte {
		logs := newRenderedLogs()
		return func() []byte { return logs.of(&repo.Log{ID: 1, RawLine: text}) }
	}
	profile := func(text string) func() []byte {
		p := newProfiles()
		return func() []byte { return p.of(&repo.Attacker{Commands: []repo.Command{{Text: text}}}) }
	}
	for name, kept := range map[string]func(text string) func() []byte{"event": event, "profile": profile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			room := largestKept - len(kept("")())
			ask := kept(strings.Repeat("x", room))
			ask() // the first time it may be handed out before it is kept
			again := ask()
			require.Len(t, again, largestKept)
			assert.Same(t, &again[0], &ask()[0], "it is kept")
			ask = kept(strings.Repeat("x", room+1))
			ask()
			again = ask()
			require.Len(t, again, largestKept+1)
			assert.NotSame(t, &again[0], &ask()[0], "it is made each time")
		})
	}
}

// TestBuffers_AreUsedAgainUnlessTheyAreHuge.
func TestBuffers_AreUsedAgainUnlessTheyAreHuge(t *testing.T) {
	t.Parallel()
	var huge buffers
	huge.page(1, 1, 0, [][]byte{make([]byte, largestBuffer)}, nil).sent()
	assert.Nil(t, huge.pool.Get())

	var p buffers
	again := 0
	for range 100 { // a pool may lose what it was given
		first := p.page(1, 1, 0, [][]byte{[]byte("{}")}, nil)
		first.sent()
		if next := p.page(1, 1, 0, [][]byte{[]byte("{}")}, nil); &next.body[0] == &first.body[0] {
			again++
		}
	}
	assert.Positive(t, again)
}
