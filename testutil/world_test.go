package testutil_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"decnet/api"
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

// BenchmarkWorld is what a test pays for its world: made and ended, and also
// with one write and one read over HTTP, which is checked against the contract.
func BenchmarkWorld(b *testing.B) {
	for name, use := range map[string]func(w *testutil.World){
		"made": func(*testutil.World) {},
		"used": func(w *testutil.World) {
			w.Seed(1)
			w.Viewer.Get("/api/v1/logs").OK()
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				t := &scope{TB: b}
				use(testutil.New(t))
				t.end()
			}
		})
	}
}

// scope is a benchmark whose cleanups run when one round of it ends.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}

// TestWith_Several: none of them may silently replace another.
func TestWith_Several(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) testutil.Option {
		return testutil.With(func(*api.Options) { order = append(order, name) })
	}
	testutil.New(t, note("first"), note("second"))
	assert.Equal(t, []string{"first", "second"}, order)
}

// TestWorld_ConnectionsAreItsOwn: a world that ends is not blamed for a connection
// of one that goes on, which was dialed after both were made.
func TestWorld_ConnectionsAreItsOwn(t *testing.T) {
	t.Parallel()
	first := testutil.New(t)
	t.Run("second", func(t *testing.T) {
		t.Parallel()
		second := testutil.New(t)
		second.Viewer.Get("/api/v1/stats").OK()
		first.Viewer.Get("/api/v1/stats").OK()
	})
}
