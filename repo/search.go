package repo

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Expr is a condition on an event: the search language as a tree. Engines
// compile the node types of this package, and only with bound parameters; Match
// is the meaning that the compiled form must agree with.
type Expr interface {
	// Match reports whether the condition holds for l.
	Match(l *Log) bool
	// String prints the condition so that [ParseSearch] reads it back.
	String() string
}

// And holds when all its parts hold; an empty And holds always.
type And []Expr

// Column is a column of [Log] that the search language names.
type Column string

// The columns of the search language.
const (
	ColumnDecky    Column = "decky"
	ColumnService  Column = "service"
	ColumnEvent    Column = "event"
	ColumnAttacker Column = "attacker"
)

// Equals holds when the column has exactly this value.
type Equals struct {
	Column Column
	Value  string
}

// FieldEquals holds when the key at the top of [Log.Fields] has this value,
// whatever its JSON type: a string is compared by its content, anything else by
// its JSON text, so "443" matches both the number and the string.
type FieldEquals struct {
	// Key is made of ASCII letters, digits and "_".
	Key, Value string
}

// Contains holds when RawLine, Decky, Service or AttackerIP contains Text,
// where ASCII letters match in either case. No character is special.
type Contains struct {
	Text string
}

// ParseSearch reads the search language. Words are separated by white space and
// all of them must match; quotes group and a backslash escapes, as in a POSIX
// shell; an unbalanced quote falls back to splitting at white space. It returns
// nil, no condition, when there is no word. Every string has a meaning: there
// is no error.
//
// key:value is [Equals] for the keys decky, service, event, attacker,
// attacker-ip and attacker_ip, else [FieldEquals]; in an unknown key all but
// ASCII letters, digits and "_" is dropped, and if nothing is left the word is
// plain. A word that is an IP address is plain too, although an IPv6 address
// holds colons. Plain words are [Contains].
func ParseSearch(s string) Expr {
	words, ok := splitWords(s)
	if !ok {
		words = strings.Fields(s)
	}
	var all And
	for _, w := range words {
		if w != "" {
			all = append(all, parseWord(w))
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	default:
		return all
	}
}

func parseWord(w string) Expr {
	key, value, found := strings.Cut(w, ":")
	if !found {
		return Contains{w}
	}
	if _, err := netip.ParseAddr(w); err == nil {
		return Contains{w}
	}
	switch key {
	case "decky", "service", "event", "attacker":
		return Equals{Column(key), value}
	case "attacker-ip", "attacker_ip":
		return Equals{ColumnAttacker, value}
	}
	key = strings.Map(keepKeyRune, key)
	if key == "" {
		return Contains{w}
	}
	return FieldEquals{key, value}
}

func keepKeyRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
		return r
	}
	return -1
}

// splitWords splits like a POSIX shell without expansions; ok is false when a
// quote is left open or a backslash is last.
func splitWords(s string) (words []string, ok bool) {
	var word strings.Builder
	in := false // inside a word, which may be empty: ''
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'':
			if c == '\'' {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case quote == '"':
			switch {
			case c == '"':
				quote = 0
			case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
				i++
				word.WriteByte(s[i])
			default:
				word.WriteByte(c)
			}
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == '\\':
			if i+1 == len(s) {
				return nil, false
			}
			i++
			word.WriteByte(s[i])
			in = true
		case isSpace(c):
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, false
	}
	if in {
		words = append(words, word.String())
	}
	return words, true
}

func isSpace(c byte) bool { return c == ' ' || (c >= '\t' && c <= '\r') }

// Match implements [Expr].
func (a And) Match(l *Log) bool {
	for _, e := range a {
		if !e.Match(l) {
			return false
		}
	}
	return true
}

// Match implements [Expr].
func (e Equals) Match(l *Log) bool {
	switch e.Column {
	case ColumnDecky:
		return l.Decky == e.Value
	case ColumnService:
		return l.Service == e.Value
	case ColumnEvent:
		return l.EventType == e.Value
	case ColumnAttacker:
		return l.AttackerIP == e.Value
	}
	return false
}

// Match implements [Expr].
func (c Contains) Match(l *Log) bool {
	return ContainsFold(l.RawLine, c.Text) || ContainsFold(l.Decky, c.Text) ||
		ContainsFold(l.Service, c.Text) || ContainsFold(l.AttackerIP, c.Text)
}

// Match implements [Expr].
func (f FieldEquals) Match(l *Log) bool {
	value, found, ok := scanField(l.Fields, f.Key)
	switch {
	case !ok || found && value[0] == '"' && strings.IndexByte(value, '\\') >= 0:
		return f.matchDecoded(l)
	case !found:
		return false
	case value[0] == '"':
		return value[1:len(value)-1] == f.Value
	}
	return value == f.Value
}

// matchDecoded is Match without trust in the form of l.Fields.
func (f FieldEquals) matchDecoded(l *Log) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(l.Fields), &fields) != nil {
		return false
	}
	raw, ok := fields[f.Key]
	if !ok {
		return false
	}
	value, ok := decodedField(raw)
	return ok && value == f.Value
}

// decodedField returns what a value of [FieldEquals] is compared with: the text of
// a string, the compact JSON of all else.
func decodedField(raw json.RawMessage) (value string, ok bool) {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '"' {
		err := json.Unmarshal(raw, &value)
		return value, err == nil
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, raw)
	return compact.String(), err == nil
}

// ContainsFold reports whether s contains sub, where ASCII letters match in
// either case and every other byte only itself. A search asks it of every row that
// it reads, so it jumps from one occurrence of the rarest byte of sub to the next,
// which a processor finds many bytes at a time.
func ContainsFold(s, sub string) bool {
	switch {
	case sub == "":
		return true
	case len(sub) > len(s):
		return false
	}
	at := rarest(sub)
	small := foldByte(sub[at])
	large := small
	if small >= 'a' && small <= 'z' {
		large = small - ('a' - 'A')
	}
	// The probed byte is somewhere in s[at : end], or nowhere.
	end := len(s) - (len(sub) - at - 1)
	nextSmall, nextLarge := indexFrom(s[:end], small, at), end
	if large != small {
		nextLarge = indexFrom(s[:end], large, at)
	}
	for {
		next := min(nextSmall, nextLarge)
		switch {
		case next == end:
			return false
		case equalFold(s[next-at:next-at+len(sub)], sub):
			return true
		case next == nextSmall:
			nextSmall = indexFrom(s[:end], small, next+1)
		default:
			nextLarge = indexFrom(s[:end], large, next+1)
		}
	}
}

// indexFrom returns the index of the first c in s from a place on, or len(s).
func indexFrom(s string, c byte, from int) int {
	if i := strings.IndexByte(s[from:], c); i >= 0 {
		return from + i
	}
	return len(s)
}

// rarest returns where in a text, which is not empty, the byte is that log lines
// have least often, about.
func rarest(s string) (at int) {
	const often = `etaoinsr"0124:,-._ dlchumpgfyv356789wbk/={}[]`
	best := -1
	for i := range len(s) {
		rank := strings.IndexByte(often, foldByte(s[i]))
		if rank < 0 {
			return i
		}
		if rank > best {
			best, at = rank, i
		}
	}
	return at
}

func equalFold(a, b string) bool {
	for i := range len(a) {
		if foldByte(a[i]) != foldByte(b[i]) {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// String implements [Expr].
func (a And) String() string {
	parts := make([]string, len(a))
	for i, e := range a {
		parts[i] = e.String()
	}
	return strings.Join(parts, " ")
}

// String implements [Expr].
func (e Equals) String() string { return quoteWord(string(e.Column) + ":" + e.Value) }

// String implements [Expr]. A field that is named like a column, or that looks
// like an IPv6 address together with its value, gets a sign into its key that
// [ParseSearch] drops.
func (f FieldEquals) String() string {
	w := f.Key + ":" + f.Value
	if parseWord(w) != Expr(f) {
		w = f.Key + ".:" + f.Value
	}
	return quoteWord(w)
}

// String implements [Expr].
func (c Contains) String() string { return quoteWord(c.Text) }

// quoteWord writes a word so that splitWords reads it back unchanged.
func quoteWord(w string) string {
	plain := w != "" && utf8.ValidString(w)
	for i := 0; plain && i < len(w); i++ {
		plain = !isSpace(w[i]) && !strings.ContainsRune(`'"\`, rune(w[i]))
	}
	if plain {
		return w
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
}
