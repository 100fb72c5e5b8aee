//go:build fuzz

package fuzz

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/fuzz/engine"
	"decnet/testutil"
)

// remote aims the engine at one running service. There is one world for all
// trials, so what needs a fresh one is left out: operations that would lock the
// engine out, relations, and the other users.
func remote(t testing.TB, c engine.Config, base, user, password string) engine.Config {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	t.Cleanup(client.CloseIdleConnections)
	body, err := json.Marshal(map[string]string{"username": user, "password": password})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v1/auth/login", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	require.Equal(t, http.StatusOK, resp.StatusCode, "log in with FUZZ_USER and FUZZ_PASSWORD")
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	c.New = func(context.Context, string) (*engine.World, error) {
		return &engine.World{
			BaseURL: base, Client: client, Secrets: map[string]string{"SENT_TOKEN": answer.AccessToken, "PASSWORD": password},
			Symbols: map[string]any{"password": password, "attacker": "00000000-0000-4000-8000-00000000dead"},
			Authorize: func(r *http.Request, actor, token string) {
				switch {
				case token == "" && actor == actorAdmin:
					token = answer.AccessToken
				case token == "":
					token = "x"
				}
				r.Header.Set("Authorization", "Bearer "+token)
			},
		}, nil
	}
	c.Plan = func(op *engine.Operation) engine.Plan {
		p := plan(op)
		p.Worlds, p.Others, p.Extra = nil, nil, nil
		p.Tolerated = append(p.Tolerated, http.StatusTooManyRequests)
		p.Skip = op.ID == "changePassword" || op.ID == "reinit" || strings.Contains(op.Path, "/config/users/{uuid}")
		return p
	}
	c.Relations, c.Forged, c.Actions, c.Workers = nil, []string{engine.ForgedPrefix}, nil, 2
	return c
}

// TestURL aims at the service of -fuzz.url, where it creates users and changes
// settings: never a service that matters. Without the flag it aims at a world of
// its own over TCP, so that the way over a network is tested too.
func TestURL(t *testing.T) {
	t.Parallel()
	c := config(t, newFactory(t))
	base, user, password := setting(flagURL), os.Getenv("FUZZ_USER"), os.Getenv("FUZZ_PASSWORD")
	if base == "" {
		var in *pipeline
		w := testutil.New(t, testutil.With(func(o *api.Options) {
			in = &pipeline{}
			o.Ingest = in
		}))
		in.store, in.server = w.Store, func() *api.Server { return w.Server }
		t.Cleanup(func() { assert.NoError(t, in.close()) })
		w.Seed(20)
		server := httptest.NewServer(w.Server)
		t.Cleanup(server.Close)
		base, user, password = server.URL, actorAdmin, testutil.Password
		c.Examples, c.Sequences, c.Phases = 5, 20, []string{engine.PhaseExamples, engine.PhaseRandom, engine.PhaseStateful}
	}
	report, err := engine.Run(t.Context(), remote(t, c, strings.TrimSuffix(base, "/"), user, password))
	require.NoError(t, err)
	t.Logf("%d trials, %d requests in %s\n%s", report.Trials, report.Calls, report.Elapsed, report.Ledger)
	for _, f := range report.Failures {
		if why, ok := known(f); ok {
			t.Logf("known, to be mended: %s\n%s", why, f)
			continue
		}
		t.Errorf("%s", f)
	}
	assert.Positive(t, report.Calls)
}
