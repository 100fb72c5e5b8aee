//go:build fuzz

package engine

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// defaultShrink bounds the trials that shrink one failure.
const defaultShrink = 400

// finish shrinks a failure and describes it.
func (c *Config) finish(ctx context.Context, f *Failure) error {
	budget := c.Shrink
	if budget <= 0 {
		budget = defaultShrink
	}
	best, tries, err := c.Minimise(ctx, f.Trial, budget, func(o *Outcome) bool { return shows(o, f.key()) })
	if err != nil {
		return err
	}
	f.Trial, f.Shrinks = best, tries
	f.Size = size(best)
	return c.describe(ctx, f)
}

// Minimise looks for the smallest trial that still has the property, each
// candidate in a world of its own, and returns it with the number of trials.
func (c *Config) Minimise(ctx context.Context, t *Trial, budget int, fails func(*Outcome) bool) (*Trial, int, error) {
	best, tries := t.Clone(), 0
	for progress := true; progress; {
		progress = false
		for _, candidate := range c.candidates(best) {
			if tries >= budget {
				return best, tries, nil
			}
			if cost(candidate) >= cost(best) {
				continue
			}
			tries++
			out, err := c.Play(ctx, candidate)
			if err != nil {
				return best, tries, err
			}
			if !out.Skipped && fails(out) {
				best, progress = candidate, true
				break
			}
		}
	}
	return best, tries, nil
}

// size is the number of bytes of the steps as JSON, without what they are for.
func size(t *Trial) int {
	n := 0
	for _, step := range t.Steps {
		c := *step
		c.Phase, c.Scenario, c.Mutation = "", "", nil
		if raw, err := marshal(&c); err == nil {
			n += len(raw)
		}
	}
	return n
}

// cost orders trials: fewer steps, arguments and characters are better, and of
// equal length plain letters and numbers near zero.
func cost(t *Trial) int {
	n := 0
	for _, step := range t.Steps {
		n += 100_000 + 1000*(len(step.Do)+len(step.Operation)+len(step.Method)+2*len(step.Path))
		for _, a := range step.Args {
			n += 10_000 + valueCost(a.Value)
		}
		switch {
		case step.Body == nil:
		case step.Body.Raw != nil:
			n += 10_000 + valueCost(*step.Body.Raw)
		default:
			n += 10_000 + valueCost(step.Body.Value)
		}
	}
	if t.Relation != "" {
		n += 50_000
	}
	return n
}

func valueCost(v any) int {
	switch v := v.(type) {
	case int64:
		digits := len(strconv.FormatInt(v, 10))
		return 4000*digits + int(1000*math.Abs(float64(v))/math.Pow10(digits))
	case float64:
		return 5000 * len(strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		n := 2000
		for _, c := range split(v) {
			switch {
			case c == "a":
				n += 2000
			case len(c) == 1 && (c[0] >= '0' && c[0] <= '9' || c[0] >= 'A' && c[0] <= 'z'):
				n += 3000
			default:
				n += 3000 + 500*len(c)
			}
		}
		return n
	case []any:
		n := 2000
		for _, child := range v {
			n += 1000 + valueCost(child)
		}
		return n
	case map[string]any:
		n := 2000
		for name, child := range v {
			n += 1000 + valueCost(name) + valueCost(child)
		}
		return n
	case bool:
		if v {
			return 5000
		}
	}
	return 4000
}

// candidates are smaller trials, the boldest first.
func (c *Config) candidates(t *Trial) []*Trial {
	var out []*Trial
	for i := range len(t.Steps) - 1 {
		smaller := t.Clone()
		smaller.Steps = slices.Delete(smaller.Steps, i, i+1)
		if renumber(smaller.Steps, i) {
			out = append(out, smaller)
		}
	}
	if t.Relation != "" {
		bare := t.Clone()
		bare.Relation = ""
		out = append(out, bare)
	}
	for i := len(t.Steps) - 1; i >= 0; i-- {
		for _, one := range c.Spec.Smaller(t.Steps[i]) {
			smaller := t.Clone()
			smaller.Steps[i] = one
			out = append(out, smaller)
		}
	}
	return out
}

// Smaller lists cases that are simpler than the given one in one place, the
// boldest first. They need not keep the document where it did, nor break it
// where it did; whoever shrinks sees to that.
func (s *Spec) Smaller(c *Case) []*Case {
	op := s.Operation(c.Operation)
	if op == nil {
		return nil
	}
	var out []*Case
	change := func(f func(c *Case)) {
		one := c.Clone()
		f(one)
		out = append(out, one)
	}
	for i, a := range c.Args {
		p := op.Param(a.In, a.Name)
		if p == nil || !p.Required {
			change(func(c *Case) { c.Args = slices.Delete(c.Args, i, i+1) })
		}
	}
	if c.Body != nil && !op.BodyRequired {
		change(func(c *Case) { c.Body = nil })
	}
	for i, a := range c.Args {
		schema := &openapi3.Schema{}
		if p := op.Param(a.In, a.Name); p != nil {
			schema = p.Values
		}
		for _, v := range s.smallerValues(schema, a.Value, 0) {
			if p := op.Param(a.In, a.Name); p == nil || fits(p, v) {
				change(func(c *Case) { c.Args[i].Value = v })
			}
		}
	}
	if c.Body == nil {
		return out
	}
	if c.Body.Raw != nil {
		for _, text := range smallerTexts(*c.Body.Raw, 0) {
			change(func(c *Case) { c.Body.Raw = &text })
		}
		return out
	}
	schema := &openapi3.Schema{}
	if known := op.Bodies[c.Body.Media]; known != nil {
		schema = known
	}
	for _, v := range s.smallerValues(schema, c.Body.Value, 0) {
		change(func(c *Case) { c.Body.Value = v })
	}
	return out
}

// smallerValues are simpler values of about the same schema.
func (s *Spec) smallerValues(original *openapi3.Schema, v any, depth int) []any {
	schema := merged(original)
	var out []any
	switch v := v.(type) {
	case Ref, nil, bool:
		if v == true {
			out = append(out, false)
		}
	case string:
		if len(schema.Enum) > 0 && slices.ContainsFunc(schema.Enum, func(e any) bool { return same(normal(e), v) }) {
			return []any{normal(schema.Enum[0])}
		}
		least, _ := lengths(schema)
		for _, text := range smallerTexts(v, least) {
			out = append(out, text)
		}
	case int64:
		lo, hi := interval(schema)
		for _, n := range []int64{0, 1, -1, clampInt(lo), clampInt(hi), v / 10, v / 2, v - v/4, v - v/16, v - 4, v - 1, v + 1} {
			if n != v && absInt(n) <= absInt(v) {
				out = append(out, n)
			}
		}
	case float64:
		out = append(out, int64(0), int64(1))
		if v == math.Trunc(v) && math.Abs(v) < 1<<60 {
			out = append(out, int64(v))
		}
	case []any:
		out = append(out, s.smallerArrays(schema, v, depth)...)
	case map[string]any:
		out = append(out, s.smallerObjects(schema, v, depth)...)
	}
	return out
}

func (s *Spec) smallerArrays(schema *openapi3.Schema, v []any, depth int) []any {
	out := []any{[]any{}}
	if len(v) > 3 {
		out = append(out, slices.Clone(v[:len(v)/2]), slices.Clone(v[len(v)/2:]))
	}
	for i := range min(len(v), 20) {
		out = append(out, slices.Delete(slices.Clone(v), i, i+1))
	}
	items := &openapi3.Schema{}
	if schema.Items != nil {
		items = schema.Items.Value
	}
	for i := range min(len(v), 10) {
		for _, child := range s.smallerValues(items, v[i], depth+1) {
			whole := slices.Clone(v)
			whole[i] = child
			out = append(out, whole)
		}
	}
	return out
}

func (s *Spec) smallerObjects(schema *openapi3.Schema, v map[string]any, depth int) []any {
	var out []any
	for _, name := range keys(v) {
		whole, _ := clone(v).(map[string]any)
		delete(whole, name)
		out = append(out, whole)
	}
	for _, name := range keys(v) {
		prop := &openapi3.Schema{}
		if ref := schema.Properties[name]; ref != nil {
			prop = ref.Value
		} else if further := schema.AdditionalProperties.Schema; further != nil {
			prop = further.Value
		}
		for _, child := range s.smallerValues(prop, v[name], depth+1) {
			whole, _ := clone(v).(map[string]any)
			whole[name] = child
			out = append(out, whole)
		}
	}
	return out
}

// longText is where a text is shortened in large steps only, in characters.
const longText = 4096

// smallerTexts shorten a text toward a length, then make its characters plain.
func smallerTexts(v string, least int) []string {
	var out []string
	add := func(s string) {
		if s != v && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	chars := split(v)
	few := 24
	if len(chars) > longText {
		few = 1 // one character less is no gain, and each try costs
	}
	if n := len(chars); n > least {
		add(strings.Repeat("a", least))
		add(strings.Join(chars[:max(least, n/2)], ""))
		add(strings.Join(chars[n-max(least, n/2):], ""))
		for i := range min(n, few) {
			add(strings.Join(slices.Delete(slices.Clone(chars), i, i+1), ""))
		}
		add(strings.Join(chars[:n-1], ""))
	}
	add(strings.Repeat("a", len(chars)))
	for i := range min(len(chars), few) {
		if chars[i] != "a" {
			one := slices.Clone(chars)
			one[i] = "a"
			add(strings.Join(one, ""))
		}
	}
	return out
}

// split cuts a text into characters, and bytes where they are none.
func split(s string) []string {
	var out []string
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

func clampInt(f float64) int64 {
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		return 0
	case f > math.MaxInt32 || f < math.MinInt32:
		return 0
	}
	return int64(f)
}

func absInt(n int64) uint64 {
	if n < 0 {
		return uint64(-(n + 1)) + 1
	}
	return uint64(n)
}
