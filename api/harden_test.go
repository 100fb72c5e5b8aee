package api_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

func TestHarden_APanicIsAProblemWithTheRequestID(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	w := testutil.New(t, testutil.With(func(o *api.Options) {
		o.Log = slog.New(slog.NewJSONHandler(&logged, nil))
		o.Store = panicking{o.Store}
	}))
	r := w.Admin.Get("/api/v1/attackers/6f1a2b3c-0000-4000-8000-000000000000")
	r.WantProblem(http.StatusInternalServerError, "An internal error occurred")
	id := testutil.Decode[map[string]any](r)["request_id"]
	assert.Equal(t, r.Header.Get("X-Request-Id"), id)
	assert.Contains(t, logged.String(), id)
	assert.Contains(t, logged.String(), "the store went mad")
	assert.NotContains(t, string(r.Body), "mad")
	w.Admin.Get("/api/v1/stats").OK() // the server lives on
	assert.Contains(t, string(w.Anonymous.Get("/metrics").OK().Body),
		`decnet_http_requests_total{method="GET",route="/api/v1/attackers/{uuid}",status="500"} 1`, "it is counted where it happened")
}

// panicking is a store with a defect.
type panicking struct{ api.Store }

func (panicking) Attacker(context.Context, string) (repo.Attacker, error) {
	panic("the store went mad")
}

func TestHarden_LogHoldsNoTokenAndNoPassword(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	w := testutil.New(t, testutil.With(func(o *api.Options) {
		o.Log = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}))
	w.Viewer.Get("/api/v1/stats", "token", w.Viewer.Token()).OK()
	w.Anonymous.Get("/api/v1/stats", "token", w.Viewer.Token()).Want(401)
	w.WithToken("bad", w.Viewer.Token()+"x").Get("/api/v1/stats").Want(401)
	w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": "admin", "password": "hunter2-hunter2"}).Want(401)
	w.Anonymous.Post("/api/v1/auth/login", []byte(`{"username":"admin","password":"hunter2-hunter2","x":1}`)).Want(400)
	w.Admin.Post("/api/v1/config/users", map[string]string{"username": "x", "password": strings.Repeat("hunter2-", 12)}).Want(422)
	assert.Contains(t, logged.String(), `"path":"/api/v1/stats"`)
	for _, secret := range []string{w.Viewer.Token(), "hunter2", string(w.Secret)} {
		assert.NotContains(t, logged.String(), secret)
	}
}

func TestHarden_RequestIDs(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for _, harmless := range []string{"trace-42.a_b", "azAZ09", strings.Repeat("x", 64)} {
		r := w.Anonymous.Request(http.MethodGet, "/healthz", nil)
		r.Header.Set("X-Request-Id", harmless)
		assert.Equal(t, harmless, w.Anonymous.Do(r).Header.Get("X-Request-Id"))
	}
	seen := map[string]bool{}
	for _, hostile := range []string{"", "a b", strings.Repeat("x", 65), "<script>", "é"} {
		r := w.Anonymous.Request(http.MethodGet, "/healthz", nil)
		r.Header.Set("X-Request-Id", hostile)
		id := w.Anonymous.Do(r).Header.Get("X-Request-Id")
		assert.NotEqual(t, hostile, id)
		assert.False(t, seen[id], "ids are unique")
		seen[id] = true
	}
}

func TestHarden_SecurityHeadersAreOnEveryAnswer(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for _, path := range []string{"/api/v1/stats", "/api/v1/nope", "/healthz", "/docs", "/metrics"} {
		h := w.Admin.Get(path).Header
		assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "DENY", h.Get("X-Frame-Options"), path)
		assert.Equal(t, "no-referrer", h.Get("Referrer-Policy"), path)
		assert.True(t, strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none';"), path)
	}
}

func TestHarden_CORS(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.With(func(o *api.Options) { o.CORSOrigins = []string{"https://soc.example"} }))
	ask := func(method, origin, path string) *testutil.Response {
		r := w.Viewer.Request(method, path, nil)
		r.Header.Set("Origin", origin)
		if method == http.MethodOptions {
			r.Header.Set("Access-Control-Request-Method", "GET")
		}
		return w.Viewer.Do(r)
	}
	good := ask(http.MethodGet, "https://soc.example", "/api/v1/stats").OK()
	assert.Equal(t, "https://soc.example", good.Header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, good.Header.Values("Vary"), "Origin")
	preflight := ask(http.MethodOptions, "https://soc.example", "/api/v1/config/users").Want(http.StatusNoContent)
	assert.Equal(t, "https://soc.example", preflight.Header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, preflight.Header.Get("Access-Control-Allow-Methods"), "DELETE")
	assert.Contains(t, preflight.Header.Get("Access-Control-Allow-Headers"), "Authorization")
	refused := ask(http.MethodOptions, "https://evil.example", "/api/v1/config/users")
	assert.NotEqual(t, http.StatusNoContent, refused.Status)
	assert.Empty(t, refused.Header.Get("Access-Control-Allow-Methods"))
	bad := ask(http.MethodGet, "https://evil.example", "/api/v1/stats").OK()
	assert.Empty(t, bad.Header.Get("Access-Control-Allow-Origin"))
	none := testutil.New(t)
	r := none.Viewer.Request(http.MethodGet, "/api/v1/stats", nil)
	r.Header.Set("Origin", "https://soc.example")
	assert.Empty(t, none.Viewer.Do(r).Header.Get("Access-Control-Allow-Origin"), "off unless configured")
}

// TestHarden_HostileTextIsShownHarmlessly stores what attackers send and reads
// it back: valid JSON, no control character, no markup.
func TestHarden_HostileTextIsShownHarmlessly(t *testing.T) {
	t.Parallel()
	hostile := "\x00\x1b[31m\u009b2J</script><img src=x onerror=alert(1)>&\u2028\u202e\xff\xfe'; DROP TABLE logs;--" + strings.Repeat("A", 1<<20)
	w := testutil.New(t)
	e := testutil.Event(0)
	e.RawLine, e.Msg, e.Decky, e.EventType, e.Command = hostile, hostile, hostile[:40], hostile[:40], hostile
	e.Fields = `{"x":"</script>\u001b[0m"}`
	e.Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: `{"password":"</script>\u0000","username":"` + "\u009b" + `"}`}}
	w.Commit(e)
	for _, path := range []string{"/api/v1/logs", "/api/v1/bounty", "/api/v1/attackers", "/api/v1/attackers/" + repo.AttackerUUID(e.AttackerIP) + "/commands"} {
		r := w.Viewer.Get(path).OK()
		for _, raw := range []string{"\x00", "\x1b", "\u009b", "<", ">", "\u2028", "\xff"} {
			assert.NotContains(t, string(r.Body), raw, path)
		}
	}
	page := testutil.Decode[testutil.Page[struct {
		Raw string `json:"raw_line"`
	}]](w.Viewer.Get("/api/v1/logs", "search", "onerror=alert").OK())
	require.Len(t, page.Data, 1)
	shown := strings.NewReplacer("\xff", "\ufffd", "\xfe", "\ufffd").Replace(hostile)
	assert.Equal(t, shown, page.Data[0].Raw, "a client that decodes gets the text, with U+FFFD for what is not UTF-8")
	stored, err := w.Store.Logs(t.Context(), repo.LogQuery{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, hostile, stored[0].RawLine, "the store keeps every byte")
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Viewer.Get("/api/v1/stats").OK()
	w.Viewer.Get("/api/v1/stats").OK()
	w.Viewer.Get("/api/v1/nope").Want(404)
	text := string(w.Anonymous.Get("/metrics").OK().Body)
	for _, line := range []string{
		`decnet_http_requests_total{method="GET",route="/api/v1/stats",status="200"} 2`,
		`decnet_http_requests_total{method="",route="unmatched",status="404"} 1`,
		`decnet_http_request_duration_seconds_count{method="GET",route="/api/v1/stats"} 2`,
		`decnet_cache_hits_total{cache="stats"} 1`,
		`decnet_cache_misses_total{cache="stats"} 1`,
		`decnet_cache_loads_total{cache="stats"} 1`,
		`decnet_streams_open 0`,
	} {
		assert.Contains(t, text, line+"\n")
	}
}

// TestMetrics_AnswersAreCountedByTheirStatus: an alarm on failed requests must
// not be rung by others. How long a stream was open is no duration of a request.
func TestMetrics_AnswersAreCountedByTheirStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		for range 2 {
			w.Anonymous.Get("/api/v1/logs").Want(http.StatusUnauthorized)
			w.Viewer.Get("/api/v1/logs", "limit", "0").Want(http.StatusUnprocessableEntity)
			w.Viewer.Get("/api/v1/logs").OK()
		}
		w.Viewer.Get("/api/v1/logs").OK()
		s := w.Viewer.Open(nil)
		s.Until("histogram")
		s.Close()
		for range 2 {
			w.Anonymous.Get("/api/v1/stream").Want(http.StatusUnauthorized)
		}
		synctest.Wait() // the server has noticed that the stream was closed
		text := string(w.Anonymous.Get("/metrics").OK().Body)
		for _, line := range []string{
			`decnet_http_requests_total{method="GET",route="/api/v1/logs",status="200"} 3`,
			`decnet_http_requests_total{method="GET",route="/api/v1/logs",status="401"} 2`,
			`decnet_http_requests_total{method="GET",route="/api/v1/logs",status="422"} 2`,
			`decnet_http_requests_total{method="GET",route="/api/v1/stream",status="200"} 1`,
			`decnet_http_requests_total{method="GET",route="/api/v1/stream",status="401"} 2`,
			`decnet_http_request_duration_seconds_count{method="GET",route="/api/v1/stream"} 2`,
		} {
			assert.Contains(t, text, line+"\n")
		}
	})
}

func TestMetrics_MayNeedAToken(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.With(func(o *api.Options) { o.MetricsToken = "scrape-me" }))
	w.Anonymous.Get("/metrics").Want(401)
	w.Admin.Get("/metrics").Want(401)
	w.WithToken("prometheus", "scrape-me").Get("/metrics").OK()
}
