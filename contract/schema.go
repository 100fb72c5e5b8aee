package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// schema is the compiled form of a request schema.
type schema struct {
	kind     string // the keyword type
	nullable bool
	// Bounds of integers and numbers.
	min, max *float64
	// Bounds of strings, in characters; maxLen is -1 for none.
	minLen, maxLen int
	pattern        *regexp.Regexp
	enum           []string
	format         *Format
	// Objects.
	props    map[string]*schema
	names    []string // of props, ascending
	required []string
	open     bool // further keys are allowed
	// Arrays; maxItems is -1 for none.
	items              *schema
	minItems, maxItems int
}

// compileSchema refuses what check would not enforce.
func compileSchema(s *openapi3.Schema) (*schema, error) {
	if s == nil {
		return nil, errors.New("no schema")
	}
	if err := refuseUnknown(s); err != nil {
		return nil, err
	}
	c := &schema{nullable: s.Nullable, min: s.Min, max: s.Max, maxLen: -1, maxItems: -1}
	types := s.Type.Slice()
	if len(types) != 1 {
		return nil, errors.New("a request schema needs exactly one type")
	}
	c.kind = types[0]
	c.minLen, c.minItems = int(s.MinLength), int(s.MinItems)
	if s.MaxLength != nil {
		c.maxLen = int(*s.MaxLength)
	}
	if s.MaxItems != nil {
		c.maxItems = int(*s.MaxItems)
	}
	for _, compile := range []func(*openapi3.Schema) error{c.compileString, c.compileNested} {
		if err := compile(s); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// refuseUnknown is the guard behind the promise of the package comment.
func refuseUnknown(s *openapi3.Schema) error {
	unknown := map[string]bool{
		"oneOf": len(s.OneOf) > 0, "anyOf": len(s.AnyOf) > 0, "allOf": len(s.AllOf) > 0, "not": s.Not != nil,
		"uniqueItems": s.UniqueItems, "multipleOf": s.MultipleOf != nil, "readOnly": s.ReadOnly,
		"minProperties": s.MinProps > 0, "maxProperties": s.MaxProps != nil, "discriminator": s.Discriminator != nil,
		"exclusiveMinimum": s.ExclusiveMin.IsSet(), "exclusiveMaximum": s.ExclusiveMax.IsSet(),
		"additionalProperties": s.AdditionalProperties.Schema != nil,
	}
	for _, keyword := range slices.Sorted(maps.Keys(unknown)) {
		if unknown[keyword] {
			return fmt.Errorf("keyword %s is not supported in a request schema", keyword)
		}
	}
	return nil
}

func (c *schema) compileString(s *openapi3.Schema) error {
	if s.Pattern != "" {
		re, err := regexp.Compile(s.Pattern)
		if err != nil {
			return fmt.Errorf("pattern: %w", err)
		}
		c.pattern = re
	}
	for _, v := range s.Enum {
		text, ok := v.(string)
		if !ok {
			return errors.New("an enum of a request schema holds strings only")
		}
		c.enum = append(c.enum, text)
	}
	switch s.Format {
	case "", "password": // the latter is for those who draw forms
	default:
		f, ok := findFormat(s.Format)
		if !ok {
			return fmt.Errorf("format %s is not known", s.Format)
		}
		c.format = &f
	}
	return nil
}

func (c *schema) compileNested(s *openapi3.Schema) error {
	if c.kind == "array" {
		items, err := compileSchema(s.Items.Value)
		if err != nil {
			return fmt.Errorf("items: %w", err)
		}
		c.items = items
	}
	if c.kind != "object" {
		return nil
	}
	c.open = s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has
	c.required = s.Required
	c.names = slices.Sorted(maps.Keys(s.Properties))
	c.props = make(map[string]*schema, len(c.names))
	for _, name := range c.names {
		prop, err := compileSchema(s.Properties[name].Value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.props[name] = prop
	}
	return nil
}

// place is where a value stands in a request.
type place struct {
	in, name string
}

// subject is what a sentence calls the place.
func (p place) subject() string {
	if p.in != InBody {
		return p.name
	}
	if p.name == "" {
		return "the body"
	}
	name := strings.ReplaceAll(strings.TrimPrefix(p.name, "/"), "/", ".")
	if !plainName.MatchString(name) {
		// The client chose it: an empty name would leave the sentence without a
		// subject, and any other is shown as what it is.
		return "the field " + strconv.QuoteToASCII(name)
	}
	return name
}

// plainName is what the document's own fields are called, and paths of them.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.~-]*$`)

func (p place) violation(keyword, wants string) Violation {
	return Violation{In: p.in, Name: p.name, Keyword: keyword, Detail: p.subject() + " must " + wants}
}

// checkString adds what is wrong with a string.
func (c *schema) checkString(at place, v string, f *findings) {
	n := utf8.RuneCountInString(v)
	if n < c.minLen {
		f.add(at.violation("minLength", "have at least "+characters(c.minLen)))
	}
	if c.maxLen >= 0 && n > c.maxLen {
		f.add(at.violation("maxLength", "have at most "+characters(c.maxLen)))
		return // a longer text is not worth a pattern's time
	}
	// What a format wants is said in words; a pattern beside it says the same again.
	badFormat := c.format != nil && !c.format.Valid(v)
	if badFormat {
		f.add(at.violation("format", "be "+c.format.Wants))
	}
	if c.pattern != nil && !badFormat && !c.pattern.MatchString(v) {
		f.add(at.violation("pattern", "match the pattern "+c.pattern.String()))
	}
	if c.enum != nil && !slices.Contains(c.enum, v) {
		f.add(at.violation("enum", "be one of "+strings.Join(c.enum, ", ")))
	}
}

func characters(n int) string {
	if n == 1 {
		return "1 character"
	}
	return strconv.Itoa(n) + " characters"
}

// checkRange adds what is wrong with the size of a number.
func (c *schema) checkRange(at place, v float64, f *findings) {
	if c.min != nil && v < *c.min {
		f.add(at.violation("minimum", "be at least "+bound(*c.min)))
	}
	if c.max != nil && v > *c.max {
		f.add(at.violation("maximum", "be at most "+bound(*c.max)))
	}
}

func bound(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// check walks a decoded body. It returns the value that must be decoded in
// place of v: an integer such as 1e2 is rewritten to 100.
func (c *schema) check(at place, v any, f *findings) any {
	if v == nil {
		if !c.nullable {
			f.add(at.violation("type", "not be null"))
		}
		return nil
	}
	switch value := v.(type) {
	case string:
		if c.kind == "string" {
			c.checkString(at, value, f)
			return v
		}
	case json.Number:
		if c.kind == "integer" || c.kind == "number" {
			return c.checkNumber(at, value, f)
		}
	case bool:
		if c.kind == "boolean" {
			return v
		}
	case map[string]any:
		if c.kind == "object" {
			c.checkObject(at, value, f)
			return v
		}
	case []any:
		if c.kind == "array" {
			c.checkArray(at, value, f)
			return v
		}
	}
	f.add(at.violation("type", "be "+c.kindName()))
	return v
}

func (c *schema) kindName() string {
	switch c.kind {
	case "boolean":
		return "true or false"
	case "integer", "array", "object":
		return "an " + c.kind
	default:
		return "a " + c.kind
	}
}

func (c *schema) checkNumber(at place, v json.Number, f *findings) any {
	// ParseFloat answers ±Inf where v overflows, which is out of any bounds.
	x, err := v.Float64()
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		f.add(at.violation("type", "be "+c.kindName()))
		return v
	}
	if c.kind == "integer" && !math.IsInf(x, 0) && x != math.Trunc(x) {
		f.add(at.violation("type", "be an integer"))
		return v
	}
	c.checkRange(at, x, f)
	if c.kind == "integer" && math.Abs(x) < 1<<53 {
		return json.Number(strconv.FormatInt(int64(x), 10))
	}
	return v
}

func (c *schema) checkObject(at place, v map[string]any, f *findings) {
	for _, name := range c.required {
		if _, ok := v[name]; !ok {
			f.add(at.child(name).violation("required", "be given"))
		}
	}
	for _, name := range c.names {
		if value, ok := v[name]; ok {
			v[name] = c.props[name].check(at.child(name), value, f)
		}
	}
	if c.open {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if _, known := c.props[name]; !known {
			f.add(at.child(name).violation("additionalProperties", "not be given: there is no such field"))
		}
	}
}

func (c *schema) checkArray(at place, v []any, f *findings) {
	if len(v) < c.minItems {
		f.add(at.violation("minItems", "have at least "+strconv.Itoa(c.minItems)+" items"))
	}
	if c.maxItems >= 0 && len(v) > c.maxItems {
		f.add(at.violation("maxItems", "have at most "+strconv.Itoa(c.maxItems)+" items"))
		return
	}
	for i := range v {
		v[i] = c.items.check(at.child(strconv.Itoa(i)), v[i], f)
	}
}

// maxNameInDetail bounds how much of a key that the client chose is repeated.
const maxNameInDetail = 64

// child is a place inside an object or array, as a JSON pointer.
func (p place) child(name string) place {
	if utf8.RuneCountInString(name) > maxNameInDetail {
		name = string([]rune(name)[:maxNameInDetail]) + "…"
	}
	if strings.ContainsAny(name, "~/") {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	}
	return place{p.in, p.name + "/" + name}
}
