//go:build fuzz

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// defects are what a shop can have wrong.
type defects struct {
	// keeps shows deleted things still; loses doesn't store what is made; accepts
	// takes names that are too long; open serves without a key; breaks fails on a
	// name with an "x".
	keeps, loses, accepts, open, breaks bool
}

// service is the shop of the document.
type service struct {
	defects
	mu     sync.Mutex
	things map[string]bool
	n      int
}

const shopKey = "the key of the shop"

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	problem := func(status int, detail string) {
		w.Header().Set("Content-Type", problemType)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"status":%d,"detail":%q}`, status, detail)
	}
	id, isThing := strings.CutPrefix(r.URL.EscapedPath(), "/things/")
	allowed := map[bool]string{true: "DELETE, GET", false: "GET, POST"}[isThing]
	secured := isThing || r.Method == http.MethodPost
	switch {
	case r.URL.EscapedPath() != "/things" && (!isThing || id == "" || strings.Contains(id, "/")):
		problem(404, "Not found")
	case !strings.Contains(allowed, r.Method):
		w.Header().Set("Allow", allowed)
		problem(405, "Not allowed")
	case secured && r.Header.Get("X-Key") != shopKey && !s.open:
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodPost:
		s.make(w, r)
	case isThing && !s.things[id]:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		if !s.keeps {
			delete(s.things, id)
		}
	case !isThing && (len(r.URL.Query()["limit"]) > 1 || r.Header.Get("X-Version") == ""):
		problem(422, "limit must be good")
	case !isThing:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Total", "0")
		_, _ = w.Write([]byte(`{"data":[]}`))
	}
}

func (s *service) make(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Name == "" || len([]rune(in.Name)) > 5 && !s.accepts {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	if s.breaks && strings.Contains(in.Name, "x") {
		panic("x")
	}
	s.n++
	id := fmt.Sprintf("t%d", s.n)
	if !s.loses {
		s.things[id] = true
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id":%q}`, id)
}

// shopConfig aims at shops with defects.
func shopConfig(t *testing.T, d defects) Config {
	t.Helper()
	return Config{
		Spec: shopSpec(t), Seed: 3, Examples: 60, Sequences: 200, Forged: []string{"forged"},
		New: func(context.Context, string) (*World, error) {
			return &World{
				Handler: &service{defects: d, things: map[string]bool{}},
				Authorize: func(r *http.Request, actor, _ string) {
					r.Header.Set("X-Key", map[bool]string{true: shopKey, false: "wrong"}[actor == "owner"])
				},
				Secrets: map[string]string{"KEY": shopKey},
			}, nil
		},
		Plan: func(op *Operation) Plan {
			return Plan{Actor: "owner", Skip: slices.Contains([]string{"follow", "exportThings", "dumpThings"}, op.ID)}
		},
	}
}

// found looks for a failure; reason is a part of its text.
func found(r *Report, check, operation, reason string) *Failure {
	for _, f := range r.Failures {
		if f.Check == check && f.Operation == operation && strings.Contains(f.Reason, reason) {
			return f
		}
	}
	return nil
}

func TestRun_FindsAndShrinksADefect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		d                defects
		check, operation string
		reason           string
		steps, size      int
	}{
		"a crash":              {defects{breaks: true}, "not_a_server_error", "makeThing", "", 1, 130},
		"a bound not held":     {defects{accepts: true}, "negative_data_rejection", "makeThing", "maxLength", 1, 130},
		"no authentication":    {defects{open: true}, "ignored_auth", "makeThing", "", 1, 130},
		"a delete that's none": {defects{keeps: true}, "use_after_free", "getThing", "", 3, 360},
		"a write that's lost":  {defects{loses: true}, "ensure_resource_availability", "getThing", "", 2, 240},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := shopConfig(t, c.d)
			report, err := Run(t.Context(), config)
			require.NoError(t, err)
			f := found(report, c.check, c.operation, c.reason)
			require.NotNil(t, f, "not found")
			assert.Len(t, f.Trial.Steps, c.steps)
			assert.LessOrEqual(t, f.Size, c.size, f.String())
			assert.Positive(t, f.Calls)
			assert.NotContains(t, f.String(), shopKey)
			assert.Contains(t, f.Curl, "$KEY")

			file, err := f.Save(filepath.Join(t.TempDir(), "kept"))
			require.NoError(t, err)
			kept, err := LoadFailure(file)
			require.NoError(t, err)
			again, _, err := config.Replay(t.Context(), kept)
			require.NoError(t, err)
			assert.True(t, again, "the kept case fails again")
			mended := shopConfig(t, defects{})
			again, _, err = mended.Replay(t.Context(), kept)
			require.NoError(t, err)
			assert.False(t, again, "and no longer once the defect is mended")
		})
	}
}

// TestRun_SameSeedSameReport holds for any number of workers.
func TestRun_SameSeedSameReport(t *testing.T) {
	t.Parallel()
	var reports []string
	for _, workers := range []int{1, 4} {
		c := shopConfig(t, defects{keeps: true, breaks: true})
		c.Workers = workers
		report, err := Run(t.Context(), c)
		require.NoError(t, err)
		var b strings.Builder
		for _, f := range report.Failures {
			fmt.Fprintf(&b, "%s %d\n", f, f.Calls)
		}
		reports = append(reports, fmt.Sprint(report.Trials, report.Calls)+b.String())
	}
	assert.Equal(t, reports[0], reports[1])
}

// TestLedger_TellsWhatWasNotReached runs nothing, and so must not look good.
func TestLedger_TellsWhatWasNotReached(t *testing.T) {
	t.Parallel()
	c := shopConfig(t, defects{})
	c.Phases = []string{"none"}
	report, err := Run(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"deleteThing was never called", "getThing was never called", "listThings was never called", "makeThing was never called",
	}, report.Ledger.Gaps())
	c.Phases = []string{PhaseCoverage}
	report, err = Run(t.Context(), c)
	require.NoError(t, err)
	assert.Contains(t, report.Ledger.Gaps(), "deleteThing never answered 200", "without a sequence there is nothing to delete")
}

// TestRun_OverANetwork asks a service by its URL.
func TestRun_OverANetwork(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&service{defects: defects{accepts: true}, things: map[string]bool{}})
	defer server.Close()
	c := shopConfig(t, defects{})
	inner := c.New
	c.New = func(ctx context.Context, kind string) (*World, error) {
		w, err := inner(ctx, kind)
		w.Handler, w.BaseURL, w.Client = nil, server.URL, server.Client()
		return w, err
	}
	c.Examples, c.Sequences = 10, 10
	report, err := Run(t.Context(), c)
	require.NoError(t, err)
	f := found(report, "negative_data_rejection", "makeThing", "maxLength")
	require.NotNil(t, f)
	assert.Contains(t, f.Curl, server.URL)
}

func TestCurl_QuotesForAShell(t *testing.T) {
	t.Parallel()
	w := &World{Secrets: map[string]string{"TOKEN": "s3cr3t", "LONG": "s3cr3t-and-more"}}
	got := Curl(w, &Exchange{
		Method: "POST", URL: "/a?b=%27", SentBody: []byte("it's\x00\xff"),
		Request: http.Header{"Authorization": {"Bearer s3cr3t-and-more"}, "X-Empty": {""}, "X-Quote": {`a"b`}},
	})
	assert.Equal(t, `curl -i -X POST -H "Authorization: Bearer $LONG" -H 'X-Empty;' -H 'X-Quote: a"b' --data-binary $'it\'s\x00\xff' --path-as-is "$URL/a?b=%27"`, got)
}
