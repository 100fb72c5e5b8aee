//go:build fuzz

package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// maxDepth bounds how deep made values nest, which ends recursive schemas.
const maxDepth = 6

// maker makes values of schemas. It holds the one source of chance of a trial.
type maker struct {
	spec *Spec
	r    *rand.Rand
	// dictionary are texts that are drawn as they are.
	dictionary []string
	// hint returns values that are worth more than chance at a place; may be nil.
	hint func(pointer string) []any
	// ascii restricts texts to visible ASCII, as headers do.
	ascii bool
}

// value makes a value that keeps the schema, as far as that can be done; the
// oracle has the last word.
func (m *maker) value(s *openapi3.Schema, pointer string) any { return m.deep(s, pointer, 0) }

func (m *maker) deep(s *openapi3.Schema, pointer string, depth int) any {
	for range 20 {
		v := m.once(s, pointer, depth)
		if m.spec.accepts(s, v) {
			return v
		}
	}
	return m.once(s, pointer, depth)
}

func (m *maker) once(original *openapi3.Schema, pointer string, depth int) any {
	if m.hint != nil {
		if hints := m.hint(pointer); len(hints) > 0 && m.r.IntN(2) == 0 {
			return clone(hints[m.r.IntN(len(hints))])
		}
	}
	s := m.branch(merged(original))
	if s.Nullable && m.r.IntN(4) == 0 {
		return nil
	}
	if len(s.Enum) > 0 {
		return normal(s.Enum[m.r.IntN(len(s.Enum))])
	}
	if m.r.IntN(12) == 0 {
		if s.Default != nil {
			return normal(s.Default)
		}
		if s.Example != nil {
			return normal(s.Example)
		}
	}
	kind := kindOf(s)
	if kind == "" {
		kind = []string{"string", "integer", "boolean", "array", "object"}[m.r.IntN(5)]
	}
	switch kind {
	case openapi3.TypeBoolean:
		return m.r.IntN(2) == 0
	case openapi3.TypeInteger, openapi3.TypeNumber:
		return m.number(s)
	case openapi3.TypeArray:
		return m.array(s, pointer, depth)
	case openapi3.TypeObject:
		return m.object(s, pointer, depth)
	default:
		return m.text(s)
	}
}

// branch chooses one of anyOf and oneOf.
func (m *maker) branch(s *openapi3.Schema) *openapi3.Schema {
	for _, alternatives := range []openapi3.SchemaRefs{s.AnyOf, s.OneOf} {
		if len(alternatives) == 0 {
			continue
		}
		out := *s
		out.AnyOf, out.OneOf = nil, nil
		out.Properties, out.Required = cloneSchemas(s.Properties), slices.Clone(s.Required)
		fold(&out, merged(alternatives[m.r.IntN(len(alternatives))].Value))
		return m.branch(&out)
	}
	return s
}

func cloneSchemas(in openapi3.Schemas) openapi3.Schemas {
	out := openapi3.Schemas{}
	for k, v := range in {
		out[k] = v
	}
	return out
}

// number draws from the bounds in half of all cases.
func (m *maker) number(s *openapi3.Schema) any {
	lo, hi := interval(s)
	integer := kindOf(s) == openapi3.TypeInteger
	var edges []float64
	for _, v := range []float64{lo, lo + 1, hi - 1, hi, 0, 1, -1, 2, 100, math.MaxInt32, math.MaxInt32 + 1, 1<<53 - 1, -1 << 31} {
		if !math.IsInf(v, 0) && v >= lo && v <= hi {
			edges = append(edges, v)
		}
	}
	if !integer && lo < 0.5 && hi > 0.5 {
		edges = append(edges, 0.5, 1e-9)
	}
	var v float64
	switch {
	case len(edges) > 0 && m.r.IntN(2) == 0:
		v = edges[m.r.IntN(len(edges))]
	default:
		a, b := math.Max(lo, -1e6), math.Min(hi, 1e6)
		if a > b {
			a, b = math.Max(lo, -1e18), math.Min(hi, 1e18)
		}
		v = a + m.r.Float64()*(b-a)
		if m.r.IntN(2) == 0 {
			v = a + m.r.Float64()*math.Min(b-a, 20)
		}
	}
	if s.MultipleOf != nil && *s.MultipleOf > 0 {
		v = math.Round(v / *s.MultipleOf) * *s.MultipleOf
		if v < lo {
			v += *s.MultipleOf
		}
		if v > hi {
			v -= *s.MultipleOf
		}
	}
	if integer {
		return int64(math.Round(v))
	}
	return normal(v)
}

func (m *maker) array(s *openapi3.Schema, pointer string, depth int) any {
	least, most := bounds(s.MinItems, s.MaxItems)
	n := m.length(least, most, 4)
	if depth >= maxDepth {
		n = least
	}
	items := &openapi3.Schema{}
	if s.Items != nil {
		items = s.Items.Value
	}
	out := []any{}
	for tries := 0; len(out) < n && tries < 4*n+20; tries++ {
		v := m.deep(items, pointer+"/*", depth+1)
		if s.UniqueItems && slices.ContainsFunc(out, func(o any) bool { return same(o, v) }) {
			continue
		}
		out = append(out, v)
	}
	return out
}

func (m *maker) object(s *openapi3.Schema, pointer string, depth int) any {
	out := map[string]any{}
	least, most := bounds(s.MinProps, s.MaxProps)
	for _, name := range names(s.Properties) {
		prop := s.Properties[name].Value
		required := slices.Contains(s.Required, name)
		if prop.ReadOnly || !required && (depth >= maxDepth || m.r.IntN(2) == 0) {
			continue
		}
		if !required && most >= 0 && len(out) >= most {
			continue
		}
		out[name] = m.deep(prop, pointer+"/"+escapePointer(name), depth+1)
	}
	extra := 0
	if !closed(s) && m.r.IntN(4) == 0 {
		extra = 1 + m.r.IntN(2)
	}
	want := max(least, min(len(out)+extra, cmpMost(most)))
	for tries := 0; !closed(s) && len(out) < want && tries < 50; tries++ {
		further := &openapi3.Schema{}
		if s.AdditionalProperties.Schema != nil {
			further = s.AdditionalProperties.Schema.Value
		}
		if name := word(m.r); s.Properties[name] == nil {
			out[name] = m.deep(further, pointer+"/*", depth+1)
		}
	}
	return out
}

func cmpMost(most int) int {
	if most < 0 {
		return math.MaxInt
	}
	return most
}

// length draws a length, a bound in half of all cases.
func (m *maker) length(least, most, usual int) int {
	top := most
	if top < 0 {
		top = least + usual
	}
	if m.r.IntN(2) == 0 {
		edges := []int{least, min(least+1, top), max(top-1, least), top}
		return edges[m.r.IntN(len(edges))]
	}
	return least + m.r.IntN(min(top-least, 3*usual)+1)
}

// text makes a string of the schema's length, pattern and format.
func (m *maker) text(s *openapi3.Schema) any {
	least, most := lengths(s)
	if f, ok := m.spec.formats[s.Format]; ok && f.Sample != nil && s.Pattern == "" {
		return f.Sample(m.r)
	}
	if s.Pattern != "" {
		for range 20 {
			text, err := patternText(m.r, s.Pattern, m.length(least, most, 12))
			if err == nil && m.spec.accepts(s, text) {
				return text
			}
		}
	}
	if len(m.dictionary) > 0 && m.r.IntN(3) == 0 {
		text := m.dictionary[m.r.IntN(len(m.dictionary))]
		n := len([]rune(text))
		if n >= least && (most < 0 || n <= most) && (!m.ascii || isVisible(text)) {
			return text
		}
	}
	return m.letters(m.length(least, most, 12))
}

// letters draws from an alphabet: plain, printable, or what breaks programs.
func (m *maker) letters(n int) string {
	alphabet := []rune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
	if m.ascii {
		alphabet = append(alphabet, []rune(`!#$%&'*+-.^_|~"=/\;:<>?@()[]{}`)...)
	} else {
		switch m.r.IntN(4) {
		case 0:
			alphabet = []rune(" !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~")
		case 1:
			alphabet = []rune("aé€𝄞漢ßİıſ\u0301\u200b\u202e\ufeff\U0001F600�")
		case 2:
			alphabet = []rune("a'\";--\x00\n\r\t\x1b<%_*\\/.&\u2028\x7f")
		default:
		}
	}
	var b strings.Builder
	for range n {
		b.WriteRune(alphabet[m.r.IntN(len(alphabet))])
	}
	return b.String()
}

func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}

func names(schemas openapi3.Schemas) []string {
	out := make([]string, 0, len(schemas))
	for name := range schemas {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func same(a, b any) bool {
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && x == y
}
