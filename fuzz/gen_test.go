//go:build fuzz

package fuzz

import (
	"reflect"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/prop"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fuzz/engine"
)

// genCase generates the cases of an operation, *engine.Case, for properties that
// are written with gopter. Half of them are broken in one place. The shrinker
// works on values and knows their schemas; the sieve keeps a case on the side of
// the contract on which it was made, as it goes over the wire.
func genCase(c engine.Config, op *engine.Operation) gopter.Gen {
	return func(params *gopter.GenParameters) *gopter.GenResult {
		seeded := c
		seeded.Seed = uint64(params.Rng.Int63())
		one := seeded.Random(op, int(params.Rng.Int63n(2))).Last()
		kind := c.Spec.KindOf(one)
		return &gopter.GenResult{
			Result: one, ResultType: reflect.TypeFor[*engine.Case](), Shrinker: shrinkCase(c.Spec),
			Sieve: func(v any) bool {
				made, ok := v.(*engine.Case)
				return ok && c.Spec.KindOf(made) == kind
			},
		}
	}
}

// shrinkCase shrinks a case by its schemas.
func shrinkCase(s *engine.Spec) gopter.Shrinker {
	return func(v any) gopter.Shrink {
		one, ok := v.(*engine.Case)
		if !ok {
			return gopter.NoShrink
		}
		list := s.Smaller(one)
		return func() (any, bool) {
			for len(list) > 0 {
				next := list[0]
				list = list[1:]
				if engine.Cost(next) < engine.Cost(one) {
					return next, true
				}
			}
			return nil, false
		}
	}
}

// TestGenCase_ShrinksToTheSmallest lets a property fail for every limit above
// 100, and wants the least case that still does.
func TestGenCase_ShrinksToTheSmallest(t *testing.T) {
	t.Parallel()
	c := engine.Config{Spec: newSpec(t), Plan: plan, Dictionary: dictionary()}
	op := c.Spec.Operation("setDeploymentLimit")
	require.NotNil(t, op)
	for s := range int64(5) {
		params := gopter.DefaultTestParametersWithSeed(s)
		params.MinSuccessfulTests = 2000
		params.MaxShrinkCount = 3000
		result := prop.ForAll(func(one *engine.Case) bool {
			if c.Spec.KindOf(one) != engine.Positive {
				return true
			}
			body, _ := one.Body.Value.(map[string]any)
			n, _ := body["deployment_limit"].(int64)
			return n <= 100
		}, genCase(c, op)).Check(params)
		require.Equal(t, gopter.TestFailed, result.Status)
		require.Len(t, result.Args, 1)
		least, ok := result.Args[0].Arg.(*engine.Case)
		require.True(t, ok)
		assert.Equal(t, map[string]any{"deployment_limit": int64(101)}, least.Body.Value)
		assert.Empty(t, least.Args)
	}
}
