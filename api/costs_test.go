package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/testutil"
)

// hotRead is a read that every open dashboard repeats.
type hotRead struct{ name, path string }

func hotReads() []hotRead {
	return []hotRead{
		{"stats", "/api/v1/stats"},
		{"logs", "/api/v1/logs"},
		{"logs-of-a-service", "/api/v1/logs?search=service:ssh"},
		{"attackers", "/api/v1/attackers"},
		{"bounty", "/api/v1/bounty"},
		{"histogram", "/api/v1/logs/histogram"},
		{"rankings", "/api/v1/rankings?by=service"},
		{"deckies", "/api/v1/deckies"},
		{"health", "/api/v1/health"},
		{"config", "/api/v1/config"},
	}
}

// cost is what a read costs when its cache is warm or cold.
type cost struct {
	read, cache string
	// asked are the methods of the store, each as often as it was called.
	asked []string
	// allocations are those of one request on its way through the server, without
	// those of net/http; for a cold one including all loads.
	allocations float64
}

func (c *cost) key() string { return c.read + " " + c.cache }

// sink is a ResponseWriter that is used again and again and keeps only the status.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

// prober sends the same request again and again, past the network.
type prober struct {
	server  http.Handler
	request *http.Request
	sink    sink
}

func newProber(t testing.TB, w *testutil.World, path string) *prober {
	t.Helper()
	p := &prober{server: w.Server, request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil), sink: sink{header: http.Header{}}}
	p.request.Header.Set("Authorization", "Bearer "+w.Viewer.Token())
	return p
}

func (p *prober) ask() {
	clear(p.sink.header)
	p.server.ServeHTTP(&p.sink, p.request)
}

// costWorld has enough events for full pages, and a fleet in memory: what the
// state file costs depends on how old it is.
func costWorld(t testing.TB) *testutil.World {
	t.Helper()
	w := testutil.New(t, testutil.With(func(o *api.Options) { o.Fleet = &countedFleet{} }))
	w.Seed(300)
	return w
}

// storeMethods are all that the Spy counts, as reads use them.
func storeMethods() []string {
	return []string{
		"Attacker", "Attackers", "Bounties", "Commands", "CountAttackers", "CountBounties", "CountCredentials", "CountLogs", "Credentials", "Histogram",
		"LastLogID", "Log", "Logs", "LogsAfter", "Ping", "Ranking", "RejectPage", "Sensors", "State", "Stats", "Users",
	}
}

// asked returns which methods one call of do asks, in alphabetical order.
func asked(w *testutil.World, do func()) []string {
	total := func() int { return w.Calls.Total() + w.Calls.Calls("Users") }
	before, all := map[string]int{}, total()
	for _, m := range storeMethods() {
		before[m] = w.Calls.Calls(m)
	}
	do()
	var list []string
	for _, m := range storeMethods() {
		for range w.Calls.Calls(m) - before[m] {
			list = append(list, m)
		}
	}
	for range total() - all - len(list) {
		list = append(list, "another")
	}
	return list
}

// measure returns what the read costs warm and cold. Allocations are 0 when they
// are not to be counted.
func measure(t *testing.T, w *testutil.World, read hotRead, allocations bool) []cost {
	t.Helper()
	p := newProber(t, w, read.path)
	cold := func() {
		w.Server.Reset()
		p.ask()
	}
	costs := []cost{{read: read.name, cache: "cold", asked: asked(w, cold)}, {read: read.name, cache: "warm", asked: asked(w, p.ask)}}
	require.Equalf(t, http.StatusOK, p.sink.status, "GET %s", read.path)
	if allocations {
		costs[0].allocations = leastAllocations(cold) - leastAllocations(w.Server.Reset)
		p.ask()
		costs[1].allocations = leastAllocations(p.ask)
	}
	return costs
}

// leastAllocations counts several times: what runs beside, and a garbage collection
// that empties the pools, only ever add some.
func leastAllocations(f func()) float64 {
	least := math.Inf(1)
	for range 6 {
		least = min(least, testing.AllocsPerRun(40, f))
	}
	return least
}

func goldenCosts() string { return filepath.Join("testdata", "costs.golden") }

// wantedCosts reads the golden file.
func wantedCosts(t *testing.T) map[string]cost {
	t.Helper()
	raw, err := os.ReadFile(goldenCosts())
	require.NoError(t, err)
	wanted := map[string]cost{}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		columns := strings.Fields(lines.Text())
		if len(columns) == 0 || columns[0] == "#" {
			continue
		}
		require.GreaterOrEqualf(t, len(columns), 3, "%s: %q", goldenCosts(), lines.Text())
		n, err := strconv.ParseFloat(columns[2], 64)
		require.NoErrorf(t, err, "%s: %q", goldenCosts(), lines.Text())
		c := cost{read: columns[0], cache: columns[1], allocations: n, asked: append([]string(nil), columns[3:]...)}
		wanted[c.key()] = c
	}
	return wanted
}

func writeCosts(t *testing.T, costs []cost) {
	t.Helper()
	out := []byte("# What a request costs: allocations (at most, and a twentieth), and the calls of the store (exactly).\n" +
		"# go test ./api -run TestCosts -update rewrites it; say in the commit why a number grew.\n")
	for i := range costs {
		c := &costs[i]
		out = append(bytes.TrimRight(fmt.Appendf(out, "%-18s %s %5.0f  %s", c.read, c.cache, c.allocations, strings.Join(c.asked, " ")), " "), '\n')
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(goldenCosts()), 0o750))
	require.NoError(t, os.WriteFile(goldenCosts(), out, 0o600))
}

// TestCosts_QueriesOfARequest: a read that asks the store once more than it did
// is paid for by every dashboard every few seconds.
func TestCosts_QueriesOfARequest(t *testing.T) {
	t.Parallel()
	if updating() {
		t.Skip("TestCosts_AllocationsOfARequest writes the file")
	}
	wanted := wantedCosts(t)
	w := costWorld(t)
	for _, read := range hotReads() {
		for _, got := range measure(t, w, read, false) {
			want, ok := wanted[got.key()]
			if assert.Truef(t, ok, "%s does not have %s (%s)", goldenCosts(), read.name, got.cache) {
				assert.Equalf(t, want.asked, got.asked, "GET %s with a %s cache asks the store for something else than before: "+
					"if that is meant, go test ./api -run TestCosts -update", read.path, got.cache)
			}
		}
	}
	assert.Len(t, wanted, 2*len(hotReads()), "reads that are no longer measured")
}

// TestCosts_AllocationsOfARequest: each allocation is time of the processor and
// of the garbage collector, times the requests of all users. Counted exactly, so
// that it doesn't depend on the machine.
func TestCosts_AllocationsOfARequest(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	if underRace || testing.CoverMode() != "" {
		t.Skip("an instrumented program allocates for itself: make guard runs this without")
	}
	w := costWorld(t)
	var costs []cost
	for _, read := range hotReads() {
		costs = append(costs, measure(t, w, read, true)...)
	}
	if updating() {
		writeCosts(t, costs)
		return
	}
	wanted := wantedCosts(t)
	for i := range costs {
		got := &costs[i]
		want, ok := wanted[got.key()]
		if !assert.Truef(t, ok, "%s does not have %s", goldenCosts(), got.key()) {
			continue
		}
		limit := math.Ceil(want.allocations * 1.05)
		assert.LessOrEqualf(t, got.allocations, limit, "a request for %s with a %s cache makes %.0f allocations, and made %.0f before: "+
			"find the new ones (-memprofile), or, if they are worth it, go test ./api -run TestCosts -update",
			got.read, got.cache, got.allocations, want.allocations)
	}
}
