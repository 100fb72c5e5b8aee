package repotest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// named is the pair of a credential.
type named struct{ username, password string }

// widened is the time of an attempt when the range is widened as far as it may be.
func widened(at, bound time.Time, attempts []time.Time) time.Time {
	later := map[time.Time]bool{}
	for _, a := range attempts {
		if day := a.Truncate(24 * time.Hour); day.After(at.Truncate(24 * time.Hour)) {
			later[day] = true
		}
	}
	if len(later) >= 2 {
		return bound.Truncate(24 * time.Hour)
	}
	return bound.Truncate(15 * time.Minute)
}

// assertCredentials compares a ranking of credentials with the attempts: each count
// is at least that of the range, and at most that of the range when it is widened.
// Nobody is missing who has more in the range than the last one in the list.
func assertCredentials(t *testing.T, s Store, attempts map[named][]time.Time, q repo.RankingQuery) {
	t.Helper()
	got, err := s.Ranking(t.Context(), q)
	require.NoError(t, err)
	assert.True(t, got.Exact)
	assert.NotNil(t, got.List)
	assert.LessOrEqual(t, len(got.List), q.Limit)
	assert.True(t, slices.IsSortedFunc(got.List, func(a, b repo.Ranked) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Password, b.Password))
	}), "%v", got.List)
	listed := map[named]int64{}
	for _, r := range got.List {
		listed[named{r.Value, r.Password}] = r.Count
	}
	assert.Len(t, listed, len(got.List), "each once")
	for pair, times := range attempts {
		var least, most int64
		for _, at := range times {
			if !at.Before(q.Start) && (q.End.IsZero() || !at.After(q.End)) {
				least++
			}
			day, quarter := at.Truncate(24*time.Hour), at.Truncate(15*time.Minute)
			step := quarter
			if widened(at, at, times).Equal(day) {
				step = day
			}
			if (q.Start.IsZero() || !step.Before(widened(at, q.Start, times))) && (q.End.IsZero() || !step.After(q.End)) {
				most++
			}
		}
		if n, in := listed[pair]; in {
			assert.GreaterOrEqual(t, n, max(least, 1), "%v %+v", pair, q)
			assert.LessOrEqual(t, n, most, "%v %+v", pair, q)
		} else if least > 0 {
			require.Len(t, got.List, q.Limit, "%v is missing: %+v", pair, q)
			assert.LessOrEqual(t, least, got.List[q.Limit-1].Count, "%v is missing: %+v", pair, q)
		}
	}
}

func testRankingCredentials(t *testing.T, s Store) {
	r := rand.New(rand.NewPCG(8, 8))
	attempts := map[named][]time.Time{}
	var events []repo.Event
	for range 600 {
		// The first of them are tried on many days, others on one; some came late.
		n := int(40 * r.Float64() * r.Float64())
		pair := named{[]string{"root", "a:b", "\x00%", ""}[n%4], []string{"x", "b:", "<b>"}[n%3]}
		after := time.Duration(r.Int64N(int64(9 * 24 * time.Hour)))
		if n > 5 {
			after = time.Duration(n)*6*time.Hour + time.Duration(r.Int64N(int64(3*time.Hour)))
		}
		attempts[pair] = append(attempts[pair], day().Add(after))
		events = append(events, try(after, "192.0.2.1", "ssh", pair.username, pair.password))
	}
	for chunk := range slices.Chunk(events, 70) {
		commit(t, s, chunk...)
	}
	for range 200 {
		q := repo.RankingQuery{By: repo.ColumnCredential, Limit: 1 + r.IntN(12)}
		if r.IntN(4) > 0 {
			q.Start = day().Add(time.Duration(r.Int64N(int64(9 * 24 * time.Hour))))
		}
		if r.IntN(3) == 0 {
			q.End = day().Add(time.Duration(r.Int64N(int64(9 * 24 * time.Hour))))
		}
		assertCredentials(t, s, attempts, q)
	}
	// Without a range, attempts are what the list of credentials says, though all
	// events have expired.
	list, err := s.Credentials(t.Context(), repo.CredentialQuery{Limit: 5})
	require.NoError(t, err)
	_, _, err = s.Expire(t.Context(), day().Add(1000*time.Hour), len(events))
	require.NoError(t, err)
	got, err := s.Ranking(t.Context(), repo.RankingQuery{By: repo.ColumnCredential, Limit: 5})
	require.NoError(t, err)
	assert.EqualValues(t, len(attempts), got.Distinct)
	assert.Zero(t, got.Events)
	for i, c := range list {
		assert.Equal(t, c.Attempts, got.List[i].Count)
	}
	_, err = s.Purge(t.Context())
	require.NoError(t, err)
	got, err = s.Ranking(t.Context(), repo.RankingQuery{By: repo.ColumnCredential, Limit: 5})
	require.NoError(t, err)
	assert.Equal(t, repo.Ranking{List: []repo.Ranked{}, Exact: true}, got)
}
