package api_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/fleet"
	"decnet/testutil"
)

const deployPath = "/api/v1/deckies/deploy"

func ini(lines ...string) map[string]string {
	return map[string]string{"ini_content": strings.Join(lines, "\n")}
}

type deployed struct {
	Message          string
	DryRun           bool `json:"dry_run"`
	Deckies          []fleet.Decky
	Removed, Ignored []string
}

// deckyNames are those that GET /deckies lists now.
func deckyNames(w *testutil.World) []string {
	names := []string{}
	for _, d := range testutil.Decode[[]fleet.Decky](w.Viewer.Get("/api/v1/deckies").OK()) {
		names = append(names, d.Name)
	}
	return names
}

func TestDeploy_IsSeenByTheNextReadOfAnybody(t *testing.T) {
	t.Parallel()
	driver := &testutil.Driver{}
	w := testutil.New(t, testutil.Decoys(driver))
	assert.Empty(t, deckyNames(w)) // the caches are warm
	w.Viewer.Get("/api/v1/stats").OK()
	got := testutil.Decode[deployed](w.Admin.Post(deployPath, ini("[web]", "archetype=linux-server", "amount=2", "os_version=3", "[web.http]", "server_header=x")).OK())
	assert.Equal(t, "Deployed 2 deckies", got.Message)
	assert.Equal(t, []string{"[web] os_version has no effect"}, got.Ignored)
	assert.Equal(t, []string{"web-01", "web-02"}, deckyNames(w))
	assert.Equal(t, got.Deckies, testutil.Decode[[]fleet.Decky](w.Viewer.Get("/api/v1/deckies").OK()))
	assert.Equal(t, []string{"web-01", "web-02"}, driver.Names())
	stats := testutil.Decode[map[string]int](w.Viewer.Get("/api/v1/stats").OK())
	assert.Equal(t, 2, stats["deployed_deckies"])

	w.Admin.Delete("/api/v1/deckies/web-01").OK()
	assert.Equal(t, []string{"web-02"}, deckyNames(w))
	w.Admin.Delete("/api/v1/deckies/web-01").WantProblem(http.StatusNotFound, "Decky not found")

	again := testutil.Decode[deployed](w.Admin.Post(deployPath+"?replace=true", ini("[db]", "archetype=database-server")).OK())
	assert.Equal(t, []string{"web-02"}, again.Removed)
	assert.Equal(t, "Deployed 1 decky", again.Message)
	assert.Equal(t, []string{"db"}, deckyNames(w))
}

func TestDeploy_DryRunAnswersThePlanAndChangesNothing(t *testing.T) {
	t.Parallel()
	driver := &testutil.Driver{}
	w := testutil.New(t, testutil.Decoys(driver))
	body := ini("[a]", "[b]", "amount=3")
	dry := testutil.Decode[deployed](w.Admin.Post(deployPath+"?dry_run=true", body).OK())
	assert.True(t, dry.DryRun)
	assert.Equal(t, "Nothing was changed; 4 deckies would be deployed", dry.Message)
	assert.Empty(t, deckyNames(w))
	assert.Zero(t, driver.Applied())
	done := testutil.Decode[deployed](w.Admin.Post(deployPath+"?dry_run=null", body).OK())
	assert.Equal(t, dry.Deckies, done.Deckies)
	w.Admin.Post(deployPath+"?dry_run=maybe", body).Want(http.StatusUnprocessableEntity)
}

// TestDeploy_OfAnInvalidINIChangesNothing: whatever is wrong with it.
func TestDeploy_OfAnInvalidINIChangesNothing(t *testing.T) {
	t.Parallel()
	driver := &testutil.Driver{}
	w := testutil.New(t, testutil.Decoys(driver))
	w.Admin.Post(deployPath, ini("[general]", "net=192.0.2.0/29", "[keep]", "ip=192.0.2.3", "services=ssh")).OK()
	content, err := os.ReadFile(w.StatePath)
	require.NoError(t, err)
	for name, c := range map[string]struct{ text, why string }{
		"empty":             {"", "INI: it is empty"},
		"blank":             {" \n\t", "INI: it is empty"},
		"no section":        {"ip=1.2.3.4", "INI: line 1: a [section] must come first"},
		"comment":           {"# nothing", "INI: it has no section"},
		"unparsable":        {"[a]\nflag", "INI: line 2: neither = nor : is there"},
		"no decky":          {"[general]\nnet=10.0.0.0/8", "no section asks for a decky"},
		"unknown service":   {"[a]\nservices=gopher", `[a] there is no service "gopher"`},
		"unknown archetype": {"[a]\narchetype=mainframe", `[a] there is no archetype "mainframe"`},
		"clash":             {"[a]\nip=192.0.2.3\nservices=ssh", `[a] ip 192.0.2.3 belongs to decky "keep"`},
		"exhausted":         {"[a]\namount=5\nservices=ssh", "[a-05] the net 192.0.2.0/29 has no free address"},
		"too many":          {"[a]\namount=10\nservices=ssh", "the fleet would have 11 deckies, and at most 10 may be deployed"},
		"escapes":           {"[a]\nservices=\x1b[2J", `[a] there is no service "\x1b[2J"`},
	} {
		r := w.Admin.Post(deployPath, ini(c.text))
		if assert.Equal(t, http.StatusConflict, r.Status, "%s: %s", name, r.Body) {
			assert.Equal(t, "The fleet was not changed: "+c.why, r.Detail(), name)
		}
	}
	w.Admin.Post(deployPath, map[string]string{"ini_content": "[a]", "x": "y"}).Want(http.StatusBadRequest)
	w.Admin.Post(deployPath, map[string]any{"ini_content": nil}).Want(http.StatusBadRequest)
	w.Admin.Post(deployPath, map[string]string{"ini_content": strings.Repeat("\u00e9", fleet.MaxINI+1)}).Want(http.StatusUnprocessableEntity)
	w.Admin.Post(deployPath, ini("[a]", "# "+strings.Repeat("\U0001f41d", fleet.MaxINI-40), "services=gopher")).Want(http.StatusConflict)
	w.Admin.Post(deployPath, make([]byte, 9<<20)).Want(http.StatusRequestEntityTooLarge)
	assert.Equal(t, []string{"keep"}, deckyNames(w))
	assert.Equal(t, 1, driver.Applied())
	now, err := os.ReadFile(w.StatePath)
	require.NoError(t, err)
	assert.Equal(t, string(content), string(now))
}

func TestDeploy_ADecoyThatCannotStartIsNamed(t *testing.T) {
	t.Parallel()
	driver := &testutil.Driver{}
	w := testutil.New(t, testutil.Decoys(driver))
	w.Admin.Post(deployPath, ini("[keep]", "services=ssh")).OK()
	driver.Fail(func([]fleet.Decky) error {
		return &fleet.DeckyError{Decky: "b", Service: "http", Err: errors.New("address already in use")}
	})
	const why = `The fleet was not changed: decky "b", service "http": address already in use`
	w.Admin.Post(deployPath, ini("[a]", "services=ssh", "[b]", "services=http")).WantProblem(http.StatusConflict, why)
	w.Admin.Post("/api/v1/deckies/keep/mutate", nil).WantProblem(http.StatusConflict, why)
	w.Admin.Delete("/api/v1/deckies/keep").WantProblem(http.StatusConflict, why)
	assert.Equal(t, []string{"keep"}, deckyNames(w))
	driver.Fail(func([]fleet.Decky) error { return errors.New("a secret of the driver") })
	w.Admin.Post(deployPath, ini("[a]", "services=ssh")).WantProblem(http.StatusInternalServerError, "An internal error occurred")
	assert.Equal(t, []string{"keep"}, driver.Names())
}

func TestDeploy_FollowsTheDeploymentLimit(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Admin.Post(deployPath, ini("[a]", "amount=10", "services=ssh")).OK()
	w.Admin.Post(deployPath, ini("[b]", "services=ssh")).Want(http.StatusConflict)
	w.Admin.Put("/api/v1/config/deployment-limit", map[string]int{"deployment_limit": 11}).OK()
	w.Admin.Post(deployPath, ini("[b]", "services=ssh")).OK()
	assert.Len(t, deckyNames(w), 11)
}

// TestDeploy_WithoutDecoysKeepsTheFleetForOthers: the answer says so.
func TestDeploy_WithoutDecoysKeepsTheFleetForOthers(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	got := testutil.Decode[deployed](w.Admin.Post(deployPath, ini("[a]", "services=ssh")).OK())
	assert.Equal(t, "Deployed 1 decky to the state file; this service runs no decoys itself", got.Message)
	kept, err := fleet.NewStateFile(w.StatePath).Deckies(t.Context())
	require.NoError(t, err)
	assert.Equal(t, got.Deckies, kept)
	status := testutil.Decode[map[string]any](w.Viewer.Get("/api/v1/fleet/status").OK())
	assert.Equal(t, map[string]any{"runs": false, "problem": nil, "listeners": []any{}}, status)
}

func TestMutate_AndItsInterval(t *testing.T) {
	t.Parallel()
	driver := &testutil.Driver{}
	w := testutil.New(t, testutil.Decoys(driver))
	w.Admin.Post(deployPath, ini("[a]", "archetype=database-server", "[one]", "archetype=deaddeck", "[Upper_1]", "services=ssh")).OK()
	read := func() fleet.Decky { return testutil.Decode[[]fleet.Decky](w.Viewer.Get("/api/v1/deckies").OK())[0] }
	before := read()
	got := testutil.Decode[struct {
		Message  string
		Services []string
	}](w.Admin.Post("/api/v1/deckies/a/mutate", nil).OK())
	assert.Equal(t, "Decky mutated", got.Message)
	assert.Equal(t, got.Services, read().Services)
	assert.NotEqual(t, before.Services, read().Services)
	assert.InDelta(t, float64(w.Clock.Now().UnixMicro())/1e6, read().LastMutated, 1e-6)
	assert.Equal(t, read(), driver.Running()[0])
	one := testutil.Decode[struct{ Message string }](w.Admin.Post("/api/v1/deckies/one/mutate", nil).OK())
	assert.Equal(t, "Decky unchanged: its archetype has no other services", one.Message)

	for text, want := range map[string]int64{"5m": 5, "1d": 1440, "2M": 86400, "1y": 525600, "1Y": 525600} {
		w.Admin.Put("/api/v1/deckies/a/mutate-interval", map[string]string{"mutate_interval": text}).OK()
		assert.Equal(t, want, *read().MutateInterval, text)
	}
	w.Admin.Put("/api/v1/deckies/a/mutate-interval", map[string]any{"mutate_interval": nil}).OK()
	assert.Nil(t, read().MutateInterval)
	for _, bad := range []string{"0m", "5", "-5m", "5h", "5m\n", "99999999999m"} {
		w.Admin.Put("/api/v1/deckies/a/mutate-interval", map[string]string{"mutate_interval": bad}).Want(http.StatusUnprocessableEntity)
	}
	w.Admin.Put("/api/v1/deckies/a/mutate-interval", map[string]any{}).Want(http.StatusBadRequest)

	w.Admin.Post("/api/v1/deckies/ghost/mutate", nil).WantProblem(http.StatusNotFound, "Decky not found")
	w.Admin.Put("/api/v1/deckies/ghost/mutate-interval", map[string]any{"mutate_interval": nil}).WantProblem(http.StatusNotFound, "Decky not found")
	w.Admin.Post("/api/v1/deckies/Upper_1/mutate", nil).Want(http.StatusUnprocessableEntity)
	w.Admin.Delete("/api/v1/deckies/Upper_1").OK()
	w.Admin.Delete("/api/v1/deckies/" + strings.Repeat("a", 129)).Want(http.StatusUnprocessableEntity)
}

func TestFleet_ABrokenStateFileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	require.NoError(t, os.WriteFile(w.StatePath, []byte("{"), 0o600))
	const detail = "The state file of the fleet cannot be used"
	w.Admin.Post(deployPath, ini("[a]", "services=ssh")).WantProblem(http.StatusServiceUnavailable, detail)
	w.Admin.Post(deployPath+"?dry_run=true", ini("[a]", "services=ssh")).WantProblem(http.StatusServiceUnavailable, detail)
	w.Admin.Delete("/api/v1/deckies/a").WantProblem(http.StatusServiceUnavailable, detail)
	w.Admin.Post("/api/v1/deckies/a/mutate", nil).WantProblem(http.StatusServiceUnavailable, detail)
	content, err := os.ReadFile(w.StatePath)
	require.NoError(t, err)
	assert.Equal(t, "{", string(content))
}

func TestFleet_StatusTellsOfEveryListener(t *testing.T) {
	t.Parallel()
	driver := &failingListener{}
	w := testutil.New(t, testutil.Decoys(driver))
	w.Admin.Post(deployPath, ini("[a]", "ip=127.0.9.9", "services=https,snmp")).OK()
	type status struct {
		Runs      bool
		Problem   *string
		Listeners []struct {
			Decky, Service, Network, Address, State string
			Port                                    int
			Error                                   *string
		}
	}
	got := testutil.Decode[status](w.Viewer.Get("/api/v1/fleet/status").OK())
	assert.True(t, got.Runs)
	assert.Nil(t, got.Problem)
	require.Len(t, got.Listeners, 2)
	assert.Equal(t, "127.0.9.9:161", got.Listeners[1].Address)
	assert.Equal(t, "udp", got.Listeners[1].Network)
	assert.Nil(t, got.Listeners[1].Error)

	driver.why.Store(new("address already in use"))
	got = testutil.Decode[status](w.Viewer.Get("/api/v1/fleet/status").OK())
	require.NotNil(t, got.Problem)
	assert.Equal(t, `decky "a", service "snmp": failed: address already in use`, *got.Problem)
	assert.Nil(t, got.Listeners[0].Error)
	require.NotNil(t, got.Listeners[1].Error)
	assert.Equal(t, "address already in use", *got.Listeners[1].Error)
}

// failingListener is a driver whose last listener does not run, once why says so.
type failingListener struct {
	testutil.Driver
	why atomic.Pointer[string]
}

func (d *failingListener) Status() []fleet.Status {
	all := d.Driver.Status()
	if why := d.why.Load(); why != nil && len(all) > 0 {
		all[len(all)-1].State, all[len(all)-1].Error = fleet.Failed, *why
	}
	return all
}

func TestFleet_WithoutAManagerIsNotReady(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.With(func(o *api.Options) { o.Manager = nil }))
	for _, r := range []*testutil.Response{
		w.Admin.Post(deployPath, ini("[a]")), w.Admin.Delete("/api/v1/deckies/a"), w.Admin.Post("/api/v1/deckies/a/mutate", nil),
		w.Admin.Put("/api/v1/deckies/a/mutate-interval", map[string]any{"mutate_interval": nil}), w.Viewer.Get("/api/v1/fleet/status"),
	} {
		r.WantProblem(http.StatusServiceUnavailable, "The service is not ready")
	}
}

// TestFleet_EachRouteDropsWhatItChanged, also for a manager that tells nobody.
func TestFleet_EachRouteDropsWhatItChanged(t *testing.T) {
	t.Parallel()
	var manager *fleet.Manager
	w := testutil.New(t, testutil.With(func(o *api.Options) {
		manager = fleet.NewManager(fleet.Options{State: fleet.NewStateFile(filepath.Join(t.TempDir(), "state.json")), Driver: &testutil.Driver{}})
		o.Fleet, o.Manager = manager, manager
	}))
	seen := func(step string) []fleet.Decky {
		got := testutil.Decode[[]fleet.Decky](w.Viewer.Get("/api/v1/deckies").OK())
		kept, err := manager.Deckies(t.Context())
		require.NoError(t, err)
		assert.Equal(t, kept, got, step)
		stats := testutil.Decode[map[string]int](w.Viewer.Get("/api/v1/stats").OK())
		assert.Equal(t, len(kept), stats["deployed_deckies"], step)
		return got
	}
	seen("nothing")
	w.Admin.Post(deployPath, ini("[a]", "archetype=database-server")).OK()
	seen("deployed")
	w.Admin.Post("/api/v1/deckies/a/mutate", nil).OK()
	seen("mutated")
	w.Admin.Put("/api/v1/deckies/a/mutate-interval", map[string]string{"mutate_interval": "7m"}).OK()
	assert.EqualValues(t, 7, *seen("interval")[0].MutateInterval)
	w.Admin.Delete("/api/v1/deckies/a").OK()
	assert.Empty(t, seen("removed"))
}

// TestFleet_ADeckyNamedDeployIsNoRoute: to the contract the path is the
// deployment's, whatever a decky is called.
func TestFleet_ADeckyNamedDeployIsNoRoute(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Admin.Post(deployPath, ini("[deploy]", "services=ssh")).OK()
	w.Admin.Delete(deployPath).WantProblem(http.StatusMethodNotAllowed, "Method not allowed")
	w.Admin.Post("/api/v1/deckies/deploy/mutate", nil).OK()
	assert.Equal(t, []string{"deploy"}, deckyNames(w))
}

// TestFleet_AMutationOnScheduleIsSeenAtOnce: it does not come through the API.
func TestFleet_AMutationOnScheduleIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.Decoys(&testutil.Driver{}))
	w.Admin.Post(deployPath, ini("[a]", "archetype=database-server")).OK()
	assert.Equal(t, []string{"a"}, deckyNames(w)) // the cache is warm
	d, changed, err := w.Manager.Mutate(t.Context(), "a")
	require.NoError(t, err)
	require.True(t, changed)
	assert.Equal(t, []fleet.Decky{d}, testutil.Decode[[]fleet.Decky](w.Viewer.Get("/api/v1/deckies").OK()))
}
