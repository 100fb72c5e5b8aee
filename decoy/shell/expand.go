package shell

import (
	"path"
	"strconv"
	"strings"
)

// Bounds of what an expansion gives.
const (
	maxWord   = 64 << 10
	maxFields = 2048
)

// fields collects the words that a word expands to.
type fields struct {
	done []string
	text strings.Builder
	// pattern is text with what was quoted escaped.
	pattern strings.Builder
	started bool
	glob    bool
}

func (f *fields) add(s string, quoted bool) {
	f.started = true
	if f.text.Len()+len(s) > maxWord {
		return
	}
	f.text.WriteString(s)
	for i := range len(s) {
		special := strings.IndexByte(`*?[]\`, s[i]) >= 0
		if special && quoted {
			f.pattern.WriteByte('\\')
		}
		f.glob = f.glob || special && !quoted
		f.pattern.WriteByte(s[i])
	}
}

// addSplit adds what an unquoted substitution gave.
func (f *fields) addSplit(sh *Shell, s string) {
	for len(s) > 0 {
		i := strings.IndexAny(s, " \t\n")
		if i < 0 {
			f.add(s, false)
			return
		}
		if i > 0 {
			f.add(s[:i], false)
		}
		f.end(sh)
		s = strings.TrimLeft(s[i:], " \t\n")
	}
}

func (f *fields) end(sh *Shell) {
	if f.started && len(f.done) < maxFields {
		var found []string
		if f.glob {
			found = sh.glob(f.pattern.String())
		}
		if len(found) == 0 {
			found = []string{f.text.String()}
		}
		f.done = append(f.done, found...)
	}
	f.text.Reset()
	f.pattern.Reset()
	f.started, f.glob = false, false
}

// expand expands words to fields.
func (sh *Shell) expand(words []word) []string {
	var all []string
	for _, w := range words {
		var f fields
		sh.expandInto(&f, string(w), false, true)
		f.end(sh)
		if all = append(all, f.done...); len(all) > maxFields {
			return all[:maxFields]
		}
	}
	return all
}

// expandText expands a word to one text, as in assignments.
func (sh *Shell) expandText(w word) string {
	var f fields
	sh.expandInto(&f, string(w), false, false)
	return f.text.String()
}

func (sh *Shell) expandPattern(w word) string {
	var f fields
	sh.expandInto(&f, string(w), false, false)
	return f.pattern.String()
}

func (sh *Shell) expandInto(f *fields, s string, quoted, split bool) {
	if !quoted && (s == "~" || strings.HasPrefix(s, "~/")) {
		f.add(sh.vars["HOME"], true)
		s = s[1:]
	}
	for i := 0; i < len(s) && !sh.stopped(); {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			if quoted && strings.IndexByte("$`\"\\\n", s[i+1]) < 0 {
				f.add(`\`, true)
			}
			if s[i+1] != '\n' {
				f.add(s[i+1:i+2], true)
			}
			i += 2
		case c == '\'' && !quoted, c == '"' && !quoted, c == '`', c == '$':
			end, _ := unitEnd(s, i, 0)
			if c == '$' && !strings.HasPrefix(s[i:], "$(") && !strings.HasPrefix(s[i:], "${") && (quoted || !strings.HasPrefix(s[i:], "$'")) {
				end = nameEnd(s, i+1)
			}
			sh.expandUnit(f, s[i:end], quoted, split)
			i = end
		default:
			j := i + 1
			for j < len(s) && strings.IndexByte("\\'\"`$", s[j]) < 0 {
				j++
			}
			f.add(s[i:j], quoted)
			i = j
		}
	}
}

func nameEnd(s string, i int) int {
	if i < len(s) && strings.IndexByte("?$!#@*-0123456789", s[i]) >= 0 {
		return i + 1
	}
	for i < len(s) && isName("_"+s[i:i+1]) {
		i++
	}
	return i
}

// expandUnit expands a quotation or a substitution.
func (sh *Shell) expandUnit(f *fields, u string, quoted, split bool) {
	var value string
	switch {
	case u[0] == '\'':
		f.add(strings.Trim(u, "'"), true)
		return
	case u[0] == '"':
		f.started = true
		sh.expandInto(f, strings.TrimSuffix(u[1:], `"`), true, split)
		return
	case strings.HasPrefix(u, "$'"):
		text, _ := unescape(strings.TrimSuffix(u[2:], "'"), false)
		f.add(text, true)
		return
	case u == "$":
		f.add(u, quoted)
		return
	case u[0] == '`':
		value = sh.substitute(strings.NewReplacer("\\`", "`", `\\`, `\`, `\$`, `$`).Replace(strings.Trim(u, "`")))
	case strings.HasPrefix(u, "$((") && strings.HasSuffix(u, "))"):
		value = strconv.FormatInt(sh.arithmetic(u[3:len(u)-2]), 10)
	case strings.HasPrefix(u, "$("):
		value = sh.substitute(strings.TrimSuffix(u[2:], ")"))
	case u == `$@` || u == `${@}`:
		for i, a := range sh.args {
			if i > 0 {
				f.end(sh)
			}
			f.add(a, quoted)
		}
		return
	case strings.HasPrefix(u, "${"):
		value = sh.parameter(strings.TrimSuffix(u[2:], "}"))
	default:
		value = sh.variable(u[1:])
	}
	sh.pay(len(value))
	if quoted || !split {
		f.add(value, true)
		return
	}
	f.addSplit(sh, value)
}

// substitute runs a command and returns what it says.
func (sh *Shell) substitute(src string) string {
	var out buffer
	sub := sh.fork()
	sub.runSource(src, streams{in: sh.io.in, out: &out, err: sh.io.err})
	sh.status = sub.status
	return strings.TrimRight(strings.ReplaceAll(out.String(), "\x00", ""), "\n")
}

// variable is the value of $name.
func (sh *Shell) variable(name string) string {
	switch name {
	case "?":
		return strconv.Itoa(sh.status)
	case "$":
		return strconv.Itoa(sh.pid)
	case "!", "-":
		return map[string]string{"!": "", "-": "himBHs"}[name]
	case "#":
		return strconv.Itoa(len(sh.args))
	case "@", "*":
		return strings.Join(sh.args, " ")
	case "0":
		return sh.name
	case "RANDOM":
		sh.random = sh.random*1103515245 + 12345
		return strconv.Itoa(int(sh.random>>16) & 0x7fff)
	case "PWD":
		return sh.cwd
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n >= 1 && n <= len(sh.args) {
			return sh.args[n-1]
		}
		return ""
	}
	return sh.vars[name]
}

// parameter is the value of ${…}.
func (sh *Shell) parameter(s string) string {
	if rest, ok := strings.CutPrefix(s, "#"); ok && rest != "" {
		return strconv.Itoa(len(sh.variable(rest)))
	}
	end := nameEnd(s, 0)
	name, op := s[:end], s[end:]
	value := sh.variable(name)
	if op == "" {
		return value
	}
	colon := op[0] == ':' && len(op) > 1
	if colon {
		op = op[1:]
	}
	_, set := sh.vars[name]
	set = (set || value != "") && (!colon || value != "")
	arg := func() string { return sh.expandText(word(op[1:])) }
	switch op[0] {
	case '-', '=':
		if set {
			return value
		}
		if op[0] == '=' {
			sh.setVar(name, arg())
		}
		return arg()
	case '+':
		if set {
			return arg()
		}
		return ""
	case '#', '%':
		sh.pay(len(value) * len(value) / 16)
		if sh.left.dead {
			return ""
		}
		return trimPattern(value, op, sh.expandPattern(word(strings.TrimLeft(op, op[:1]))))
	}
	if colon {
		return substring(value, op)
	}
	return value
}

func substring(value, bounds string) string {
	from, length, hasLength := strings.Cut(bounds, ":")
	n, _ := strconv.Atoi(strings.TrimSpace(from))
	if n < 0 {
		n += len(value)
	}
	value = value[min(max(n, 0), len(value)):]
	if l, err := strconv.Atoi(length); hasLength && err == nil && l >= 0 {
		value = value[:min(l, len(value))]
	}
	return value
}

// trimPattern cuts what a pattern matches off the begin (#) or the end (%).
func trimPattern(value, op, pattern string) string {
	if len(value) > 4096 {
		return value
	}
	longest := len(op) > 1 && op[1] == op[0]
	for i := range len(value) + 1 {
		cut := i
		if longest {
			cut = len(value) - i
		}
		part, rest := value[:cut], value[cut:]
		if op[0] == '%' {
			part, rest = value[len(value)-cut:], value[:len(value)-cut]
		}
		if ok := match(pattern, part); ok {
			return rest
		}
	}
	return value
}

// match is that of shell patterns, where * matches a slash, too.
func match(pattern, s string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x01"), strings.ReplaceAll(s, "/", "\x01"))
	return ok && err == nil
}

// glob returns the files that match.
func (sh *Shell) glob(pattern string) []string {
	dir, last := path.Split(pattern)
	if strings.ContainsAny(dir, "*?[") || !strings.ContainsAny(last, "*?[") {
		return nil
	}
	where, n := sh.fs.resolve(sh.abs(dir))
	if n == nil || n.kind != kindDir {
		return nil
	}
	var found []string
	for _, name := range sh.fs.list(where) {
		if !sh.step() {
			break
		}
		if name[0] == '.' && last[0] != '.' {
			continue
		}
		if match(last, name) && len(found) < maxFields {
			found = append(found, dir+name)
		}
	}
	return found
}

// unescape reads the escapes of echo -e, printf and $'…'. stop says that \c was
// met, which ends the output.
func unescape(s string, octalZero bool) (text string, stop bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'a', 'b', 'e', 'f', 'n', 'r', 't', 'v':
			b.WriteByte("\a\b\x1b\f\n\r\t\v"[strings.IndexByte("abefnrtv", c)])
		case '\\', '\'', '"':
			if c != '\\' && octalZero {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		case 'c':
			return b.String(), true
		case 'x':
			n, end := digits(s, i+1, 2, 16)
			if end == i+1 {
				b.WriteString(`\x`)
				continue
			}
			b.WriteByte(n)
			i = end - 1
		case '0', '1', '2', '3', '4', '5', '6', '7':
			start := i
			if octalZero && c == '0' {
				start++
			}
			n, end := digits(s, start, 3, 8)
			b.WriteByte(n)
			i = end - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

// digits reads at most n digits of a number.
func digits(s string, i, n, base int) (value byte, end int) {
	v := 0
	for end = i; end < len(s) && end < i+n; end++ {
		d, err := strconv.ParseUint(s[end:end+1], base, 8)
		if err != nil {
			break
		}
		v = v*base + int(d)
	}
	return byte(v), end
}
