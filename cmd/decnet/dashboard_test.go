package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServe_ShowsTheDashboardBesideTheAPI(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), nil)
	get := func(path string) (int, string, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, http.NoBody)
		require.NoError(t, err)
		answer, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, answer.Header.Get("Content-Type"), string(body)
	}
	status, kind, body := get("/")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "text/html; charset=utf-8", kind)
	assert.Contains(t, body, "/main.js")
	status, kind, _ = get("/api/v1/stats")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Equal(t, "application/problem+json", kind)
	status, kind, _ = get("/nowhere")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Equal(t, "application/problem+json", kind)
}
