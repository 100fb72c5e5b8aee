package testutil_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver, for a second process

	"decnet/repo"
	"decnet/testutil"
)

// TestIsolation_SixtyFourWorldsSeeOnlyTheirOwn makes worlds side by side, each
// with other data, and reads every endpoint of each. It is run at several
// values of -parallel by make test-isolation.
func TestIsolation_SixtyFourWorldsSeeOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	var secrets sync.Map
	for i := range 64 {
		t.Run(fmt.Sprintf("world %d#01?x", i), func(t *testing.T) { // a name that breaks whoever uses it in a DSN
			t.Parallel()
			w := testutil.New(t)
			_, taken := secrets.LoadOrStore(string(w.Secret), true)
			assert.False(t, taken, "a secret of its own")
			for round := 1; round <= 2; round++ {
				readsItsOwn(t, w, i, round)
			}
		})
	}
}

// readsItsOwn writes data that name the world, and looks for others'.
func readsItsOwn(t *testing.T, w *testutil.World, i, round int) {
	t.Helper()
	decky, attacker := fmt.Sprintf("world-%03d", i), fmt.Sprintf("198.51.100.%d", i)
	n := i + 1
	events := make([]repo.Event, n)
	for k := range events {
		e := testutil.Event(k)
		e.Decky, e.AttackerIP = decky, attacker
		e.RawLine = fmt.Sprintf("%s event %d of round %d", decky, k, round)
		events[k] = e
	}
	w.Commit(events...)
	fleet := testutil.Decky(i)
	fleet.Name = decky
	w.Deploy(fleet)
	w.Admin.Put("/api/v1/config/deployment-limit", map[string]int{"deployment_limit": 1 + i}).OK()
	w.Reset()

	stats := testutil.Decode[map[string]int](w.Viewer.Get("/api/v1/stats").OK())
	assert.Equal(t, map[string]int{"total_logs": n * round, "unique_attackers": 1, "active_deckies": 1, "deployed_deckies": 1}, stats)
	logs := testutil.Decode[testutil.Page[struct{ Decky string }]](w.Viewer.Get("/api/v1/logs", "limit", "1000").OK())
	require.EqualValues(t, n*round, logs.Total)
	require.Len(t, logs.Data, n*round)
	for _, row := range logs.Data {
		assert.Equal(t, decky, row.Decky)
	}
	attackers := testutil.Decode[testutil.Page[struct{ IP string }]](w.Viewer.Get("/api/v1/attackers").OK())
	require.Len(t, attackers.Data, 1)
	assert.Equal(t, attacker, attackers.Data[0].IP)
	buckets := testutil.Decode[[]struct{ Count int }](w.Viewer.Get("/api/v1/logs/histogram").OK())
	sum := 0
	for _, b := range buckets {
		sum += b.Count
	}
	assert.Equal(t, n*round, sum)
	deckies := testutil.Decode[[]struct{ Name string }](w.Viewer.Get("/api/v1/deckies").OK())
	require.Len(t, deckies, 1)
	assert.Equal(t, decky, deckies[0].Name)
	config := testutil.Decode[map[string]any](w.Viewer.Get("/api/v1/config").OK())
	assert.EqualValues(t, 1+i, config["deployment_limit"])
	for _, path := range []string{"/api/v1/bounty", "/api/v1/health", "/api/v1/attackers/" + repo.AttackerUUID(attacker) + "/commands"} {
		assert.NotContains(t, strings.ReplaceAll(string(w.Viewer.Get(path).OK().Body), decky, ""), "world-", path)
	}
	s := w.Viewer.Open(nil, "lastEventId", "0")
	assert.Len(t, s.Until("logs").LogIDs(), min(50, n*round))
}

// TestCanary_ASharedServerWithoutResetFails shows what worlds are for: two
// tests that share a server, as tests that keep it in a package variable do,
// read each other's cached answers although the database is right. If this
// canary ever stops failing inside, the caches don't cache and the other tests
// prove nothing.
func TestCanary_ASharedServerWithoutResetFails(t *testing.T) {
	t.Parallel()
	shared := testutil.New(t)
	test := func(t assert.TestingT, n int) {
		before := testutil.Decode[map[string]int](shared.Viewer.Get("/api/v1/stats"))["total_logs"]
		shared.Seed(n)
		after := testutil.Decode[map[string]int](shared.Viewer.Get("/api/v1/stats"))["total_logs"]
		assert.Equal(t, before+n, after)
	}
	failed := &failures{}
	test(failed, 3)
	assert.NotEmpty(t, failed.list, "without Reset the second read is the first one's answer")

	cured := &failures{}
	shared.Reset()
	before := testutil.Decode[map[string]int](shared.Viewer.Get("/api/v1/stats"))["total_logs"]
	shared.Seed(3)
	shared.Reset()
	after := testutil.Decode[map[string]int](shared.Viewer.Get("/api/v1/stats"))["total_logs"]
	assert.Equal(cured, before+3, after)
	assert.Empty(t, cured.list)
}

// failures counts the failures of assertions.
type failures struct{ list []string }

func (f *failures) Errorf(format string, args ...any) {
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// patient is a test whose failures are kept instead of failing, and whose
// cleanups run when end is called.
type patient struct {
	testing.TB

	mu       sync.Mutex
	failed   []string
	cleanups []func()
}

func (p *patient) Errorf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, fmt.Sprintf(format, args...))
}

func (p *patient) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

func (p *patient) end() []string {
	for i := len(p.cleanups) - 1; i >= 0; i-- {
		p.cleanups[i]()
	}
	return p.failed
}

func TestWorld_AGoroutineThatStaysFailsTheTest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where waiting for it costs nothing
		p := &patient{TB: t}
		stay := make(chan struct{})
		testutil.New(p, testutil.WallClock())
		go func() { <-stay }()
		failed := p.end()
		close(stay)
		require.NotEmpty(t, failed)
		assert.Contains(t, failed[0], "goroutines still run")
		assert.Contains(t, failed[0], "TestWorld_AGoroutineThatStaysFailsTheTest", "it says which")
	})
}

func TestWorld_ACleanTestLeavesNothing(t *testing.T) {
	t.Parallel()
	p := &patient{TB: t}
	w := testutil.New(p)
	w.Seed(10)
	w.Viewer.Open(nil).Until("histogram")
	w.Viewer.Get("/api/v1/logs").OK()
	assert.Empty(t, p.end())
}

// TestClient_FindsABreachOfTheContract: an answer that openapi.yaml doesn't
// know fails the test that got it, whatever the test looks at.
func TestClient_FindsABreachOfTheContract(t *testing.T) {
	t.Parallel()
	p := &patient{TB: t}
	w := testutil.New(p, testutil.Broken(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/v1/stats" {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"total_logs":null}`))
		return true
	}))
	w.Viewer.Get("/api/v1/stats")
	failed := p.end()
	require.Len(t, failed, 1)
	assert.Contains(t, failed[0], "violates openapi.yaml")
}

func TestClient_NeverPrintsASecret(t *testing.T) {
	t.Parallel()
	p := &patient{TB: t}
	w := testutil.New(p, testutil.Broken(func(rw http.ResponseWriter, r *http.Request) bool {
		rw.WriteHeader(http.StatusTeapot)
		_, _ = rw.Write([]byte(r.Header.Get("Authorization")))
		return true
	}))
	w.Viewer.Get("/api/v1/stats").OK().WantProblem(200, "x")
	for _, message := range p.end() {
		assert.NotContains(t, message, w.Viewer.Token())
		assert.NotContains(t, message, string(w.Secret))
	}
}

func TestSpy_CountsFailsAndDelays(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Viewer.Get("/api/v1/logs").OK()
	assert.Equal(t, 1, w.Calls.Calls("Logs"))
	w.Calls.Fail("Logs", context.DeadlineExceeded)
	w.Viewer.Get("/api/v1/logs").Want(http.StatusServiceUnavailable)
	w.Calls.Fail("Logs", nil)
	release := w.Calls.Hold("Logs")
	done := make(chan int)
	go func() { done <- w.Viewer.Get("/api/v1/logs").Status }()
	select {
	case <-done:
		t.Error("the call was not held")
	default:
	}
	release()
	assert.Equal(t, 200, <-done)
}

// TestWorld_OnDiskAReaderDoesNotWaitForAWriter is what a database in memory
// cannot show.
func TestWorld_OnDiskAReaderDoesNotWaitForAWriter(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.OnDisk())
	w.Seed(2)
	other, err := sql.Open("sqlite", w.DatabasePath()+"?_txlock=immediate")
	require.NoError(t, err)
	defer func() { assert.NoError(t, other.Close()) }()
	tx, err := other.BeginTx(t.Context(), nil) // holds the write lock
	require.NoError(t, err)
	assert.EqualValues(t, 2, testutil.Decode[testutil.Page[any]](w.Viewer.Get("/api/v1/logs").OK()).Total)
	require.NoError(t, tx.Rollback())
}

func TestWorld_OverTCP(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.TCP())
	w.Viewer.Get("/api/v1/stats").OK()
	w.Viewer.Open(nil).Until("histogram")
}
