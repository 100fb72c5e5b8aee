package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

type logRow struct {
	ID        int64
	Timestamp string
	Decky     string
	Service   string
	EventType string  `json:"event_type"`
	Attacker  string  `json:"attacker_ip"`
	Raw       string  `json:"raw_line"`
	Fields    string  `json:"fields"`
	Msg       *string `json:"msg"`
	TraceID   *string `json:"trace_id"`
}

func logsOf(r *testutil.Response) testutil.Page[logRow] {
	return testutil.Decode[testutil.Page[logRow]](r)
}

func TestLogs_RowsAreAsTheyWereCommitted(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	e := testutil.Event(1)
	e.Time = time.Date(2026, 4, 17, 19, 30, 11, 123456789, time.UTC)
	e.Msg, e.TraceID = "hello", "4bf92f3577b34da6a3ce929d0e0e4736"
	w.Commit(e)
	row := logsOf(w.Viewer.Get("/api/v1/logs").OK()).Data[0]
	assert.Equal(t, "2026-04-17T19:30:11.123456789Z", row.Timestamp)
	assert.Equal(t, e.RawLine, row.Raw)
	assert.Equal(t, e.Fields, row.Fields, "an object, as a string")
	assert.Equal(t, "hello", *row.Msg)
	assert.Equal(t, e.TraceID, *row.TraceID)
	long := testutil.Event(500)
	long.Fields = `{"payload":"` + strings.Repeat("0", 5000) + `"}` // longer than its line, as what was decoded is
	w.Commit(long)
	assert.Equal(t, long.Fields, logsOf(w.Viewer.Get("/api/v1/logs").OK()).Data[0].Fields)
	assert.Nil(t, logsOf(w.Viewer.Get("/api/v1/logs").OK()).Data[0].Msg, "null, not empty")
}

func TestLogs_NewestFirstAndPagesJoin(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(25)
	whole := logsOf(w.Viewer.Get("/api/v1/logs", "limit", "1000").OK())
	require.Len(t, whole.Data, 25)
	var joined []logRow
	for offset := 0; offset < 25; offset += 7 {
		page := logsOf(w.Viewer.Get("/api/v1/logs", "limit", "7", "offset", fmt.Sprint(offset)).OK())
		assert.Equal(t, 7, page.Limit)
		assert.Equal(t, offset, page.Offset)
		assert.EqualValues(t, 25, page.Total)
		joined = append(joined, page.Data...)
	}
	assert.Equal(t, whole.Data, joined)
	for i := 1; i < len(joined); i++ {
		assert.Greater(t, joined[i-1].ID, joined[i].ID)
	}
	assert.Contains(t, string(w.Viewer.Get("/api/v1/logs", "offset", "2147483647").OK().Body), `"data":[]`)
}

func TestLogs_Search(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(30)
	all := logsOf(w.Viewer.Get("/api/v1/logs", "limit", "1000").OK()).Data
	for search, match := range map[string]func(r logRow) bool{
		"service:ssh":                 func(r logRow) bool { return r.Service == "ssh" },
		"decky:decky-2 event:connect": func(r logRow) bool { return r.Decky == "decky-2" && r.EventType == "connect" },
		"attacker-ip:203.0.113.4":     func(r logRow) bool { return r.Attacker == "203.0.113.4" },
		"n:17":                        func(r logRow) bool { return strings.Contains(r.Fields, `"n":17,`) },
		"username:user1":              func(r logRow) bool { return strings.Contains(r.Fields, `"username":"user1"`) },
		"TELNET":                      func(r logRow) bool { return r.Service == "telnet" },
		`"from 203.0.113.9"`:          func(r logRow) bool { return strings.Contains(r.Raw, "from 203.0.113.9") },
		"%":                           func(logRow) bool { return false },
		"' OR 1=1 --":                 func(logRow) bool { return false },
		"service:ssh service:telnet":  func(logRow) bool { return false },
		"203.0.113.11":                func(r logRow) bool { return r.Attacker == "203.0.113.11" },
	} {
		var want []logRow
		for _, r := range all {
			if match(r) {
				want = append(want, r)
			}
		}
		got := logsOf(w.Viewer.Get("/api/v1/logs", "search", search, "limit", "1000").OK())
		assert.ElementsMatch(t, want, got.Data, search)
		assert.EqualValues(t, len(want), got.Total, search)
		sum := 0
		for _, b := range testutil.Decode[[]struct{ Count int }](w.Viewer.Get("/api/v1/logs/histogram", "search", search).OK()) {
			sum += b.Count
		}
		assert.Equal(t, len(want), sum, "the histogram chooses the same: %s", search)
	}
}

func TestLogs_TimeRangeIsInclusiveInEveryNotation(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	at := func(s string) repo.Event {
		e := testutil.Event(0)
		var err error
		e.Time, err = time.Parse(time.RFC3339Nano, s)
		require.NoError(t, err)
		return e
	}
	w.Commit(at("2026-04-16T23:59:59.999999999Z"), at("2026-04-17T00:00:00Z"), at("2026-04-17T12:00:00.5Z"), at("2026-04-17T23:59:59.7Z"), at("2026-04-18T00:00:00Z"))
	for _, c := range []struct {
		start, end string
		want       int64
	}{
		{"", "", 5},
		{"2026-04-17", "2026-04-17", 3},
		{"2026-04-17 00:00:00", "2026-04-17 12:00:00", 2}, // a second is a whole second
		{"2026-04-17T12:00:00Z", "2026-04-17T12:00:00Z", 1},
		{"2026-04-17T14:00:00+02:00", "2026-04-17T14:00:00+02:00", 1},
		{"2026-04-17T14:00:00 02:00", "", 3}, // a + that was not escaped
		{"2026-04-17T12:00:00.5Z", "2026-04-17T12:00:00.5Z", 1},
		{"2026-04-17T12:00:00.500000001Z", "2026-04-17 23:59:59", 1},
		{"2026-04-18", "2026-04-17", 0},
		{"2026-04-17t12:00:00z", "", 3},
		{"0001-01-01", "9999-12-31", 5},
		{"", "0001-01-01T00:00:00.0Z", 0},
		{"9999-12-31T23:59:59Z", "", 0},
	} {
		got := logsOf(w.Viewer.Get("/api/v1/logs", "start_time", c.start, "end_time", c.end).OK())
		assert.Equal(t, c.want, got.Total, "%s – %s", c.start, c.end)
	}
}

func TestHistogram_BucketsAreOrderedAndAligned(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(100) // 150 minutes from 12:00
	type bucket struct {
		Time  string
		Count int
	}
	got := testutil.Decode[[]bucket](w.Viewer.Get("/api/v1/logs/histogram").OK())
	require.Len(t, got, 10)
	assert.Equal(t, bucket{"2026-04-17 12:00:00", 10}, got[0])
	assert.Equal(t, bucket{"2026-04-17 14:15:00", 10}, got[9])
	hourly := testutil.Decode[[]bucket](w.Viewer.Get("/api/v1/logs/histogram", "interval_minutes", "60").OK())
	assert.Equal(t, []bucket{{"2026-04-17 12:00:00", 40}, {"2026-04-17 13:00:00", 40}, {"2026-04-17 14:00:00", 20}}, hourly)
	part := testutil.Decode[[]bucket](w.Viewer.Get("/api/v1/logs/histogram", "interval_minutes", "7", "start_time", "2026-04-17 12:03:00", "end_time", "2026-04-17 12:20:00").OK())
	sum := 0
	for _, b := range part {
		sum += b.Count
	}
	assert.Equal(t, 12, sum)
	// An interval longer than all time puts every event in the bucket of the epoch.
	assert.JSONEq(t, `[{"time":"1970-01-01 00:00:00","count":100}]`,
		string(w.Viewer.Get("/api/v1/logs/histogram", "interval_minutes", "2147483647").OK().Body))
}

func TestBounty_FilterAndPage(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(60)
	type bounty struct {
		ID      int64
		Type    string `json:"bounty_type"`
		Payload map[string]string
	}
	page := func(query ...string) testutil.Page[bounty] {
		return testutil.Decode[testutil.Page[bounty]](w.Viewer.Get("/api/v1/bounty", query...).OK())
	}
	all := page("limit", "1000")
	assert.Len(t, all.Data, int(all.Total))
	assert.Equal(t, all.Total, page("bounty_type", "credential").Total)
	assert.Zero(t, page("bounty_type", "fingerprint").Total)
	found := page("search", "USER2")
	assert.Positive(t, found.Total)
	for _, b := range found.Data {
		assert.Equal(t, "user2", b.Payload["username"])
	}
	w.Commit(testutil.Event(1)) // seen before
	w.Reset()
	assert.Equal(t, all.Total, page().Total, "the same credential of the same attacker is stored once")
}

func TestAttackers(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(66)
	type attacker struct {
		UUID, IP      string
		EventCount    int64    `json:"event_count"`
		Services      []string `json:"services"`
		Deckies       []string `json:"deckies"`
		DeckyCount    int      `json:"decky_count"`
		TraversalPath *string  `json:"traversal_path"`
		LastSeen      string   `json:"last_seen"`
		Behavior      map[string]any
	}
	list := func(query ...string) testutil.Page[attacker] {
		return testutil.Decode[testutil.Page[attacker]](w.Viewer.Get("/api/v1/attackers", query...).OK())
	}
	recent := list()
	require.Len(t, recent.Data, 11)
	for i, a := range recent.Data {
		assert.EqualValues(t, 6, a.EventCount)
		assert.Equal(t, repo.AttackerUUID(a.IP), a.UUID)
		assert.Equal(t, len(a.Deckies), a.DeckyCount)
		assert.Equal(t, strings.Join(a.Deckies, " → "), *a.TraversalPath)
		assert.Equal(t, a.UUID, a.Behavior["attacker_uuid"])
		if i > 0 {
			assert.GreaterOrEqual(t, recent.Data[i-1].LastSeen, a.LastSeen)
		}
		one := testutil.Decode[attacker](w.Viewer.Get("/api/v1/attackers/" + strings.ToUpper(a.UUID)).OK())
		assert.Equal(t, a, one)
	}
	w.Commit(testutil.Event(66), testutil.Event(77))
	assert.EqualValues(t, 8, list("sort_by", "active").Data[0].EventCount)
	byDeckies := list("sort_by", "traversals").Data
	for i := 1; i < len(byDeckies); i++ {
		assert.GreaterOrEqual(t, byDeckies[i-1].DeckyCount, byDeckies[i].DeckyCount)
	}
	assert.EqualValues(t, 1, list("search", "203.0.113.11").Total)
	assert.EqualValues(t, 0, list("search", "%").Total, "no character is special")
	for _, a := range list("service", "telnet").Data {
		assert.Contains(t, a.Services, "telnet")
	}
	w.Viewer.Get("/api/v1/attackers/6f1a2b3c-0000-4000-8000-000000000000").WantProblem(http.StatusNotFound, "Attacker not found")
	w.Viewer.Get("/api/v1/attackers/6f1a2b3c-0000-4000-8000-000000000000/commands").WantProblem(http.StatusNotFound, "Attacker not found")
}

func TestAttackers_AnAddressOfOnesOwnIsMarked(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	e := testutil.Event(0)
	e.AttackerIP = "10.1.2.3"
	w.Commit(e)
	got := testutil.Decode[struct {
		Scope string `json:"address_scope"`
	}](w.Viewer.Get("/api/v1/attackers/" + repo.AttackerUUID("10.1.2.3")).OK())
	assert.Equal(t, "private", got.Scope)
}

func TestCommands_InOrderAndPaged(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	var events []repo.Event
	for i := range 70 {
		e := testutil.Event(i)
		e.AttackerIP, e.EventType, e.Command = "203.0.113.77", "command", fmt.Sprintf("step %02d", i)
		events = append(events, e)
	}
	w.Commit(events...)
	type command struct{ Service, Decky, Command, Timestamp string }
	path := "/api/v1/attackers/" + repo.AttackerUUID("203.0.113.77") + "/commands"
	var joined []command
	for _, offset := range []string{"0", "50"} {
		page := testutil.Decode[testutil.Page[command]](w.Viewer.Get(path, "offset", offset).OK())
		assert.EqualValues(t, 70, page.Total)
		joined = append(joined, page.Data...)
	}
	require.Len(t, joined, 70)
	for i, c := range joined {
		assert.Equal(t, fmt.Sprintf("step %02d", i), c.Command)
	}
	ssh := testutil.Decode[testutil.Page[command]](w.Viewer.Get(path, "service", "ssh").OK())
	assert.EqualValues(t, 24, ssh.Total)
	row := testutil.Decode[struct{ Commands []command }](w.Viewer.Get(strings.TrimSuffix(path, "/commands")).OK())
	assert.Equal(t, joined[20:], row.Commands, "a profile holds the latest fifty")
}

func TestDeckies_ABrokenFileServesTheLastGoodFleet(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	assert.JSONEq(t, "[]", string(w.Viewer.Get("/api/v1/deckies").OK().Body), "no file, no fleet")
	w.Deploy(testutil.Decky(0), testutil.Decky(1))
	assert.JSONEq(t, "[]", string(w.Viewer.Get("/api/v1/deckies").OK().Body), "for five seconds")
	w.Clock.Advance(5 * time.Second)
	good := w.Viewer.Get("/api/v1/deckies").OK()
	assert.Len(t, testutil.Decode[[]any](good), 2)

	require.NoError(t, os.WriteFile(w.StatePath, []byte(`{"config": {"deckies": [`), 0o600)) // another process, half-way
	w.Reset()
	assert.Equal(t, good.Body, w.Viewer.Get("/api/v1/deckies").OK().Body)
	health := testutil.Decode[healthAnswer](w.Viewer.Get("/api/v1/health").OK())
	assert.Equal(t, "degraded", health.Status)
	assert.Equal(t, "failing", health.Components["fleet"].Status)
	assert.Contains(t, health.Components["fleet"].Detail, "the last good fleet is served")
	stats := testutil.Decode[map[string]int](w.Viewer.Get("/api/v1/stats").OK())
	assert.Equal(t, 2, stats["deployed_deckies"])

	w.Deploy(testutil.Decky(2))
	w.Reset()
	assert.Len(t, testutil.Decode[[]any](w.Viewer.Get("/api/v1/deckies").OK()), 1)
	assert.Equal(t, "healthy", testutil.Decode[healthAnswer](w.Viewer.Get("/api/v1/health").OK()).Status)
}

// TestDeckies_ABrokenFileIsLoggedOnce: when it breaks and when it is good again,
// not with each read in between.
func TestDeckies_ABrokenFileIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	w := testutil.New(t, testutil.With(func(o *api.Options) { o.Log = slog.New(slog.NewTextHandler(&logged, nil)) }))
	read := func() (broken, good int) {
		w.Reset()
		w.Viewer.Get("/api/v1/deckies").OK()
		return strings.Count(logged.String(), "the last good fleet is served"), strings.Count(logged.String(), "is good again")
	}
	w.Deploy(testutil.Decky(0))
	broken, good := read()
	assert.Zero(t, broken+good, "nothing to tell of a good file")
	require.NoError(t, os.WriteFile(w.StatePath, []byte("{"), 0o600))
	for range 3 {
		broken, good = read()
		assert.Equal(t, 1, broken)
		assert.Zero(t, good)
	}
	w.Deploy(testutil.Decky(0))
	for range 3 {
		broken, good = read()
		assert.Equal(t, 1, broken)
		assert.Equal(t, 1, good)
	}
}

type healthAnswer struct {
	Status     string
	Components map[string]struct{ Status, Detail string }
}

func TestHealth_CriticalAndOther(t *testing.T) {
	t.Parallel()
	var ingest, docker error
	w := testutil.New(t, testutil.With(func(o *api.Options) {
		o.Components = []api.Component{
			{Name: "ingestion_worker", Critical: true, Check: func(context.Context) (string, error) { return "2 sources", ingest }},
			{Name: "docker", Window: api.DockerWindow, Check: func(context.Context) (string, error) { return "", docker }},
		}
	}))
	get := func(status int) healthAnswer {
		return testutil.Decode[healthAnswer](w.Viewer.Get("/api/v1/health").Want(status))
	}
	h := get(http.StatusOK)
	assert.Equal(t, "healthy", h.Status)
	assert.Equal(t, "2 sources", h.Components["ingestion_worker"].Detail)
	w.Anonymous.Get("/readyz").OK()

	docker = errors.New("no engine")
	assert.Equal(t, "healthy", get(http.StatusOK).Status, "its outcome is kept")
	w.Clock.Advance(api.DockerWindow)
	assert.Equal(t, "degraded", get(http.StatusOK).Status)
	w.Anonymous.Get("/readyz").OK()

	ingest = errors.New("the disk is full")
	w.Clock.Advance(time.Nanosecond) // no window: asked on each request
	h = get(http.StatusServiceUnavailable)
	assert.Equal(t, "unhealthy", h.Status)
	assert.Equal(t, "the disk is full", h.Components["ingestion_worker"].Detail)
	w.Anonymous.Get("/readyz").WantProblem(http.StatusServiceUnavailable, "The service is not ready")
	w.Anonymous.Get("/healthz").OK()
}

// TestHealth_WhileTheDatabaseFails: whoever was signed in can still be told.
func TestHealth_WhileTheDatabaseFails(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Viewer.Get("/api/v1/health").OK()
	for _, method := range []string{"Ping", "Users", "Stats"} {
		w.Calls.Fail(method, errors.New("/var/lib/decnet.db: disk I/O error"))
	}
	w.Clock.Advance(5 * time.Second)
	r := w.Viewer.Get("/api/v1/health").Want(http.StatusServiceUnavailable)
	h := testutil.Decode[healthAnswer](r)
	assert.Equal(t, "failing", h.Components["database"].Status)
	assert.NotContains(t, string(r.Body), "/var/lib")
	w.Clock.Advance(time.Minute - 5*time.Second - time.Nanosecond)
	w.Viewer.Get("/api/v1/health").Want(http.StatusServiceUnavailable)
	w.Clock.Advance(time.Nanosecond) // a minute, and no longer
	w.Viewer.Get("/api/v1/health").Want(http.StatusInternalServerError)
	w.Calls.Fail("Users", nil)
	w.Calls.Fail("Ping", nil)
	w.Clock.Advance(time.Second)
	w.Viewer.Get("/api/v1/health").OK()
}

func TestOptions_WhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	_, err := api.New(api.Options{})
	for _, name := range []string{"Store", "Fleet", "Contract", "Passwords"} {
		require.ErrorContains(t, err, name)
	}
	w := testutil.New(t)
	o := w.Server.Options
	o.Registry, o.Secret = nil, []byte("weak")
	_, err = api.New(o)
	require.ErrorContains(t, err, "Secret")
}
