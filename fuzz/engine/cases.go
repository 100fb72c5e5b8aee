//go:build fuzz

package engine

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// author makes the cases of one operation.
type author struct {
	spec *Spec
	op   *Operation
	plan Plan
	dict []string
	r    *rand.Rand
}

func (c *Config) author(op *Operation, phase string, index int) *author {
	return &author{spec: c.Spec, op: op, plan: c.plan(op), dict: c.Dictionary, r: chance(c.Seed, op.ID, phase, index)}
}

func (a *author) maker(in, name string) *maker {
	m := &maker{spec: a.spec, r: a.r, dictionary: a.dict, ascii: in == openapi3.ParameterInHeader || in == openapi3.ParameterInCookie}
	if a.plan.Hint != nil {
		m.hint = func(pointer string) []any { return a.plan.Hint(in, name, pointer) }
	}
	return m
}

// trial wraps a case of this operation.
func (a *author) trial(c *Case) *Trial {
	return &Trial{World: a.plan.Worlds[0], Steps: []*Case{c}}
}

// positive makes a case that keeps the document. full gives all parameters.
func (a *author) positive(full bool) *Case {
	c := &Case{Operation: a.op.ID, Actor: a.plan.Actor, Scenario: ScenarioPositive}
	for _, p := range a.op.Params {
		if !p.Required && !full && a.r.IntN(2) == 0 {
			continue
		}
		c.Args = append(c.Args, Arg{p.In, p.Name, a.argument(p)})
	}
	if len(a.op.Bodies) > 0 && (a.op.BodyRequired || full || a.r.IntN(4) > 0) {
		media := a.op.media()[0]
		c.Body = &Body{Media: media, Value: a.maker("body", "").value(a.op.Bodies[media], "")}
	}
	return c
}

// argument makes a value of a parameter that its place can carry.
func (a *author) argument(p *Param) any {
	for range 20 {
		v := a.maker(p.In, p.Name).value(p.Values, "")
		if fits(p, v) {
			return v
		}
	}
	return "a"
}

// fits reports whether a value means itself in the place of a parameter.
func fits(p *Param, v any) bool {
	t, isText := v.(string)
	switch {
	case v == nil:
		return false
	case !isText:
		return true
	case p.In == openapi3.ParameterInPath:
		return t != "" && t != "." && t != ".."
	case p.In == openapi3.ParameterInHeader || p.In == openapi3.ParameterInCookie:
		return t != "" && isVisible(t)
	default:
		return true
	}
}

// random makes the case of one index: every second one is broken in one place.
func (c *Config) random(op *Operation, index int) *Trial {
	a := c.author(op, PhaseRandom, index)
	one := a.positive(false)
	if index%2 == 1 {
		if bad := a.negatives(one); len(bad) > 0 {
			// A keyword first, so that one with many values does not crowd out others.
			byKeyword := map[string][]*Case{}
			var order []string
			for _, b := range bad {
				key := b.Mutation.Keyword
				if byKeyword[key] == nil {
					order = append(order, key)
				}
				byKeyword[key] = append(byKeyword[key], b)
			}
			list := byKeyword[order[a.r.IntN(len(order))]]
			one = list[a.r.IntN(len(list))]
		}
	}
	one.Phase = PhaseRandom
	if one.Scenario == ScenarioPositive {
		one.Scenario = ScenarioRandom
	}
	t := a.trial(one)
	t.Seed, t.Index = c.Seed, index
	if len(a.plan.Worlds) > 1 && a.r.IntN(5) == 0 {
		t.World = a.plan.Worlds[a.r.IntN(len(a.plan.Worlds))]
	}
	if len(a.plan.Others) > 0 && a.r.IntN(8) == 0 {
		one.Actor = a.plan.Others[a.r.IntN(len(a.plan.Others))]
	}
	if one.Mutation == nil && one.Actor == a.plan.Actor {
		var fitting []Relation
		for _, rel := range c.Relations {
			if rel.Applies(op, one) {
				fitting = append(fitting, rel)
			}
		}
		if n := a.r.IntN(len(fitting) + 1); n < len(fitting) {
			t.Relation = fitting[n].Name
		}
	}
	return t
}

// negatives lists the cases that differ from a valid one in one place.
func (a *author) negatives(base *Case) []*Case {
	var out []*Case
	for _, p := range a.op.Params {
		out = append(out, a.badArgument(base, p)...)
	}
	if len(a.op.Bodies) > 0 {
		out = append(out, a.badBodies(base)...)
		out = append(out, a.badSyntax(base)...)
	}
	return out
}

// mutant copies a case and notes what is wrong with the copy.
func mutant(base *Case, scenario string, m Mutation) *Case {
	c := base.Clone()
	c.Scenario, c.Mutation = scenario, &m
	return c
}

func (a *author) badArgument(base *Case, p *Param) []*Case {
	var out []*Case
	for _, bad := range a.maker(p.In, p.Name).negatives(p.Values, nil, "") {
		if !fits(p, bad.Value) {
			continue
		}
		c := mutant(base, bad.Scenario, Mutation{In: p.In, Name: p.Name, Pointer: bad.Pointer, Keyword: bad.Keyword})
		c.Set(p.In, p.Name, bad.Value)
		out = append(out, c)
	}
	if p.Required && p.In != openapi3.ParameterInPath {
		c := mutant(base, ScenarioMissingParam, Mutation{In: p.In, Name: p.Name, Keyword: "required"})
		c.Unset(p.In, p.Name)
		out = append(out, c)
	}
	kind := kindOf(merged(p.Values))
	scalar := kind != openapi3.TypeArray && kind != openapi3.TypeObject && !p.JSON
	if p.In == openapi3.ParameterInQuery && scalar {
		c := mutant(base, ScenarioTwice, Mutation{In: p.In, Name: p.Name, Keyword: "duplicate"})
		value := a.argument(p)
		c.Set(p.In, p.Name, value)
		c.Args = append(c.Args, Arg{p.In, p.Name, clone(value)})
		out = append(out, c)
		broken := mutant(base, ScenarioEncoding, Mutation{In: p.In, Name: p.Name, Keyword: "encoding"})
		broken.Unset(p.In, p.Name)
		broken.Args = append(broken.Args, Arg{rawQuery, "", p.Name + "=%zz"})
		out = append(out, broken)
	}
	if scalar && (p.In == openapi3.ParameterInQuery || p.In == openapi3.ParameterInPath) {
		c := mutant(base, ScenarioEncoding, Mutation{In: p.In, Name: p.Name, Keyword: "encoding"})
		c.Set(p.In, p.Name, "a\xff")
		out = append(out, c)
		if kind == openapi3.TypeInteger {
			for _, loose := range []string{"+1", "01", " 1", "1.0", "1e1", "0x1", "1_0", "１", "1\x00"} {
				c := mutant(base, ScenarioWrongType, Mutation{In: p.In, Name: p.Name, Keyword: "type"})
				c.Set(p.In, p.Name, loose)
				out = append(out, c)
			}
		}
	}
	return out
}

func (a *author) badBodies(base *Case) []*Case {
	media := a.op.media()[0]
	var valid any
	if base.Body != nil {
		valid = base.Body.Value
	}
	var out []*Case
	for _, bad := range a.maker("body", "").negatives(a.op.Bodies[media], valid, "") {
		c := mutant(base, bad.Scenario, Mutation{In: "body", Pointer: bad.Pointer, Keyword: bad.Keyword})
		c.Body = &Body{Media: media, Value: bad.Value}
		out = append(out, c)
	}
	if a.op.BodyRequired {
		c := mutant(base, ScenarioNoBody, Mutation{In: "body", Keyword: "required"})
		c.Body = nil
		out = append(out, c)
	}
	for _, wrong := range []string{"text/plain", "", "application/xml", "application/json; charset=iso-8859-1", "application/jsonx", "text/json", "json"} {
		c := mutant(base, ScenarioMedia, Mutation{In: "body", Keyword: "contentType"})
		// What is sent is still JSON, so that only the declaration is wrong.
		if raw, err := bodyBytes(base.Body, func(Ref) (any, bool) { return "a", true }); err == nil {
			sent := string(raw)
			c.Body = &Body{Media: wrong, Raw: &sent}
			out = append(out, c)
		}
	}
	return out
}

// badSyntax are bodies that are no JSON, or JSON that readers disagree on.
func (a *author) badSyntax(base *Case) []*Case {
	media := a.op.media()[0]
	if !isJSON(media) || base.Body == nil {
		return nil
	}
	raw, err := bodyBytes(base.Body, func(Ref) (any, bool) { return "a", true })
	if err != nil {
		return nil
	}
	good := string(raw)
	first, rest := "", ""
	if object, ok := base.Body.Value.(map[string]any); ok && len(object) > 0 {
		first = keys(object)[0]
		rest = strings.TrimPrefix(good, "{")
	}
	broken := []struct{ keyword, text string }{
		{"json", ""}, {"json", "{"}, {"json", good + good}, {"json", good + "x"}, {"json", good[:len(good)-1]},
		{"json", "\ufeff" + good}, {"json", good + "\x00"}, {"json", "{'a':1}"}, {"json", "// a\n" + good},
		{"json", "{\"a\":01}"}, {"json", "{\"a\":NaN}"}, {"json", "[" + good}, {"json", strings.Repeat("[", 20000)},
		{"encoding", strings.Replace(good, "\"", "\"\xff", 1)}, {"encoding", strings.Replace(good, ":\"", ":\"\\ud800", 1)},
		{"json", "{\"a\":\"" + strings.Repeat("a", 70000)},
	}
	if first != "" {
		broken = append(broken, struct{ keyword, text string }{"duplicate", "{\"" + first + "\":\"x\"," + rest})
	}
	out := make([]*Case, 0, len(broken))
	for _, b := range broken {
		scenario := ScenarioSyntax
		if b.keyword == "encoding" {
			scenario = ScenarioEncoding
		}
		c := mutant(base, scenario, Mutation{In: "body", Keyword: b.keyword})
		c.Body = &Body{Media: media, Raw: &b.text}
		out = append(out, c)
	}
	return out
}

// outside lists requests that leave the document: other methods, other paths.
func (a *author) outside(base *Case) []*Case {
	var out []*Case
	declared := a.op.Declared()
	for _, method := range tried() {
		if slices.Contains(declared, method) {
			continue
		}
		c := base.Clone()
		c.Method, c.Scenario, c.Body = method, ScenarioUnknownMethod, nil
		out = append(out, c)
	}
	path := a.op.fillPath(base.Args)
	for _, unknown := range []string{
		path + "/", path + "/unknown", "/" + path, path + ".json", path + "%00", path + ";a=b", strings.ToUpper(path), path + "/../unknown", path + "%2F",
	} {
		c := base.Clone()
		c.Path, c.Scenario, c.Body = unknown, ScenarioUnknownPath, nil
		c.Args = slices.DeleteFunc(c.Args, func(a Arg) bool { return a.In == openapi3.ParameterInPath })
		if ops, _ := a.spec.Match(unknown); ops == nil {
			out = append(out, c)
		}
	}
	if a.op.Method == http.MethodGet {
		c := base.Clone()
		c.Method, c.Scenario = http.MethodHead, ScenarioUnknownMethod
		out = append(out, c)
	}
	return out
}
