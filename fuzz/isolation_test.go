//go:build fuzz

package fuzz

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fuzz/engine"
	"decnet/testutil"
)

// TestIsolation_OtherWorldsGoOn keeps worlds of other tests alive before, while
// and after the engine attacks its own, with mutated keys, purges, deleted
// administrators, changed passwords and moved clocks. None of it may reach them.
func TestIsolation_OtherWorldsGoOn(t *testing.T) {
	t.Parallel()
	before := testutil.New(t)
	before.Seed(5)
	before.Deploy(testutil.Decky(0))
	wellAndAlone(t, before, 5)

	f := newFactory(t)
	c := config(t, f)
	c.Examples, c.Sequences = 10, 150
	attacked := make(chan struct{})
	var report *engine.Report
	var err error
	go func() {
		defer close(attacked)
		report, err = engine.Run(t.Context(), c)
	}()
	for range 20 {
		during := testutil.New(t)
		during.Seed(3)
		during.Deploy(testutil.Decky(0))
		wellAndAlone(t, during, 3)
		wellAndAlone(t, before, 5)
	}
	<-attacked
	require.NoError(t, err)
	require.Positive(t, report.Trials)
	wellAndAlone(t, before, 5)
	after := testutil.New(t)
	after.Seed(2)
	after.Deploy(testutil.Decky(0))
	wellAndAlone(t, after, 2)
	assert.Zero(t, f.open.Load(), "worlds that were not ended")
}

// wellAndAlone wants that a world's users, events and settings are its own.
func wellAndAlone(t *testing.T, w *testutil.World, events int) {
	t.Helper()
	w.Reset()
	stats := testutil.Decode[map[string]int](w.Viewer.Get("/api/v1/stats").OK())
	assert.Equal(t, events, stats["total_logs"])
	assert.Equal(t, 1, stats["deployed_deckies"])
	settings := testutil.Decode[map[string]any](w.Admin.Get("/api/v1/config").OK())
	assert.InDelta(t, 10, settings["deployment_limit"], 0)
	assert.Len(t, settings["users"], 3)
	w.Login(actorAdmin, testutil.Password)
}

// TestIsolation_NoKeyOpensAnotherWorld tries every token of one world, good and
// forged, on others: of the engine and of the kit.
func TestIsolation_NoKeyOpensAnotherWorld(t *testing.T) {
	t.Parallel()
	f := newFactory(t)
	one, err := f.open1(t.Context(), worldSeeded)
	require.NoError(t, err)
	defer one.close()
	two, err := f.open1(t.Context(), worldSeeded)
	require.NoError(t, err)
	defer two.close()
	kit := testutil.New(t)
	assert.NotEqual(t, one.secret, two.secret)
	assert.NotEqual(t, one.secret, kit.Secret)
	spec := newSpec(t)
	get := &engine.Case{Operation: "getStats"}
	ask := func(w *world, token string) int {
		s, err := spec.Once(t.Context(), w.engineWorld(), get, token)
		require.NoError(t, err)
		return s.Exchange.Status
	}
	var wg sync.WaitGroup
	for _, actor := range []string{actorAdmin, actorViewer} {
		token := one.token(actor)
		wg.Go(func() {
			assert.Equal(t, http.StatusOK, ask(one, token))
			assert.Equal(t, http.StatusUnauthorized, ask(two, token))
			kit.WithToken("of another world", token).Get("/api/v1/stats").WantProblem(http.StatusUnauthorized, "Could not validate credentials")
		})
	}
	wg.Wait()
	assert.Equal(t, http.StatusUnauthorized, ask(one, kit.Admin.Token()))
}
