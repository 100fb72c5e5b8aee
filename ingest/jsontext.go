package ingest

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

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
