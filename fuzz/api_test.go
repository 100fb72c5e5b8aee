//go:build fuzz

package fuzz

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fuzz/engine"
)

// failuresDir keeps the failing cases of earlier runs; they are played first.
const failuresDir = "testdata/failures"

// config is the engine aimed at worlds of the factory.
func config(t testing.TB, f *factory) engine.Config {
	t.Helper()
	n := examples(t)
	return engine.Config{
		Spec: newSpec(t), New: f.make, Plan: plan, Relations: relations(), Forged: forgedActors(),
		Tokens: map[string]string{"login": "/access_token"}, Actions: actions(), Dictionary: dictionary(),
		Seed: seed(t), Examples: n, Sequences: 10 * n, Steps: 8,
	}
}

// TestAPI attacks every operation and fails for each breach of the contract, and
// when something that the contract declares was never reached.
func TestAPI(t *testing.T) {
	t.Parallel()
	if setting(flagURL) != "" {
		t.Skip("aimed at a running service, see TestURL")
	}
	f := newFactory(t)
	c := config(t, f)
	t.Logf("seed %d, %d random cases for each operation (-%s, -%s)", c.Seed, c.Examples, flagSeed, flagExamples)
	report, err := engine.Run(t.Context(), c)
	require.NoError(t, err)
	t.Logf("%d trials, %d requests in %s: %.0f cases/s, %d skipped\n%s", report.Trials, report.Calls, report.Elapsed,
		float64(report.Trials)/report.Elapsed.Seconds(), report.Skipped, report.Ledger)
	fail(t, report)
	assert.Empty(t, report.Ledger.Gaps(), "declared, but never exercised")
	assert.Zero(t, f.open.Load(), "worlds that were not ended")
}

// attack runs the engine on worlds that change may alter, such as by
// [factory.wrap] or [factory.options], and returns what was found. It is how a
// planted defect is looked for.
func attack(t testing.TB, change func(f *factory, c *engine.Config)) *engine.Report {
	t.Helper()
	f := newFactory(t)
	c := config(t, f)
	change(f, &c)
	report, err := engine.Run(t.Context(), c)
	require.NoError(t, err)
	return report
}

// TestAttack_FindsADefect plants one in a wrapper: the deployment limit is
// accepted one above its bound.
func TestAttack_FindsADefect(t *testing.T) {
	t.Parallel()
	report := attack(t, func(f *factory, c *engine.Config) {
		f.wrap = offByOne
		c.Phases = []string{engine.PhaseCoverage}
		c.Plan = func(op *engine.Operation) engine.Plan {
			p := plan(op)
			p.Skip = op.ID != "setDeploymentLimit"
			return p
		}
	})
	i := slices.IndexFunc(report.Failures, func(f *engine.Failure) bool {
		return f.Operation == "setDeploymentLimit" && f.Check == "negative_data_rejection"
	})
	require.GreaterOrEqual(t, i, 0)
	least := report.Failures[i].Trial
	require.Len(t, least.Steps, 1)
	assert.Equal(t, map[string]any{"deployment_limit": int64(501)}, least.Last().Body.Value)
	t.Logf("found after %d calls, %d bytes", report.Failures[i].Calls, report.Failures[i].Size)
}

// offByOne answers the limit 501 as if it were good.
func offByOne(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/deployment-limit") {
			raw, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(raw), "501", "500", 1)))
		}
		next.ServeHTTP(w, r)
	})
}

// fail reports each failure and keeps its case where a later run finds it.
func fail(t testing.TB, report *engine.Report) {
	t.Helper()
	for _, f := range report.Failures {
		if why, ok := known(f); ok {
			t.Logf("known, to be mended: %s\n%s", why, f)
			continue
		}
		file, err := f.Save(failuresDir)
		require.NoError(t, err)
		t.Errorf("%s\n  again: %s\n  seed: %d", f, replayCommand(file), report.Seed)
	}
}

// TestReplay plays the failing cases of earlier runs, or that of -fuzz.replay.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(failuresDir, "*.json"))
	require.NoError(t, err)
	if one := setting(flagReplay); one != "" {
		files = []string{findCase(one)}
	}
	if len(files) == 0 {
		t.Skip("no failing case was kept")
	}
	c := config(t, newFactory(t))
	for _, file := range files {
		f, err := engine.LoadFailure(file)
		require.NoError(t, err)
		again, out, err := c.Replay(t.Context(), f)
		require.NoError(t, err)
		switch {
		case out.Skipped:
			t.Errorf("%s: the case refers to what its world does not have", file)
		case again:
			t.Errorf("%s: FAILS still\n%s", file, f)
		default:
			t.Logf("%s: FIXED; remove the file, and keep the case as a test of package api", file)
		}
	}
}

// findCase takes a name as it is seen from the project's root too.
func findCase(name string) string {
	if _, err := os.Stat(name); err != nil {
		if inside := filepath.Join("..", name); filepath.IsLocal(name) {
			return inside
		}
	}
	return name
}
