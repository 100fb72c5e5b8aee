package api_test

import (
	"net/http"
	"strings"
	"testing"

	"decnet/testutil"
)

// What is larger than the server takes is refused before anything reads it, and
// the contract, which the client holds each answer against, says so.
func TestLimits_AQueryBeyondTheLimitOfAHeader(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for _, path := range []string{
		"/api/v1/logs", "/api/v1/logs/histogram", "/api/v1/bounty", "/api/v1/attackers", "/api/v1/credentials",
		"/api/v1/ingest/rejects", "/api/v1/stream", "/api/v1/attackers/00000000-0000-4000-8000-000000000001/commands",
	} {
		w.Admin.Get(path, "search", strings.Repeat("a", 1<<20)).Want(http.StatusRequestHeaderFieldsTooLarge)
	}
	w.Admin.Get("/api/v1/logs").OK()
}
