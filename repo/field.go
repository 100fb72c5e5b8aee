package repo

import (
	"encoding/json"
	"strings"
)

// scanField finds a key at the top of a compact JSON object and returns its
// value's JSON text. A search runs it on every row, where decoding the object
// into a map would take twenty times as long. It trusts fields to be what
// [Log.Fields] promises; ok is false where it can't tell, because the text is
// something else or a key is written with escapes.
func scanField(fields, key string) (value string, found, ok bool) {
	rest, ok := strings.CutPrefix(fields, "{")
	if !ok {
		return "", false, false
	}
	if rest == "}" {
		return "", false, true
	}
	for {
		name, ok := scanString(rest)
		if !ok || strings.IndexByte(name, '\\') >= 0 {
			return "", false, false
		}
		rest, ok = strings.CutPrefix(rest[len(name):], ":")
		if !ok {
			return "", false, false
		}
		value, ok := scanValue(rest)
		if !ok {
			return "", false, false
		}
		if name[1:len(name)-1] == key {
			return value, true, true
		}
		switch rest = rest[len(value):]; {
		case rest == "}":
			return "", false, true
		case rest != "" && rest[0] == ',':
			rest = rest[1:]
		default:
			return "", false, false
		}
	}
}

// scanString returns the JSON string that s begins with, quotes included.
func scanString(s string) (string, bool) {
	if s == "" || s[0] != '"' {
		return "", false
	}
	for i := 1; ; {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			return "", false
		}
		i += n + 1
		escapes := 0
		for s[i-2-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return s[:i], true
		}
	}
}

// scanValue returns the JSON value that s begins with, which may be followed by
// a comma or a bracket.
func scanValue(s string) (string, bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			str, ok := scanString(s[i:])
			if !ok {
				return "", false
			}
			i += len(str) - 1
		case '{', '[':
			depth++
		case ' ', '\t', '\n', '\r':
			return "", false // not compact
		case ',':
			if depth == 0 {
				return s[:i], i > 0
			}
		case '}', ']':
			if depth == 0 {
				return s[:i], i > 0
			}
			depth--
		}
	}
	return "", false
}

// EachField yields every key at the top of fields with every value for which
// [FieldEquals] may hold, and perhaps some for which it does not: what a search
// index must list so that no row is missed.
func EachField(fields string, yield func(key, value string)) {
	whole := eachPlainField(fields, yield)
	if whole && strings.IndexByte(fields, '\\') < 0 {
		return
	}
	var decoded map[string]json.RawMessage
	if json.Unmarshal([]byte(fields), &decoded) != nil {
		return
	}
	for key, raw := range decoded {
		if value, ok := decodedField(raw); ok {
			yield(key, value)
		}
	}
}

// eachPlainField yields what scanField finds, and reports whether it could read
// all of the text.
func eachPlainField(fields string, yield func(key, value string)) bool {
	rest, ok := strings.CutPrefix(fields, "{")
	if !ok {
		return false
	}
	for rest != "}" {
		name, ok := scanString(rest)
		if !ok {
			return false
		}
		if rest, ok = strings.CutPrefix(rest[len(name):], ":"); !ok {
			return false
		}
		value, ok := scanValue(rest)
		if !ok {
			return false
		}
		rest = rest[len(value):]
		yield(name[1:len(name)-1], strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`))
		if rest != "}" {
			if rest, ok = strings.CutPrefix(rest, ","); !ok {
				return false
			}
		}
	}
	return true
}
