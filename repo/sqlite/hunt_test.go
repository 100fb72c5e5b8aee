package sqlite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// huntDay is when the rows of hunts are.
func huntDay() time.Time { return time.Date(2026, 4, 17, 0, 0, 0, 0, time.UTC) }

// huntRows are events in no order of time, of few words each, so that searches hit
// many, few or none of them.
func huntRows(t *testing.T, r *rand.Rand, n int) []repo.Event {
	t.Helper()
	words := []string{"root", "Admin", "wget http://x/", "123456", "uname -a", "\xff\x00", `a\b"c`, "é", "{}", ""}
	list := make([]repo.Event, n)
	for i := range list {
		word := words[int(float64(len(words))*r.Float64()*r.Float64())]
		fields := map[string]any{"username": word, "port": 22 + r.IntN(3), "nested": map[string]any{"k": r.IntN(2)}}
		if r.IntN(500) == 0 {
			fields["rare"] = fmt.Sprintf("needle%d", r.IntN(3))
		}
		encoded, err := json.Marshal(fields)
		require.NoError(t, err)
		list[i].Log = repo.Log{
			Time:  huntDay().Add(time.Duration(r.IntN(3*3600)) * time.Second),
			Decky: fmt.Sprintf("decky-%d", r.IntN(3)), Service: []string{"ssh", "http", "ftp"}[r.IntN(3)],
			EventType: []string{"login", "command"}[r.IntN(2)], AttackerIP: fmt.Sprintf("192.0.2.%d", r.IntN(40)),
			RawLine: fmt.Sprintf("%s %d %s", word, r.IntN(5000), words[r.IntN(len(words))]), Fields: string(encoded),
		}
	}
	return list
}

// huntSearches are searches of every kind: frequent, rare and without a hit, short
// and long, alone and together.
func huntSearches() []string {
	return []string{
		"root", "ROOT admin", "4711", "no-such-thing", "ot", "t", "zz", `'uname -a'`, "\xff\x00", `a\\b`, "é",
		"rare:needle1", "username:Admin", `nested:{"k":1}`, "port:23 username:root service:ssh", "username:",
		"service:ssh decky:decky-1 attacker:192.0.2.7", "attacker:192.0.2.7 wget", "service:ssh 42", "event:nothing root",
		"event:login wget", "event:login rare:needle1",
	}
}

// naive is what a search must find: the rows, newest first.
func naive(rows []repo.Log, f repo.LogFilter) []repo.Log {
	found := []repo.Log{}
	for i := range rows {
		if f.Match(&rows[i]) {
			found = append(found, rows[i])
		}
	}
	slices.SortFunc(found, func(a, b repo.Log) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return int(b.ID - a.ID)
	})
	return found
}

func ids(list []repo.Log) []int64 {
	ids := []int64{}
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids
}

// part is list[from:from+n], as far as there is such.
func part(list []repo.Log, from, n int) []repo.Log {
	from = min(from, len(list))
	return list[from:min(from+n, len(list))]
}

// index brings the search index up to date.
func index(t *testing.T, s *sqlite.Store) (steps int) {
	t.Helper()
	x := s.NewIndexer()
	for {
		more, err := x.Step(t.Context())
		require.NoError(t, err)
		if !more {
			return steps
		}
		steps++
		require.Less(t, steps, 100, "it finds something to do again and again")
	}
}

// huntStore holds rows of which most are in the search index.
func huntStore(t *testing.T, o sqlite.Options, n int) (*sqlite.Store, []repo.Log) {
	t.Helper()
	o.Path = filepath.Join(t.TempDir(), "hunt.db")
	s, err := sqlite.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s, fillHunt(t, s, rand.New(rand.NewPCG(1, 2)), n)
}

func fillHunt(t *testing.T, s *sqlite.Store, r *rand.Rand, n int) []repo.Log {
	t.Helper()
	b := &repo.Batch{Events: huntRows(t, r, n)}
	require.NoError(t, s.Commit(t.Context(), b))
	rows := make([]repo.Log, n)
	for i := range b.Events {
		rows[i] = b.Events[i].Log
	}
	return rows
}

// countAll asks for a total until it is exact: what it is until then grows, and is
// never too large.
func countAll(t *testing.T, s *sqlite.Store, f repo.LogFilter) int64 {
	t.Helper()
	var least []int64
	for range 50 {
		n, err := s.CountLogs(t.Context(), f)
		if err == nil {
			assert.True(t, slices.IsSorted(append(least, n)), "%v, then %d", least, n)
			return n
		}
		require.ErrorIs(t, err, repo.ErrTooBroad)
		least = append(least, n)
	}
	require.Fail(t, "not counted", "%+v: %v", f, least)
	return 0
}

// assertHunt compares every kind of answer with what is found by looking at each row.
func assertHunt(t *testing.T, s *sqlite.Store, rows []repo.Log, f repo.LogFilter, what string) {
	t.Helper()
	ctx := t.Context()
	want := naive(rows, f)
	require.EqualValues(t, len(want), countAll(t, s, f), what)
	for _, offset := range []int{0, 7, 6000} {
		got, err := s.Logs(ctx, repo.LogQuery{LogFilter: f, Limit: 5, Offset: offset})
		require.NoError(t, err, what)
		require.Equal(t, ids(part(want, offset, 5)), ids(got), "%s, offset %d", what, offset)
		if offset+4 < len(want) {
			got, err = s.Logs(ctx, repo.LogQuery{LogFilter: f, Limit: 5, Offset: 1, After: want[offset+4].Place()})
			require.NoError(t, err, what)
			require.Equal(t, ids(part(want, offset+6, 5)), ids(got), "%s, after %d rows", what, offset+5)
		}
	}
	buckets, err := s.Histogram(ctx, f, time.Hour)
	require.NoError(t, err, what)
	wantBuckets := map[int]int64{}
	for i := range want {
		wantBuckets[want[i].Time.Hour()]++
	}
	gotBuckets := map[int]int64{}
	for _, b := range buckets {
		gotBuckets[b.Start.Hour()] += b.Count
	}
	require.Equal(t, wantBuckets, gotBuckets, what)
}

// TestHunt_EqualsLooking compares searches through the index, and through what the
// index lacks yet, with looking at each row: before there is an index, with one,
// with a tail behind it, and after some rows have expired.
func TestHunt_EqualsLooking(t *testing.T) {
	t.Parallel()
	s, rows := huntStore(t, sqlite.Options{}, 2*4096+300)
	all := func(state string) {
		for i, search := range huntSearches() {
			f := repo.LogFilter{Search: repo.ParseSearch(search)}
			assertHunt(t, s, rows, f, fmt.Sprintf("%s, %q", state, search))
			if i%2 == 0 {
				f.Start, f.End = huntDay().Add(time.Hour+time.Minute), huntDay().Add(2*time.Hour)
				assertHunt(t, s, rows, f, fmt.Sprintf("%s, %q of a time", state, search))
			}
		}
	}
	all("without an index")
	require.Equal(t, 2, index(t, s), "two segments of 4096, and a tail")
	all("indexed")
	rows = append(rows, fillHunt(t, s, rand.New(rand.NewPCG(5, 6)), 500)...)
	all("with a tail")
	_, _, err := s.Expire(t.Context(), huntDay().Add(90*time.Minute), 700)
	require.NoError(t, err)
	oldest := naive(rows, repo.LogFilter{})
	slices.Reverse(oldest)
	gone := map[int64]bool{}
	for i := range oldest[:700] {
		gone[oldest[i].ID] = true
	}
	rows = slices.DeleteFunc(rows, func(l repo.Log) bool { return gone[l.ID] })
	all("after some expired")
	for more := true; more; {
		_, more, err = s.Expire(t.Context(), forever(), 2000)
		require.NoError(t, err)
	}
	rows = fillHunt(t, s, rand.New(rand.NewPCG(7, 8)), 300)
	assert.Positive(t, index(t, s), "the index of what is gone goes")
	all("after all expired")
}

// TestHunt_Purge must not count what a segment held before the purge, which begins
// where another one may begin again.
func TestHunt_Purge(t *testing.T) {
	t.Parallel()
	s, rows := huntStore(t, sqlite.Options{}, 6000)
	index(t, s)
	f := repo.LogFilter{Search: repo.ParseSearch("root")}
	assertHunt(t, s, rows, f, "before")
	_, err := s.Purge(t.Context())
	require.NoError(t, err)
	assertHunt(t, s, nil, f, "purged")
	rows = fillHunt(t, s, rand.New(rand.NewPCG(9, 9)), 7000)
	index(t, s)
	assertHunt(t, s, rows, f, "filled again")
}

// TestHunt_Merged is a search in a large segment, made of sixteen small ones whose
// counts go on to be right.
func TestHunt_Merged(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("seventy thousand rows")
	}
	s, rows := huntStore(t, sqlite.Options{}, 62_000)
	searches := []string{"rare:needle1", "4711", "wget root", "no-such-thing"}
	index(t, s)
	for _, search := range searches {
		assertHunt(t, s, rows, repo.LogFilter{Search: repo.ParseSearch(search)}, search)
	}
	rows = append(rows, fillHunt(t, s, rand.New(rand.NewPCG(5, 6)), 8000)...)
	assert.Equal(t, 3, index(t, s), "two more small ones, and a merge")
	for _, search := range searches {
		assertHunt(t, s, rows, repo.LogFilter{Search: repo.ParseSearch(search)}, search+", merged")
	}
}

// TestHunt_Bounded is a search that would read more than one request may: it is
// refused, and its total is a lower bound that asking again makes exact.
func TestHunt_Bounded(t *testing.T) {
	t.Parallel()
	const most = 3000
	s, rows := huntStore(t, sqlite.Options{SearchRows: most}, 6*4096+100)
	index(t, s)
	ctx := t.Context()
	f := repo.LogFilter{Search: repo.ParseSearch("username:root port:22")} // in every block
	want := naive(rows, f)
	_, err := s.Logs(ctx, repo.LogQuery{LogFilter: f, Limit: 5, Offset: farAway})
	require.ErrorIs(t, err, repo.ErrTooBroad)
	_, err = s.Histogram(ctx, f, time.Hour)
	require.ErrorIs(t, err, repo.ErrTooBroad)
	page, err := s.Logs(ctx, repo.LogQuery{LogFilter: f, Limit: 5})
	require.NoError(t, err, "what is frequent is found among the newest")
	assert.Equal(t, ids(want[:5]), ids(page))

	last := int64(0)
	for asked := 1; ; asked++ {
		require.Less(t, asked, 20)
		n, err := s.CountLogs(ctx, f)
		if err == nil {
			assert.EqualValues(t, len(want), n)
			assert.Greater(t, asked, 1)
			break
		}
		require.ErrorIs(t, err, repo.ErrTooBroad)
		assert.Greater(t, n, last, "asking again counts on")
		assert.Less(t, n, int64(len(want)))
		last = n
	}

	f.Search = repo.ParseSearch("rare:needle1")
	assertHunt(t, s, rows, f, "a rare one")
}

// TestHunt_CountsParts counts a large segment in parts, which are small ones, of
// which some are merged and some lose rows meanwhile.
func TestHunt_CountsParts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("seventy thousand rows")
	}
	s, rows := huntStore(t, sqlite.Options{SearchRows: 12 * 5000}, 62_000)
	index(t, s)
	frequent := repo.LogFilter{Search: repo.ParseSearch("root")}
	for range 5 {
		_, err := s.CountLogs(t.Context(), frequent)
		require.ErrorIs(t, err, repo.ErrTooBroad)
	}
	rows = append(rows, fillHunt(t, s, rand.New(rand.NewPCG(5, 6)), 8000)...)
	index(t, s) // merges sixteen of which some are counted
	assert.EqualValues(t, len(naive(rows, frequent)), countAll(t, s, frequent))

	other := repo.LogFilter{Search: repo.ParseSearch("admin")}
	for range 5 { // some parts of the merged one
		_, err := s.CountLogs(t.Context(), other)
		require.ErrorIs(t, err, repo.ErrTooBroad)
	}
	_, _, err := s.Expire(t.Context(), forever(), 700)
	require.NoError(t, err)
	oldest := naive(rows, repo.LogFilter{})
	left := oldest[:len(oldest)-700]
	for _, f := range []repo.LogFilter{frequent, other} {
		assert.EqualValues(t, len(naive(left, f)), countAll(t, s, f))
	}
}

const farAway = 100_000

// TestHunt_TailIsBounded is a database whose index was not made yet.
func TestHunt_TailIsBounded(t *testing.T) {
	t.Parallel()
	s, rows := huntStore(t, sqlite.Options{SearchRows: 2000}, 6000)
	f := repo.LogFilter{Search: repo.ParseSearch("root")}
	n, err := s.CountLogs(t.Context(), f)
	require.ErrorIs(t, err, repo.ErrTooBroad)
	assert.Positive(t, n)
	assert.Less(t, n, int64(len(naive(rows, f))))
	assert.EqualValues(t, len(naive(rows, f)), countAll(t, s, f))
	_, err = s.Logs(t.Context(), repo.LogQuery{LogFilter: repo.LogFilter{Search: repo.ParseSearch("rare:needle9")}, Limit: 5})
	require.ErrorIs(t, err, repo.ErrTooBroad)
}

// TestIndexer_Ends when its context does.
func TestIndexer_Ends(t *testing.T) {
	t.Parallel()
	s, _ := huntStore(t, sqlite.Options{}, 5000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.NewIndexer().Step(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.CountLogs(ctx, repo.LogFilter{Search: repo.ParseSearch("root")})
	require.Error(t, err)
	assert.False(t, errors.Is(err, repo.ErrTooBroad) || strings.Contains(err.Error(), "root"))
}

// TestHunt_CountOn counts a total on until it is exact, with a tail and with edges that
// nobody can remember, and ends with its context.
func TestHunt_CountOn(t *testing.T) {
	t.Parallel()
	s, rows := huntStore(t, sqlite.Options{SearchRows: 12 * 500}, 5*4096+100)
	index(t, s)
	rows = append(rows, fillHunt(t, s, rand.New(rand.NewPCG(5, 6)), 2000)...)
	f := repo.LogFilter{Search: repo.ParseSearch("root")}
	noRest := func(worked time.Duration) time.Duration {
		assert.Positive(t, worked)
		return 0
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.CountOn(ended, f, noRest), context.Canceled)
	_, err := s.CountLogs(t.Context(), f)
	require.ErrorIs(t, err, repo.ErrTooBroad)
	require.NoError(t, s.CountOn(t.Context(), f, noRest))
	n, err := s.CountLogs(t.Context(), f)
	require.NoError(t, err, "one request is enough now")
	assert.EqualValues(t, len(naive(rows, f)), n)

	// Of a range, too, whose ends cut segments and the tail.
	f.Start, f.End = huntDay().Add(time.Hour+time.Minute), huntDay().Add(2*time.Hour)
	_, err = s.CountLogs(t.Context(), f)
	require.ErrorIs(t, err, repo.ErrTooBroad)
	require.NoError(t, s.CountOn(t.Context(), f, noRest))
	n, err = s.CountLogs(t.Context(), f)
	require.NoError(t, err)
	assert.EqualValues(t, len(naive(rows, f)), n)
	f.Start = f.Start.Add(time.Minute)
	assert.EqualValues(t, len(naive(rows, f)), countAll(t, s, f), "another range, by asking again")
	require.NoError(t, s.CountOn(t.Context(), repo.LogFilter{}, noRest))
}

// TestHunt_OneCounts: of many that ask for the same total at once, few count.
func TestHunt_OneCounts(t *testing.T) {
	t.Parallel()
	s, rows := huntStore(t, sqlite.Options{}, 3*4096)
	index(t, s)
	f := repo.LogFilter{Search: repo.ParseSearch("username:root port:22")}
	want := int64(len(naive(rows, f)))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			n, err := s.CountLogs(t.Context(), f)
			if err == nil {
				assert.Equal(t, want, n)
				return
			}
			assert.ErrorIs(t, err, repo.ErrTooBroad)
			assert.LessOrEqual(t, n, want)
		})
	}
	wg.Wait()
	n, err := s.CountLogs(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, want, n)
}

// TestHunt_CheckAndRepair: an index that lacks rows would hide them. Check tells, and
// Repair drops it.
func TestHunt_CheckAndRepair(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	rows := fillHunt(t, s, rand.New(rand.NewPCG(1, 2)), 5000)
	index(t, s)
	_, _, err := s.Expire(ctx, forever(), 50)
	require.NoError(t, err)
	rep, err := s.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, rep.Findings, "what expired is known")
	rawSQL(t, path, "UPDATE search_segments SET rows = rows - 1")
	rep, err = s.Check(ctx)
	require.NoError(t, err)
	require.Len(t, rep.Findings, 1)
	assert.Equal(t, "search_index", rep.Findings[0].Kind)
	require.NoError(t, s.Repair(ctx))
	rep, err = s.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, rep.Findings)
	kept := slices.DeleteFunc(naive(rows, repo.LogFilter{}), func(l repo.Log) bool {
		_, err := s.Log(ctx, l.ID)
		return errors.Is(err, repo.ErrNotFound)
	})
	f := repo.LogFilter{Search: repo.ParseSearch("rare:needle1")}
	assertHunt(t, s, kept, f, "repaired")
	assert.Positive(t, index(t, s))
	assertHunt(t, s, kept, f, "and indexed again")
}

// TestHunt_CountsBesideCommits: a total of rows that have no index yet becomes exact
// while others come.
func TestHunt_CountsBesideCommits(t *testing.T) {
	t.Parallel()
	s, rows := huntStore(t, sqlite.Options{SearchRows: 12 * 500}, 3000)
	f := repo.LogFilter{Search: repo.ParseSearch("root")}
	r := rand.New(rand.NewPCG(5, 6))
	for asked := 0; ; asked++ {
		require.Less(t, asked, 10)
		n, err := s.CountLogs(t.Context(), f)
		if err == nil {
			assert.EqualValues(t, len(naive(rows, f)), n)
			break
		}
		require.ErrorIs(t, err, repo.ErrTooBroad)
		rows = append(rows, fillHunt(t, s, r, 1)...)
	}
}
