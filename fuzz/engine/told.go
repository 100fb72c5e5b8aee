//go:build fuzz

package engine

import (
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// What a document doesn't tell to a stranger: a reader that has the document
// alone, without our formats and without leave for a server's limits. A caller
// who knows both would never stumble over it.

const (
	// draws is how many texts of a format are looked at; the majority decides.
	draws = 32
	// hugeText is longer than the heads that servers take by custom, which end at 8
	// to 32 KiB, in bytes.
	hugeText = 48 << 10
)

// registered reports whether a format of strings is one that every tool may be
// expected to know: those of OpenAPI and JSON Schema.
func registered(format string) bool {
	return format == "" || slices.Contains([]string{
		"date-time", "date", "time", "duration", "uuid", "byte", "binary", "password", "ipv4", "ipv6", "email", "idn-email",
		"hostname", "idn-hostname", "uri", "uri-reference", "uri-template", "iri", "iri-reference", "json-pointer",
		"relative-json-pointer", "regex",
	}, format)
}

// strangers lists what a stranger typically draws where the document names a
// format of its own: a text that breaks the format when at least half of the
// texts do that keep all the rest. absent are texts that mean "not given".
func (m *maker) strangers(s *openapi3.Schema, valid any, pointer string, absent []string) []Sample {
	if tooDeep(pointer) {
		return nil
	}
	s = merged(s)
	var out []Sample
	switch kindOf(s) {
	case openapi3.TypeString:
		if v, ok := m.stranger(s, absent); ok {
			out = append(out, Sample{Scenario: ScenarioStranger, Value: v, Pointer: pointer})
		}
	case openapi3.TypeArray:
		if list, _ := valid.([]any); s.Items != nil && len(list) > 0 {
			for _, sample := range m.strangers(s.Items.Value, list[0], pointer+"/0", nil) {
				whole := slices.Clone(list)
				whole[0], sample.Value = sample.Value, whole
				out = append(out, sample)
			}
		}
	case openapi3.TypeObject:
		for _, name := range names(s.Properties) {
			whole, _ := valid.(map[string]any)
			for _, sample := range m.strangers(s.Properties[name].Value, whole[name], pointer+"/"+escapePointer(name), nil) {
				changed, _ := clone(whole).(map[string]any)
				if changed == nil {
					changed = map[string]any{}
				}
				changed[name] = sample.Value
				sample.Value = changed
				out = append(out, sample)
			}
		}
	}
	return out
}

// stranger draws the typical text of one schema; ok is false where its format is
// none of the document's own.
func (m *maker) stranger(s *openapi3.Schema, absent []string) (typical string, ok bool) {
	if registered(s.Format) || len(s.Enum) > 0 || s.ReadOnly {
		return "", false
	}
	bare := *s
	bare.Format = ""
	var keep, breaks []string
	for range draws {
		text, isText := m.text(&bare).(string)
		switch {
		case !isText || !m.spec.accepts(&bare, text) || slices.Contains(absent, text):
		case m.spec.accepts(s, text):
			keep = append(keep, text)
		default:
			breaks = append(breaks, text)
		}
	}
	switch {
	case len(keep) > len(breaks):
		return keep[0], true
	case len(breaks) > 0:
		return breaks[0], true
	}
	return "", false
}

// untold lists the requests of a stranger, and those whose text is larger than
// the head of a request may be.
func (a *author) untold(base *Case) []*Case {
	var out []*Case
	with := func(scenario string, change func(c *Case)) {
		one := base.Clone()
		one.Scenario = scenario
		change(one)
		out = append(out, one)
	}
	for _, p := range a.op.Params {
		m := a.maker(p.In, p.Name)
		for _, sample := range m.strangers(p.Values, nil, "", p.Absent) {
			if fits(p, sample.Value) {
				with(sample.Scenario, func(c *Case) { c.Set(p.In, p.Name, sample.Value) })
			}
		}
		if s := merged(p.Values); p.In == openapi3.ParameterInQuery && kindOf(s) == openapi3.TypeString && len(s.Enum) == 0 {
			with(ScenarioHuge, func(c *Case) { c.Set(p.In, p.Name, strings.Repeat("a", hugeText)) })
		}
	}
	if base.Body == nil || base.Body.Raw != nil {
		return out
	}
	media := a.op.media()[0]
	for _, sample := range a.maker("body", "").strangers(a.op.Bodies[media], base.Body.Value, "", nil) {
		with(sample.Scenario, func(c *Case) { c.Body = &Body{Media: media, Value: sample.Value} })
	}
	return out
}

// formatIsTold wants that a stranger's typical text is not refused for a format
// of the document's own alone: a pattern or a bound must say what the name of
// the format says to nobody else. Rare exceptions, such as days that a month does
// not have, may be left to the format.
func formatIsTold(in *Input) []string {
	if in.Case.Scenario != ScenarioStranger || in.Verdict.Kind != Negative || in.Exchange.Broken != "" ||
		!oneOf(in.Exchange.Status, http.StatusBadRequest, http.StatusUnprocessableEntity) {
		return nil
	}
	for _, m := range in.Verdict.Broken {
		s := in.Verdict.Operation.schemaAt(m)
		if m.Keyword != "format" || s == nil || registered(s.Format) {
			return nil // refused for what the document does tell
		}
	}
	return []string{"nothing but its name tells the format of " + place(in.Verdict.Broken[0])}
}

// schemaAt finds the schema of a place; nil where there is none.
func (op *Operation) schemaAt(m Mutation) *openapi3.Schema {
	var s *openapi3.Schema
	if p := op.Param(m.In, m.Name); p != nil {
		s = p.Values
	} else if m.In == "body" && len(op.Bodies) > 0 {
		s = op.Bodies[op.media()[0]]
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(m.Pointer, "/"), "/") {
		if s == nil || part == "" {
			break
		}
		s = merged(s)
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch {
		case s.Properties[part] != nil:
			s = s.Properties[part].Value
		case s.Items != nil:
			s = s.Items.Value
		default:
			return nil
		}
	}
	if s == nil {
		return nil
	}
	return merged(s)
}
