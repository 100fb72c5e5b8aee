//go:build fuzz

package fuzz

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/fuzz/engine"
)

// envScorecard asks for the whole table, which takes minutes, when it is 1, or for
// the defects whose names contain its text.
const envScorecard = "SCORECARD"

// defect is one thing that is broken on purpose.
type defect struct {
	name string
	// want is the check that must be among those that see it; "" means any.
	want string
	// wrap and store plant it: before the service, or below it.
	wrap  wrapper
	store func(s api.Store) api.Store
	// aim changes the run, such as the document; may be nil.
	aim func(t testing.TB, c *engine.Config)
	// quick ones run without [envScorecard] too.
	quick bool
	// modelFirst asks the model before the attack, which saves a long search.
	modelFirst bool
	// open says why nothing finds it yet; such a defect does not fail the test.
	open string
}

// verdict is a line of the scorecard.
type verdict struct {
	checks []string
	calls  int64
	size   int
	took   time.Duration
}

const modelCheck = "model"

// TestScorecard plants each defect, alone, and wants that the suite sees it: the
// attack first, then the model, or the other way round.
func TestScorecard(t *testing.T) {
	t.Parallel()
	asked := os.Getenv(envScorecard)
	whole := asked != ""
	var lines []string
	found, all := 0, 0
	for _, d := range defects() {
		if !whole && !d.quick || asked != "1" && !strings.Contains(d.name, asked) {
			continue
		}
		v := d.hunt(t)
		seen := len(v.checks) > 0 && (d.want == "" || slices.Contains(v.checks, d.want))
		by, size := strings.Join(v.checks, ", "), fmt.Sprint(v.size)
		if len(v.checks) == 0 {
			by, size = "**not found**", "–"
		}
		if d.open == "" || seen {
			all++
			assert.Truef(t, seen, "%s: wanted %q, seen by %q", d.name, d.want, v.checks)
		}
		if seen {
			found++
		}
		line := fmt.Sprintf("| %s | %s | %d | %s | %.1f |", d.name, by, v.calls, size, v.took.Seconds())
		if whole {
			fmt.Println(line) //nolint:forbidigo // the table is what the run is for
		}
		lines = append(lines, line)
	}
	t.Logf("%d of %d found\n%s", found, all, strings.Join(lines, "\n"))
}

// hunt looks for the defect in worlds of its own.
func (d defect) hunt(t testing.TB) verdict {
	t.Helper()
	begin := time.Now()
	v := verdict{}
	if d.modelFirst {
		d.model(t, &v)
	}
	if len(v.checks) == 0 {
		d.attack(t, &v)
	}
	if len(v.checks) == 0 && !d.modelFirst {
		d.model(t, &v)
	}
	v.took = time.Since(begin)
	return v
}

// attack looks for the defect with the engine.
func (d defect) attack(t testing.TB, v *verdict) {
	t.Helper()
	before := v.calls
	report := attack(t, func(f *factory, c *engine.Config) {
		d.plant(f)
		c.Enough = 1
		if d.aim != nil {
			d.aim(t, c)
		}
	})
	v.calls = before + int64(report.Calls)
	for i, f := range report.Failures {
		if !slices.Contains(v.checks, f.Check) {
			v.checks = append(v.checks, f.Check)
		}
		if i == 0 || f.Check == d.want {
			v.calls, v.size = before+int64(f.Calls), f.Size
		}
	}
}

// plant puts the defect into the worlds of a factory.
func (d defect) plant(f *factory) {
	f.wrap = d.wrap
	if d.store != nil {
		f.options = func(o *api.Options) { o.Store = d.store(o.Store) }
	}
}

// model looks for the defect with the model of the service.
func (d defect) model(t testing.TB, v *verdict) {
	t.Helper()
	f := newFactory(t)
	d.plant(f)
	planted := f.wrap
	var calls atomic.Int64
	f.wrap = func(next http.Handler) http.Handler {
		if planted != nil {
			next = planted(next)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			next.ServeHTTP(w, r)
		})
	}
	result := checkModel(t, f, newSpec(t), int64(seed(t)), 2*examples(t))
	if !result.Passed() {
		require.NotEmpty(t, result.Args)
		v.checks, v.size = []string{modelCheck}, len(fmt.Sprint(result.Args[0].Arg))
	}
	v.calls += calls.Load()
}

// only keeps one check and what is left to do for it.
func only(check string) func(t testing.TB, c *engine.Config) {
	return func(t testing.TB, c *engine.Config) {
		t.Helper()
		one, ok := engine.CheckNamed(check)
		require.True(t, ok, check)
		c.Checks = []engine.Check{one}
	}
}

// at aims the run at operations.
func at(ids ...string) func(t testing.TB, c *engine.Config) {
	return func(_ testing.TB, c *engine.Config) { c.Plan = operations(ids...) }
}

// often aims the run at one operation with as many random cases as a longer run
// has, for what depends on a rare text.
func often(id string) func(t testing.TB, c *engine.Config) {
	return func(_ testing.TB, c *engine.Config) {
		c.Plan = operations(id)
		c.Examples *= 10
	}
}

// operations keeps those of the ids.
func operations(ids ...string) func(op *engine.Operation) engine.Plan {
	return func(op *engine.Operation) engine.Plan {
		p := plan(op)
		p.Skip = !slices.Contains(ids, op.ID)
		return p
	}
}
