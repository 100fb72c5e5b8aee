package contract_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/contract"
)

// Package contract checks bodies by itself. Here kin-openapi is the second
// opinion: on thousands of bent examples both must come to the same verdict,
// and the status must be 400 exactly when the form is wrong.
func TestBody_AgreesWithKinOpenAPI(t *testing.T) {
	t.Parallel()
	c := load(t)
	small, err := contract.Load(document(
		"schema:\n              type: object", "example: {size: 1, tags: [a], inner: {at: \"2026-04-17T19:30:11Z\"}}\n            schema:\n              type: object"))
	require.NoError(t, err)
	for _, c := range []*contract.Contract{c, small} {
		for _, op := range c.Operations() {
			if !op.HasBody || op.Raw {
				continue
			}
			t.Run(op.ID, func(t *testing.T) {
				t.Parallel()
				_, spec := raw(c, op)
				bent := bender{rand: rand.New(rand.NewPCG(1, 2))}
				media := spec.RequestBody.Value.Content["application/json"]
				verdicts := map[bool]int{}
				for range 1500 {
					value := bent.bend(clone(t, media.Example), media.Schema.Value)
					verdicts[agrees(t, op, media.Schema.Value, value)]++
				}
				assert.Greater(t, verdicts[true], 25, "valid bodies")
				assert.Greater(t, verdicts[false], 250, "invalid bodies")
			})
		}
	}
}

func agrees(t *testing.T, op *contract.Operation, schema *openapi3.Schema, value any) (valid bool) {
	t.Helper()
	body, err := json.Marshal(value)
	require.NoError(t, err)
	want := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest())
	var into any
	got := op.Body("application/json", body, &into)
	if want == nil {
		require.NoError(t, got, "%s", body)
		return true
	}
	var v *contract.Violations
	require.ErrorAs(t, got, &v, "kin-openapi refuses %s", body)
	form := slices.ContainsFunc(v.List, func(one contract.Violation) bool {
		return slices.Contains([]string{"type", "required", "additionalProperties", "minLength"}, one.Keyword)
	})
	assert.Equal(t, form, v.Status == http.StatusBadRequest, "%s: %v", body, v)
	return false
}

func clone(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	var out any
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

// bender changes one or two places of a body.
type bender struct {
	rand *rand.Rand
}

func (b *bender) bend(v any, s *openapi3.Schema) any {
	object, ok := v.(map[string]any)
	if !ok || b.rand.IntN(20) == 0 {
		return b.anything(s)
	}
	names := slices.Sorted(maps.Keys(s.Properties))
	for range 1 + b.rand.IntN(2) {
		name := names[b.rand.IntN(len(names))]
		switch b.rand.IntN(6) {
		case 0:
			delete(object, name)
		case 1:
			object[strings.ToUpper(name)+"_"] = 1.0
		default:
			object[name] = b.anything(s.Properties[name].Value)
		}
	}
	return object
}

// anything is a value at, near or far from what the schema allows.
func (b *bender) anything(s *openapi3.Schema) any {
	texts := []any{"", "a", "é", "7d", "1234567", "12345678", "2026-04-17T19:30:11Z", strings.Repeat("ü", 64), strings.Repeat("x", 65), strings.Repeat("😀", 72), strings.Repeat("y", 73), "a\x1bb", "\x00"}
	texts = append(texts, s.Enum...)
	others := []any{
		nil, true, false, 0.0, 1.0, -1.0, 0.5, 499.0, 500.0, 501.0, 1000.0, 1001.0, 1e15, 1e300, -1e300, []any{}, []any{"a"}, []any{"a", ""},
		[]any{"a", "b", "c"}, []any{1.0}, map[string]any{}, map[string]any{"at": "2026-04-17T19:30:11Z"}, map[string]any{"at": "never"}, map[string]any{"x": []any{nil}},
	}
	if s.Type.Is("string") && b.rand.IntN(3) > 0 {
		return texts[b.rand.IntN(len(texts))]
	}
	all := slices.Concat(texts, others)
	return all[b.rand.IntN(len(all))]
}
