package ingest

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
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
	var o object
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

// escape returns the length of the escape sequence that b begins with, 0 if it
// is none, both halves of a surrogate pair together; paired is false for a half
// alone.
func escape(b []byte) (n int, paired bool) {
	if len(b) < 2 {
		return 0, true
	}
	if b[1] != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), b[1]) < 0 {
			return 0, true
		}
		return 2, true
	}
	r, ok := hex4(b)
	if !ok {
		return 0, true
	}
	if !utf16.IsSurrogate(r) {
		return 6, true
	}
	if low, ok := hex4(b[6:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
		return 12, true
	}
	return 6, false
}

// hex4 reads the \uXXXX that b begins with.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
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

// decodeString returns the content of a checked JSON string with its quotes;
// what is not text becomes U+FFFD.
func decodeString(raw []byte) string {
	body := raw[1 : len(raw)-1]
	if bytes.IndexByte(body, '\\') < 0 && utf8.Valid(body) {
		return string(body)
	}
	dst := make([]byte, 0, len(body))
	for i := 0; i < len(body); {
		if body[i] == '\\' {
			var n int
			dst, n = appendUnescaped(dst, body[i:])
			i += n
			continue
		}
		r, n := utf8.DecodeRune(body[i:])
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return string(dst)
}

func appendUnescaped(dst, b []byte) ([]byte, int) {
	n, paired := escape(b)
	switch b[1] {
	case 'b':
		return append(dst, '\b'), n
	case 'f':
		return append(dst, '\f'), n
	case 'n':
		return append(dst, '\n'), n
	case 'r':
		return append(dst, '\r'), n
	case 't':
		return append(dst, '\t'), n
	case 'u':
		r, _ := hex4(b)
		switch {
		case !paired:
			r = utf8.RuneError
		case n == 12:
			low, _ := hex4(b[6:])
			r = utf16.DecodeRune(r, low)
		}
		return utf8.AppendRune(dst, r), n
	}
	return append(dst, b[1]), n
}

// appendNormal appends a checked JSON value without white space and with its
// strings in one form; numbers keep their text.
func appendNormal(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			end := stringEnd(raw, i)
			dst = appendRawString(dst, raw[i:end])
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// stringEnd returns the end of the checked string that begins at i.
func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func appendRawString(dst, raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return append(dst, raw...)
	}
	return appendString(dst, decodeString(raw))
}

// appendString appends s as a JSON string: escaped is only what must be.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		n := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, n = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, s[plain:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			if c < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, "\uFFFD"...)
			}
		}
		i += n
		plain = i
	}
	dst = append(dst, s[plain:]...)
	return append(dst, '"')
}

// quote is s as a raw JSON value.
func quote(s string) []byte { return appendString(make([]byte, 0, len(s)+2), s) }

// integer reads a whole number from a JSON number or a string of digits, as the
// decoys write either.
func integer(raw []byte) (int64, bool) {
	s, ok := scalarText(raw)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
