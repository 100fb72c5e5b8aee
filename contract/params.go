package contract

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// param is the compiled form of a query or path parameter.
type param struct {
	at       place
	schema   *schema
	absent   []string // texts that mean "not given"
	required bool
}

// value is what a request gave for a parameter, or its default.
type value struct {
	text  string
	n     int
	given bool
}

// Params are the checked query and path parameters of one request.
type Params struct {
	op     *Operation
	values []value // shared with the operation while no parameter is given
}

// AbsentValues returns the texts that mean "not given" at a parameter of the
// document (extension x-absent-values); nil means none.
func AbsentValues(p *openapi3.Parameter) ([]string, error) {
	raw, ok := p.Extensions["x-absent-values"]
	if !ok {
		return nil, nil
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, fmt.Errorf("parameter %s: x-absent-values is not a list", p.Name)
	}
	texts := make([]string, 0, len(list))
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("parameter %s: x-absent-values holds strings only", p.Name)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func compileParam(p *openapi3.Parameter) (*param, value, error) {
	if p.Schema == nil {
		return nil, value{}, fmt.Errorf("parameter %s has no schema", p.Name)
	}
	s, err := compileSchema(p.Schema.Value)
	if err != nil {
		return nil, value{}, fmt.Errorf("parameter %s: %w", p.Name, err)
	}
	if s.kind != "string" && s.kind != "integer" {
		return nil, value{}, fmt.Errorf("parameter %s: type %s is not supported", p.Name, s.kind)
	}
	absent, err := AbsentValues(p)
	if err != nil {
		return nil, value{}, err
	}
	c := &param{at: place{p.In, p.Name}, schema: s, absent: absent, required: p.Required}
	var def value
	switch d := p.Schema.Value.Default.(type) {
	case nil:
	case string:
		def.text = d
	case float64:
		def.n = int(d)
	case int:
		def.n = d
	case int64:
		def.n = int(d)
	case uint64:
		def.n = int(d)
	default:
		return nil, value{}, fmt.Errorf("parameter %s: default of type %T is not supported", p.Name, d)
	}
	return c, def, nil
}

// Params checks the query, and the path values where the operation has any
// (pathValue is [net/http.Request.PathValue]; it may be nil where there are
// none). Parameters that the operation does not know are ignored; one that is
// given twice is refused. The error is a [*Violations].
func (o *Operation) Params(query url.Values, pathValue func(name string) string) (Params, error) {
	p := Params{op: o, values: o.defaults}
	if len(query) == 0 && !o.mustCheck {
		return p, nil
	}
	var f findings
	for i := range o.params {
		c := &o.params[i]
		text, given := "", false
		if c.at.in == InPath {
			text, given = pathValue(c.at.name), true
		} else {
			text, given = c.find(query[c.at.name], &f)
		}
		if !given {
			if c.required {
				f.add(c.at.violation("required", "be given"))
			}
			continue
		}
		if p.isShared() {
			p.values = slices.Clone(o.defaults)
		}
		p.values[i] = c.parse(text, &f)
	}
	return p, f.err()
}

// isShared is for operations that have parameters.
func (p *Params) isShared() bool { return &p.values[0] == &p.op.defaults[0] }

// find drops the values that mean "not given".
func (c *param) find(values []string, f *findings) (text string, given bool) {
	if len(values) > 1 {
		f.add(c.at.violation(KeywordDuplicate, "be given at most once"))
		return "", false
	}
	if len(values) == 0 || slices.Contains(c.absent, values[0]) {
		return "", false
	}
	return values[0], true
}

func (c *param) parse(text string, f *findings) value {
	v := value{text: text, given: true}
	if !utf8.ValidString(text) {
		f.add(c.at.violation(KeywordEncoding, "be valid UTF-8"))
		return v
	}
	if c.schema.kind == "string" {
		c.schema.checkString(c.at, text, f)
		return v
	}
	if !isInteger(text) {
		f.add(c.at.violation("type", "be an integer"))
		return v
	}
	// Atoi answers the nearest int where text overflows; bounds are inside it.
	n, err := strconv.Atoi(text)
	v.n = n
	before := len(f.list)
	c.schema.checkRange(c.at, float64(n), f)
	if err != nil && len(f.list) == before {
		f.add(c.at.violation("format", "be an integer of 64 bits"))
	}
	return v
}

// isInteger reports whether s is written as JSON writes an integer, so that
// "+1", "01", " 1" and "1.0" are refused.
func isInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if s == "" || (len(s) > 1 && s[0] == '0') {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Int returns an integer parameter, or its default (0 when it has none). It
// panics when the operation has no such integer parameter.
func (p Params) Int(name string) int {
	i := p.index(name)
	if p.op.params[i].schema.kind != "integer" {
		panic("contract: " + p.op.ID + ": parameter " + name + " is not an integer")
	}
	return p.values[i].n
}

// String returns a parameter as text, or its default ("" when it has none). It
// panics when the operation has no such string parameter.
func (p Params) String(name string) string {
	i := p.index(name)
	if p.op.params[i].schema.kind != "string" {
		panic("contract: " + p.op.ID + ": parameter " + name + " is not a string")
	}
	return p.values[i].text
}

// Given reports whether the request gave the parameter a value. It panics when
// the operation has no such parameter.
func (p Params) Given(name string) bool { return p.values[p.index(name)].given }

func (p Params) index(name string) int {
	if p.op != nil {
		for i := range p.op.params {
			if p.op.params[i].at.name == name {
				return i
			}
		}
		panic("contract: " + p.op.ID + " has no parameter " + name)
	}
	panic("contract: Params was not made by Operation.Params")
}
