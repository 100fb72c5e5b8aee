package mssql

import (
	"encoding/hex"
	"strings"
)

// kind is what a token of Transact-SQL is.
type kind byte

const (
	word kind = iota
	quoted
	text
	number
	binaryLiteral
	variable
	symbol
)

// token is a part of a statement. The text is without quotes; of a word it is in
// lower case, of a binary literal it is the bytes.
type token struct {
	kind kind
	text string
}

// is reports whether the token is one of these words or symbols.
func (t token) is(names ...string) bool {
	if t.kind != word && t.kind != symbol {
		return false
	}
	for _, n := range names {
		if t.text == n {
			return true
		}
	}
	return false
}

// maxTokens bounds what is looked at of a batch; the event has all of it.
const maxTokens = 8192

// lex takes a batch apart. What has no end goes up to the end.
func lex(s string) []token {
	var all []token
	for s != "" && len(all) < maxTokens {
		var t token
		var some bool
		if t, s, some = next(s); some {
			all = append(all, t)
		}
	}
	return all
}

func isName(c byte) bool {
	return c == '_' || c == '#' || c == '@' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// next returns the first token of a text that isn't empty, if it begins with one.
func next(s string) (t token, rest string, some bool) {
	c := s[0]
	switch {
	case strings.HasPrefix(s, "--"):
		_, rest, _ = strings.Cut(s, "\n")
		return t, rest, false
	case strings.HasPrefix(s, "/*"):
		_, rest, _ = strings.Cut(s[2:], "*/")
		return t, rest, false
	case c <= ' ':
		return t, s[1:], false
	case c == '\'':
		v, rest := until(s[1:], '\'')
		return token{text, v}, rest, true
	case (c == 'N' || c == 'n') && len(s) > 1 && s[1] == '\'':
		v, rest := until(s[2:], '\'')
		return token{text, v}, rest, true
	case c == '"':
		v, rest := until(s[1:], '"')
		return token{quoted, v}, rest, true
	case c == '[':
		v, rest := until(s[1:], ']')
		return token{quoted, v}, rest, true
	case !isName(c):
		return token{symbol, s[:1]}, s[1:], true
	}
	n := 1
	for n < len(s) && isName(s[n]) {
		n++
	}
	return named(s[:n]), s[n:], true
}

// until reads up to a quote that isn't doubled.
func until(s string, end byte) (value, rest string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, end)
		if i < 0 {
			b.WriteString(s)
			return b.String(), ""
		}
		b.WriteString(s[:i])
		if s = s[i+1:]; s == "" || s[0] != end {
			return b.String(), s
		}
		b.WriteByte(end)
		s = s[1:]
	}
}

func named(s string) token {
	switch {
	case s[0] == '@':
		return token{variable, strings.ToLower(s)}
	case len(s) >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'):
		digits := s[2:]
		if len(digits)%2 == 1 {
			digits = "0" + digits
		}
		if b, err := hex.DecodeString(digits); err == nil {
			return token{binaryLiteral, string(b)}
		}
	case s[0] >= '0' && s[0] <= '9':
		return token{number, s}
	}
	return token{word, strings.ToLower(s)}
}

// begins reports whether a word begins a statement.
func begins(t token) bool {
	return t.is("select", "exec", "execute", "declare", "set", "use", "reconfigure", "print", "drop", "create", "alter", "insert", "update", "delete",
		"truncate", "grant", "revoke", "deny", "backup", "restore", "dbcc", "waitfor", "kill", "shutdown", "if", "else", "begin", "end", "while", "return", "raiserror", "commit", "rollback")
}

// maxStatements bounds those of a batch that are answered.
const maxStatements = 256

// split returns the statements of a batch. Transact-SQL needs no semicolons
// between them.
func split(all []token) [][]token {
	var out [][]token
	var current []token
	var has parts
	depth := 0
	flush := func() {
		if len(current) > 0 && len(out) < maxStatements {
			out = append(out, current)
		}
		current, has = nil, parts{}
	}
	for i, t := range all {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth = max(depth-1, 0)
		}
		if depth == 0 && t.is(";") {
			flush()
			continue
		}
		if depth == 0 && begins(t) && len(current) > 0 && !within(current[0], has, t, all[i-1]) {
			flush()
		}
		has.body = has.body || t.is("select", "exec", "execute", "values")
		has.set = has.set || t.is("set")
		current = append(current, t)
	}
	flush()
	return out
}

// parts is what was seen of a statement.
type parts struct{ body, set bool }

// within reports whether a word that could begin a statement belongs to the one
// before it, which begins with first.
func within(first token, has parts, t, before token) bool {
	switch {
	case first.is("create", "alter", "grant", "revoke", "deny", "backup", "restore"):
		return true
	case first.is("insert"):
		return t.is("select", "exec", "execute") && !has.body
	case first.is("update"):
		return t.is("set") && !has.set
	case before.is("union", "all", "for", "."):
		return true
	}
	return false
}
