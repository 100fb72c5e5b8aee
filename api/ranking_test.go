package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/testutil"
)

type rankingBody struct {
	By       string
	Start    *string `json:"start_time"`
	End      *string `json:"end_time"`
	Events   int
	Distinct *int
	Exact    bool
	Data     []struct {
		Value    string
		Password *string
		Count    int
		UUID     *string
	}
}

func (r rankingBody) counts() map[string]int {
	counts := map[string]int{}
	for _, v := range r.Data {
		counts[v.Value] = v.Count
	}
	return counts
}

// aWeek commits events of each of the windows that end now, and one of the time
// before them all; the clock is where the last ones are.
func aWeek(t *testing.T) *testutil.World {
	t.Helper()
	w := testutil.New(t)
	var events []repo.Event
	for i, before := range []time.Duration{10 * 24 * time.Hour, 3 * 24 * time.Hour, 2 * time.Hour, 30 * time.Minute, time.Minute, -time.Minute} {
		for range i + 1 {
			e := testutil.Event(i)
			e.Time = w.Clock.Now().Add(-before)
			e.Service = []string{"ssh", "ftp", "smb"}[i%3]
			events = append(events, e)
		}
	}
	w.Commit(events...)
	return w
}

func TestRankings_NamedWindowsEndNow(t *testing.T) {
	t.Parallel()
	w := aWeek(t)
	for window, want := range map[string]map[string]int{
		"hour": {"ssh": 4, "ftp": 5, "smb": 6},
		"day":  {"ssh": 4, "ftp": 5, "smb": 9},
		"week": {"ssh": 4, "ftp": 7, "smb": 9},
		"all":  {"ssh": 5, "ftp": 7, "smb": 9},
		"":     {"ssh": 5, "ftp": 7, "smb": 9}, // not given
	} {
		for _, limit := range []string{"", "100"} { // from the cache, and past it
			got := testutil.Decode[rankingBody](w.Viewer.Get("/api/v1/rankings", "by", "service", "window", window, "limit", limit).OK())
			assert.Equal(t, want, got.counts(), window)
			assert.Equal(t, 3, *got.Distinct)
			assert.Equal(t, want["ssh"]+want["ftp"]+want["smb"], got.Events)
			assert.True(t, got.Exact)
			assert.Nil(t, got.End)
		}
	}
	day := testutil.Decode[rankingBody](w.Viewer.Get("/api/v1/rankings", "by", "service", "window", "day").OK())
	assert.Equal(t, w.Clock.Now().Add(-24*time.Hour).Format(time.RFC3339Nano), *day.Start)
	assert.Equal(t, "smb", day.Data[0].Value, "most events first")
	w.Clock.Advance(3 * time.Hour)
	hour := testutil.Decode[rankingBody](w.Viewer.Get("/api/v1/rankings", "by", "service", "window", "hour").OK())
	assert.Empty(t, hour.Data, "the window has moved on")
	assert.Nil(t, testutil.Decode[rankingBody](w.Viewer.Get("/api/v1/rankings", "by", "service").OK()).Start)
}

func TestRankings_RangesAndLimits(t *testing.T) {
	t.Parallel()
	w := aWeek(t)
	now := w.Clock.Now()
	get := func(query ...string) rankingBody {
		return testutil.Decode[rankingBody](w.Viewer.Get("/api/v1/rankings", append(query, "by", "event_type")...).OK())
	}
	got := get("start_time", now.Add(-4*24*time.Hour).Format(time.RFC3339), "end_time", now.Add(-time.Hour).Format(time.RFC3339), "window", "hour")
	assert.Equal(t, map[string]int{"auth_attempt": 5}, got.counts(), "the window's name is ignored")
	assert.Equal(t, 5, got.Events)
	got = get("limit", "1")
	require.Len(t, got.Data, 1)
	assert.Greater(t, *got.Distinct, 1)
	assert.Nil(t, got.Data[0].UUID)
	assert.Nil(t, got.Data[0].Password)
	for _, bad := range [][]string{{"by", "fields"}, {"by", "decky", "window", "year"}, {"by", "decky", "limit", "101"}, {"by", "decky", "limit", "0"}} {
		w.Viewer.Get("/api/v1/rankings", bad...).Want(422)
	}
}

// TestRankings_AttackersHaveTheirUUID: a ranking links to the profile.
func TestRankings_AttackersHaveTheirUUID(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(40)
	nobody := testutil.Event(1)
	nobody.AttackerIP = repo.UnknownAttacker
	w.Commit(nobody)
	got := testutil.Decode[rankingBody](w.Viewer.Get("/api/v1/rankings", "by", "attacker").OK())
	require.Len(t, got.Data, 10)
	assert.Equal(t, 11, *got.Distinct, "nobody is no attacker")
	assert.Equal(t, 41, got.Events)
	for _, a := range got.Data {
		profile := testutil.Decode[map[string]any](w.Viewer.Get("/api/v1/attackers/" + *a.UUID).OK())
		assert.Equal(t, a.Value, profile["ip"])
		assert.EqualValues(t, a.Count, profile["event_count"])
	}
}

// TestRankings_CredentialsOfTheWindow: what was tried a thousand times long ago does
// not lead the last hour. Both halves of a credential are told, however odd.
func TestRankings_CredentialsOfTheWindow(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.Developer())
	var events []repo.Event
	try := func(times int, before time.Duration, payload string) {
		for range times {
			e := testutil.Event(0)
			e.Time = w.Clock.Now().Add(-before)
			e.Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: payload}}
			events = append(events, e)
		}
	}
	try(50, 10*24*time.Hour, `{"password":"old","username":"root"}`)
	try(3, 2*24*time.Hour, `{"password":"","username":"root"}`)
	try(2, 5*time.Hour, `{"password":"b:<i>","username":"a"}`)
	try(1, time.Minute, `{"password":"<i>","username":"a:b"}`)
	try(1, time.Minute, `{"password":"old","username":"root"}`)
	w.Commit(events...)
	for window, want := range map[string][]string{
		"hour": {"a:b <i> 1", "root old 1"},
		"day":  {"a b:<i> 2", "a:b <i> 1", "root old 1"},
		"week": {"root  3", "a b:<i> 2", "a:b <i> 1", "root old 1"},
		"all":  {"root old 51", "root  3", "a b:<i> 2", "a:b <i> 1"},
	} {
		for _, limit := range []string{"", "100"} {
			got := testutil.Decode[rankingBody](w.Viewer.Get("/api/v1/rankings", "by", "credential", "window", window, "limit", limit).OK())
			var list []string
			for _, c := range got.Data {
				require.NotNil(t, c.Password)
				assert.Nil(t, c.UUID)
				list = append(list, fmt.Sprintf("%s %s %d", c.Value, *c.Password, c.Count))
			}
			assert.Equal(t, want, list, window)
			assert.True(t, got.Exact)
		}
	}
	w.Admin.Delete("/api/v1/config/reinit").OK()
	assert.Empty(t, testutil.Decode[rankingBody](w.Viewer.Get("/api/v1/rankings", "by", "credential").OK()).Data)
}

func TestRankings_ArbitraryOnesBypassTheCache(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(20)
	w.Viewer.Get("/api/v1/rankings", "by", "decky").OK() // the cache is warm
	for _, query := range [][]string{{"start_time", "2026-04-17"}, {"end_time", "2026-04-18"}, {"limit", "9"}, {"start_time", "2026-04-17", "window", "day"}} {
		before := w.Calls.Calls("Ranking")
		for range 3 {
			r := w.Viewer.Get("/api/v1/rankings", append(query, "by", "decky")...).OK()
			assert.Empty(t, r.Header.Get("ETag"))
		}
		assert.Equal(t, 3, w.Calls.Calls("Ranking")-before, "%v", query)
	}
}

// TestRankings_AreOneCacheInTheMetrics: each ranking has a cache of its own, and
// an operator sees their sum.
func TestRankings_AreOneCacheInTheMetrics(t *testing.T) {
	t.Parallel()
	w := aWeek(t)
	for _, by := range []string{"service", "attacker", "service"} {
		w.Viewer.Get("/api/v1/rankings", "by", by).OK()
	}
	text := string(w.Anonymous.Get("/metrics").OK().Body)
	for _, line := range []string{
		`decnet_cache_hits_total{cache="rankings"} 1`,
		`decnet_cache_misses_total{cache="rankings"} 2`,
		`decnet_cache_loads_total{cache="rankings"} 2`,
	} {
		assert.Contains(t, text, line+"\n")
	}
}
