package shell

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (c *call) printf(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }

// fail says what is wrong, with the name of the program.
func (c *call) fail(format string, args ...any) int {
	_, _ = fmt.Fprintf(c.err, c.name+": "+format+"\n", args...)
	return 1
}

// builtins are the commands that change the shell itself.
func builtins() map[string]program {
	ok := func(*call) int { return 0 }
	return map[string]program{
		":": ok, "true": ok, "false": func(*call) int { return 1 },
		"cd": cd, "pwd": func(c *call) int { c.printf("%s\n", c.cwd); return 0 },
		"echo": echo, "printf": printf, "test": test, "[": test,
		"export": export, "unset": unset, "set": set, "read": read, "shift": shift,
		"exit": leave(flowExit), "logout": leave(flowExit), "return": leave(flowReturn),
		"break": leave(flowBreak), "continue": leave(flowContinue),
		"eval": eval, "exec": execute, ".": source, "source": source,
		"history": history, "type": typeOf, "command": commandBuiltin, "alias": ok, "unalias": ok, "local": export,
		"readonly": export, "declare": export,
		"umask": func(c *call) int { c.printf("0022\n"); return 0 }, "ulimit": ulimit, "trap": ok, "wait": ok, "jobs": ok, "bg": ok, "fg": ok,
		"hash": ok, "shopt": ok, "enable": enable, "kill": kill, "let": ok,
	}
}

func cd(c *call) int {
	dir := c.vars["HOME"]
	if len(c.args) > 0 {
		dir = c.args[0]
	}
	if dir == "-" {
		dir = c.vars["OLDPWD"]
		c.printf("%s\n", dir)
	}
	_, n := c.fs.resolve(c.abs(dir))
	switch {
	case n == nil && c.m.bash:
		c.complain(c.err, "cd: %s: No such file or directory", dir)
		return 1
	case n == nil:
		c.complain(c.err, "cd: can't cd to %s: No such file or directory", dir)
		return 1
	case n.kind != kindDir && c.m.bash:
		c.complain(c.err, "cd: %s: Not a directory", dir)
		return 1
	case n.kind != kindDir:
		c.complain(c.err, "cd: can't cd to %s: Not a directory", dir)
		return 1
	case c.user.uid != 0 && n.uid != c.user.uid && n.mode&0o005 == 0:
		c.complain(c.err, "cd: %s: Permission denied", dir)
		return 1
	}
	c.setVar("OLDPWD", c.cwd)
	c.cwd = c.abs(dir)
	return 0
}

func echo(c *call) int {
	args, escapes, newline := c.args, false, true
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "neE") == "" {
		for _, o := range args[0][1:] {
			switch o {
			case 'n':
				newline = false
			case 'e':
				escapes = true
			case 'E':
				escapes = false
			}
		}
		args = args[1:]
	}
	text := strings.Join(args, " ")
	if escapes {
		var stop bool
		if text, stop = unescape(text, true); stop {
			newline = false
		}
	}
	if newline {
		text += "\n"
	}
	_, _ = io.WriteString(c.out, text)
	return 0
}

func printf(c *call) int {
	if len(c.args) == 0 {
		_, _ = fmt.Fprintln(c.err, "printf: usage: printf [-v var] format [arguments]")
		return 2
	}
	format, args := c.args[0], c.args[1:]
	for c.step() {
		before := len(args)
		text, stop := formatted(format, &args)
		c.pay(len(text))
		_, err := io.WriteString(c.out, text)
		if stop || err != nil || len(args) == 0 || len(args) == before {
			break
		}
	}
	return 0
}

// formatted fills a format with arguments, which it takes off.
func formatted(format string, args *[]string) (string, bool) {
	next := func() string {
		if len(*args) == 0 {
			return ""
		}
		s := (*args)[0]
		*args = (*args)[1:]
		return s
	}
	var b strings.Builder
	for i := 0; i < len(format) && b.Len() < maxBuffer; {
		if format[i] != '%' {
			end := strings.IndexByte(format[i:], '%')
			if end < 0 {
				end = len(format) - i
			}
			text, stop := unescape(format[i:i+end], false)
			b.WriteString(text)
			if stop {
				return b.String(), true
			}
			i += end
			continue
		}
		j := i + 1
		for j < len(format) && j < i+8 && strings.IndexByte("-+ #0123456789.", format[j]) >= 0 {
			j++
		}
		if j >= len(format) {
			b.WriteString(format[i:])
			break
		}
		spec := bounded(format[i:j])
		switch v := format[j]; v {
		case '%':
			b.WriteByte('%')
		case 'b':
			text, _ := unescape(next(), true)
			b.WriteString(text)
		case 'd', 'i', 'u', 'x', 'X', 'o', 'c':
			n, _ := strconv.ParseInt(next(), 0, 64)
			if v == 'i' || v == 'u' {
				v = 'd'
			}
			fmt.Fprintf(&b, spec+string(v), n)
		default:
			fmt.Fprintf(&b, spec+"s", next())
		}
		i = j + 1
	}
	return b.String(), false
}

// bounded keeps the width of a format small.
func bounded(spec string) string {
	for _, part := range strings.FieldsFunc(spec, func(r rune) bool { return r < '0' || r > '9' }) {
		if len(part) > 3 {
			return "%"
		}
	}
	return spec
}

func export(c *call) int {
	if len(c.args) == 0 || c.args[0] == "-p" {
		for _, k := range slices.Sorted(maps.Keys(c.export)) {
			if c.m.bash {
				c.printf("declare -x %s=%q\n", k, c.vars[k])
			} else {
				c.printf("export %s='%s'\n", k, c.vars[k])
			}
		}
		return 0
	}
	for _, a := range c.args {
		name, value, set := strings.Cut(a, "=")
		if !isName(name) {
			continue
		}
		if set {
			c.setVar(name, value)
		}
		if c.name == "export" && len(c.export) < maxNodes {
			c.export[name] = true
		}
	}
	return 0
}

func unset(c *call) int {
	for _, a := range c.args {
		delete(c.vars, a)
		delete(c.export, a)
		delete(c.funcs, a)
	}
	return 0
}

func set(c *call) int {
	if len(c.args) > 0 {
		if c.args[0] == "--" {
			c.Shell.args = c.args[1:]
		} else if c.args[0][0] != '-' && c.args[0][0] != '+' {
			c.Shell.args = c.args
		}
		return 0
	}
	for _, k := range slices.Sorted(maps.Keys(c.vars)) {
		c.printf("%s=%s\n", k, quoteWord(c.vars[k]))
	}
	return 0
}

func read(c *call) int {
	names := c.args
	for len(names) > 0 && strings.HasPrefix(names[0], "-") {
		names = names[1:]
	}
	line, err := c.in.line()
	parts := strings.Fields(line)
	for i, name := range names {
		value := ""
		if i < len(parts) {
			value = parts[i]
		}
		if i == len(names)-1 && len(parts) > i {
			value = strings.Join(parts[i:], " ")
		}
		c.setVar(name, value)
	}
	if err != nil && line == "" {
		return 1
	}
	return 0
}

// line reads up to a line end, which is cut off.
func (i *input) line() (string, error) {
	var b strings.Builder
	for b.Len() < maxBuffer {
		part, err := i.ReadSlice('\n')
		b.Write(part)
		i.used = i.used || len(part) > 0
		if err == nil || len(part) < i.Size() {
			return strings.TrimRight(b.String(), "\r\n"), err
		}
	}
	return b.String(), nil
}

func shift(c *call) int {
	n := 1
	if len(c.args) > 0 {
		n, _ = strconv.Atoi(c.args[0])
	}
	if n < 0 || n > len(c.Shell.args) {
		return 1
	}
	c.Shell.args = c.Shell.args[n:]
	return 0
}

func leave(flow int) program {
	return func(c *call) int {
		c.flow = flow
		if len(c.args) > 0 && flow >= flowReturn {
			n, _ := strconv.Atoi(c.args[0])
			return n & 0xff
		}
		return c.status
	}
}

func eval(c *call) int {
	c.depth++
	c.runSource(strings.Join(c.args, " "), c.streams)
	c.depth--
	return c.status
}

func execute(c *call) int {
	if len(c.args) == 0 {
		return 0
	}
	status := c.call(c.args, c.streams)
	c.flow = flowExit
	return status
}

func source(c *call) int {
	if len(c.args) == 0 {
		return 2
	}
	_, n := c.fs.resolve(c.abs(c.args[0]))
	if n == nil || n.kind != kindFile {
		c.complain(c.err, "%s: No such file or directory", c.args[0])
		return 1
	}
	c.bring(c.abs(c.args[0]), n)
	c.depth++
	c.runSource(n.content(), c.streams)
	c.depth--
	if c.flow == flowReturn {
		c.flow = flowNone
	}
	return c.status
}

func history(c *call) int {
	if len(c.args) > 0 {
		if c.args[0] == "-c" {
			*c.past = nil
		}
		return 0
	}
	for i, line := range *c.past {
		c.printf("%5d  %s\n", i+1, line)
	}
	return 0
}

// typeOf says what a name is.
func typeOf(c *call) int {
	status := 0
	for _, a := range c.args {
		file, n := c.find(a)
		switch {
		case c.m.builtins[a] != nil:
			c.printf("%s is a shell builtin\n", a)
		case n != nil:
			c.printf("%s is %s\n", a, file)
		default:
			c.complain(c.err, "type: %s: not found", a)
			status = 1
		}
	}
	return status
}

func commandBuiltin(c *call) int {
	if len(c.args) > 1 && (c.args[0] == "-v" || c.args[0] == "-V") {
		if c.m.builtins[c.args[1]] != nil {
			c.printf("%s\n", c.args[1])
			return 0
		}
		file, n := c.find(c.args[1])
		if n == nil {
			return 1
		}
		c.printf("%s\n", file)
		return 0
	}
	if len(c.args) == 0 {
		return 0
	}
	return c.call(c.args, c.streams)
}

func ulimit(c *call) int {
	switch strings.Join(c.args, " ") {
	case "-n":
		c.printf("1024\n")
	case "-u":
		c.printf("%d\n", c.m.memory/260)
	case "":
		c.printf("unlimited\n")
	}
	return 0
}

// enable is a builtin of bash; BusyBox doesn't know it.
func enable(c *call) int {
	if !c.m.bash {
		c.notFound(c.err, c.name)
		return 127
	}
	if len(c.args) > 0 {
		c.complain(c.err, "enable: %s: not a shell builtin", c.args[0])
		return 1
	}
	for _, name := range slices.Sorted(maps.Keys(c.m.builtins)) {
		c.printf("enable %s\n", name)
	}
	return 0
}

func kill(c *call) int {
	for _, a := range c.args {
		n, err := strconv.Atoi(a)
		if err != nil || n <= 0 {
			continue
		}
		if !c.m.hasProcess(n) {
			c.complain(c.err, "kill: (%d) - No such process", n)
			return 1
		}
	}
	return 0
}

// sleep waits, for no longer than a line may.
func sleep(c *call) int {
	if len(c.args) == 0 {
		return c.fail("missing operand")
	}
	seconds, err := strconv.ParseFloat(strings.TrimRight(c.args[0], "smhd"), 64)
	if err != nil || seconds < 0 {
		return c.fail("invalid time interval '%s'", c.args[0])
	}
	d := time.Duration(min(seconds, 10) * float64(time.Second))
	c.left.steps -= maxSteps / 50
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	}
	return 0
}

func which(c *call) int {
	status := 0
	for _, a := range c.args {
		file, n := c.find(a)
		if n == nil {
			status = 1
			if c.m.like != "" && strings.Contains(c.m.like, "fedora") {
				_, _ = fmt.Fprintf(c.err, "/usr/bin/which: no %s in (%s)\n", path.Base(a), c.vars["PATH"])
			}
			continue
		}
		c.printf("%s\n", file)
	}
	return status
}
