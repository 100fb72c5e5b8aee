//go:build fuzz

package engine

import (
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// examples are the trials made from the document's own examples, and those that
// the plan adds.
func (c *Config) examples(op *Operation) []*Trial {
	a := c.author(op, PhaseExamples, 0)
	var out []*Trial
	add := func(one *Case) {
		one.Phase, one.Scenario = PhaseExamples, ScenarioExample
		out = append(out, a.trial(one))
	}
	n := 1
	for _, p := range op.Params {
		n = max(n, len(exampleValues(p.Parameter)))
	}
	bodies := a.exampleBodies()
	n = max(n, len(bodies))
	// Examples are zipped: the i-th of each place make one case.
	for i := range n {
		one := a.positive(true)
		for _, p := range op.Params {
			if values := exampleValues(p.Parameter); len(values) > 0 {
				one.Set(p.In, p.Name, values[i%len(values)])
			}
		}
		if len(bodies) > 0 {
			one.Body = bodies[i%len(bodies)]
		}
		add(one)
	}
	for i := range a.plan.Extra {
		t := a.plan.Extra[i].Clone()
		for _, step := range t.Steps {
			step.Phase = PhaseExamples
			if step.Scenario == "" {
				step.Scenario = ScenarioStatus
			}
		}
		out = append(out, t)
	}
	return out
}

func exampleValues(p *openapi3.Parameter) []any {
	var out []any
	if p.Example != nil {
		out = append(out, normal(p.Example))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Examples)) {
		out = append(out, normal(p.Examples[name].Value.Value))
	}
	if len(out) == 0 && p.Schema != nil && p.Schema.Value.Example != nil {
		out = append(out, normal(p.Schema.Value.Example))
	}
	return out
}

func (a *author) exampleBodies() []*Body {
	if a.op.Raw.RequestBody == nil {
		return nil
	}
	var out []*Body
	for _, media := range a.op.media() {
		content := a.op.Raw.RequestBody.Value.Content[media]
		if content.Example != nil {
			out = append(out, &Body{Media: media, Value: normal(content.Example)})
		}
		for _, name := range slices.Sorted(maps.Keys(content.Examples)) {
			out = append(out, &Body{Media: media, Value: normal(content.Examples[name].Value.Value)})
		}
		if len(out) == 0 && content.Schema.Value.Example != nil {
			out = append(out, &Body{Media: media, Value: normal(content.Schema.Value.Example)})
		}
	}
	return out
}

// coverage enumerates the scenarios of an operation; the same seed gives the
// same list.
func (c *Config) coverage(op *Operation) []*Trial {
	a := c.author(op, PhaseCoverage, 0)
	base := a.base()
	cases := []*Case{base}
	cases = append(cases, a.goodArguments(base)...)
	cases = append(cases, a.goodBodies(base)...)
	cases = append(cases, a.negatives(base)...)
	cases = append(cases, a.outside(base)...)
	cases = append(cases, a.untold(base)...)
	var out []*Trial
	for _, one := range cases {
		one.Phase = PhaseCoverage
		out = append(out, a.trial(one))
	}
	for _, actor := range append(slices.Clone(a.plan.Others), Anonymous) {
		one := base.Clone()
		one.Actor, one.Scenario, one.Phase = actor, ScenarioActor, PhaseCoverage
		out = append(out, a.trial(one))
	}
	for _, actor := range c.Forged {
		one := base.Clone()
		one.Actor, one.Scenario, one.Phase = actor, ScenarioActor, PhaseCoverage
		out = append(out, a.trial(one))
	}
	for _, kind := range a.plan.Worlds[1:] {
		t := a.trial(base.Clone())
		t.World = kind
		out = append(out, t)
	}
	for _, rel := range c.Relations {
		for _, from := range []*Case{base, a.bare(base)} {
			if rel.Applies(op, from) {
				t := a.trial(from.Clone())
				t.Relation = rel.Name
				out = append(out, t)
			}
		}
	}
	for i := range out {
		out[i].Seed, out[i].Index = c.Seed, i
	}
	return out
}

// base is the valid case that all scenarios start from: hints where there are
// any, required parameters only.
func (a *author) base() *Case {
	one := a.positive(true)
	for _, p := range a.op.Params {
		if !p.Required {
			one.Unset(p.In, p.Name)
			continue
		}
		if a.plan.Hint != nil {
			if hints := a.plan.Hint(p.In, p.Name, ""); len(hints) > 0 {
				one.Set(p.In, p.Name, hints[0])
			}
		}
	}
	if one.Body != nil && a.plan.Hint != nil {
		if object, ok := one.Body.Value.(map[string]any); ok {
			for _, name := range keys(object) {
				if hints := a.plan.Hint("body", "", "/"+escapePointer(name)); len(hints) > 0 {
					object[name] = clone(hints[0])
				}
			}
		}
	}
	one.Phase = PhaseCoverage
	return one
}

// bare is a case without any optional parameter.
func (a *author) bare(base *Case) *Case {
	one := base.Clone()
	for _, p := range a.op.Params {
		if !p.Required {
			one.Unset(p.In, p.Name)
		}
	}
	return one
}

func (a *author) goodArguments(base *Case) []*Case {
	var out []*Case
	with := func(scenario, in, name string, value any) {
		one := base.Clone()
		one.Scenario = scenario
		one.Set(in, name, value)
		out = append(out, one)
	}
	for _, p := range a.op.Params {
		for _, sample := range a.maker(p.In, p.Name).positives(p.Values, "") {
			if fits(p, sample.Value) {
				with(sample.Scenario, p.In, p.Name, sample.Value)
			}
		}
		for _, value := range exampleValues(p.Parameter) {
			with(ScenarioExample, p.In, p.Name, value)
		}
		for _, text := range p.Absent {
			with(ScenarioAbsent, p.In, p.Name, text)
		}
		if a.plan.Hint != nil {
			for _, value := range a.plan.Hint(p.In, p.Name, "") {
				with(ScenarioExample, p.In, p.Name, value)
			}
		}
		if kindOf(merged(p.Values)) == openapi3.TypeString && p.In == openapi3.ParameterInQuery {
			for _, text := range a.dict {
				with(ScenarioString, p.In, p.Name, text)
			}
		}
	}
	with(ScenarioExtraParam, openapi3.ParameterInQuery, "not_documented", "1")
	return out
}

func (a *author) goodBodies(base *Case) []*Case {
	if base.Body == nil {
		return nil
	}
	var out []*Case
	media := a.op.media()[0]
	for _, sample := range a.maker("body", "").positives(a.op.Bodies[media], "") {
		one := base.Clone()
		one.Scenario = sample.Scenario
		one.Body = &Body{Media: media, Value: sample.Value}
		out = append(out, one)
	}
	if isJSON(media) {
		raw, err := bodyBytes(base.Body, func(Ref) (any, bool) { return "a", true })
		spaced := " \n\t" + string(raw) + "\r\n "
		if err == nil && !hasRef(base.Body.Value) {
			one := base.Clone()
			one.Body = &Body{Media: media + "; charset=UTF-8", Raw: &spaced}
			out = append(out, one)
		}
	}
	return out
}

func hasRef(v any) bool {
	switch v := v.(type) {
	case Ref:
		return true
	case []any:
		return slices.ContainsFunc(v, hasRef)
	case map[string]any:
		for _, child := range v {
			if hasRef(child) {
				return true
			}
		}
	}
	return false
}
