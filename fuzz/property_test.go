//go:build fuzz

package fuzz

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/prop"
)

// property is a rule about values of one type. Its cases are drawn and shrunk as
// values: gopter's own shrinkers leave the range of a mapped generator, and
// shrink nothing that is drawn by way of another draw.
type property[T any] struct {
	// draw makes a case; it must take all chance from r.
	draw func(r *rand.Rand) T
	// smaller are the next simpler cases, the simplest first; each must be
	// simpler by some measure that cannot fall for ever.
	smaller func(v T) []T
	// holds says what is wrong; nil means that the rule holds.
	holds func(v T) error
}

// generator is the property's as a generator of gopter.
func (p property[T]) generator() gopter.Gen {
	return func(params *gopter.GenParameters) *gopter.GenResult {
		r := rand.New(rand.NewPCG(uint64(params.Rng.Int63()), 0))
		return &gopter.GenResult{
			Result: p.draw(r), ResultType: reflect.TypeFor[T](),
			Shrinker: func(v any) gopter.Shrink {
				one, ok := v.(T)
				if !ok {
					return gopter.NoShrink
				}
				list := p.smaller(one)
				return func() (any, bool) {
					if len(list) == 0 {
						return nil, false
					}
					next := list[0]
					list = list[1:]
					return next, true
				}
			},
		}
	}
}

// run draws cases and returns gopter's verdict, with the least case that fails.
func (p property[T]) run(seed int64, cases int) *gopter.TestResult {
	params := gopter.DefaultTestParametersWithSeed(seed)
	params.MinSuccessfulTests = cases
	params.MaxShrinkCount = 2000
	return prop.ForAll(func(v T) (bool, error) {
		err := p.holds(v)
		return err == nil, err
	}, p.generator()).Check(params)
}

// check fails the test with the least case that breaks the rule.
func (p property[T]) check(t *testing.T, cases int) {
	t.Helper()
	if setting(flagURL) != "" {
		t.Skip("aimed at a running service")
	}
	from := int64(seed(t) >> 1)
	cases = max(cases/4, cases*examples(t)/defaultExamples)
	result := p.run(from, cases)
	if result.Passed() {
		return
	}
	t.Errorf("%s after %d cases, -%s=%d: %v %v", result.Status, result.Succeeded, flagSeed, seed(t), result.Error, result.Labels)
	for _, arg := range result.Args {
		t.Logf("least case: %+v\nfirst case: %+v", arg.Arg, arg.OrigArg)
	}
}

// without are the lists that lack a part of list: the half, then single elements.
func without[E any](list []E) [][]E {
	var out [][]E
	if len(list) > 3 {
		out = append(out, list[:len(list)/2], list[len(list)/2:])
	}
	for i := range list {
		shorter := append([]E{}, list[:i]...)
		out = append(out, append(shorter, list[i+1:]...))
	}
	return out
}

// pick draws one of the choices.
func pick[E any](r *rand.Rand, choices ...E) E { return choices[r.IntN(len(choices))] }
