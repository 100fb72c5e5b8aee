package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestSearchCount_SurvivesAMerge: a large segment is not counted again, seventy
// thousand rows at once, when all that it was made of was; also where rows expired
// before they were counted, and only if none did since.
func TestSearchCount_SurvivesAMerge(t *testing.T) {
	t.Parallel()
	c := &searchCount{segments: map[int64]segmentCount{}}
	large := segment{first: largeRows, last: 2*largeRows - 1}
	assertUnknown := func(s segment, why string) {
		t.Helper()
		_, ok := c.get(s)
		assert.False(t, ok, why)
	}
	for first := large.first; first <= large.last; first += smallRows {
		assertUnknown(large, "a part is missing")
		small := segment{first: first, last: first + smallRows - 1, removed: 3}
		c.put(small, 10)
		large.removed += 3
		n, ok := c.get(small)
		require.True(t, ok)
		assert.EqualValues(t, 10, n)
	}
	n, ok := c.get(large)
	require.True(t, ok)
	assert.EqualValues(t, 10*largeRows/smallRows, n)

	c.put(large, n)
	again, ok := c.get(large)
	require.True(t, ok)
	assert.Equal(t, n, again)
	assert.Len(t, c.segments, 1, "its parts are not kept beside it")
	large.removed++
	assertUnknown(large, "a row has expired since")
}

// TestSearchCount_WhatWasCountedIsNeverTooMuch: a request that sees older segments
// has their rows behind them, too, and one after an expiry has fewer rows.
func TestSearchCount_WhatWasCountedIsNeverTooMuch(t *testing.T) {
	t.Parallel()
	c := &searchCount{}
	_, ok := c.counted(1, 0)
	assert.False(t, ok, "nobody has counted")
	c.setPartly(partialCount{version: 5, removed: 7, rows: 100})
	for _, version := range []int64{5, 6} {
		n, ok := c.counted(version, 7)
		assert.True(t, ok)
		assert.EqualValues(t, 100, n)
	}
	_, ok = c.counted(4, 7)
	assert.False(t, ok, "older segments")
	_, ok = c.counted(5, 8)
	assert.False(t, ok, "a row has expired since")
	c.allCounted()
	_, ok = c.counted(5, 7)
	assert.False(t, ok, "the total is known")
}

// TestHunt_WhoMayNotCountTellsWhatTheOtherFound.
func TestHunt_WhoMayNotCountTellsWhatTheOtherFound(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "x.db"), SearchRows: 12 * smallRows})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	const rows = 3 * smallRows
	b := &repo.Batch{Events: make([]repo.Event, rows)}
	for i := range b.Events {
		b.Events[i].Log = repo.Log{Time: time.Unix(int64(i), 0), Service: "ssh", RawLine: fmt.Sprintf("root %d", i), AttackerIP: "198.51.100.1"}
	}
	require.NoError(t, s.Commit(t.Context(), b))
	indexer := s.NewIndexer()
	for more := true; more; {
		more, err = indexer.Step(t.Context())
		require.NoError(t, err)
	}
	f := repo.LogFilter{Search: repo.ParseSearch("root")}
	found, err := s.CountLogs(t.Context(), f)
	require.ErrorIs(t, err, repo.ErrTooBroad)
	require.Positive(t, found)

	known := s.counts.of(exprKey(f.Search), 1<<40)
	require.True(t, known.take(t.Context()))
	for range 3 {
		n, err := s.CountLogs(t.Context(), f)
		require.ErrorIs(t, err, repo.ErrTooBroad)
		assert.Equal(t, found, n)
	}
	gone, _, err := s.Expire(t.Context(), time.Unix(rows, 0), smallRows)
	require.NoError(t, err)
	require.Positive(t, gone)
	n, err := s.CountLogs(t.Context(), f)
	require.ErrorIs(t, err, repo.ErrTooBroad)
	assert.LessOrEqual(t, n, rows-gone)
	known.give()
}
