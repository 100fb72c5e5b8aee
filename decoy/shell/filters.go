package shell

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// sed knows s/a/b/ and -n Np.
func sed(c *call) int {
	flags, args := "", []string{}
	for _, a := range c.args {
		if len(a) > 1 && a[0] == '-' {
			flags += a[1:]
			continue
		}
		args = append(args, a)
	}
	if len(args) == 0 {
		return c.fail("no script specified")
	}
	script := args[0]
	text, ok := c.text(args[1:])
	lines := split(text)
	if n, err := strconv.Atoi(strings.TrimSuffix(script, "p")); err == nil && strings.HasSuffix(script, "p") {
		if n >= 1 && n <= len(lines) {
			c.printf("%s\n", lines[n-1])
		}
		return status(ok)
	}
	if len(script) < 4 || script[0] != 's' {
		c.lines(lines)
		return status(ok)
	}
	parts := strings.Split(script[2:], script[1:2])
	if len(parts) < 3 || len(parts[0]) > 256 || len(parts[1]) > 256 {
		return c.fail("-e expression #1, char %d: unterminated `s' command", len(script))
	}
	pattern := parts[0]
	if !strings.ContainsAny(flags, "rE") {
		pattern = basicPattern(pattern)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return c.fail("-e expression #1, char %d: Invalid preceding regular expression", len(script))
	}
	with := strings.NewReplacer("$", "$$", `\1`, "${1}", `\2`, "${2}", "&", "${0}").Replace(parts[1])
	for _, line := range lines {
		if at := re.FindStringIndex(line); at != nil && len(line)*len(with) < 1<<20 {
			end := at[1]
			if strings.Contains(parts[2], "g") {
				end = len(line)
			}
			line = line[:at[0]] + re.ReplaceAllString(line[at[0]:end], with) + line[end:]
		}
		if _, err := io.WriteString(c.out, line+"\n"); err != nil {
			break
		}
	}
	return status(ok)
}

// awk knows {print $1,$2} with a pattern before it and -F.
func awk(c *call) int {
	sep, args := "", c.args
	for len(args) > 0 && strings.HasPrefix(args[0], "-F") {
		if sep = args[0][2:]; sep == "" && len(args) > 1 {
			sep, args = args[1], args[1:]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		_, _ = fmt.Fprintf(c.err, "Usage: awk [POSIX or GNU style options] -f progfile [--] file ...\n")
		return 2
	}
	text, ok := c.text(args[1:])
	before, action, _ := strings.Cut(args[0], "{")
	before = strings.TrimSpace(before)
	var only *regexp.Regexp
	if len(before) > 2 && len(before) < 256 && before[0] == '/' {
		only, _ = regexp.Compile(strings.Trim(before, "/"))
	}
	action = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(action), "}"))
	printed, isPrint := strings.CutPrefix(action, "print")
	for i, line := range split(text) {
		if only != nil && !only.MatchString(line) || before == "NR==1" && i > 0 || before == "NR==2" && i != 1 || !isPrint {
			continue
		}
		parts := strings.Fields(line)
		if sep != "" {
			parts = strings.Split(line, sep)
		}
		if _, err := io.WriteString(c.out, awkPrint(printed, line, parts)+"\n"); err != nil {
			break
		}
	}
	return status(ok)
}

func awkPrint(list, line string, parts []string) string {
	list = strings.Trim(list, " ;()")
	if list == "" {
		return line
	}
	var out []string
	size := 0
	for item := range strings.SplitSeq(list, ",") {
		if size > maxBuffer {
			break
		}
		var b strings.Builder
		for f := range strings.FieldsSeq(item) {
			if size+b.Len() > maxBuffer {
				break
			}
			switch n, err := strconv.Atoi(strings.TrimPrefix(f, "$")); {
			case f == "$0":
				b.WriteString(line)
			case f == "$NF" && len(parts) > 0:
				b.WriteString(parts[len(parts)-1])
			case f[0] == '$' && err == nil && n >= 1 && n <= len(parts):
				b.WriteString(parts[n-1])
			case f[0] == '"':
				b.WriteString(strings.Trim(f, `"`))
			}
		}
		size += b.Len()
		out = append(out, b.String())
	}
	return strings.Join(out, " ")
}

// cut takes fields or characters.
func cut(c *call) int {
	delim, list, chars := "\t", "", false
	var names []string
	for i := 0; i < len(c.args); i++ {
		a := c.args[i]
		if len(a) < 2 || a[0] != '-' {
			names = append(names, a)
			continue
		}
		value := a[2:]
		if value == "" && i+1 < len(c.args) && a != "-s" {
			i++
			value = c.args[i]
		}
		switch a[1] {
		case 'd':
			delim = value
		case 'f':
			list = value
		case 'c', 'b':
			list, chars = value, true
		}
	}
	text, ok := c.text(names)
	for _, line := range split(text) {
		parts := strings.Split(line, delim)
		if chars {
			parts = strings.Split(line, "")
		} else if len(parts) == 1 {
			c.printf("%s\n", line)
			continue
		}
		var kept []string
		for i, part := range parts {
			if inList(list, i+1) {
				kept = append(kept, part)
			}
		}
		if chars {
			delim = ""
		}
		c.printf("%s\n", strings.Join(kept, delim))
	}
	return status(ok)
}

func inList(list string, n int) bool {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		lo, _ := strconv.Atoi(from)
		hi, err := strconv.Atoi(to)
		if !isRange {
			hi = lo
		} else if err != nil {
			hi = maxBuffer
		}
		if n >= lo && n <= hi {
			return true
		}
	}
	return false
}

func tr(c *call) int {
	flags, args := options(c.args)
	if len(args) == 0 {
		return c.fail("missing operand")
	}
	from, to := trSet(args[0]), ""
	if len(args) > 1 {
		to = trSet(args[1])
	}
	var b strings.Builder
	for _, ch := range []byte(c.all()) {
		i := strings.IndexByte(from, ch)
		switch {
		case strings.Contains(flags, "c") && strings.Contains(flags, "d"):
			if i >= 0 {
				b.WriteByte(ch)
			}
		case i < 0:
			b.WriteByte(ch)
		case strings.Contains(flags, "d"):
		case to != "":
			b.WriteByte(to[min(i, len(to)-1)])
		default:
			b.WriteByte(ch)
		}
	}
	_, _ = io.WriteString(c.out, b.String())
	return 0
}

func trSet(s string) string {
	s = strings.NewReplacer("[:lower:]", "a-z", "[:upper:]", "A-Z", "[:digit:]", "0-9", "[:space:]", " \t\n\r").Replace(s)
	s, _ = unescape(s, false)
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < 512; i++ {
		if i+2 < len(s) && s[i+1] == '-' && s[i] <= s[i+2] {
			for ch := int(s[i]); ch <= int(s[i+2]); ch++ {
				b.WriteByte(byte(ch))
			}
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
