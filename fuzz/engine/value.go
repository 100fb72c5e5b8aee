//go:build fuzz

package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Values of a case are JSON values: nil, bool, int64, float64, string, []any and
// map[string]any; and these two.

// Ref is a value that only the world of a trial knows: a symbol of the world, or
// "#2/data/0/uuid", the place in the body that step 2 answered.
type Ref string

// keys of the JSON form of what JSON has no value for.
const (
	refKey = "$ref"
	rawKey = "$base64"
)

// errUnresolved says that a trial refers to what this world does not have.
var errUnresolved = errors.New("a reference leads nowhere")

// encodeValue makes a value that json.Marshal keeps whole: references and bytes
// that aren't UTF-8 are wrapped.
func encodeValue(v any) any {
	switch v := v.(type) {
	case Ref:
		return map[string]any{refKey: string(v)}
	case string:
		if !utf8.ValidString(v) {
			return map[string]any{rawKey: base64.StdEncoding.EncodeToString([]byte(v))}
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = encodeValue(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, child := range v {
			out[k] = encodeValue(child)
		}
		return out
	}
	return v
}

// decodeValue undoes encodeValue after json.Decoder.UseNumber.
func decodeValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			v[i] = decodeValue(v[i])
		}
	case map[string]any:
		if len(v) == 1 {
			if name, ok := v[refKey].(string); ok {
				return Ref(name)
			}
			if text, ok := v[rawKey].(string); ok {
				if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
					return string(raw)
				}
			}
		}
		for k := range v {
			v[k] = decodeValue(v[k])
		}
	}
	return v
}

// parseJSON reads one JSON value into the values of this package.
func parseJSON(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	if dec.More() {
		return nil, errors.New("JSON: more than one value")
	}
	return decodeNumbers(v), nil
}

// parseYAML reads YAML as the JSON value that it stands for. Keys are texts, and
// so are times, which JSON doesn't have.
func parseYAML(raw []byte) (any, error) {
	var v any
	if err := yaml.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("YAML: %w", err)
	}
	out, err := json.Marshal(textKeys(v))
	if err != nil {
		return nil, fmt.Errorf("YAML: %w", err)
	}
	return parseJSON(out)
}

func textKeys(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = textKeys(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = textKeys(v[k])
		}
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, child := range v {
			out[fmt.Sprint(k)] = textKeys(child)
		}
		return out
	}
	return v
}

func decodeNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			v[i] = decodeNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = decodeNumbers(v[k])
		}
	}
	return v
}

func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, err := n.Float64()
	if err != nil {
		return n.String()
	}
	return f
}

// normal turns what a document holds (from YAML) into values of this package.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case uint64:
		return int64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, child := range v {
			out[k] = normal(child)
		}
		return out
	}
	return v
}

// clone copies a value so that a change of the copy is not one of the original.
func clone(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = clone(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, child := range v {
			out[k] = clone(child)
		}
		return out
	}
	return v
}

// resolve replaces references.
func resolve(v any, lookup func(Ref) (any, bool)) (any, error) {
	switch v := v.(type) {
	case Ref:
		found, ok := lookup(v)
		if !ok {
			return nil, fmt.Errorf("%w: %s", errUnresolved, string(v))
		}
		return found, nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = resolve(v[i], lookup); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			var err error
			if out[k], err = resolve(v[k], lookup); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// at finds the value that a JSON pointer names.
func at(v any, pointer string) (any, bool) {
	if pointer == "" {
		return v, true
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch holder := v.(type) {
		case map[string]any:
			child, ok := holder[part]
			if !ok {
				return nil, false
			}
			v = child
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(holder) {
				return nil, false
			}
			v = holder[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func escapePointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// plain turns a value into what a schema of kin-openapi is asked about.
func plain(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, child := range v {
			out[k] = plain(child)
		}
		return out
	case Ref:
		return string(v)
	}
	return v
}

func keys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
