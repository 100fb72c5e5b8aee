package ingest

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// maxDepth bounds nested JSON values: SQLite's own JSON functions stop at 1000,
// and a row that the engine can't search would be worse than a reject.
const maxDepth = 500

// The ways in which a line is not JSON.
var (
	errSyntax = errors.New("not JSON")
	errDeep   = errors.New("nested too deep")
)

// member is one key and value of an object.
type member struct {
	key string
	// raw is the value as it was written, checked to be JSON.
	raw []byte
}

// object is the top of a JSON object: its keys decoded, unique, in the order in
// which they first came; of a key that came twice the last value is kept.
// encoding/json is not used because it rounds, takes the time for a map, and
// does not tell what it lost.
type object struct {
	members []member
	// repeated says that a key came more than once.
	repeated bool
	// damaged says that some text in the object is not UTF-8 or has an unpaired
	// surrogate: its decoded form is not what was written.
	damaged bool
	// index finds members by key in an object too large to search.
	index map[string]int
}

// usualMembers is room for the keys of most lines.
const usualMembers = 16

// indexFrom is the number of members from which a map beats a search; without
// it a hostile line of 100 000 keys would take minutes.
const indexFrom = 24

// get returns the raw value of a key, nil if there is none.
func (o *object) get(key string) []byte {
	if i := o.find(key); i >= 0 {
		return o.members[i].raw
	}
	return nil
}

func (o *object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].key == key {
			return i
		}
	}
	return -1
}

// set stores a value under a key, in its old place if it has one.
func (o *object) set(key string, raw []byte) (replaced bool) {
	if i := o.find(key); i >= 0 {
		o.members[i].raw = raw
		return true
	}
	o.members = append(o.members, member{key, raw})
	switch {
	case o.index != nil:
		o.index[key] = len(o.members) - 1
	case len(o.members) == indexFrom:
		o.index = make(map[string]int, 2*indexFrom)
		for i := range o.members {
			o.index[o.members[i].key] = i
		}
	}
	return false
}

// text returns the content of a string, or the JSON text of a number or a
// boolean; ok is false for anything else and for a missing key.
func (o *object) text(key string) (s string, ok bool) { return scalarText(o.get(key)) }

// str returns the content of a string; ok is false for anything else.
func (o *object) str(key string) (s string, ok bool) {
	raw := o.get(key)
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return decodeString(raw), true
}

// normal is the object in the form of [repo.Log.Fields].
func (o *object) normal() string {
	size := 2
	for i := range o.members {
		size += len(o.members[i].key) + len(o.members[i].raw) + 4
	}
	dst := make([]byte, 0, size)
	dst = append(dst, '{')
	for i := range o.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, o.members[i].key)
		dst = append(dst, ':')
		dst = appendNormal(dst, o.members[i].raw)
	}
	return string(append(dst, '}'))
}

func scalarText(raw []byte) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	switch raw[0] {
	case '"':
		return decodeString(raw), true
	case 'n', '{', '[':
		return "", false
	}
	return string(raw), true
}

// parseObject reads a line that is one JSON object.
func parseObject(line []byte) (object, error) {
	o := object{members: make([]member, 0, usualMembers)}
	i := skipSpace(line, 0)
	if i == len(line) || line[i] != '{' {
		return o, notAnObject(line)
	}
	s := scanner{src: line}
	i, err := s.members(i, func(key string, raw []byte) {
		if o.set(key, raw) {
			o.repeated = true
		}
	})
	if err == nil && skipSpace(line, i) != len(line) {
		err = errSyntax
	}
	o.damaged = s.damaged || !utf8.Valid(line)
	switch {
	case errors.Is(err, errDeep):
		return o, reject(ReasonTooDeep, "The JSON is nested deeper than %d levels.", maxDepth)
	case err != nil:
		return o, reject(ReasonNotJSON, "The line is not valid JSON.")
	}
	return o, nil
}

func notAnObject(line []byte) error {
	s := scanner{src: line}
	end, err := s.value(skipSpace(line, 0), 0)
	if err != nil || skipSpace(line, end) != len(line) {
		return reject(ReasonNotJSON, "The line is not valid JSON.")
	}
	return reject(ReasonNotObject, "The line is JSON, but not an object.")
}

// scanner checks JSON by RFC 8259 and finds its parts. Invalid UTF-8 is let
// through: attackers send it, and what can't be kept is noticed apart.
type scanner struct {
	src []byte
	// damaged says that an unpaired surrogate escape was passed.
	damaged bool
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// value returns the end of the value that begins at i.
func (s *scanner) value(i, depth int) (int, error) {
	if i >= len(s.src) {
		return i, errSyntax
	}
	if depth > maxDepth {
		return i, errDeep
	}
	switch c := s.src[i]; {
	case c == '"':
		return s.str(i)
	case c == '{':
		return s.object(i, depth, nil)
	case c == '[':
		return s.array(i, depth)
	case c == '-' || c >= '0' && c <= '9':
		return s.number(i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.src[i:], []byte(word)) {
			return i + len(word), nil
		}
	}
	return i, errSyntax
}

func (s *scanner) members(i int, visit func(string, []byte)) (int, error) {
	return s.object(i, 0, visit)
}

// object reads an object that begins at i; visit may be nil.
func (s *scanner) object(i, depth int, visit func(string, []byte)) (int, error) {
	i = skipSpace(s.src, i+1)
	if i < len(s.src) && s.src[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(s.src) || s.src[i] != '"' {
			return i, errSyntax
		}
		keyEnd, err := s.str(i)
		if err != nil {
			return i, err
		}
		colon := skipSpace(s.src, keyEnd)
		if colon >= len(s.src) || s.src[colon] != ':' {
			return i, errSyntax
		}
		begin := skipSpace(s.src, colon+1)
		end, err := s.value(begin, depth+1)
		if err != nil {
			return i, err
		}
		if visit != nil {
			visit(decodeString(s.src[i:keyEnd]), s.src[begin:end])
		}
		var done bool
		if i, done, err = s.next(end, '}'); done || err != nil {
			return i, err
		}
	}
}

func (s *scanner) array(i, depth int) (int, error) {
	i = skipSpace(s.src, i+1)
	if i < len(s.src) && s.src[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := s.value(i, depth+1)
		if err != nil {
			return i, err
		}
		var done bool
		if i, done, err = s.next(end, ']'); done || err != nil {
			return i, err
		}
	}
}

// next passes the comma before the next element, or the closing bracket.
func (s *scanner) next(i int, closing byte) (end int, done bool, err error) {
	i = skipSpace(s.src, i)
	switch {
	case i < len(s.src) && s.src[i] == closing:
		return i + 1, true, nil
	case i < len(s.src) && s.src[i] == ',':
		return skipSpace(s.src, i+1), false, nil
	}
	return i, false, errSyntax
}

func (s *scanner) str(i int) (int, error) {
	for i++; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '"':
			return i + 1, nil
		case c < ' ':
			return i, errSyntax
		case c == '\\':
			n, paired := escape(s.src[i:])
			if n == 0 {
				return i, errSyntax
			}
			if !paired {
				s.damaged = true
			}
			i += n - 1
		}
	}
	return i, errSyntax
}

func (s *scanner) number(i int) (int, error) {
	if s.src[i] == '-' {
		i++
	}
	whole := s.digits(i)
	if whole == i || s.src[i] == '0' && whole > i+1 {
		return i, errSyntax
	}
	i = whole
	if i < len(s.src) && s.src[i] == '.' {
		frac := s.digits(i + 1)
		if frac == i+1 {
			return i, errSyntax
		}
		i = frac
	}
	if i < len(s.src) && (s.src[i] == 'e' || s.src[i] == 'E') {
		i++
		if i < len(s.src) && (s.src[i] == '+' || s.src[i] == '-') {
			i++
		}
		exp := s.digits(i)
		if exp == i {
			return i, errSyntax
		}
		i = exp
	}
	return i, nil
}

func (s *scanner) digits(i int) int {
	for i < len(s.src) && s.src[i] >= '0' && s.src[i] <= '9' {
		i++
	}
	return i
}
