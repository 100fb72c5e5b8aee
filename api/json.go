package api

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"decnet/repo"
)

// appendString appends s as a JSON string that is valid UTF-8 and harmless
// wherever it is shown: what is not UTF-8 becomes U+FFFD, and control
// characters, markup (< > &) and the line separators of JavaScript are escaped.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s, false)
	return append(b, '"')
}

// appendEscaped appends s with its harmful characters as JSON escapes. isJSON
// says that s is JSON text already, where those characters stand in strings
// only, and quotes, backslashes and white space keep their meaning.
func appendEscaped(b []byte, s string, isJSON bool) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + size
			case r <= 0x9f, r == 0x2028, r == 0x2029:
				b = appendUnicode(append(b, s[start:i]...), r)
				start = i + size
			}
			i += size
			continue
		}
		if isHarmless(c) || (isJSON && (c < ' ' || c == '"' || c == '\\')) {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = appendUnicode(b, rune(c))
		}
		i++
		start = i
	}
	return append(b, s[start:]...)
}

// isHarmless tells of an ASCII character; it is asked for every byte that is sent.
func isHarmless(c byte) bool {
	const below64 uint64 = 1<<' ' - 1 | 1<<'"' | 1<<'<' | 1<<'>' | 1<<'&'
	const from64 uint64 = 1<<('\\'-64) | 1<<(0x7f-64)
	if c < 64 {
		return below64>>c&1 == 0
	}
	return from64>>(c-64)&1 == 0
}

// appendUnicode appends the \u escape of a rune of the basic plane.
func appendUnicode(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// appendOptional appends null for "".
func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// appendTime appends RFC 3339 in UTC with the fraction that the time has, or null.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// appendLog appends the wire form of an event. Rows are by far the most of what
// the service sends, so they are not left to reflection.
func appendLog(b []byte, l *repo.Log) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, l.ID, 10)
	b = append(b, `,"timestamp":`...)
	b = appendTime(b, l.Time)
	b = append(b, `,"decky":`...)
	b = appendString(b, l.Decky)
	b = append(b, `,"service":`...)
	b = appendString(b, l.Service)
	b = append(b, `,"event_type":`...)
	b = appendString(b, l.EventType)
	b = append(b, `,"attacker_ip":`...)
	b = appendString(b, l.AttackerIP)
	b = append(b, `,"raw_line":`...)
	b = appendString(b, l.RawLine)
	b = append(b, `,"fields":`...)
	b = appendString(b, l.Fields)
	b = append(b, `,"msg":`...)
	b = appendOptional(b, l.Msg)
	b = append(b, `,"trace_id":`...)
	b = appendOptional(b, l.TraceID)
	b = append(b, `,"span_id":`...)
	b = appendOptional(b, l.SpanID)
	return append(b, '}')
}

// appendArray appends an array of n elements, each appended by the function.
func appendArray(b []byte, n int, element func(b []byte, i int) []byte) []byte {
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, i)
	}
	return append(b, ']')
}

// bucketSize is about what a bucket takes on the wire, in bytes.
const bucketSize = 48

// appendHistogram appends the wire form of buckets.
func appendHistogram(b []byte, buckets []repo.Bucket) []byte {
	b = slices.Grow(b, len(buckets)*bucketSize)
	return appendArray(b, len(buckets), func(b []byte, i int) []byte {
		b = append(b, `{"time":"`...)
		// Package time knows a short way for RFC 3339 alone.
		at := len(b)
		b = buckets[i].Start.UTC().AppendFormat(b, time.RFC3339)
		b[at+len(time.DateOnly)] = ' '
		b = append(b[:at+len(time.DateTime)], `","count":`...)
		b = strconv.AppendInt(b, buckets[i].Count, 10)
		return append(b, '}')
	})
}

// appendPage appends the envelope of a list around its data, which is appended
// by the caller's function.
func appendPage(b []byte, total int64, limit, offset int, data func(b []byte) []byte) []byte {
	b = append(b, `{"total":`...)
	b = strconv.AppendInt(b, total, 10)
	b = append(b, `,"limit":`...)
	b = strconv.AppendInt(b, int64(limit), 10)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, int64(offset), 10)
	b = append(b, `,"data":`...)
	b = data(b)
	return append(b, '}')
}

// appendObject appends a stored JSON object so that the whole stays valid and
// harmless whatever the store holds.
func appendObject(b []byte, object string) []byte {
	if !isPlainObject(object) && !json.Valid([]byte(object)) {
		return append(b, "{}"...)
	}
	return appendEscaped(b, object, true)
}

// isPlainObject reports whether s is a JSON object of texts without escapes and of
// whole numbers, without white space, as nearly all that decoys send are. It takes
// a tenth of the time of [json.Valid], which must be asked about all others.
func isPlainObject(s string) bool {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return false
	}
	s = s[1 : len(s)-1]
	for more := s != ""; more; {
		var ok bool
		if s, ok = afterPlainText(s); !ok || s == "" || s[0] != ':' {
			return false
		}
		if s, ok = afterPlainValue(s[1:]); !ok {
			return false
		}
		if s, more = strings.CutPrefix(s, ","); !more && s != "" {
			return false
		}
	}
	return true
}

// afterPlainText returns what follows a JSON string.
func afterPlainText(s string) (rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[i+1:], true
		case c < ' ' || c == '\\':
			return "", false
		}
	}
	return "", false
}

// afterPlainValue returns what follows a JSON string or a whole number.
func afterPlainValue(s string) (rest string, ok bool) {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	if n == 0 {
		return afterPlainText(s)
	}
	return s[n:], n == 1 || s[0] != '0'
}
