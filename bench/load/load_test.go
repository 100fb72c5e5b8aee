package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/bench/load"
	"decnet/testutil"
)

// options are those of a short load.
func options(w *testutil.World) load.Options {
	o := load.Options{
		Username: "admin", Password: testutil.Password, Users: 6, Duration: 400 * time.Millisecond,
		ThinkMin: 0, ThinkMax: 2 * time.Millisecond, SampleEvery: 1, Seed: 1,
	}
	u := w.Admin.Request(http.MethodGet, "/", nil).URL
	o.URL = u.Scheme + "://" + u.Host
	return o
}

// enough is a load of two users that ends once they asked for a thing so often
// that one of them has surely had two answers, however slow the machine is.
type enough struct {
	ctx    context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

const fewUsers = 2

func newEnough(t *testing.T) *enough {
	t.Helper()
	e := &enough{}
	e.ctx, e.cancel = context.WithCancel(t.Context())
	t.Cleanup(e.cancel)
	e.left.Store(2*fewUsers + 1)
	return e
}

// asked counts one time.
func (e *enough) asked() {
	if e.left.Add(-1) == 0 {
		e.cancel()
	}
}

// run makes the load on a world.
func (e *enough) run(t *testing.T, w *testutil.World, timeout time.Duration) *load.Report {
	t.Helper()
	o := options(w)
	o.Users, o.Duration, o.Timeout = fewUsers, time.Hour, timeout
	rep, err := load.Run(e.ctx, o)
	require.NoError(t, err)
	return rep
}

// seen counts the requests that came, by the names of the report.
type seen struct {
	mu    sync.Mutex
	count map[string]int64
}

func (s *seen) note(r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	switch {
	case r.URL.Query().Has("search"):
		name += "?search=" + r.URL.Query().Get("search")
	case r.URL.Query().Has("offset"):
		name += "?offset=random"
	case name == "logs/histogram":
		name = "histogram"
	case name == "auth/login":
		name = "login"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[name]++
}

func TestRun_CountsWhatTheServiceSaw(t *testing.T) {
	t.Parallel()
	seen := seen{count: map[string]int64{}}
	w := testutil.New(t, testutil.TCP(), testutil.Broken(func(_ http.ResponseWriter, r *http.Request) bool {
		seen.note(r)
		return false
	}))
	w.Seed(300)
	w.Deploy(testutil.Decky(0), testutil.Decky(1))
	o := options(w)
	o.Duration = time.Second
	rep, err := load.Run(t.Context(), o)
	require.NoError(t, err)
	assert.Emptyf(t, rep.Total.Errors, "%v", rep.Total.Errors)
	assert.True(t, rep.Fine())
	seen.mu.Lock()
	defer seen.mu.Unlock()
	seen.count["login"]-- // the one that begins it all
	var sum, weights int64
	for _, l := range rep.Endpoints {
		assert.Equalf(t, seen.count[l.Name], l.Count+l.Shed+l.Throttled+l.Failed, "requests to %s", l.Name)
		delete(seen.count, l.Name)
		sum += l.Count
		weights += int64(l.Weight)
		assert.InDelta(t, float64(l.Count)/rep.Seconds, l.Rate, 0.001)
		if l.Count > 0 {
			assert.Positivef(t, l.P50, "%s", l.Name)
			assert.LessOrEqual(t, l.P50, l.P95)
			assert.LessOrEqual(t, l.P95, l.P99)
			assert.LessOrEqual(t, l.P99, l.Max)
		}
	}
	delete(seen.count, "/metrics")
	assert.Empty(t, seen.count, "asked for, but not in the report")
	assert.Equal(t, sum, rep.Total.Count)
	require.Positive(t, sum)
	for _, l := range rep.Endpoints {
		want := float64(int64(l.Weight)*sum) / float64(weights)
		assert.InDeltaf(t, want, l.Count+l.Throttled, 5+want*0.5, "share of %s", l.Name)
	}
}

func TestRun_TheMixIsThatOfDashboards(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.TCP())
	o := options(w)
	o.Duration = 20 * time.Millisecond
	rep, err := load.Run(t.Context(), o)
	require.NoError(t, err)
	got := map[string]int{}
	for _, l := range rep.Endpoints {
		got[l.Name] = l.Weight
	}
	assert.Equal(t, map[string]int{
		"stats": 10, "logs": 8, "attackers": 8, "deckies": 7, "bounty": 6, "histogram": 5, "logs?search=ssh": 5, "attackers?search=brute": 4,
		"logs?offset=random": 4, "health": 3, "config": 3, "login": 2, "stream": 1,
	}, got)
}

// reply answers with a body, and returns true.
func reply(w http.ResponseWriter, status int, media, body string) bool {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
	return true
}

// row is an event of a page.
func row(id int, at, text string) string {
	return fmt.Sprintf(`{"id":%d,"timestamp":%q,"decky":"d","service":"s","attacker_ip":"192.0.2.1","raw_line":%q}`, id, at, text)
}

func page(total, limit int, rows ...string) string {
	return fmt.Sprintf(`{"total":%d,"limit":%d,"offset":0,"data":[%s]}`, total, limit, strings.Join(rows, ","))
}

const (
	early  = "2026-04-17T12:00:00Z"
	late   = "2026-04-17T12:00:01Z"
	inJSON = "application/json"
)

// TestRun_FindsWrongAnswers plants one defect each.
func TestRun_FindsWrongAnswers(t *testing.T) {
	t.Parallel()
	falling := func() func() int {
		var mu sync.Mutex
		n := 1_000_000
		return func() int {
			mu.Lock()
			defer mu.Unlock()
			n--
			return n
		}
	}()
	for name, defect := range map[string]struct {
		path, query string
		status      int
		media, body string
		bodyOf      func() string
		want        string
	}{
		"order":            {path: "logs", body: page(2, 50, row(1, early, ""), row(2, late, "")), want: "wrong: rows not newest first"},
		"order of equals":  {path: "bounty", body: page(2, 50, row(1, early, ""), row(2, early, "")), want: "wrong: rows not newest first"},
		"order, attackers": {path: "attackers", body: page(2, 50, `{"last_seen":"`+early+`"}`, `{"last_seen":"`+late+`"}`), want: "wrong: rows not newest first"},
		"term":             {path: "logs", query: "search=ssh", body: page(1, 100, row(1, early, "a telnet line")), want: "wrong: row without the term that was searched"},
		"term, attackers":  {path: "attackers", query: "search=brute", body: page(1, 50, `{"ip":"192.0.2.1","services":["ssh"],"behavior":{"behavior_class":"mixed"}}`), want: "wrong: row without the term that was searched"},
		"total":            {path: "logs", body: page(1, 50, row(2, late, ""), row(1, early, "")), want: "wrong: total smaller than the rows that are there"},
		"rows":             {path: "logs", body: page(7, 50, row(2, late, ""), row(1, early, "")), want: "wrong: page shorter than its total says"},
		"limit":            {path: "logs", body: page(0, 100), want: "wrong: limit is not the one that was asked for"},
		"too long":         {path: "logs", body: page(60, 50, rows(51)...), want: "wrong: page longer than its limit"},
		"shape":            {path: "deckies", body: `{}`, want: "wrong: JSON of another shape"},
		"cut":              {path: "config", body: `{"role":"admin"`, want: "wrong: a body that is no whole JSON"},
		"media type":       {path: "health", media: "text/html", body: `{}`, want: `wrong: media type "text/html" instead of JSON`},
		"histogram":        {path: "logs/histogram", body: `[{"time":"2026-04-17 12:15:00","count":1},{"time":"2026-04-17 12:00:00","count":1}]`, want: "wrong: buckets not oldest first"},
		"counters": {path: "stats", bodyOf: func() string {
			return fmt.Sprintf(`{"total_logs":%d,"unique_attackers":1,"active_deckies":1,"deployed_deckies":0}`, falling())
		}, want: "wrong: counters fell"},
		"stream":     {path: "stream", media: "text/event-stream", body: ": keepalive\n\ndata: {\"type\":\"error\",\"message\":\"no\"}\n\n", want: "wrong: the stream begins with an error"},
		"cut stream": {path: "stream", media: "text/event-stream", body: ": keepalive\n\n", want: "connection closed"},
		"500":        {path: "stats", status: 500, media: "application/problem+json", body: `{"detail":"An internal error occurred"}`, want: "status 500"},
		"503":        {path: "stats", status: 503, media: "application/problem+json", body: `{}`, want: "status 503"},
		"429":        {path: "stats", status: 429, media: "application/problem+json", body: `{}`, want: "status 429"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enough := newEnough(t)
			w := testutil.New(t, testutil.TCP(), testutil.Broken(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/api/v1/"+defect.path || defect.query != "" && !strings.Contains(r.URL.RawQuery, defect.query) || defect.query == "" && r.URL.RawQuery != "" {
					return false
				}
				enough.asked()
				body := defect.body
				if defect.bodyOf != nil {
					body = defect.bodyOf()
				}
				return reply(rw, max(defect.status, http.StatusOK), or(defect.media, inJSON), body)
			}))
			w.Seed(20)
			rep := enough.run(t, w, time.Minute)
			assert.False(t, rep.Fine())
			require.NotEmpty(t, rep.Total.Errors)
			for kind, n := range rep.Total.Errors {
				assert.Truef(t, strings.HasPrefix(kind, defect.want), "%s, %d times", kind, n)
			}
			assert.Equal(t, strings.HasPrefix(defect.want, "wrong"), rep.Wrong > 0)
		})
	}
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func rows(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = row(n-i, early, "")
	}
	return list
}

// TestRun_RefusalsAreNoErrors lets a service shed load and throttle logins.
func TestRun_RefusalsAreNoErrors(t *testing.T) {
	t.Parallel()
	logins := 0
	var mu sync.Mutex
	w := testutil.New(t, testutil.TCP(), testutil.Broken(func(rw http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/api/v1/stats":
			rw.Header().Set("Retry-After", "1")
			return reply(rw, http.StatusServiceUnavailable, "application/problem+json", `{"detail":"The service is overloaded, try again later"}`)
		case "/api/v1/auth/login":
			mu.Lock()
			defer mu.Unlock()
			if logins++; logins > 1 {
				return reply(rw, http.StatusTooManyRequests, "application/problem+json", `{"detail":"Too many failed logins, try again later"}`)
			}
		}
		return false
	}))
	rep, err := load.Run(t.Context(), options(w))
	require.NoError(t, err)
	assert.True(t, rep.Fine(), rep.Total.Errors)
	for _, l := range rep.Endpoints {
		switch l.Name {
		case "stats":
			assert.Positive(t, l.Shed)
			assert.Zero(t, l.Count)
		case "login":
			assert.Equal(t, int64(logins-1), l.Throttled)
		default:
			assert.Zero(t, l.Shed+l.Throttled, l.Name)
		}
	}
}

func TestRun_ALowerBoundMayBeBelowTheRows(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.TCP(), testutil.Broken(func(rw http.ResponseWriter, r *http.Request) bool {
		body := page(1, 50, row(2, late, ""), row(1, early, ""))
		return r.URL.Path == "/api/v1/logs" && r.URL.RawQuery == "" && reply(rw, http.StatusOK, inJSON, strings.TrimSuffix(body, "}")+`,"total_relation":"gte"}`)
	}))
	rep, err := load.Run(t.Context(), options(w))
	require.NoError(t, err)
	assert.True(t, rep.Fine(), rep.Total.Errors)
}

func TestRun_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int64
	var hangs atomic.Bool
	w := testutil.New(t, testutil.TCP(), testutil.Broken(func(_ http.ResponseWriter, r *http.Request) bool {
		hang := r.URL.Path == "/api/v1/health"
		if hang {
			hangs.Store(true)
		}
		if asked.Add(1) > 2*6 && hangs.Load() { // some of the six had an answer
			cancel()
		}
		if hang {
			<-r.Context().Done() // until the load maker hangs up
		}
		return hang
	}))
	o := options(w)
	o.Duration, o.Timeout = time.Hour, time.Hour
	rep, err := load.Run(ctx, o)
	require.NoError(t, err)
	assert.True(t, rep.Interrupted)
	assert.Empty(t, rep.Total.Errors, "what is cut off by us is no error of the service")
	assert.Positive(t, rep.Total.Count)
	// The world fails the test if a goroutine stays.
}

func TestRun_ASlowAnswerIsATimeout(t *testing.T) {
	t.Parallel()
	enough := newEnough(t)
	w := testutil.New(t, testutil.TCP(), testutil.Broken(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/v1/deckies" {
			return false
		}
		enough.asked()
		<-r.Context().Done() // until the load maker hangs up
		return true
	}))
	rep := enough.run(t, w, time.Second)
	assert.Positive(t, rep.Total.Errors["timeout"])
	assert.Len(t, rep.Total.Errors, 1)
}

func TestRun_NeedsAnAccountAndAService(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.TCP())
	o := options(w)
	o.Password = "not the password"
	_, err := load.Run(t.Context(), o)
	require.ErrorIs(t, err, load.ErrLogin)
	assert.NotContains(t, err.Error(), "not the password")

	for _, url := range []string{"", "127.0.0.1:8000", "ftp://127.0.0.1"} {
		o = options(w)
		o.URL = url
		_, err = load.Run(t.Context(), o)
		require.Errorf(t, err, "%q", url)
	}
	o = options(w)
	o.Mode = "wild"
	_, err = load.Run(t.Context(), o)
	require.Error(t, err)
}

func TestReport_IsATableAndJSON(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.TCP())
	w.Seed(50)
	o := options(w)
	o.Mode = load.Sustained
	rep, err := load.Run(t.Context(), o)
	require.NoError(t, err)
	var table bytes.Buffer
	require.NoError(t, rep.WriteTable(&table))
	for _, text := range []string{"endpoint", "p99 ms", "logs?search=ssh", "total", "sustained: 6 users", "The load maker took"} {
		assert.Contains(t, table.String(), text)
	}
	raw, err := json.Marshal(rep)
	require.NoError(t, err)
	var back load.Report
	require.NoError(t, json.Unmarshal(raw, &back))
	assert.Equal(t, rep.Endpoints, back.Endpoints)
	assert.NotContains(t, string(raw)+table.String(), testutil.Password)
}
