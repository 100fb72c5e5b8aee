package shell

import (
	"crypto/md5"  //nolint:gosec // md5sum is what it imitates
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// split takes the lines of a text apart.
func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// count reads -n 5, -n5 and -5, and returns what else there is.
func count(args []string) (unit byte, n int, rest []string) {
	unit, n = 'n', 10
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case (a == "-n" || a == "-c") && i+1 < len(args):
			i++
			unit = a[1]
			n, _ = strconv.Atoi(strings.TrimPrefix(args[i], "-"))
		case len(a) > 2 && (strings.HasPrefix(a, "-n") || strings.HasPrefix(a, "-c")):
			unit = a[1]
			n, _ = strconv.Atoi(a[2:])
		case len(a) > 1 && a[0] == '-' && a[1] >= '0' && a[1] <= '9':
			n, _ = strconv.Atoi(a[1:])
		case len(a) > 1 && a[0] == '-':
		default:
			rest = append(rest, a)
		}
	}
	return unit, max(n, 0), rest
}

func headTail(c *call) int {
	unit, n, names := count(c.args)
	text, ok := c.text(names)
	if unit == 'c' {
		n = min(n, len(text))
		if c.name == "tail" {
			text = text[len(text)-n:]
		} else {
			text = text[:n]
		}
		_, _ = io.WriteString(c.out, text)
		return status(ok)
	}
	lines := split(text)
	n = min(n, len(lines))
	if c.name == "tail" {
		lines = lines[len(lines)-n:]
	} else {
		lines = lines[:n]
	}
	c.lines(lines)
	return status(ok)
}

func (c *call) lines(lines []string) {
	for _, l := range lines {
		if _, err := io.WriteString(c.out, l+"\n"); err != nil {
			return
		}
	}
}

func grep(c *call) int {
	flags, rest := "", []string{}
	pattern, has := "", false
	for i := 0; i < len(c.args); i++ {
		a := c.args[i]
		switch {
		case a == "-e" && i+1 < len(c.args):
			i++
			pattern, has = c.args[i], true
		case len(a) > 1 && a[0] == '-':
			flags += a[1:]
		case !has:
			pattern, has = a, true
		default:
			rest = append(rest, a)
		}
	}
	if !has {
		_, _ = fmt.Fprintf(c.err, "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n")
		return 2
	}
	if c.name == "fgrep" || strings.Contains(flags, "F") {
		pattern = regexp.QuoteMeta(pattern)
	} else if c.name != "egrep" && !strings.ContainsAny(flags, "EP") {
		pattern = basicPattern(pattern)
	}
	if strings.Contains(flags, "w") {
		pattern = `\b(?:` + pattern + `)\b`
	}
	if strings.Contains(flags, "i") {
		pattern = "(?i)" + pattern
	}
	if len(pattern) > 512 {
		return 1
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		c.fail("Unmatched [, [^, [:, [., or [=")
		return 2
	}
	return c.grep(re, flags, rest)
}

func (c *call) grep(re *regexp.Regexp, flags string, names []string) int {
	n := 0
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		text, ok := c.open(name)
		if !ok {
			continue
		}
		for i, line := range split(text) {
			if re.MatchString(line) == strings.Contains(flags, "v") {
				continue
			}
			n++
			if strings.ContainsAny(flags, "qc") || strings.Contains(flags, "l") {
				continue
			}
			if strings.Contains(flags, "o") {
				c.lines(re.FindAllString(line, 100))
				continue
			}
			if len(names) > 1 && !strings.Contains(flags, "h") {
				line = name + ":" + line
			}
			if strings.Contains(flags, "n") {
				line = strconv.Itoa(i+1) + ":" + line
			}
			c.printf("%s\n", line)
		}
		if strings.Contains(flags, "l") && n > 0 {
			c.printf("%s\n", name)
		}
	}
	if strings.Contains(flags, "c") {
		c.printf("%d\n", n)
	}
	return status(n > 0)
}

// basicPattern makes a basic regular expression an extended one.
func basicPattern(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch ch := p[i]; {
		case ch == '\\' && i+1 < len(p) && strings.IndexByte("|+?(){}", p[i+1]) >= 0:
			i++
			b.WriteByte(p[i])
		case ch == '\\' && i+1 < len(p):
			b.WriteString(p[i : i+2])
			i++
		case strings.IndexByte("|+?(){}", ch) >= 0:
			b.WriteString(`\` + string(ch))
		default:
			b.WriteByte(ch)
		}
	}
	return b.String()
}

func wc(c *call) int {
	flags, names := options(c.args)
	text, ok := c.text(names)
	if flags == "" {
		flags = "lwc"
	}
	var out []string
	for _, f := range [...]struct {
		flag string
		n    int
	}{{"l", strings.Count(text, "\n")}, {"w", len(strings.Fields(text))}, {"c", len(text)}} {
		if strings.Contains(flags, f.flag) {
			out = append(out, strconv.Itoa(f.n))
		}
	}
	line := strings.Join(out, " ")
	if len(out) > 1 {
		line = ""
		for _, n := range out {
			line += fmt.Sprintf("%7s ", n)
		}
		line = strings.TrimSuffix(line, " ")
	}
	if len(names) > 0 {
		line += " " + names[0]
	}
	c.printf("%s\n", line)
	return status(ok)
}

func sortLines(c *call) int {
	flags, names := options(c.args)
	text, ok := c.text(names)
	lines := split(text)
	if strings.ContainsAny(flags, "ng") {
		slices.SortStableFunc(lines, func(a, b string) int {
			return int(apply(">", leading(a), leading(b)) - apply("<", leading(a), leading(b)))
		})
	} else {
		slices.Sort(lines)
	}
	if strings.Contains(flags, "u") {
		lines = slices.Compact(lines)
	}
	if strings.Contains(flags, "r") {
		slices.Reverse(lines)
	}
	c.lines(lines)
	return status(ok)
}

func leading(s string) int64 {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && s[end] == '-') {
		end++
	}
	n, _ := strconv.ParseInt(s[:end], 10, 64)
	return n
}

func uniq(c *call) int {
	flags, names := options(c.args)
	text, ok := c.text(names)
	lines := split(text)
	for i := 0; i < len(lines); {
		j := i + 1
		for j < len(lines) && lines[j] == lines[i] {
			j++
		}
		if strings.Contains(flags, "c") {
			c.printf("%7d %s\n", j-i, lines[i])
		} else {
			c.printf("%s\n", lines[i])
		}
		i = j
	}
	return status(ok)
}

func checksum(c *call) int {
	_, names := options(c.args)
	if len(names) == 0 {
		names = []string{"-"}
	}
	good := true
	for _, name := range names {
		text, ok := c.open(name)
		if !ok {
			good = false
			continue
		}
		sum := ""
		switch c.name {
		case "md5sum":
			sum = fmt.Sprintf("%x", md5.Sum([]byte(text))) //nolint:gosec // what it imitates
		case "sha1sum":
			sum = fmt.Sprintf("%x", sha1.Sum([]byte(text))) //nolint:gosec // what it imitates
		default:
			sum = fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		}
		c.printf("%s  %s\n", sum, name)
	}
	return status(good)
}

func base64Command(c *call) int {
	flags, names := options(c.args)
	text, ok := c.text(names)
	if strings.Contains(flags, "d") {
		text = strings.Join(strings.Fields(text), "")
		b, err := base64.StdEncoding.DecodeString(text)
		_, _ = c.out.Write(b)
		if err != nil {
			return c.fail("invalid input")
		}
		return status(ok)
	}
	enc := base64.StdEncoding.EncodeToString([]byte(text))
	for len(enc) > 76 && !strings.Contains(flags, "w") {
		c.printf("%s\n", enc[:76])
		enc = enc[76:]
	}
	c.printf("%s\n", enc)
	return status(ok)
}

func seq(c *call) int {
	bounds := []int64{1, 1}
	for i, a := range c.args {
		n, err := strconv.ParseInt(a, 10, 32)
		if err != nil {
			return c.fail("invalid floating point argument: ‘%s’", a)
		}
		if len(c.args) == 1 {
			bounds[1] = n
		} else if i == 0 || i == len(c.args)-1 {
			bounds[min(i, 1)] = n
		}
	}
	for n := bounds[0]; n <= bounds[1] && c.step(); n++ {
		c.printf("%d\n", n)
	}
	return 0
}

func yes(c *call) int {
	text := "y"
	if len(c.args) > 0 {
		text = strings.Join(c.args, " ")
	}
	for range maxBuffer {
		if _, err := io.WriteString(c.out, text+"\n"); err != nil {
			break
		}
	}
	return 1
}

func baseName(c *call) int {
	if len(c.args) == 0 {
		return c.fail("missing operand")
	}
	if c.name == "dirname" {
		c.printf("%s\n", path.Dir(c.args[0]))
		return 0
	}
	name := path.Base(c.args[0])
	if len(c.args) > 1 {
		name = strings.TrimSuffix(name, c.args[1])
	}
	c.printf("%s\n", name)
	return 0
}

// xargs appends what it reads to a command.
func xargs(c *call) int {
	args := c.args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		args = args[1:]
	}
	if len(args) == 0 {
		args = []string{"echo"}
	}
	args = append(slices.Clone(args), strings.Fields(c.all())...)
	c.depth++
	defer func() { c.depth-- }()
	return c.call(args[:min(len(args), maxFields)], streams{textInput(""), c.out, c.err})
}

func hexdump(c *call) int {
	_, names := options(c.args)
	text, ok := c.text(names)
	for i := 0; i < len(text) && c.step(); i += 16 {
		row := text[i:min(i+16, len(text))]
		c.printf("%08x  % x\n", i, row)
	}
	return status(ok)
}
