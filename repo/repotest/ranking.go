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

func rankedColumns() []repo.Column {
	return []repo.Column{repo.ColumnDecky, repo.ColumnService, repo.ColumnEvent, repo.ColumnAttacker}
}

// assertRanking compares a ranking with one that is counted event by event.
func assertRanking(t *testing.T, s Store, events []repo.Event, q repo.RankingQuery) {
	t.Helper()
	f := repo.LogFilter{Start: q.Start, End: q.End}
	counts := map[string]int64{}
	want := repo.Ranking{List: []repo.Ranked{}, Exact: true}
	for i := range events {
		l := &events[i].Log
		if !f.Match(l) {
			continue
		}
		want.Events++
		value := map[repo.Column]string{
			repo.ColumnDecky: l.Decky, repo.ColumnService: l.Service, repo.ColumnEvent: l.EventType, repo.ColumnAttacker: l.AttackerIP,
		}[q.By]
		if q.By != repo.ColumnAttacker || value != repo.UnknownAttacker {
			counts[value]++
		}
	}
	for value, n := range counts {
		want.List = append(want.List, repo.Ranked{Value: value, Count: n})
	}
	want.Distinct = int64(len(counts))
	slices.SortFunc(want.List, func(a, b repo.Ranked) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	want.List = want.List[:min(len(want.List), q.Limit)]
	got, err := s.Ranking(t.Context(), q)
	require.NoError(t, err)
	assert.Equal(t, want, got, "%+v", q)
}

func testRankingNaive(t *testing.T, s Store) {
	r := rand.New(rand.NewPCG(6, 6))
	events := randomEvents(r, 500)
	events[7].Decky, events[8].Service = "\xff\x00", ""
	commit(t, s, events[:250]...)
	commit(t, s, events[250:]...)
	for _, by := range rankedColumns() {
		assertRanking(t, s, events, repo.RankingQuery{By: by, Limit: 2})
		for range 40 {
			q := repo.RankingQuery{By: by, Limit: 1 + r.IntN(6)}
			if r.IntN(4) > 0 {
				q.Start = day().Add(time.Duration(r.Int64N(int64(80 * time.Hour))))
			}
			if r.IntN(4) > 0 {
				q.End = day().Add(time.Duration(r.Int64N(int64(80 * time.Hour))))
			}
			assertRanking(t, s, events, q)
		}
	}
	_, err := s.Ranking(t.Context(), repo.RankingQuery{By: "nonsense", Limit: 1})
	require.Error(t, err)
}

// testRankingEnds puts events and bounds on both sides of every kind of edge, and
// at the first and last time that there is.
func testRankingEnds(t *testing.T, s Store) {
	times := []time.Time{{}, time.Unix(0, 0).UTC(), time.Unix(0, repo.MaxUnixNano).UTC()}
	for _, e := range []time.Duration{0, time.Hour, 24 * time.Hour, 48 * time.Hour} {
		for _, d := range []time.Duration{-1, 0, 1} {
			times = append(times, day().Add(e+d))
		}
	}
	var events []repo.Event
	for i, at := range times[1:] {
		events = append(events, event(0, func(e *repo.Event) {
			e.Time, e.Service = at, []string{"ssh", "http", "smb"}[i%3]
		}))
	}
	commit(t, s, events...)
	for _, start := range times {
		for _, end := range times {
			for _, by := range rankedColumns() {
				assertRanking(t, s, events, repo.RankingQuery{By: by, Start: start, End: end, Limit: 10})
			}
		}
	}
}
