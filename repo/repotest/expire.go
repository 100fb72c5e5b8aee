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

// testExpire removes events step by step: after each, every answer is that of
// the events which are left, while what was learnt of all stays.
func testExpire(t *testing.T, s Store) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(9, 9))
	left := randomEvents(r, 60)
	for i := range left {
		left[i].Bounties = []repo.Bounty{credential("root"), credential(left[i].Service)}
		left[i].Command = "id"
	}
	commit(t, s, left[:30]...)
	commit(t, s, left[30:]...)
	commit(t, s, left[:0]...)
	// Ids are those of commit's copies.
	for i := range left {
		left[i].ID = int64(i + 1)
	}
	learnt := learntFrom(t, s)
	oldestFirst := slices.Clone(left)
	slices.SortFunc(oldestFirst, func(a, b repo.Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
	cut := oldestFirst[40].Time
	for len(oldestFirst) > 0 && oldestFirst[0].Time.Before(cut) {
		want := oldestFirst[:min(7, len(oldestFirst))]
		for len(want) > 0 && !want[len(want)-1].Time.Before(cut) {
			want = want[:len(want)-1]
		}
		removed, more, err := s.Expire(ctx, cut, 7)
		require.NoError(t, err)
		require.Equal(t, int64(len(want)), removed)
		oldestFirst = oldestFirst[len(want):]
		assert.Equal(t, len(oldestFirst) > 0 && oldestFirst[0].Time.Before(cut), more)
		assertLeft(t, s, r, oldestFirst, left)
		require.Equal(t, learnt, learntFrom(t, s))
	}
	removed, more, err := s.Expire(ctx, cut, 7)
	require.NoError(t, err)
	assert.Zero(t, removed)
	assert.False(t, more)

	removed, more, err = s.Expire(ctx, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 1000)
	require.NoError(t, err)
	assert.Equal(t, int64(len(oldestFirst)), removed)
	assert.False(t, more)
	assertLeft(t, s, r, nil, left)
	require.Equal(t, learnt, learntFrom(t, s))

	// Ids go on, and a decky that was active is not counted again.
	again := event(0, func(e *repo.Event) { e.Decky = left[0].Decky })
	b := &repo.Batch{Events: []repo.Event{again}}
	require.NoError(t, s.Commit(ctx, b))
	assert.Equal(t, int64(61), b.Events[0].ID)
	assertLeft(t, s, r, b.Events, append(slices.Clone(left), b.Events...))
	assert.Equal(t, learnt.decoys, learntFrom(t, s).decoys)
	// Repair mends; where nothing is wrong it changes nothing.
	before := dump(t, s)
	require.NoError(t, s.Repair(ctx))
	assert.Equal(t, before, dump(t, s))
}

// learnt is what expiry leaves alone.
type learnt struct {
	decoys, bounties int64
	profiles         []repo.Attacker
	pairs            []repo.Credential
}

func learntFrom(t *testing.T, s Store) (l learnt) {
	t.Helper()
	st, err := s.Stats(t.Context())
	require.NoError(t, err)
	l.decoys, l.bounties = st.ActiveDeckies, st.Bounties
	l.profiles, err = s.Attackers(t.Context(), repo.AttackerQuery{Limit: 100})
	require.NoError(t, err)
	l.pairs, err = s.Credentials(t.Context(), repo.CredentialQuery{Limit: 100})
	require.NoError(t, err)
	return l
}

// assertLeft compares counters, lists, counts, histogram and commands with the
// events that are left. The histogram without a search knows all that there were.
func assertLeft(t *testing.T, s Store, r *rand.Rand, left, all []repo.Event) {
	t.Helper()
	st, err := s.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(len(left)), st.Logs)
	filters := []repo.LogFilter{{}, {Start: day().Add(5 * time.Hour)}, {End: day().Add(30*time.Hour + 1)}}
	for _, service := range []string{"ssh", "http", "smb"} {
		filters = append(filters, repo.LogFilter{Search: repo.Equals{Column: repo.ColumnService, Value: service}})
	}
	for _, ip := range []string{"192.0.2.1", "2001:db8::1", repo.UnknownAttacker} {
		filters = append(filters, repo.LogFilter{Search: repo.Equals{Column: repo.ColumnAttacker, Value: ip}})
	}
	for range 5 {
		filters = append(filters, repo.LogFilter{Search: randomExpr(r, 2)})
	}
	for _, f := range filters {
		assertLogs(t, s, f, newestFirst(left, f), "%+v", f)
		for _, interval := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour} {
			if f.Search == nil {
				assertBars(t, s, drawnOf(all, left, f), f, interval)
			} else {
				assertHistogram(t, s, left, f, interval)
			}
		}
	}
	for _, by := range rankedColumns() {
		for _, f := range filters[:3] {
			assertRanking(t, s, left, repo.RankingQuery{By: by, Start: f.Start, End: f.End, Limit: 3})
		}
	}
	assertSound(t, s)
	commands := map[string]int{}
	for i := range left {
		if left[i].Command != "" {
			commands[left[i].AttackerIP]++
		}
	}
	for _, ip := range []string{"192.0.2.1", "192.0.2.22", "2001:db8::1"} {
		_, total, err := s.Commands(t.Context(), repo.AttackerUUID(ip), repo.CommandQuery{Limit: 1})
		require.NoError(t, err)
		assert.Equal(t, int64(commands[ip]), total)
	}
}

// drawnOf returns the events that a histogram without a search shows: those that
// are left, and the others of all minutes that the filter covers whole.
func drawnOf(all, left []repo.Event, f repo.LogFilter) []repo.Event {
	drawn := slices.Clone(left)
	for i := range all {
		there := slices.ContainsFunc(left, func(e repo.Event) bool { return e.ID == all[i].ID })
		first := all[i].Time.Truncate(time.Minute)
		whole := !first.Before(f.Start) && (f.End.IsZero() || !first.Add(time.Minute-1).After(f.End))
		if !there && whole {
			drawn = append(drawn, all[i])
		}
	}
	return drawn
}

// testExpireKeys: an event that has expired is still known when it comes again,
// until its key has expired too.
func testExpireKeys(t *testing.T, s Store) {
	ctx := t.Context()
	e := event(0)
	e.Key = []byte("sixteen bytes...")
	commit(t, s, e)
	removed, _, err := s.Expire(ctx, day().Add(1), 10)
	require.NoError(t, err)
	require.Equal(t, int64(1), removed)
	commit(t, s, e)
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	assert.Zero(t, st.Logs)
}

func testExpireRejects(t *testing.T, s Store) {
	ctx := t.Context()
	b := &repo.Batch{}
	for i := range 5 {
		b.Rejects = append(b.Rejects, repo.Reject{SeenAt: day().Add(time.Duration(i) * time.Hour), Line: []byte("x")})
	}
	b.Rejects[1].SeenAt = time.Time{}
	require.NoError(t, s.Commit(ctx, b))
	left := func() (ids []int64) {
		list, total, err := s.RejectPage(ctx, repo.RejectQuery{Limit: 10})
		require.NoError(t, err)
		assert.Equal(t, int64(len(list)), total)
		for _, r := range list {
			ids = append(ids, r.ID)
		}
		return ids
	}
	removed, more, err := s.Expire(ctx, day().Add(3*time.Hour), 2)
	require.NoError(t, err)
	assert.Zero(t, removed, "of events")
	assert.True(t, more)
	assert.Equal(t, []int64{5, 4, 3}, left())
	_, more, err = s.Expire(ctx, day().Add(3*time.Hour), 2)
	require.NoError(t, err)
	assert.False(t, more)
	assert.Equal(t, []int64{5, 4}, left())
	n, err := s.CountRejects(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(5), n, "all that ever were")
}

// testExpireRejectsWithEvents: who makes room for a size keeps the newest of
// both, and not events alone.
func testExpireRejectsWithEvents(t *testing.T, s Store) {
	ctx := t.Context()
	b := &repo.Batch{}
	for i := range 10 {
		at := day().Add(time.Duration(i) * time.Hour)
		e := event(0)
		e.Time = at
		b.Events = append(b.Events, e)
		b.Rejects = append(b.Rejects, repo.Reject{SeenAt: at.Add(5 * time.Hour), Line: []byte("x")})
	}
	require.NoError(t, s.Commit(ctx, b))
	for _, left := range []int{10, 9, 6} {
		removed, more, err := s.Expire(ctx, time.Unix(0, repo.MaxUnixNano), 3)
		require.NoError(t, err)
		assert.Equal(t, int64(3), removed)
		assert.True(t, more)
		_, rejects, err := s.RejectPage(ctx, repo.RejectQuery{Limit: 1})
		require.NoError(t, err)
		assert.EqualValues(t, left, rejects)
	}
}
