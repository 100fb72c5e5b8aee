package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/api"
	"decnet/contract"
	"decnet/testutil"
)

func loadContract(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Load(decnet.OpenAPI())
	require.NoError(t, err)
	return c
}

// TestContract_RoutesAndOperationsAreTheSame compares in both directions, the
// access included.
func TestContract_RoutesAndOperationsAreTheSame(t *testing.T) {
	t.Parallel()
	var declared, routed []string
	for _, op := range loadContract(t).Operations() {
		declared = append(declared, op.Method+" "+op.Path+" "+op.Role)
	}
	for _, r := range testutil.New(t).Server.Routes() {
		routed = append(routed, r.Method+" "+r.Path+" "+r.Access)
	}
	assert.ElementsMatch(t, declared, routed)
}

// TestContract_EveryWriteDropsSomething: a write without drops would be seen
// late by somebody.
func TestContract_EveryWriteDropsSomething(t *testing.T) {
	t.Parallel()
	for _, r := range testutil.New(t).Server.Routes() {
		// Neither changes what a cache holds: a login stores nothing, nor does an
		// explanation, and what is ingested is seen when the window ends.
		exceptions := []string{"/api/v1/auth/login", "/api/v1/ingest/explain", "/api/v1/ingest"}
		writes := r.Method != http.MethodGet && !slices.Contains(exceptions, r.Path)
		assert.Equal(t, writes, len(r.Drops) > 0, "%s %s", r.Method, r.Path)
	}
}

// TestContract_CatalogueOfSentences compares the sentences that code can send
// with those that the contract lists, in both directions.
func TestContract_CatalogueOfSentences(t *testing.T) {
	t.Parallel()
	list, ok := loadContract(t).Doc().Info.Extensions["x-problem-catalogue"].([]any)
	require.True(t, ok)
	var sentences []string
	for _, entry := range list {
		e, ok := entry.(map[string]any)
		require.True(t, ok)
		if detail, ok := e["detail"].(string); ok {
			sentences = append(sentences, detail)
			continue
		}
		pattern, ok := e["pattern"].(string)
		require.True(t, ok)
		regexp.MustCompile(pattern)
	}
	assert.ElementsMatch(t, sentences, api.Sentences())
	assert.True(t, slices.IsSorted(api.Sentences()))
}

func TestContract_IsServed(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	assert.Equal(t, decnet.OpenAPI(), w.Anonymous.Get("/openapi.yaml").OK().Body)
	assert.JSONEq(t, string(loadContract(t).JSON()), string(w.Anonymous.Get("/openapi.json").OK().Body))
	page := w.Anonymous.Get("/docs").OK()
	for _, op := range loadContract(t).Operations() {
		assert.Contains(t, string(page.Body), op.Path)
	}
	// The page loads nothing from elsewhere, and its policy would not let it.
	for _, attribute := range regexp.MustCompile(`(?:src|href|action)="([^"]*)"`).FindAllSubmatch(page.Body, -1) {
		target := string(attribute[1])
		local := strings.HasPrefix(target, "#") || strings.HasPrefix(target, "/")
		assert.True(t, local || strings.HasPrefix(target, "https://www.apache.org/licenses/"), target)
	}
	assert.NotContains(t, string(page.Body), "<script")
	assert.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'self'")
	w.Anonymous.Get("/docs/style.css").OK()
}

func TestContract_UnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for _, path := range []string{"/", "/api/v1", "/api/v1/nope", "/api/v2/stats", "/api/v1/stats/", "//api/v1/stats", "/api/v1/../v1/stats", "/api/v1/attackers/"} {
		w.Admin.Get(path).WantProblem(http.StatusNotFound, "Not found")
	}
	// An id with a slash in it names no path of ours, whatever the rest says.
	w.Admin.Put("/api/v1/config/users/%2F/reset-password", map[string]string{"new_password": "long-enough"}).
		WantProblem(http.StatusNotFound, "Not found")
	for path, allow := range map[string]string{
		"/api/v1/stats":                   "GET, HEAD",
		"/api/v1/auth/login":              "POST",
		"/api/v1/config/deployment-limit": "PUT",
		"/api/v1/config/reinit":           "DELETE",
		"/api/v1/deckies/web-01":          "DELETE",
		"/api/v1/deckies/deploy":          "POST",
		"/api/v1/logs/histogram":          "GET, HEAD",
		"/api/v1/logs/1":                  "GET, HEAD",
	} {
		for _, method := range []string{http.MethodPatch, http.MethodOptions, http.MethodTrace} {
			r := w.Admin.Do(w.Admin.Request(method, path, nil))
			r.WantProblem(http.StatusMethodNotAllowed, "Method not allowed")
			assert.Equal(t, allow, r.Header.Get("Allow"), path)
		}
	}
	head := w.Admin.Do(w.Admin.Request(http.MethodHead, "/api/v1/stats", nil)).OK()
	assert.Empty(t, head.Body)
	assert.NotEmpty(t, head.Header.Get("Content-Length"))
}

// TestContract_HeadTellsTheLength: it is what HEAD is asked for.
func TestContract_HeadTellsTheLength(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(20)
	for _, path := range []string{"/api/v1/stats", "/api/v1/logs", "/api/v1/logs/1", "/api/v1/logs/histogram", "/api/v1/config"} {
		get := w.Admin.Get(path).OK()
		head := w.Admin.Do(w.Admin.Request(http.MethodHead, path, nil)).OK()
		assert.Empty(t, head.Body, path)
		assert.Equal(t, strconv.Itoa(len(get.Body)), head.Header.Get("Content-Length"), path)
	}
}

// TestProblem_RetryAfterIsForWhatPasses: a client that is told when to try again
// does so, for ever where nothing changes.
func TestProblem_RetryAfterIsForWhatPasses(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for _, r := range []*testutil.Response{
		w.Anonymous.Get("/api/v1/stats").Want(http.StatusUnauthorized),
		w.Viewer.Get("/api/v1/ingest/rejects", "limit", "x").Want(http.StatusUnprocessableEntity),
		w.Viewer.Delete("/api/v1/config/users/x").Want(http.StatusForbidden),
		w.Viewer.Get("/api/v1/nope").Want(http.StatusNotFound),
	} {
		assert.NotContains(t, r.Header, "Retry-After")
	}
	w.Calls.Fail("Logs", context.DeadlineExceeded)
	r := w.Viewer.Get("/api/v1/logs").Want(http.StatusServiceUnavailable)
	assert.Equal(t, "1", r.Header.Get("Retry-After"))
}

// TestContract_BadBodies says which fault gets which status; the bounds
// themselves are tested in package contract, and by the fuzz suite.
func TestContract_BadBodies(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	before := w.Calls.Total()
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"not JSON":       {`{`, 400},
		"empty":          {``, 400},
		"wrong type":     {`{"username":1,"password":"long-enough"}`, 400},
		"missing":        {`{"username":"u"}`, 400},
		"unknown":        {`{"username":"u","password":"long-enough","x":1}`, 400},
		"twice":          {`{"username":"u","username":"v","password":"long-enough"}`, 400},
		"too short":      {`{"username":"u","password":"short"}`, 400},
		"trailing":       {`{"username":"u","password":"long-enough"} {}`, 400},
		"not UTF-8":      {"{\"username\":\"u\xff\",\"password\":\"long-enough\"}", 400},
		"too long":       {`{"username":"u","password":"` + strings.Repeat("x", 73) + `"}`, 422},
		"not in enum":    {`{"username":"u","password":"long-enough","role":"root"}`, 422},
		"an array":       {`[]`, 400},
		"another case":   {`{"Username":"u","password":"long-enough"}`, 400},
		"null for text":  {`{"username":null,"password":"long-enough"}`, 400},
		"deeply nested":  {strings.Repeat("[", 10_000), 400},
		"a megabyte":     {`{"username":"` + strings.Repeat("x", 1<<20) + `"}`, 413},
		"number as text": {`"x"`, 400},
	} {
		r := w.Admin.Post("/api/v1/config/users", []byte(c.body))
		assert.Equal(t, c.status, r.Status, "%s: %s", name, r.Body)
		assert.NotContains(t, string(r.Body), "long-enough", "%s: a password is never repeated", name)
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"} {
		req := w.Admin.Request(http.MethodPost, "/api/v1/config/users", []byte(`{"username":"u","password":"long-enough"}`))
		req.Header.Set("Content-Type", contentType)
		w.Admin.Do(req).WantProblem(http.StatusUnsupportedMediaType, "Content type must be application/json")
	}
	assert.Equal(t, before, w.Calls.Total(), "nothing reached the store")
}

func TestContract_BadQueries(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for _, c := range [][3]string{
		{"/api/v1/logs", "limit", "0"}, {"/api/v1/logs", "limit", "1001"}, {"/api/v1/logs", "limit", "ten"},
		{"/api/v1/logs", "limit", "1.0"}, {"/api/v1/logs", "limit", "99999999999999999999"},
		{"/api/v1/logs", "offset", "-1"}, {"/api/v1/logs", "offset", "2147483648"},
		{"/api/v1/logs", "search", strings.Repeat("x", 513)}, {"/api/v1/logs", "search", "\xff"},
		{"/api/v1/logs", "start_time", "yesterday"}, {"/api/v1/logs", "end_time", "2026-13-01"},
		{"/api/v1/logs/histogram", "interval_minutes", "0"},
		{"/api/v1/bounty", "bounty_type", strings.Repeat("x", 65)}, {"/api/v1/attackers", "sort_by", "name"},
		{"/api/v1/attackers/6f1a2b3c-0000-4000-8000-000000000000/commands", "limit", "201"},
		{"/api/v1/stream", "lastEventId", "-1"},
	} {
		r := w.Admin.Get(c[0], c[1], c[2])
		assert.Equal(t, 422, r.Status, "%v: %s", c, r.Body)
		got := testutil.Decode[struct{ Errors []struct{ In, Name string } }](r)
		require.Len(t, got.Errors, 1, "%v", c)
		assert.Equal(t, "query", got.Errors[0].In)
		assert.Equal(t, c[1], got.Errors[0].Name)
	}
	w.Admin.Do(w.Admin.Request(http.MethodGet, "/api/v1/logs?limit=1&limit=2", nil)).Want(422)
	w.Admin.Do(w.Admin.Request(http.MethodGet, "/api/v1/logs?limit=%zz", nil)).Want(422)
	w.Admin.Get("/api/v1/logs", "unknown", "ignored").OK()
}

// TestContract_EveryExampleOfARequestIsTaken sends the examples of the contract.
func TestContract_EveryExampleOfARequestIsTaken(t *testing.T) {
	t.Parallel()
	for _, op := range loadContract(t).Operations() {
		if !op.HasBody || op.Raw {
			continue
		}
		item := loadContract(t).Doc().Paths.Value(op.Path)
		media := item.GetOperation(op.Method).RequestBody.Value.Content["application/json"]
		require.NotNil(t, media.Example, "%s has no example", op.ID)
		raw, err := json.Marshal(media.Example)
		require.NoError(t, err)
		w := testutil.New(t)
		w.Deploy(testutil.Decky(0))
		path := strings.NewReplacer("{uuid}", w.ViewerUser().UUID, "{name}", testutil.Decky(0).Name).Replace(op.Path)
		r := w.Admin.Do(w.Admin.Request(op.Method, path, bytes.Clone(raw)))
		// Only the passwords of the examples are not ours.
		want := []int{200, 401}
		if op.ID == "explainLine" {
			want = []int{200, 503} // where there is no ingester
		}
		assert.Contains(t, want, r.Status, "%s: %s", op.ID, r.Body)
	}
}
