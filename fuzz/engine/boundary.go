//go:build fuzz

package engine

import (
	"math"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// The scenarios of the coverage phase. Positive ones keep the document.
const (
	ScenarioExample      = "example value"
	ScenarioDefault      = "default value"
	ScenarioEnum         = "enum value"
	ScenarioConst        = "const value"
	ScenarioString       = "valid string"
	ScenarioNumber       = "valid number"
	ScenarioBoolean      = "valid boolean"
	ScenarioArray        = "valid array"
	ScenarioObject       = "valid object"
	ScenarioNull         = "null value"
	ScenarioMinLength    = "minimum length"
	ScenarioMaxLength    = "maximum length"
	ScenarioNearLength   = "near-boundary length"
	ScenarioMinimum      = "minimum value"
	ScenarioMaximum      = "maximum value"
	ScenarioNearValue    = "near-boundary value"
	ScenarioMinItems     = "minimum items"
	ScenarioMaxItems     = "maximum items"
	ScenarioNearItems    = "near-boundary items"
	ScenarioEnumItems    = "enum items"
	ScenarioOnlyRequired = "only required properties"
	ScenarioOptional     = "required and optional properties"
	ScenarioAdditional   = "additional property"
	ScenarioPositive     = "default positive"

	ScenarioAboveMaximum  = "value above maximum"
	ScenarioBelowMinimum  = "value below minimum"
	ScenarioAboveLength   = "string above maximum length"
	ScenarioBelowLength   = "string below minimum length"
	ScenarioAboveItems    = "array above maximum items"
	ScenarioBelowItems    = "array below minimum items"
	ScenarioAboveProps    = "object above maximum properties"
	ScenarioBelowProps    = "object below minimum properties"
	ScenarioUnexpected    = "unexpected property"
	ScenarioMissing       = "missing required property"
	ScenarioBadlyNamed    = "badly named property"
	ScenarioWrongType     = "wrong type"
	ScenarioNotInEnum     = "not in enum"
	ScenarioWrongFormat   = "wrong format"
	ScenarioWrongPattern  = "wrong pattern"
	ScenarioNotMultiple   = "not a multiple"
	ScenarioNotUnique     = "items not unique"
	ScenarioMissingParam  = "missing parameter"
	ScenarioTwice         = "duplicate parameter"
	ScenarioUnknownPath   = "path not documented"
	ScenarioUnknownMethod = "method not documented"
	ScenarioSyntax        = "body not parseable"

	// Beyond the 46 of the reference.
	ScenarioAbsent     = "text for not given"
	ScenarioMedia      = "wrong media type"
	ScenarioNoBody     = "no body"
	ScenarioEncoding   = "not UTF-8"
	ScenarioActor      = "other caller"
	ScenarioStatus     = "wanted status"
	ScenarioExtraParam = "parameter not documented"
	ScenarioRandom     = "random"
	ScenarioProbe      = "probe of a relation"
	ScenarioLink       = "link"
	ScenarioSequence   = "sequence"
	ScenarioStranger   = "text that only the document's own format forbids"
	ScenarioHuge       = "text larger than a head"
)

// Sample is a value made for a scenario.
type Sample struct {
	Scenario string
	Value    any
	// Pointer and Keyword say what is broken; Keyword is "" where nothing is.
	Pointer, Keyword string
}

// tooDeep ends the walk through a recursive schema.
func tooDeep(pointer string) bool { return strings.Count(pointer, "/") > 3 }

// positives lists the values of a schema that are worth trying one by one.
func (m *maker) positives(s *openapi3.Schema, pointer string) []Sample {
	if tooDeep(pointer) {
		return nil
	}
	s = merged(s)
	var out []Sample
	add := func(scenario string, v any) {
		if m.spec.accepts(s, v) {
			out = append(out, Sample{Scenario: scenario, Value: v})
		}
	}
	if s.Example != nil {
		add(ScenarioExample, normal(s.Example))
	}
	if s.Default != nil {
		add(ScenarioDefault, normal(s.Default))
	}
	for _, v := range s.Enum {
		if len(s.Enum) == 1 {
			add(ScenarioConst, normal(v))
		} else {
			add(ScenarioEnum, normal(v))
		}
	}
	if s.Nullable {
		add(ScenarioNull, nil)
	}
	for _, alternative := range append(slices.Clip(s.AnyOf), s.OneOf...) {
		for _, sample := range m.positives(alternative.Value, pointer) {
			add(sample.Scenario, sample.Value)
		}
	}
	if len(s.Enum) > 0 {
		return out
	}
	switch kindOf(s) {
	case openapi3.TypeBoolean:
		add(ScenarioBoolean, true)
		add(ScenarioBoolean, false)
	case openapi3.TypeInteger, openapi3.TypeNumber:
		m.positiveNumbers(s, add)
	case openapi3.TypeString:
		m.positiveTexts(s, add)
	case openapi3.TypeArray:
		m.positiveArrays(s, pointer, add)
	case openapi3.TypeObject:
		m.positiveObjects(s, pointer, add)
	}
	return out
}

func (m *maker) positiveNumbers(s *openapi3.Schema, add func(string, any)) {
	lo, hi := interval(s)
	add(ScenarioNumber, m.number(s))
	step := 1.0
	if s.MultipleOf != nil {
		step = *s.MultipleOf
	}
	if !math.IsInf(lo, 0) {
		add(ScenarioMinimum, normal(lo))
		add(ScenarioNearValue, normal(lo+step))
	}
	if !math.IsInf(hi, 0) {
		add(ScenarioMaximum, normal(hi))
		add(ScenarioNearValue, normal(hi-step))
	}
}

func (m *maker) positiveTexts(s *openapi3.Schema, add func(string, any)) {
	add(ScenarioString, m.text(s))
	least, most := lengths(s)
	sized := func(scenario string, n int) {
		if n >= least && (most < 0 || n <= most) && n >= 0 {
			if v, ok := m.sized(s, n); ok {
				add(scenario, v)
			}
		}
	}
	sized(ScenarioMinLength, least)
	sized(ScenarioNearLength, least+1)
	if most >= 0 {
		sized(ScenarioNearLength, most-1)
		sized(ScenarioMaxLength, most)
	}
}

// sized makes a text of exactly n characters that keeps all but the length.
func (m *maker) sized(s *openapi3.Schema, n int) (string, bool) {
	if s.Pattern == "" && s.Format != "" && m.spec.formats[s.Format].Sample != nil {
		return "", false
	}
	if s.Pattern == "" {
		return strings.Repeat("a", n), true
	}
	free := *s
	free.MinLength, free.MaxLength = 0, nil
	for range 60 {
		text, err := patternText(m.r, s.Pattern, n)
		if err != nil {
			return "", false
		}
		if len([]rune(text)) == n && m.spec.accepts(&free, text) {
			return text, true
		}
	}
	return "", false
}

func (m *maker) items(s *openapi3.Schema, pointer string, n int) []any {
	exact := *s
	exact.MinItems = uint64(n)
	most := exact.MinItems
	exact.MaxItems = &most
	list, _ := m.array(&exact, pointer, 0).([]any)
	return list
}

// manyItems bounds the arrays that scenarios make.
const manyItems = 2000

func (m *maker) positiveArrays(s *openapi3.Schema, pointer string, add func(string, any)) {
	least, most := bounds(s.MinItems, s.MaxItems)
	add(ScenarioArray, m.array(s, pointer, 0))
	add(ScenarioMinItems, any(m.items(s, pointer, least)))
	if most < 0 || least+1 <= most {
		add(ScenarioNearItems, any(m.items(s, pointer, least+1)))
	}
	if most >= 0 && most <= manyItems {
		add(ScenarioMaxItems, any(m.items(s, pointer, most)))
		add(ScenarioNearItems, any(m.items(s, pointer, max(most-1, least))))
	}
	if s.Items == nil {
		return
	}
	for _, sample := range m.positives(s.Items.Value, pointer+"/*") {
		scenario := sample.Scenario
		if scenario == ScenarioEnum {
			scenario = ScenarioEnumItems
		}
		list := m.items(s, pointer, max(least, 1))
		if len(list) > 0 {
			list[0] = sample.Value
			add(scenario, any(list))
		}
	}
}

func (m *maker) positiveObjects(s *openapi3.Schema, pointer string, add func(string, any)) {
	full := m.full(s, pointer)
	add(ScenarioObject, m.object(s, pointer, 0))
	add(ScenarioOptional, clone(full))
	required := map[string]any{}
	for _, name := range s.Required {
		required[name] = clone(full[name])
	}
	add(ScenarioOnlyRequired, required)
	for _, name := range names(s.Properties) {
		if slices.Contains(s.Required, name) {
			continue
		}
		one, _ := clone(required).(map[string]any)
		one[name] = clone(full[name])
		add(ScenarioOptional, one)
	}
	if !closed(s) {
		more, _ := clone(full).(map[string]any)
		more["additional"] = "a"
		add(ScenarioAdditional, more)
	}
	for _, name := range names(s.Properties) {
		prop := s.Properties[name].Value
		if prop.ReadOnly {
			continue
		}
		for _, sample := range m.positives(prop, pointer+"/"+escapePointer(name)) {
			whole, _ := clone(full).(map[string]any)
			whole[name] = sample.Value
			add(sample.Scenario, whole)
		}
	}
}

// full makes an object with all its properties.
func (m *maker) full(s *openapi3.Schema, pointer string) map[string]any {
	out := map[string]any{}
	for _, name := range names(s.Properties) {
		if prop := s.Properties[name].Value; !prop.ReadOnly {
			out[name] = m.deep(prop, pointer+"/"+escapePointer(name), 1)
		}
	}
	for _, name := range s.Required {
		if _, ok := out[name]; !ok && s.Properties[name] == nil {
			out[name] = "a"
		}
	}
	return out
}
