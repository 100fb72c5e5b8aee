package api_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/fleet"
	"decnet/repo"
	"decnet/testutil"
)

// countedFleet counts how often the fleet is asked.
type countedFleet struct{ calls atomic.Int64 }

func (f *countedFleet) Deckies(context.Context) ([]fleet.Decky, error) {
	f.calls.Add(1)
	return []fleet.Decky{testutil.Decky(0)}, nil
}

// cachedRead is a read that a cache serves, and how to count what it costs.
type cachedRead struct {
	name, path string
	window     time.Duration
	// calls counts what a load asks, loads how many that is.
	calls func() int
	loads int
}

// cachedReads lists every cached read of the contract with its window.
func cachedReads(w *testutil.World, f *countedFleet, docker *atomic.Int64) []cachedRead {
	method := func(name string) func() int { return func() int { return w.Calls.Calls(name) } }
	return []cachedRead{
		{"stats", "/api/v1/stats", 5 * time.Second, method("Stats"), 1},
		{"histogram", "/api/v1/logs/histogram", 5 * time.Second, method("Histogram"), 1},
		{"ranking", "/api/v1/rankings?by=service", 5 * time.Second, method("Ranking"), 1},
		{"ranking of credentials", "/api/v1/rankings?by=credential&window=hour", 5 * time.Second, method("Ranking"), 1},
		{"ranking of a day", "/api/v1/rankings?by=attacker&window=day", 5 * time.Second, method("Ranking"), 1},
		{"bounty page", "/api/v1/bounty", 5 * time.Second, method("Bounties"), 1},
		{"bounty total", "/api/v1/bounty", 5 * time.Second, method("CountBounties"), 1},
		{"config", "/api/v1/config", 5 * time.Second, method("State"), 2},
		{"logs total", "/api/v1/logs", 2 * time.Second, method("CountLogs"), 1},
		{"attackers total", "/api/v1/attackers", 2 * time.Second, method("CountAttackers"), 1},
		{"database probe", "/api/v1/health", time.Second, method("Ping"), 1},
		{"docker ping", "/api/v1/health", 5 * time.Second, func() int { return int(docker.Load()) }, 1},
		{"deckies", "/api/v1/deckies", 5 * time.Second, func() int { return int(f.calls.Load()) }, 1},
	}
}

func cachedWorld(t *testing.T) (*testutil.World, *countedFleet, *atomic.Int64) {
	t.Helper()
	f, docker := &countedFleet{}, &atomic.Int64{}
	w := testutil.New(t, testutil.WallClock(), testutil.With(func(o *api.Options) {
		o.Fleet = f
		o.Components = []api.Component{{Name: "docker", Window: api.DockerWindow, Check: func(context.Context) (string, error) {
			docker.Add(1)
			return "", nil
		}}}
	}))
	return w, f, docker
}

func together(n int, call func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(call)
	}
	wg.Wait()
}

func TestCached_FiftyCallersMakeOneRepositoryCallAWindow(t *testing.T) {
	t.Parallel()
	for i, name := range []string{
		"stats", "histogram", "ranking", "ranking of credentials", "ranking of a day", "bounty page", "bounty total", "config", "logs total",
		"attackers total", "database probe", "docker ping", "deckies",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, f, docker := cachedWorld(t)
				w.Seed(20)
				read := cachedReads(w, f, docker)[i]
				require.Equal(t, name, read.name)
				for _, method := range []string{"Stats", "Histogram", "Ranking", "Bounties", "CountBounties", "State", "CountLogs", "CountAttackers", "Ping"} {
					w.Calls.Delay(method, 100*time.Millisecond) // so that the callers really wait together
				}
				get := func() { w.Viewer.Get(read.path).OK() }
				before := read.calls()
				together(50, get)
				assert.Equal(t, read.loads, read.calls()-before, "the first window")
				time.Sleep(read.window - 250*time.Millisecond)
				together(50, get)
				assert.Equal(t, read.loads, read.calls()-before, "still the first window")
				time.Sleep(250 * time.Millisecond)
				together(50, get)
				assert.Equal(t, 2*read.loads, read.calls()-before, "the second window")
			})
		})
	}
}

func TestCached_FilteredRequestsBypass(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path   string
		query  []string
		method string
	}{
		{"/api/v1/logs", []string{"search", "ssh"}, "CountLogs"},
		{"/api/v1/logs", []string{"start_time", "2026-04-17"}, "CountLogs"},
		{"/api/v1/logs", []string{"end_time", "2026-04-18T00:00:00Z"}, "CountLogs"},
		{"/api/v1/logs/histogram", []string{"search", "ssh"}, "Histogram"},
		{"/api/v1/logs/histogram", []string{"start_time", "2026-04-17"}, "Histogram"},
		{"/api/v1/logs/histogram", []string{"end_time", "2026-04-18"}, "Histogram"},
		{"/api/v1/logs/histogram", []string{"interval_minutes", "60"}, "Histogram"},
		{"/api/v1/bounty", []string{"limit", "10"}, "Bounties"},
		{"/api/v1/bounty", []string{"offset", "1"}, "Bounties"},
		{"/api/v1/bounty", []string{"bounty_type", "credential"}, "Bounties"},
		{"/api/v1/bounty", []string{"search", "root"}, "Bounties"},
		{"/api/v1/attackers", []string{"search", "203"}, "CountAttackers"},
		{"/api/v1/attackers", []string{"service", "ssh"}, "CountAttackers"},
	} {
		t.Run(c.path+"?"+c.query[0], func(t *testing.T) {
			t.Parallel()
			w := testutil.New(t)
			w.Seed(20)
			w.Viewer.Get(c.path).OK() // the cache is warm
			before := w.Calls.Calls(c.method)
			for range 3 {
				w.Viewer.Get(c.path, c.query...).OK()
			}
			assert.Equal(t, 3, w.Calls.Calls(c.method)-before)
		})
	}
}

// TestCached_PagesShareTheUnfilteredTotal: a page is not a filter, so the total
// of the list is the same for all of them.
func TestCached_PagesShareTheUnfilteredTotal(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(20)
	for _, offset := range []string{"0", "5", "10"} {
		w.Viewer.Get("/api/v1/logs", "offset", offset, "limit", "5").OK()
		w.Viewer.Get("/api/v1/attackers", "offset", offset, "sort_by", "active").OK()
	}
	assert.Equal(t, 1, w.Calls.Calls("CountLogs"))
	assert.Equal(t, 1, w.Calls.Calls("CountAttackers"))
}

func TestCached_AbsentValuesAreTheDefaultPage(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for _, absent := range []string{"", "null", "NULL", "undefined"} {
		w.Viewer.Get("/api/v1/bounty", "search", absent, "bounty_type", absent, "limit", absent).OK()
		w.Viewer.Get("/api/v1/logs/histogram", "search", absent, "start_time", absent, "interval_minutes", absent).OK()
	}
	assert.Equal(t, 1, w.Calls.Calls("Bounties"))
	assert.Equal(t, 1, w.Calls.Calls("Histogram"))
}

func TestCached_AnErrorIsNotKept(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(3)
	for path, method := range map[string]string{
		"/api/v1/stats": "Stats", "/api/v1/logs/histogram": "Histogram", "/api/v1/bounty": "CountBounties", "/api/v1/rankings?by=decky": "Ranking",
		"/api/v1/logs": "CountLogs", "/api/v1/attackers": "CountAttackers", "/api/v1/config": "State",
	} {
		w.Calls.Fail(method, errors.New("disk on fire at sector 7"))
		r := w.Viewer.Get(path)
		r.WantProblem(http.StatusInternalServerError, "An internal error occurred")
		assert.NotContains(t, string(r.Body), "sector", "the cause is private")
		w.Calls.Fail(method, nil)
		w.Viewer.Get(path).OK()
	}
}

func TestCached_AReaderFromBeforeAWriteStoresNothingStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		release := w.Calls.Hold("State") // the old value is read, but not yet answered
		var wg sync.WaitGroup
		wg.Go(func() { w.Viewer.Get("/api/v1/config").OK() })
		synctest.Wait()
		w.Admin.Put("/api/v1/config/deployment-limit", map[string]int{"deployment_limit": 77}).OK()
		release()
		wg.Wait()
		got := testutil.Decode[map[string]any](w.Viewer.Get("/api/v1/config").OK())
		assert.EqualValues(t, 77, got["deployment_limit"])
	})
}

func TestCached_ETagSavesTheBody(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(5)
	w.Deploy(testutil.Decky(1))
	for _, path := range []string{"/api/v1/stats", "/api/v1/logs/histogram", "/api/v1/rankings?by=attacker", "/api/v1/bounty", "/api/v1/deckies", "/openapi.yaml", "/docs"} {
		first := w.Viewer.Get(path).OK()
		etag := first.Header.Get("ETag")
		require.NotEmpty(t, etag, path)
		again := w.Viewer.Request(http.MethodGet, path, nil)
		again.Header.Set("If-None-Match", `"other", W/`+etag)
		r := w.Viewer.Do(again).Want(http.StatusNotModified)
		assert.Empty(t, r.Body, path)
		assert.Equal(t, etag, r.Header.Get("ETag"), path)
	}
	w.Commit(testutil.Event(99))
	w.Reset()
	stale := w.Viewer.Request(http.MethodGet, "/api/v1/stats", nil)
	stale.Header.Set("If-None-Match", w.Viewer.Get("/api/v1/deckies").Header.Get("ETag"))
	w.Viewer.Do(stale).OK()
}

func TestCached_EveryHandlerResetsItsOwn(t *testing.T) {
	t.Parallel()
	w, f, docker := cachedWorldOnManualClock(t)
	handlers := w.Server.Cached()
	owners := map[string]string{
		"stats": "stats", "histogram": "histogram", "ranking": "rankings", "ranking of credentials": "rankings", "ranking of a day": "rankings", "bounty page": "bounty", "bounty total": "bounty", "config": "config",
		"logs total": "logs", "attackers total": "attackers", "database probe": "health", "docker ping": "health", "deckies": "deckies",
	}
	for _, read := range cachedReads(w, f, docker) {
		w.Viewer.Get(read.path).OK()
		before := read.calls()
		w.Viewer.Get(read.path).OK()
		assert.Equal(t, before, read.calls(), "%s is warm", read.name)
		require.Contains(t, handlers, owners[read.name])
		handlers[owners[read.name]].Reset()
		w.Viewer.Get(read.path).OK()
		assert.Equal(t, before+read.loads, read.calls(), "%s is cold after Reset", read.name)
	}
}

func cachedWorldOnManualClock(t *testing.T) (*testutil.World, *countedFleet, *atomic.Int64) {
	t.Helper()
	f, docker := &countedFleet{}, &atomic.Int64{}
	w := testutil.New(t, testutil.With(func(o *api.Options) {
		o.Fleet = f
		o.Components = []api.Component{{Name: "docker", Window: api.DockerWindow, Check: func(context.Context) (string, error) {
			docker.Add(1)
			return "", nil
		}}}
	}))
	return w, f, docker
}

// TestCached_AWriteIsSeenByTheNextRead walks every write of the API over every
// cached read: warm, write, read from another client; and compares with what a
// server with cold caches says.
func TestCached_AWriteIsSeenByTheNextRead(t *testing.T) {
	t.Parallel()
	reads := []string{
		"/api/v1/stats", "/api/v1/logs", "/api/v1/logs/histogram", "/api/v1/rankings?by=attacker", "/api/v1/bounty", "/api/v1/attackers",
		"/api/v1/deckies", "/api/v1/config", "/api/v1/health",
	}
	const strong = "another-password-1"
	writes := map[string]func(w *testutil.World, victim repo.User){
		"deployment limit": func(w *testutil.World, _ repo.User) {
			w.Admin.Put("/api/v1/config/deployment-limit", map[string]int{"deployment_limit": 33}).OK()
		},
		"mutation interval": func(w *testutil.World, _ repo.User) {
			w.Admin.Put("/api/v1/config/global-mutation-interval", map[string]string{"global_mutation_interval": "45m"}).OK()
		},
		"create user": func(w *testutil.World, _ repo.User) {
			w.Admin.Post("/api/v1/config/users", map[string]string{"username": "zoe", "password": strong}).OK()
		},
		"delete user": func(w *testutil.World, victim repo.User) {
			w.Admin.Delete("/api/v1/config/users/" + victim.UUID).OK()
		},
		"set role": func(w *testutil.World, victim repo.User) {
			w.Admin.Put("/api/v1/config/users/"+victim.UUID+"/role", map[string]string{"role": "admin"}).OK()
		},
		"reset password": func(w *testutil.World, victim repo.User) {
			w.Admin.Put("/api/v1/config/users/"+victim.UUID+"/reset-password", map[string]string{"new_password": strong}).OK()
		},
		"change password": func(w *testutil.World, _ repo.User) {
			w.MustChange.Post("/api/v1/auth/change-password", map[string]string{"old_password": testutil.Password, "new_password": strong}).OK()
		},
		"reinit": func(w *testutil.World, _ repo.User) { w.Admin.Delete("/api/v1/config/reinit").OK() },
	}
	for name, write := range writes {
		for _, read := range reads {
			t.Run(name+" "+read, func(t *testing.T) {
				t.Parallel()
				w := testutil.New(t, testutil.Developer())
				w.Seed(12)
				victim := w.AddUser("victim", repo.RoleViewer)
				second := w.As(w.AddUser("second", repo.RoleAdmin))
				second.Get(read).OK() // warm
				write(w, victim)
				got := second.Get(read).OK()
				w.Reset()
				want := second.Get(read).OK()
				assert.JSONEq(t, string(want.Body), string(got.Body))
			})
		}
	}
}

// TestCached_RetentionIsSeenByTheNextRead does the same for events that go without
// a request.
func TestCached_RetentionIsSeenByTheNextRead(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.Developer())
	w.Seed(12)
	reads := []string{"/api/v1/stats", "/api/v1/logs", "/api/v1/logs/histogram", "/api/v1/rankings?by=service", "/api/v1/rankings?by=attacker"}
	for _, read := range reads {
		w.Viewer.Get(read).OK() // warm
	}
	removed, _, err := w.Store.Expire(t.Context(), time.Unix(0, repo.MaxUnixNano), 5)
	require.NoError(t, err)
	require.EqualValues(t, 5, removed)
	w.Server.EventsExpired()
	got := map[string]string{}
	for _, read := range reads {
		got[read] = string(w.Viewer.Get(read).OK().Body)
	}
	assert.Contains(t, got["/api/v1/stats"], `"total_logs":7`)
	w.Reset()
	for _, read := range reads {
		assert.JSONEq(t, string(w.Viewer.Get(read).OK().Body), got[read])
	}
}

// TestCached_ReinitEmptiesEverything says in numbers what the matrix compares.
func TestCached_ReinitEmptiesEverything(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.Developer())
	w.Seed(12)
	w.Viewer.Get("/api/v1/stats").OK()
	w.Viewer.Get("/api/v1/logs").OK()
	gone := testutil.Decode[struct{ Deleted map[string]int }](w.Admin.Delete("/api/v1/config/reinit").OK())
	assert.Equal(t, 12, gone.Deleted["logs"])
	assert.Positive(t, gone.Deleted["bounties"])
	assert.Positive(t, gone.Deleted["attackers"])
	stats := testutil.Decode[map[string]int](w.Viewer.Get("/api/v1/stats").OK())
	assert.Equal(t, map[string]int{"total_logs": 0, "unique_attackers": 0, "active_deckies": 0, "deployed_deckies": 0}, stats)
	assert.Zero(t, testutil.Decode[testutil.Page[any]](w.Viewer.Get("/api/v1/logs").OK()).Total)
	assert.JSONEq(t, `[]`, string(w.Viewer.Get("/api/v1/logs/histogram").OK().Body))
	assert.JSONEq(t, `{"by":"service","start_time":null,"end_time":null,"events":0,"distinct":0,"exact":true,"data":[]}`,
		string(w.Viewer.Get("/api/v1/rankings", "by", "service").OK().Body))
}
