//go:build fuzz

package fuzz

import (
	"net/http"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/commands"
	"github.com/stretchr/testify/assert"

	"decnet/fuzz/engine"
)

// checkModel plays random sequences against the model and returns gopter's
// verdict. Each sequence, and each step of shrinking one, has a world of its own.
func checkModel(t testing.TB, f *factory, spec *engine.Spec, seed int64, sequences int) *gopter.TestResult {
	t.Helper()
	params := gopter.DefaultTestParametersWithSeed(seed)
	params.MinSuccessfulTests = sequences
	params.MaxSize = 30
	params.MaxShrinkCount = 500
	return commands.Prop(&commands.ProtoCommands{
		InitialStateGen: func(*gopter.GenParameters) *gopter.GenResult {
			return gopter.NewGenResult(newModel(), gopter.NoShrinker)
		},
		NewSystemUnderTestFunc: func(commands.State) commands.SystemUnderTest { return newSystem(t, f, spec) },
		DestroySystemUnderTestFunc: func(sut commands.SystemUnderTest) {
			if s, ok := sut.(*system); ok {
				s.world.close()
			}
		},
		GenCommandFunc: func(state commands.State) gopter.Gen {
			return func(p *gopter.GenParameters) *gopter.GenResult {
				m, _ := state.(model)
				return &gopter.GenResult{
					Result: draw(m, p.Rng), ResultType: reflect.TypeFor[commands.Command](), Shrinker: gopter.NoShrinker,
				}
			}
		},
	}).Check(params)
}

// TestModel compares the service with the model of it.
func TestModel(t *testing.T) {
	t.Parallel()
	if setting(flagURL) != "" {
		t.Skip("aimed at a running service")
	}
	n := max(50, 2*examples(t))
	result := checkModel(t, newFactory(t), newSpec(t), int64(seed(t)), n)
	t.Logf("%d sequences of up to 30 steps, seed %d", result.Succeeded, int64(seed(t)))
	if !assert.Truef(t, result.Passed(), "%s after %d sequences", result.Status, result.Succeeded) {
		for _, label := range result.Labels {
			t.Log(label)
		}
		for _, arg := range result.Args {
			t.Log(arg)
		}
	}
}

// TestModel_FindsALostWrite plants a defect: every second DELETE is answered,
// but not done.
func TestModel_FindsALostWrite(t *testing.T) {
	t.Parallel()
	f := newFactory(t)
	f.wrap = func(next http.Handler) http.Handler {
		var n atomic.Int64
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete && n.Add(1)%2 == 0 {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"message":"User deleted"}`))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	result := checkModel(t, f, newSpec(t), 1, 300)
	assert.Equal(t, gopter.TestFailed, result.Status)
	assert.NotEmpty(t, result.Labels)
}
