package testutil_test

import (
	"testing"

	"decnet/testutil"
)

func TestWorld_Smoke(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(30)
	w.Deploy(testutil.Decky(0))
	for _, path := range []string{
		"/api/v1/stats", "/api/v1/logs", "/api/v1/logs/histogram", "/api/v1/bounty", "/api/v1/attackers",
		"/api/v1/deckies", "/api/v1/health", "/api/v1/config",
		"/healthz", "/readyz", "/metrics", "/openapi.yaml", "/openapi.json",
	} {
		w.Admin.Get(path).OK()
	}
	w.Login("admin", testutil.Password)
}

func BenchmarkWorld(b *testing.B) {
	for b.Loop() {
		b.Run("", func(b *testing.B) {})
	}
}
