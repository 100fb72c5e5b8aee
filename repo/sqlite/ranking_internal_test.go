package sqlite

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestRanking_AttackersByWeight compares the look through attackers, which is
// taken for many events only, with counting event by event: also after some of
// the events expired, and with bounds that cut what attackers did.
func TestRanking_AttackersByWeight(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	tp, err := NewTemplate(ctx, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tp.Close()) })
	s, err := tp.Clone(ctx, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	r := rand.New(rand.NewPCG(7, 7))
	start := time.Date(2026, 4, 17, 0, 0, 0, 0, time.UTC)
	b := &repo.Batch{}
	for range 2000 {
		n := int(40 * r.Float64() * r.Float64() * r.Float64())
		ip := fmt.Sprintf("192.0.2.%d", n)
		if n == 39 {
			ip = repo.UnknownAttacker
		}
		// Some came for hours only, so that they lie within ranges.
		at := start.Add(time.Duration(n%7)*24*time.Hour + time.Duration(r.Int64N(int64(5*time.Hour)*int64(1+n%3*10))))
		b.Events = append(b.Events, repo.Event{Log: repo.Log{Time: at, Decky: "d", Service: "ssh", EventType: "e", AttackerIP: ip, Fields: "{}"}})
	}
	require.NoError(t, s.Commit(ctx, b))
	compare := func(distinct func(want, got int64)) {
		for range 60 {
			k := ranker{ctx: ctx, span: whole(), limit: 1 + r.IntN(5)}
			if r.IntN(4) > 0 {
				k.span.first = start.Add(time.Duration(r.Int64N(int64(8 * 24 * time.Hour)))).UnixNano()
			}
			open := r.IntN(2) > 0
			if !open {
				k.span.last = start.Add(time.Duration(r.Int64N(int64(8 * 24 * time.Hour)))).UnixNano()
			}
			require.NoError(t, s.snapshot(ctx, func(tx *sql.Tx) error {
				k.tx, k.counts = tx, map[string]int64{}
				want, err := k.attackersOfRows()
				require.NoError(t, err)
				got, err := k.attackersByWeight(rankingWork)
				require.NoError(t, err)
				assert.True(t, got.Exact)
				assert.True(t, slices.IsSortedFunc(got.List, byCount))
				require.Len(t, got.List, len(want.List))
				for i := range got.List {
					assert.Equal(t, want.List[i].Count, got.List[i].Count, "%+v", k.span)
					assert.Equal(t, k.counts[got.List[i].Value], got.List[i].Count)
				}
				if open || got.Distinct >= 0 {
					distinct(want.Distinct, got.Distinct)
				}
				return nil
			}))
		}
	}
	compare(func(want, got int64) { assert.Equal(t, want, got) })
	_, _, err = s.Expire(ctx, start.Add(60*time.Hour), 1000)
	require.NoError(t, err)
	compare(func(want, got int64) { assert.GreaterOrEqual(t, got, want) })
}

// TestRanking_WithinWhatExpired: in a range that begins with a minute of which a part
// expired, what is left is counted.
func TestRanking_WithinWhatExpired(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := loggedStore(t, Options{})
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(120)})) // one each second
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: bigEvents(120)}))
	_, _, err := s.Expire(ctx, time.Unix(90, 0), 1000)
	require.NoError(t, err)
	require.NoError(t, s.snapshot(ctx, func(tx *sql.Tx) error {
		k := ranker{ctx: ctx, tx: tx, limit: 200, span: span{minute, repo.MaxUnixNano}}
		got, err := k.attackersByWeight(rankingWork)
		assert.Len(t, got.List, 30)
		for _, r := range got.List {
			assert.EqualValues(t, 2, r.Count)
		}
		return err
	}))
}

// TestRanking_GivesUp says so when it may not look at everybody who could lead.
func TestRanking_GivesUp(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	tp, err := NewTemplate(ctx, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tp.Close()) })
	s, err := tp.Clone(ctx, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	at := time.Date(2026, 4, 17, 0, 0, 0, 0, time.UTC)
	b := &repo.Batch{}
	for i := range 100 {
		b.Events = append(b.Events, repo.Event{Log: repo.Log{
			Time: at.Add(time.Duration(i) * time.Minute), AttackerIP: fmt.Sprintf("192.0.2.%d", i%10), Fields: "{}",
		}})
	}
	require.NoError(t, s.Commit(ctx, b))
	for work, want := range map[int64]repo.Ranking{
		1:       {List: []repo.Ranked{{Value: "192.0.2.9", Count: 6}}, Distinct: 10},
		100_000: {List: []repo.Ranked{{Value: "192.0.2.9", Count: 6}, {Value: "192.0.2.5", Count: 5}, {Value: "192.0.2.6", Count: 5}}, Distinct: 10, Exact: true},
	} {
		require.NoError(t, s.snapshot(ctx, func(tx *sql.Tx) error {
			k := ranker{ctx: ctx, tx: tx, span: span{at.Add(45 * time.Minute).UnixNano(), repo.MaxUnixNano}, limit: 3}
			got, err := k.attackersByWeight(work)
			if work > 1 {
				// Of those with the same number, who is in is not told.
				assert.Len(t, got.List, 3)
				got.List = want.List
			}
			assert.Equal(t, want, got)
			return err
		}))
	}
}
