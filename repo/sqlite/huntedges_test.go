package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// needles stores n rows, the first with id 1, one each second unless at says
// otherwise, of which those with the ids hold a needle.
func needles(t *testing.T, s *sqlite.Store, n int, at func(id int) time.Duration, with ...int) repo.LogFilter {
	t.Helper()
	if at == nil {
		at = func(id int) time.Duration { return time.Duration(id) * time.Second }
	}
	b := &repo.Batch{}
	for id := 1; id <= n; id++ {
		b.Events = append(b.Events, repo.Event{Log: repo.Log{
			Time: huntDay().Add(at(id)), Decky: "d", Service: "ssh", EventType: "e", AttackerIP: repo.UnknownAttacker, RawLine: "hay", Fields: "{}",
		}})
	}
	for _, id := range with {
		b.Events[id-1].RawLine = "hay and a needle"
	}
	require.NoError(t, s.Commit(t.Context(), b))
	return repo.LogFilter{Search: repo.Contains{Text: "needle"}}
}

// assertNeedles compares a page, which is too large to be filled, and the total.
func assertNeedles(t *testing.T, s *sqlite.Store, f repo.LogFilter, want ...int64) {
	t.Helper()
	page, err := s.Logs(t.Context(), repo.LogQuery{LogFilter: f, Limit: 20})
	require.NoError(t, err)
	assert.Equal(t, want, ids(page))
	n, err := s.CountLogs(t.Context(), f)
	require.NoError(t, err)
	assert.EqualValues(t, len(want), n)
}

// TestHunt_AtTheEdges of segments, which begin at multiples of 4096, in ids and in time.
func TestHunt_AtTheEdges(t *testing.T) {
	t.Parallel()
	s := clone(t, template(t), sqlite.Options{})
	f := needles(t, s, 3*4096, nil, 1, 4095, 4096, 8191, 8192, 3*4096-1, 3*4096)
	require.Equal(t, 3, index(t, s), "the last is full, and one row is left")
	assertNeedles(t, s, f, 12288, 12287, 8192, 8191, 4096, 4095, 1)
	for _, id := range []int64{1, 4095, 4096, 8191, 8192} {
		f.Start = huntDay().Add(time.Duration(id) * time.Second)
		f.End = f.Start
		n, err := s.CountLogs(t.Context(), f)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n, id)
		bars, err := s.Histogram(t.Context(), f, time.Minute)
		require.NoError(t, err)
		assert.Len(t, bars, 1, id)
	}
}

// TestHunt_FirstBlocksHaveExpired before they were indexed.
func TestHunt_FirstBlocksHaveExpired(t *testing.T) {
	t.Parallel()
	s := clone(t, template(t), sqlite.Options{})
	f := needles(t, s, 6000, nil, 15, 16, 17, 4000)
	_, _, err := s.Expire(t.Context(), forever(), 15)
	require.NoError(t, err)
	require.Equal(t, 1, index(t, s))
	assertNeedles(t, s, f, 4000, 17, 16)
}

// TestHunt_OfOneTime: of rows with the same time the later ids are first, in whichever
// segment they are.
func TestHunt_OfOneTime(t *testing.T) {
	t.Parallel()
	s := clone(t, template(t), sqlite.Options{})
	f := needles(t, s, 2*4096, func(id int) time.Duration {
		if id == 7 {
			return time.Second
		}
		return 0
	}, 7, 20, 30, 5000, 6000)
	index(t, s)
	assertNeedles(t, s, f, 7, 6000, 5000, 30, 20)
	for n, want := range [][]int64{{7}, {7, 6000}, {7, 6000, 5000}, {7, 6000, 5000, 30}} {
		page, err := s.Logs(t.Context(), repo.LogQuery{LogFilter: f, Limit: n + 1})
		require.NoError(t, err)
		assert.Equal(t, want, ids(page))
	}
}

// TestHunt_ListOfSegmentsIsRemembered: it is read when there are others.
func TestHunt_ListOfSegmentsIsRemembered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, SearchRows: 12 * 200})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	f := needles(t, s, 2*4096, nil, 7, 5000)
	index(t, s)
	assertNeedles(t, s, f, 5000, 7)
	rawSQL(t, path, "DELETE FROM search_segments")
	f.Search = repo.Contains{Text: "and a needle"}
	assertNeedles(t, s, f, 5000, 7)
}

// TestHunt_WordsThatAreRareTogether are found though each of them is in too many rows to
// be read.
func TestHunt_WordsThatAreRareTogether(t *testing.T) {
	t.Parallel()
	s := clone(t, template(t), sqlite.Options{SearchRows: 2000})
	b := &repo.Batch{}
	for id := range 2*4096 + 1 {
		text := []string{"an apple", "a berry"}[(id+1)/16%2] // ids begin at 1
		if id == 100 {
			text = "an apple, a berry"
		}
		b.Events = append(b.Events, repo.Event{Log: repo.Log{
			Time: huntDay().Add(time.Duration(id) * time.Second), AttackerIP: repo.UnknownAttacker, RawLine: text, Fields: "{}",
		}})
	}
	require.NoError(t, s.Commit(t.Context(), b))
	require.Equal(t, 2, index(t, s))
	f := repo.LogFilter{Search: repo.Contains{Text: "berry"}}
	_, err := s.Logs(t.Context(), repo.LogQuery{LogFilter: f, Limit: 20, Offset: farAway})
	require.ErrorIs(t, err, repo.ErrTooBroad)
	f.Search = repo.And{repo.Contains{Text: "apple"}, repo.Contains{Text: "berry"}}
	page, err := s.Logs(t.Context(), repo.LogQuery{LogFilter: f, Limit: 20})
	require.NoError(t, err)
	assert.Equal(t, []int64{b.Events[100].ID}, ids(page))
}
