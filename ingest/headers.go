package ingest

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// headers are the HTTP request headers that rules ask for.
type headers struct{ userAgent, mailer string }

func (h *headers) see(name, value string) {
	switch {
	case h.userAgent == "" && strings.EqualFold(name, "User-Agent"):
		h.userAgent = value
	case h.mailer == "" && strings.EqualFold(name, "X-Mailer"):
		h.mailer = value
	}
}

// readHeaders reads the value of a field "headers": an object, or text that is
// JSON (the http decoy) or the repr of a Python dict (the https decoy).
// Anything else has no headers.
func readHeaders(raw []byte) headers {
	var h headers
	if len(raw) == 0 {
		return h
	}
	if raw[0] == '"' {
		text := strings.TrimSpace(decodeString(raw))
		if !strings.HasPrefix(text, "{") {
			return h
		}
		raw = []byte(text)
		if o, err := parseObject(raw); err == nil {
			return headersOf(&o)
		}
		return pythonHeaders(text)
	}
	if raw[0] == '{' {
		o, _ := parseObject(raw)
		return headersOf(&o)
	}
	return h
}

func headersOf(o *object) headers {
	var h headers
	for i := range o.members {
		if value, ok := headerText(o.members[i].raw); ok {
			h.see(o.members[i].key, value)
		}
	}
	return h
}

// headerText is a header's value, or the first of a list of values.
func headerText(raw []byte) (string, bool) {
	if raw[0] == '[' {
		begin := skipSpace(raw, 1)
		if raw[begin] != '"' {
			return "", false
		}
		return decodeString(raw[begin:stringEnd(raw, begin)]), true
	}
	return scalarText(raw)
}

// pythonHeaders reads {'Name': 'value', …} up to the first thing that Python's
// repr of a dict of strings would not have written.
func pythonHeaders(s string) headers {
	var h headers
	s = s[1:]
	for {
		name, rest, ok := pythonString(strings.TrimLeft(s, ", "))
		if !ok {
			return h
		}
		rest, found := strings.CutPrefix(rest, ": ")
		if !found {
			return h
		}
		value, rest, ok := pythonString(rest)
		if !ok {
			return h
		}
		h.see(name, value)
		s = rest
	}
}

// pythonString reads the repr of a string, which is in single quotes unless it
// holds one and no double quote.
func pythonString(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", s, false
	}
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); {
		switch s[i] {
		case quote:
			return b.String(), s[i+1:], true
		case '\\':
			r, n := pythonEscape(s[i:])
			b.WriteRune(r)
			i += n
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return "", s, false
}

// pythonEscape decodes the escape that s begins with; one that repr does not
// write is a backslash.
func pythonEscape(s string) (r rune, n int) {
	if len(s) < 2 {
		return '\\', 1
	}
	digits := 0
	switch s[1] {
	case '\\', '\'', '"':
		return rune(s[1]), 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	if digits == 0 || len(s) < 2+digits {
		return '\\', 1
	}
	v, err := strconv.ParseUint(s[2:2+digits], 16, 32)
	switch {
	case err != nil:
		return '\\', 1
	case v > utf8.MaxRune:
		return utf8.RuneError, 2 + digits
	}
	return rune(v), 2 + digits
}
