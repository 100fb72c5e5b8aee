package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth bounds how deep objects and arrays of a body may nest.
const MaxDepth = 32

// ErrContentType says that the operation does not take this content type (415).
var ErrContentType = errors.New("content type must be application/json")

// ErrRawBody says that no schema describes the operation's body.
var ErrRawBody = errors.New("no schema describes the body")

// ErrNoBody says that the operation takes no body at all.
var ErrNoBody = errors.New("the operation takes no body")

// Accepts reports whether the operation takes a body of this content type. A
// charset other than UTF-8 is not taken.
func (o *Operation) Accepts(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	_, ok := o.bodies[media]
	return ok
}

// Body checks a body strictly and decodes it into the value that into points
// to: exactly one JSON value in valid UTF-8, no key twice at any depth, no
// unknown field, at most [MaxDepth] deep, all constraints of the schema. The
// error is a [*Violations], or [ErrContentType], [ErrNoBody] or [ErrRawBody]; any other means
// that into does not fit the schema.
func (o *Operation) Body(contentType string, raw []byte, into any) error {
	if len(o.bodies) == 0 {
		return ErrNoBody
	}
	if o.Raw {
		return ErrRawBody
	}
	if !o.Accepts(contentType) {
		return ErrContentType
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ErrContentType
	}
	var f findings
	tree := parse(raw, &f)
	if err := f.err(); err != nil {
		return err
	}
	tree = o.bodies[media].check(place{in: InBody}, tree, &f)
	if err := f.err(); err != nil {
		return err
	}
	// The tree is decoded, not raw: its numbers are rewritten, and its keys are
	// exactly those of the schema, where encoding/json alone would accept
	// "Username" for "username".
	clean, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("body of %s: %w", o.ID, err)
	}
	if err := json.Unmarshal(clean, into); err != nil {
		return fmt.Errorf("body of %s into %T: %w", o.ID, into, err)
	}
	return nil
}

// parse reads exactly one JSON value.
func parse(raw []byte, f *findings) any {
	at := place{in: InBody}
	switch {
	case !utf8.Valid(raw):
		f.add(at.violation(KeywordEncoding, "be valid UTF-8"))
		return nil
	case nestsTooDeep(raw):
		f.add(at.violation(KeywordDepth, "nest at most "+strconv.Itoa(MaxDepth)+" deep"))
		return nil
	case !json.Valid(raw):
		f.add(at.violation(KeywordJSON, "be exactly one JSON value"))
		return nil
	case hasLoneSurrogate(raw):
		f.add(at.violation(KeywordEncoding, "not escape half of a surrogate pair"))
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	tree, err := parseValue(dec, at, f)
	if err != nil {
		f.add(at.violation(KeywordJSON, "be exactly one JSON value"))
	}
	return tree
}

// nestsTooDeep counts brackets outside strings, so that a nesting bomb costs
// one pass and no stack.
func nestsTooDeep(raw []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// hasLoneSurrogate looks for \ud800 … \udfff that is not part of a pair;
// encoding/json would silently make it U+FFFD. raw is valid JSON.
func hasLoneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		switch unit := hexUnit(raw[i+1:]); {
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return true
		case unit >= 0xD800 && unit <= 0xDBFF:
			rest := raw[i+5:]
			if !bytes.HasPrefix(rest, []byte(`\u`)) {
				return true
			}
			if low := hexUnit(rest[2:]); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 6
		}
		i += 4
	}
	return false
}

func hexUnit(b []byte) uint64 {
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	if err != nil {
		return 0
	}
	return n
}

// parseValue decodes one value and finds duplicate keys on the way.
func parseValue(dec *json.Decoder, at place, f *findings) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return parseObject(dec, at, f)
	case json.Delim('['):
		return parseArray(dec, at, f)
	}
	return token, nil
}

func parseObject(dec *json.Decoder, at place, f *findings) (any, error) {
	object := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, errors.New("a key is not a string")
		}
		value, err := parseValue(dec, at.child(name), f)
		if err != nil {
			return nil, err
		}
		if _, seen := object[name]; seen {
			f.add(at.child(name).violation(KeywordDuplicate, "be given at most once"))
		}
		object[name] = value
	}
	_, err := dec.Token() // the closing brace
	return object, err
}

func parseArray(dec *json.Decoder, at place, f *findings) (any, error) {
	array := []any{}
	for dec.More() {
		value, err := parseValue(dec, at.child(strconv.Itoa(len(array))), f)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := dec.Token() // the closing bracket
	return array, err
}
