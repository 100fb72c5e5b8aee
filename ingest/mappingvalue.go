package ingest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// value says where in a line something is, and how it is made of what is there:
// decoded, split, extracted, mapped, in this order, and that once more by then.
type value struct {
	// paths are tried in their order: the first that is there and not null counts.
	// A value without paths is constant (its fallback), or, without one, nothing.
	paths   [][]string
	isConst bool
	// when must all hold, else there is no value.
	when []condition
	// base64 says that the text is encoded; hostPort that it is an address and a
	// port, of which the address counts.
	base64, hostPort bool
	// extract keeps its first group; what it does not match is no value.
	extract *regexp.Regexp
	// mapped and matches replace a text; slug makes a word of letters, digits and
	// underscores of the rest.
	mapped  map[string]string
	matches []match
	slug    bool
	// then is nil, or what is made of the text that came of all this.
	then *value
	// fallback stands in where there is no text.
	fallback string
}

type match struct {
	re    *regexp.Regexp
	value string
}

// find returns the raw value of the first path that has one.
func (v *value) find(o *object) []byte {
	if !allHold(v.when, o) {
		return nil
	}
	for _, p := range v.paths {
		if raw := lookup(o, p); raw != nil && !isNull(raw) {
			return raw
		}
	}
	return nil
}

// told is the text that the line has, without the fallback.
func (v *value) told(o *object) (string, bool) {
	s, ok := scalarText(v.find(o))
	if !ok {
		return "", false
	}
	return v.madeOf(s)
}

// madeOf is what the value makes of a text, if it is one that it can use.
func (v *value) madeOf(s string) (string, bool) {
	if v.base64 {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", false
		}
		s = asText(string(b))
	}
	if v.hostPort {
		host, _, err := net.SplitHostPort(s)
		if err != nil {
			return "", false
		}
		s = host
	}
	if v.extract != nil {
		m := v.extract.FindStringSubmatch(s)
		if m == nil {
			return "", false
		}
		s = m[1]
	}
	s = v.replace(s)
	if v.then != nil {
		return v.then.madeOf(s)
	}
	return s, true
}

func (v *value) replace(s string) string {
	if to, ok := v.mapped[s]; ok {
		return to
	}
	for _, m := range v.matches {
		if m.re.MatchString(s) {
			return m.value
		}
	}
	if len(v.matches) > 0 && v.fallback != "" {
		return v.fallback
	}
	if v.slug {
		return slugOf(s)
	}
	return s
}

// text is the text of a value, which may be empty; ok is false where the line
// has none and there is no fallback.
func (v *value) text(o *object) (s string, ok bool) {
	if s, ok := v.told(o); ok {
		return s, true
	}
	if v.fallback != "" && allHold(v.when, o) {
		return v.fallback, true
	}
	return "", false
}

// column is the text of a value for a column, where empty text says nothing.
func (v *value) column(o *object, missing string) string {
	if s, ok := v.told(o); ok && s != "" {
		return s
	}
	if v.fallback != "" && allHold(v.when, o) {
		return v.fallback
	}
	return missing
}

// json is the value as JSON: as the line has it, unless something is done to it.
func (v *value) json(o *object) []byte {
	if v.isPlain() {
		return v.find(o)
	}
	if s, ok := v.text(o); ok {
		return quote(s)
	}
	return nil
}

func (v *value) isPlain() bool {
	return !v.base64 && !v.hostPort && v.extract == nil && v.mapped == nil && v.matches == nil && !v.slug && v.then == nil
}

// wholeOf returns the key of the line whose value a column holds whole, so that
// nothing is lost if the fields go without it.
func (v *value) wholeOf(o *object) (key string, whole bool) {
	if !v.isPlain() || !allHold(v.when, o) {
		return "", false
	}
	for _, p := range v.paths {
		raw := lookup(o, p)
		if raw == nil || isNull(raw) {
			continue
		}
		s, isText := scalarText(raw)
		return p[0], len(p) == 1 && isText && s != ""
	}
	return "", false
}

// condition is one thing that must hold of a line.
type condition struct {
	path []string
	not  bool
	// Of these at most one is set; without one the path must be there, null or not.
	equals, oneOf []string
	prefix        string
	matches       *regexp.Regexp
	// only are the keys that a line may have at its top.
	only []string
}

func allHold(conditions []condition, o *object) bool {
	for i := range conditions {
		if conditions[i].holds(o) == conditions[i].not {
			return false
		}
	}
	return true
}

func (c *condition) holds(o *object) bool {
	if c.only != nil {
		for i := range o.members {
			if !slices.Contains(c.only, o.members[i].key) {
				return false
			}
		}
		return true
	}
	raw := lookup(o, c.path)
	if raw == nil {
		return false
	}
	s, isText := scalarText(raw)
	switch {
	case c.equals != nil:
		return isText && s == c.equals[0]
	case c.oneOf != nil:
		return isText && slices.Contains(c.oneOf, s)
	case c.prefix != "":
		return isText && strings.HasPrefix(s, c.prefix)
	case c.matches != nil:
		return isText && c.matches.MatchString(s)
	}
	return true
}

// lookup goes down into a line: a key of an object, or an index of a list.
func lookup(o *object, path []string) []byte {
	if len(path) == 0 {
		return nil
	}
	raw := o.get(path[0])
	for _, step := range path[1:] {
		switch {
		case len(raw) == 0:
			return nil
		case raw[0] == '{':
			// Checked before as a part of the line, so there can be no error.
			inner, _ := parseObject(raw)
			raw = inner.get(step)
		case raw[0] == '[':
			outer := object{members: []member{{"", raw}}}
			elements := outer.list("")
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(elements) {
				return nil
			}
			raw = elements[i]
		default:
			return nil
		}
	}
	return raw
}

// slugOf makes a word of letters, digits and underscores, in lower case.
func slugOf(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, s)
}

// sessionKey is a session's key over all sensors; one that is too long to be
// stored is hashed.
func sessionKey(format, sensor, session string) string {
	key := format + "/" + sensor + "/" + session
	if len(key) <= maxSessionKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return format + "/" + hex.EncodeToString(sum[:])
}
