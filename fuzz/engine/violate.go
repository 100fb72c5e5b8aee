//go:build fuzz

package engine

import (
	"math"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// negatives lists values that break a schema in one place by one keyword each.
// valid is a value that keeps it.
func (m *maker) negatives(s *openapi3.Schema, valid any, pointer string) []Sample {
	if tooDeep(pointer) {
		return nil
	}
	s = merged(s)
	var out []Sample
	add := func(scenario, keyword string, v any) {
		if !m.spec.accepts(s, v) {
			out = append(out, Sample{Scenario: scenario, Value: v, Pointer: pointer, Keyword: keyword})
		}
	}
	m.wrongTypes(s, add)
	if len(s.Enum) > 0 {
		m.notInEnum(s, add)
		return out
	}
	switch kindOf(s) {
	case openapi3.TypeInteger, openapi3.TypeNumber:
		negativeNumbers(s, add)
	case openapi3.TypeString:
		m.negativeTexts(s, add)
	case openapi3.TypeArray:
		list, _ := valid.([]any)
		m.negativeArrays(s, list, pointer, add)
		out = append(out, m.insideArray(s, list, pointer)...)
	case openapi3.TypeObject:
		whole, _ := valid.(map[string]any)
		m.negativeObjects(s, whole, add)
		out = append(out, m.insideObject(s, whole, pointer)...)
	}
	if s.Not != nil {
		if v := m.value(s.Not.Value, pointer); m.spec.accepts(s.Not.Value, v) {
			add(ScenarioWrongType, "not", v)
		}
	}
	return out
}

func (m *maker) wrongTypes(s *openapi3.Schema, add func(scenario, keyword string, v any)) {
	kind := kindOf(s)
	if kind == "" {
		return
	}
	wrong := map[string]any{
		openapi3.TypeString: "a", openapi3.TypeInteger: int64(1), openapi3.TypeBoolean: true,
		openapi3.TypeArray: []any{}, openapi3.TypeObject: map[string]any{},
	}
	delete(wrong, kind)
	if kind == openapi3.TypeNumber {
		delete(wrong, openapi3.TypeInteger)
	}
	if kind == openapi3.TypeInteger {
		wrong[openapi3.TypeNumber] = 1.5
	}
	for _, other := range keys(wrong) {
		add(ScenarioWrongType, "type", wrong[other])
	}
	if !s.Nullable {
		add(ScenarioWrongType, "nullable", nil)
	}
}

func (m *maker) notInEnum(s *openapi3.Schema, add func(scenario, keyword string, v any)) {
	first, ok := s.Enum[0].(string)
	if !ok {
		add(ScenarioNotInEnum, "enum", int64(math.MaxInt32))
		return
	}
	for _, text := range []string{"", strings.ToUpper(first), first + " ", " " + first, first + "\x00", first[:max(0, len(first)-1)], m.letters(8)} {
		add(ScenarioNotInEnum, "enum", text)
	}
}

func negativeNumbers(s *openapi3.Schema, add func(scenario, keyword string, v any)) {
	lo, hi := interval(s)
	if !math.IsInf(lo, 0) {
		add(ScenarioBelowMinimum, "minimum", normal(lo-1))
		if lo > 0 {
			add(ScenarioBelowMinimum, "minimum", int64(0))
		}
		add(ScenarioBelowMinimum, "minimum", int64(math.MinInt64))
	}
	if !math.IsInf(hi, 0) {
		add(ScenarioAboveMaximum, "maximum", normal(hi+1))
		add(ScenarioAboveMaximum, "maximum", int64(math.MaxInt64))
		add(ScenarioAboveMaximum, "maximum", 1e300)
	}
	if s.MultipleOf != nil {
		from := 0.0
		if !math.IsInf(lo, 0) {
			from = math.Ceil(lo / *s.MultipleOf) * *s.MultipleOf
		}
		add(ScenarioNotMultiple, "multipleOf", normal(from+*s.MultipleOf/2))
		if kindOf(s) == openapi3.TypeInteger {
			add(ScenarioNotMultiple, "multipleOf", int64(from)+1)
		}
	}
}

func (m *maker) negativeTexts(s *openapi3.Schema, add func(scenario, keyword string, v any)) {
	least, most := lengths(s)
	for _, n := range []int{most + 1, 2*most + 10} {
		if most < 0 {
			break
		}
		if v, ok := m.sized(s, n); ok {
			add(ScenarioAboveLength, "maxLength", v)
		}
		if s.Pattern == "" {
			add(ScenarioAboveLength, "maxLength", strings.Repeat("漢", n))
		}
	}
	for _, n := range []int{least - 1, 0} {
		if n < 0 || least == 0 {
			break
		}
		if v, ok := m.sized(s, n); ok {
			add(ScenarioBelowLength, "minLength", v)
		}
	}
	if s.Pattern != "" {
		good, _ := m.text(s).(string)
		for _, text := range []string{good + "\n", "\x00" + good, good + "!", " " + good, "", m.letters(max(least, 3)), "\x7f", good + good} {
			add(ScenarioWrongPattern, "pattern", text)
		}
	}
	if f, ok := m.spec.formats[s.Format]; ok {
		for _, text := range []string{"a", "", "0", "not-a-" + f.Name, m.letters(12), strings.Repeat("9", 30)} {
			if n := len([]rune(text)); !f.Valid(text) && n >= least && (most < 0 || n <= most) {
				add(ScenarioWrongFormat, "format", text)
			}
		}
		if f.Sample != nil {
			if good := f.Sample(m.r); !f.Valid(good + "x") {
				add(ScenarioWrongFormat, "format", good+"x")
			}
		}
	}
}

func (m *maker) negativeArrays(s *openapi3.Schema, valid []any, pointer string, add func(scenario, keyword string, v any)) {
	least, most := bounds(s.MinItems, s.MaxItems)
	if most >= 0 && most <= manyItems {
		add(ScenarioAboveItems, "maxItems", any(m.items(s, pointer, most+1)))
	}
	if least > 0 {
		add(ScenarioBelowItems, "minItems", any(m.items(s, pointer, least-1)))
	}
	if s.UniqueItems {
		list := slices.Clone(valid)
		if len(list) == 0 {
			list = m.items(s, pointer, 1)
		}
		if len(list) > 0 {
			add(ScenarioNotUnique, "uniqueItems", any(append(slices.Clone(list), clone(list[0]))))
		}
	}
}

func (m *maker) insideArray(s *openapi3.Schema, valid []any, pointer string) []Sample {
	if s.Items == nil {
		return nil
	}
	list := valid
	if len(list) == 0 {
		if list = m.items(s, pointer, max(1, int(s.MinItems))); len(list) == 0 {
			return nil
		}
	}
	var out []Sample
	for _, bad := range m.negatives(s.Items.Value, list[0], pointer+"/0") {
		whole := slices.Clone(list)
		whole[0] = bad.Value
		bad.Value = whole
		out = append(out, bad)
	}
	return out
}

func (m *maker) negativeObjects(s *openapi3.Schema, valid map[string]any, add func(scenario, keyword string, v any)) {
	with := func(change func(o map[string]any)) map[string]any {
		o, _ := clone(valid).(map[string]any)
		if o == nil {
			o = map[string]any{}
		}
		change(o)
		return o
	}
	for _, name := range s.Required {
		add(ScenarioMissing, "required", with(func(o map[string]any) { delete(o, name) }))
	}
	if closed(s) {
		add(ScenarioUnexpected, "additionalProperties", with(func(o map[string]any) { o["unexpected"] = "a" }))
		add(ScenarioUnexpected, "additionalProperties", with(func(o map[string]any) { o[""] = nil }))
		for _, name := range names(s.Properties) {
			// A decoder that ignores case would take the value from here.
			add(ScenarioBadlyNamed, "additionalProperties", with(func(o map[string]any) { o[strings.ToUpper(name)] = clone(o[name]) }))
		}
	}
	least, most := bounds(s.MinProps, s.MaxProps)
	if most >= 0 && !closed(s) {
		add(ScenarioAboveProps, "maxProperties", with(func(o map[string]any) {
			for i := 0; len(o) <= most; i++ {
				o["extra"+strings.Repeat("x", i)] = "a"
			}
		}))
	}
	if least > 0 {
		add(ScenarioBelowProps, "minProperties", with(func(o map[string]any) {
			for _, name := range keys(o) {
				if len(o) >= least && !slices.Contains(s.Required, name) {
					delete(o, name)
				}
			}
		}))
	}
}

func (m *maker) insideObject(s *openapi3.Schema, valid map[string]any, pointer string) []Sample {
	var out []Sample
	for _, name := range names(s.Properties) {
		prop := s.Properties[name].Value
		if prop.ReadOnly {
			continue
		}
		place := pointer + "/" + escapePointer(name)
		inner, ok := valid[name]
		if !ok {
			inner = m.deep(prop, place, 1)
		}
		for _, bad := range m.negatives(prop, inner, place) {
			whole, _ := clone(valid).(map[string]any)
			if whole == nil {
				whole = map[string]any{}
			}
			whole[name] = bad.Value
			bad.Value = whole
			out = append(out, bad)
		}
	}
	return out
}
