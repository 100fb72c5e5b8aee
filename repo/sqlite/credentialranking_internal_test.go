package sqlite

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// triedStore has credentials that were tried by so many attempts a day, each on so
// many days before the last one, which is the same for all.
func triedStore(t *testing.T, last time.Time, perDay func(i int) (attempts, days, before int)) *Store {
	t.Helper()
	ctx := t.Context()
	tp, err := NewTemplate(ctx, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tp.Close()) })
	s, err := tp.Clone(ctx, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	b := &repo.Batch{}
	for i := range 300 {
		attempts, days, before := perDay(i)
		for n := range attempts * days {
			b.Events = append(b.Events, repo.Event{
				Log:      repo.Log{Time: last.AddDate(0, 0, -before-n/attempts), AttackerIP: "192.0.2.1", Fields: "{}"},
				Bounties: []repo.Bounty{{Type: repo.BountyCredential, Payload: fmt.Sprintf(`{"password":"p","username":"%03d"}`, i)}},
			})
		}
	}
	require.NoError(t, s.Commit(ctx, b))
	return s
}

func (s *Store) rankCredentials(t *testing.T, from, to time.Time, limit, work int) (r repo.Ranking) {
	t.Helper()
	require.NoError(t, s.snapshot(t.Context(), func(tx *sql.Tx) (err error) {
		k := ranker{ctx: t.Context(), tx: tx, limit: limit, span: spanOf(repo.LogFilter{Start: from, End: to})}
		r, err = k.credentials(work)
		return err
	}))
	return r
}

// TestRanking_CredentialsWalkTheShorterWay: the walk by attempts ends before it has
// seen many of those that were tried lately, and the walk by the last attempt before
// it has seen those that were tried most, long ago.
func TestRanking_CredentialsWalkTheShorterWay(t *testing.T) {
	t.Parallel()
	last := time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)
	// Everything was tried today, the first three most.
	s := triedStore(t, last, func(i int) (attempts, days, before int) { return max(1, 5-i), 2, 0 })
	got := s.rankCredentials(t, last.Add(-time.Hour), time.Time{}, 3, 5)
	assert.Equal(t, repo.Ranking{List: []repo.Ranked{
		{Value: "000", Password: "p", Count: 5}, {Value: "001", Password: "p", Count: 4}, {Value: "002", Password: "p", Count: 3},
	}, Distinct: -1, Exact: true}, got, "2 attempts in all are not more than 3 today")
	all := s.rankCredentials(t, time.Time{}, time.Time{}, 3, 5)
	assert.EqualValues(t, 300, all.Distinct)
	assert.True(t, all.Exact)

	// Most were tried a week ago and more often than the last three, today.
	s = triedStore(t, last, func(i int) (attempts, days, before int) {
		if i < 297 {
			return 3, 2, 7
		}
		return 1, 2, 0
	})
	got = s.rankCredentials(t, last.Add(-time.Hour), time.Time{}, 4, 5)
	assert.Equal(t, repo.Ranking{List: []repo.Ranked{
		{Value: "297", Password: "p", Count: 1}, {Value: "298", Password: "p", Count: 1}, {Value: "299", Password: "p", Count: 1},
	}, Distinct: 3, Exact: true}, got)

	// Neither way is short: it gives up, and says so.
	got = s.rankCredentials(t, last.AddDate(0, 0, -9), last.AddDate(0, 0, -8), 4, 20)
	assert.False(t, got.Exact)
	assert.Len(t, got.List, 4)
	assert.EqualValues(t, -1, got.Distinct)
	got = s.rankCredentials(t, last.AddDate(0, 0, -9), last.AddDate(0, 0, -8), 4, 1000)
	assert.True(t, got.Exact)
}

// TestRanking_CredentialsOfAnOldDatabase: of attempts from before times were kept no
// more is counted than is known, and what may be missing makes it not exact.
func TestRanking_CredentialsOfAnOldDatabase(t *testing.T) {
	t.Parallel()
	last := time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)
	s := triedStore(t, last, func(i int) (attempts, days, before int) { return max(1, 8-i), 5, 0 })
	_, err := s.write.ExecContext(t.Context(), "UPDATE credentials SET times = x'' WHERE username = '000'")
	require.NoError(t, err)
	counts := func(r repo.Ranking) (list []int64) {
		for _, v := range r.List {
			list = append(list, v.Count)
		}
		return slices.Clip(list)
	}
	day := s.rankCredentials(t, last.Add(-time.Hour), time.Time{}, 3, 1000)
	assert.Equal(t, []int64{7, 6, 5}, counts(day))
	assert.False(t, day.Exact, "the first one may have up to 39")
	all := s.rankCredentials(t, last.AddDate(0, 0, -5), time.Time{}, 3, 1000)
	assert.Equal(t, []int64{40, 35, 30}, counts(all))
	assert.True(t, all.Exact)
	assert.Equal(t, []int64{40, 35, 30}, counts(s.rankCredentials(t, time.Time{}, time.Time{}, 3, 1000)))
	later := s.rankCredentials(t, last.Add(time.Hour), time.Time{}, 3, 1000)
	assert.Empty(t, later.List)
	assert.True(t, later.Exact)
}

// TestRanking_CredentialsCountsThoseOfTheRange: also those that do not lead, and not
// those that were tried after it only.
func TestRanking_CredentialsCountsThoseOfTheRange(t *testing.T) {
	t.Parallel()
	last := time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)
	s := triedStore(t, last, func(i int) (attempts, days, before int) {
		if i < 100 {
			return 3, 1, 0
		}
		return 1, 2, 2
	})
	at := last.AddDate(0, 0, -2)
	got := s.rankCredentials(t, at.Add(-time.Hour), at.Add(time.Hour), 3, 1000)
	assert.Len(t, got.List, 3)
	assert.EqualValues(t, 200, got.Distinct)
	assert.True(t, got.Exact)
}
