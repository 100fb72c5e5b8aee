package repotest

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

func testEmpty(t *testing.T, s Store) {
	ctx := t.Context()
	require.NoError(t, s.Ping(ctx))
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	assert.Zero(t, st)
	// Empty and not nil, so that JSON shows [].
	logs, err := s.Logs(ctx, repo.LogQuery{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []repo.Log{}, logs)
	logs, err = s.Logs(ctx, repo.LogQuery{LogFilter: repo.LogFilter{Search: repo.ParseSearch("service:ssh")}, Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []repo.Log{}, logs)
	logs, err = s.LogsAfter(ctx, 0, repo.LogFilter{}, 1)
	require.NoError(t, err)
	assert.Equal(t, []repo.Log{}, logs)
	hist, err := s.Histogram(ctx, repo.LogFilter{}, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, []repo.Bucket{}, hist)
	for _, by := range rankedColumns() {
		assertRanking(t, s, nil, repo.RankingQuery{By: by, Limit: 1})
	}
	bounties, err := s.Bounties(ctx, repo.BountyQuery{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []repo.Bounty{}, bounties)
	attackers, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []repo.Attacker{}, attackers)
	positions, err := s.Positions(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Position{}, positions)
	sessions, err := s.OpenSessions(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Session{}, sessions)
	rejects, err := s.Rejects(ctx, 0, 1)
	require.NoError(t, err)
	assert.Equal(t, []repo.Reject{}, rejects)
	id, err := s.LastLogID(ctx)
	require.NoError(t, err)
	assert.Zero(t, id)
	_, err = s.Attacker(ctx, repo.AttackerUUID("192.0.2.1"))
	require.ErrorIs(t, err, repo.ErrNotFound)
	_, _, err = s.Commands(ctx, repo.AttackerUUID("192.0.2.1"), repo.CommandQuery{Limit: 1})
	require.ErrorIs(t, err, repo.ErrNotFound)
	// An empty batch is a commit like any other.
	require.NoError(t, s.Commit(ctx, &repo.Batch{}))
}

func testLogsRoundTrip(t *testing.T, s Store) {
	events := []repo.Event{
		event(1),
		{Log: repo.Log{Time: time.Unix(0, 0).UTC(), Fields: "{}"}},
		{Log: repo.Log{Time: time.Unix(0, repo.MaxUnixNano).UTC(), Fields: "{}", AttackerIP: repo.UnknownAttacker}},
		event(2, func(e *repo.Event) {
			e.Decky, e.Service, e.EventType = "\xff\x00d", "s\x00\xc0\xaf", "\xed\xa0\x80"
			e.RawLine = "\x00\xff\xfe'; DROP TABLE logs; --\x1b[31m<script>\r\n\u202e"
			e.Original = []byte("\x00\xff\xfe{")
			e.Fields = `{"k":"\u0000"}`
			e.Msg, e.TraceID, e.SpanID = "m\x00\x80", "t\xff", "s\x00"
		}),
		event(3, func(e *repo.Event) { e.RawLine = strings.Repeat("\xffA\x00é", 1<<18) }),
		event(4, func(e *repo.Event) { e.Original = []byte(strings.Repeat("\x80", 1<<20)) }),
	}
	commit(t, s, events...)
	for i := range events {
		assert.Equal(t, int64(i+1), events[i].ID, "ids begin at 1 and are consecutive")
	}
	want := newestFirst(events, repo.LogFilter{})
	assertLogs(t, s, repo.LogFilter{}, want)
	for i := range events {
		one, err := s.Log(t.Context(), events[i].ID)
		require.NoError(t, err)
		assert.Equal(t, events[i].Log, one)
	}
	for _, id := range []int64{0, -1, 7, math.MaxInt64} {
		_, err := s.Log(t.Context(), id)
		require.ErrorIs(t, err, repo.ErrNotFound)
	}
	after, err := s.LogsAfter(t.Context(), 3, repo.LogFilter{}, 1)
	require.NoError(t, err)
	assert.Equal(t, []repo.Log{events[3].Log}, after)
	assert.Equal(t, time.UTC, after[0].Time.Location())
}

func testLogsOrder(t *testing.T, s Store) {
	r := rand.New(rand.NewPCG(1, 1))
	events := randomEvents(r, 300)
	commit(t, s, events[:120]...)
	commit(t, s, events[120:]...)
	want := newestFirst(events, repo.LogFilter{})
	assertLogs(t, s, repo.LogFilter{}, want)
	// Pages put together give the list, whatever their size.
	for _, size := range []int{1, 7, 50, 299, 300, 1000} {
		got := []repo.Log{}
		for {
			page, err := s.Logs(t.Context(), repo.LogQuery{Limit: size, Offset: len(got)})
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), size)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		assert.Equal(t, want, got, "pages of %d", size)
	}
	page, err := s.Logs(t.Context(), repo.LogQuery{Limit: 50, Offset: math.MaxInt32})
	require.NoError(t, err)
	assert.Empty(t, page)
}

func testLogsFilters(t *testing.T, s Store) {
	r := rand.New(rand.NewPCG(2, 2))
	events := randomEvents(r, 300)
	commit(t, s, events...)
	at := events[42].Time
	for _, f := range []repo.LogFilter{
		{Start: at},
		{End: at},
		{Start: at, End: at},
		{Start: at.Add(1), End: at},
		{Start: at.Add(-time.Hour), End: at.Add(time.Hour)},
		{Start: at.In(time.FixedZone("", 7200))},
		{Start: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)},
		{End: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)},
		{Start: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
		{End: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
		{End: time.Unix(0, -1)},
		{Start: time.Unix(0, -1)},
		{Search: repo.ParseSearch("service:ssh")},
		{Search: repo.ParseSearch("decky:decky-01")},
		{Search: repo.ParseSearch("event:request")},
		{Search: repo.ParseSearch("attacker:192.0.2.1")},
		{Search: repo.ParseSearch("attacker:192.0.2.1 service:ssh"), Start: at},
		{Search: repo.ParseSearch("service:ssh"), Start: at, End: at.Add(time.Hour)},
		{Search: repo.ParseSearch("service:ssh service:http")},
		{Search: repo.ParseSearch("service:gone")},
		{Search: repo.And{}},
		{Search: repo.ParseSearch("2001:db8::1")},
	} {
		want := newestFirst(events, f)
		assertLogs(t, s, f, want, "%+v", f)
		page, err := s.Logs(t.Context(), repo.LogQuery{LogFilter: f, Limit: 3, Offset: 2})
		require.NoError(t, err)
		assert.Equal(t, want[min(2, len(want)):min(5, len(want))], page, "%+v", f)
	}
}

func testLogsAfter(t *testing.T, s Store) {
	r := rand.New(rand.NewPCG(3, 3))
	events := randomEvents(r, 200)
	commit(t, s, events...)
	for _, f := range []repo.LogFilter{
		{}, {Search: repo.ParseSearch("attacker:192.0.2.1")}, {Search: repo.ParseSearch("service:ssh b")},
		{Start: events[3].Time}, {End: events[3].Time, Search: repo.ParseSearch("decky:decky-01")},
	} {
		want := []repo.Log{}
		for i := range events {
			if f.Match(&events[i].Log) {
				want = append(want, events[i].Log)
			}
		}
		got := []repo.Log{}
		for after := int64(0); ; after = got[len(got)-1].ID {
			rows, err := s.LogsAfter(t.Context(), after, f, 7)
			require.NoError(t, err)
			if len(rows) == 0 {
				break
			}
			got = append(got, rows...)
		}
		assert.Equal(t, want, got, "%+v", f)
	}
	last, err := s.LastLogID(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(200), last)
	none, err := s.LogsAfter(t.Context(), math.MaxInt64, repo.LogFilter{}, 7)
	require.NoError(t, err)
	assert.Empty(t, none)
}

// testLogsRareValues pages through values that are few among many, at the ends
// and past them, where an engine may know how many there are.
func testLogsRareValues(t *testing.T, s Store) {
	events := make([]repo.Event, 0, 200)
	for i := range 200 {
		events = append(events, event(time.Duration(i)*time.Second, func(e *repo.Event) {
			switch i {
			case 50, 51, 150:
				e.Service = "rare"
			case 199:
				e.Decky = "late"
			}
		}))
	}
	commit(t, s, events[:100]...)
	commit(t, s, events[100:]...)
	for _, q := range []string{"service:rare", "decky:late", "service:rare decky:late", "service:rare decky:decky-01", "event:login_attempt service:rare"} {
		f := repo.LogFilter{Search: repo.ParseSearch(q)}
		want := newestFirst(events, f)
		assertLogs(t, s, f, want, q)
		for limit := 1; limit <= 4; limit++ {
			for offset := range 5 {
				page, err := s.Logs(t.Context(), repo.LogQuery{LogFilter: f, Limit: limit, Offset: offset})
				require.NoError(t, err)
				assert.Equal(t, want[min(offset, len(want)):min(offset+limit, len(want))], page, "%s limit %d offset %d", q, limit, offset)
			}
		}
		hist, err := s.Histogram(t.Context(), f, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, naiveHistogram(events, f, time.Minute), hist, q)
	}
}

func testSearchHostile(t *testing.T, s Store) {
	events := []repo.Event{
		event(1, func(e *repo.Event) { e.RawLine = "before\x00after" }),
		event(2, func(e *repo.Event) { e.RawLine = "100% of_it" }),
		event(3, func(e *repo.Event) { e.RawLine = "100x ofyit" }),
		event(4, func(e *repo.Event) { e.RawLine = "\xfe broken" }),
		event(5, func(e *repo.Event) { e.RawLine = "\xff broken" }),
		event(6, func(e *repo.Event) { e.RawLine = `back\slash` }),
		event(7, func(e *repo.Event) { e.RawLine = "straße ÄÖ" }),
		event(8, func(e *repo.Event) { e.RawLine = "' OR 1=1 --" }),
		event(9, func(e *repo.Event) { e.Decky = "x'y" }),
		event(10, func(e *repo.Event) {
			e.RawLine = strings.Repeat("a", 1<<20) + "needle\x00" + strings.Repeat("b", 1<<20)
		}),
		event(11, func(e *repo.Event) { e.RawLine, e.Fields = "not json", "{" }),
		event(12, func(e *repo.Event) { e.RawLine, e.Fields = "empty fields", "" }),
	}
	commit(t, s, events...)
	for _, text := range []string{
		"after", "\x00", "e\x00a", "100%", "%", "_", "f_i", "\xff", "\xfe", "\xff b", "\xff", `\`, `k\s`, "STRASSE", "straße", "äö", "ÄÖ",
		"' or 1=1", "x'Y", "NEEDLE\x00b", "before\x00AFTER", "BROKEN", "\x80", "\x9f", "",
	} {
		f := repo.LogFilter{Search: repo.Contains{Text: text}}
		assertLogs(t, s, f, newestFirst(events, f), "%q", text)
	}
	f := repo.LogFilter{Search: repo.FieldEquals{Key: "port", Value: "22"}}
	assertLogs(t, s, f, newestFirst(events, f))
}

func testSearchRandom(t *testing.T, s Store) {
	r := rand.New(rand.NewPCG(4, 4))
	events := randomEvents(r, 250)
	commit(t, s, events...)
	nonempty := 0
	for range 200 {
		f := repo.LogFilter{Search: randomExpr(r, 2)}
		if r.IntN(3) == 0 {
			f.Start = events[r.IntN(len(events))].Time
		}
		if r.IntN(3) == 0 {
			f.End = events[r.IntN(len(events))].Time
		}
		want := newestFirst(events, f)
		assertLogs(t, s, f, want, "%#v", f)
		interval := []time.Duration{time.Minute, 15 * time.Minute, time.Hour}[r.IntN(3)]
		hist, err := s.Histogram(t.Context(), f, interval)
		require.NoError(t, err)
		assert.Equal(t, naiveHistogram(events, f, interval), hist, "%#v", f)
		if n := len(want); n > 0 && n < len(events) {
			nonempty++
		}
	}
	assert.Greater(t, nonempty, 30, "the expressions should choose something")
}
