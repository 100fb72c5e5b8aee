//go:build fuzz

package engine

import (
	"maps"
	"math"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// merged folds allOf into one schema, which is enough to make values from; the
// values are checked against the original.
func merged(s *openapi3.Schema) *openapi3.Schema {
	if s == nil {
		return &openapi3.Schema{}
	}
	if len(s.AllOf) == 0 {
		return s
	}
	out := *s
	out.AllOf = nil
	out.Properties = maps.Clone(s.Properties)
	out.Required = slices.Clone(s.Required)
	for _, ref := range s.AllOf {
		fold(&out, merged(ref.Value))
	}
	return &out
}

// fold narrows a schema by another.
func fold(into, from *openapi3.Schema) {
	if into.Type == nil {
		into.Type = from.Type
		into.Nullable = from.Nullable
	} else {
		into.Nullable = into.Nullable && from.Nullable
	}
	into.Min, into.Max = tighter(into.Min, from.Min, math.Max), tighter(into.Max, from.Max, math.Min)
	if from.ExclusiveMin.IsSet() {
		into.ExclusiveMin = from.ExclusiveMin
	}
	if from.ExclusiveMax.IsSet() {
		into.ExclusiveMax = from.ExclusiveMax
	}
	if into.MultipleOf == nil {
		into.MultipleOf = from.MultipleOf
	}
	into.MinLength, into.MaxLength = max(into.MinLength, from.MinLength), tighterLen(into.MaxLength, from.MaxLength)
	into.MinItems, into.MaxItems = max(into.MinItems, from.MinItems), tighterLen(into.MaxItems, from.MaxItems)
	into.MinProps, into.MaxProps = max(into.MinProps, from.MinProps), tighterLen(into.MaxProps, from.MaxProps)
	into.UniqueItems = into.UniqueItems || from.UniqueItems
	if into.Pattern == "" {
		into.Pattern = from.Pattern
	}
	if into.Format == "" {
		into.Format = from.Format
	}
	if len(into.Enum) == 0 {
		into.Enum = from.Enum
	}
	if into.Items == nil {
		into.Items = from.Items
	}
	into.AnyOf, into.OneOf = append(slices.Clip(into.AnyOf), from.AnyOf...), append(slices.Clip(into.OneOf), from.OneOf...)
	for _, name := range from.Required {
		if !slices.Contains(into.Required, name) {
			into.Required = append(into.Required, name)
		}
	}
	if into.Properties == nil && len(from.Properties) > 0 {
		into.Properties = openapi3.Schemas{}
	}
	for name, ref := range from.Properties {
		if own := into.Properties[name]; own != nil {
			both := *merged(own.Value)
			fold(&both, merged(ref.Value))
			ref = openapi3.NewSchemaRef("", &both)
		}
		into.Properties[name] = ref
	}
	if from.AdditionalProperties.Has != nil || from.AdditionalProperties.Schema != nil {
		into.AdditionalProperties = from.AdditionalProperties
	}
}

func tighter(a, b *float64, pick func(a, b float64) float64) *float64 {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	v := pick(*a, *b)
	return &v
}

func tighterLen(a, b *uint64) *uint64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// kindOf is the type of a schema, guessed where it names none; "" means any.
func kindOf(s *openapi3.Schema) string {
	if types := s.Type.Slice(); len(types) > 0 {
		return types[0]
	}
	switch {
	case len(s.Properties) > 0 || len(s.Required) > 0 || s.AdditionalProperties.Schema != nil || s.MinProps > 0 || s.MaxProps != nil:
		return openapi3.TypeObject
	case s.Items != nil || s.MinItems > 0 || s.MaxItems != nil || s.UniqueItems:
		return openapi3.TypeArray
	case s.Pattern != "" || s.MinLength > 0 || s.MaxLength != nil || s.Format != "":
		return openapi3.TypeString
	case s.Min != nil || s.Max != nil || s.MultipleOf != nil:
		return openapi3.TypeNumber
	default:
		return ""
	}
}

// closed reports whether an object takes no key beside its properties.
func closed(s *openapi3.Schema) bool {
	return s.AdditionalProperties.Has != nil && !*s.AdditionalProperties.Has && s.AdditionalProperties.Schema == nil
}

// interval returns the least and the greatest number that a schema takes, ±Inf
// where there is no bound; for integers they are whole.
func interval(s *openapi3.Schema) (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	integer := kindOf(s) == openapi3.TypeInteger
	step := 0.0
	if integer {
		step = 1
	}
	if s.Min != nil {
		lo = *s.Min
		if s.ExclusiveMin.IsTrue() {
			lo = next(lo, step, 1)
		}
	}
	if s.Max != nil {
		hi = *s.Max
		if s.ExclusiveMax.IsTrue() {
			hi = next(hi, step, -1)
		}
	}
	if integer {
		lo, hi = math.Ceil(lo), math.Floor(hi)
		if s.Format == "int32" {
			lo, hi = math.Max(lo, math.MinInt32), math.Min(hi, math.MaxInt32)
		}
	}
	return lo, hi
}

func next(v, step, direction float64) float64 {
	if step > 0 {
		return v + step*direction
	}
	return math.Nextafter(v, math.Inf(int(direction)))
}

// lengths returns the bounds of a string's length, in characters; most is -1
// where there is none.
func lengths(s *openapi3.Schema) (least, most int) { return bounds(s.MinLength, s.MaxLength) }

func bounds(minimum uint64, maximum *uint64) (least, most int) {
	least, most = int(minimum), -1
	if maximum != nil {
		most = int(*maximum)
	}
	return least, most
}

// accepts asks kin-openapi whether a value keeps a schema of requests.
func (s *Spec) accepts(schema *openapi3.Schema, v any) bool {
	return schema.VisitJSON(plain(v), append(s.options, openapi3.VisitAsRequest())...) == nil
}
