package shell

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// options splits arguments in those that begin with a dash and the others.
func options(args []string) (flags string, rest []string) {
	for i, a := range args {
		if a == "--" {
			return flags, append(rest, args[i+1:]...)
		}
		if len(a) > 1 && a[0] == '-' {
			flags += strings.TrimPrefix(a, "-")
			continue
		}
		rest = append(rest, a)
	}
	return flags, rest
}

// open returns the content of a file, or says why not.
func (c *call) open(name string) (string, bool) {
	if name == "-" {
		return c.all(), true
	}
	_, n := c.fs.resolve(c.abs(name))
	switch {
	case n == nil && c.m.embedded:
		c.fail("can't open '%s': No such file or directory", name)
	case n == nil:
		c.fail("%s: No such file or directory", name)
	case n.kind == kindDir && c.m.embedded:
		c.fail("read error: Is a directory")
	case n.kind == kindDir:
		c.fail("%s: Is a directory", name)
	case c.user.uid != 0 && n.uid != c.user.uid && n.mode&0o004 == 0:
		c.fail("%s: Permission denied", name)
	case n.program:
		return c.m.elf(), true
	default:
		text := n.content()
		c.pay(len(text))
		return text, true
	}
	return "", false
}

// elf is the begin of every program: what bots look at to learn the processor.
func (m *Machine) elf() string {
	if m.arch == "armv7l" {
		return "\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00\x01\x00\x00\x00\x74\x1f\x01\x00\x34\x00\x00\x00" +
			"\x38\x57\x0c\x00\x00\x02\x00\x05\x34\x00\x20\x00\x08\x00\x28\x00\x1c\x00\x1b\x00"
	}
	return "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00\x01\x00\x00\x00\x50\x31\x00\x00\x00\x00\x00\x00" +
		"\x40\x00\x00\x00\x00\x00\x00\x00\xd8\x81\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x38\x00\x0d\x00\x40\x00\x1f\x00\x1e\x00"
}

// all reads the input to its end, or to the bound of a pipe.
func (c *call) all() string {
	b, _ := io.ReadAll(io.LimitReader(c.in, maxBuffer))
	c.pay(len(b))
	return string(b)
}

// text is the content of the named files, or of the input.
func (c *call) text(names []string) (string, bool) {
	if len(names) == 0 {
		return c.all(), true
	}
	var b strings.Builder
	good := true
	for _, name := range names {
		s, ok := c.open(name)
		good = good && ok
		if b.Len()+len(s) <= 2*maxBuffer {
			b.WriteString(s)
		}
	}
	return b.String(), good
}

func status(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

func cat(c *call) int {
	_, names := options(c.args)
	if len(names) == 0 {
		_, _ = io.Copy(c.out, struct{ io.Reader }{c.in})
		return 0
	}
	good := true
	for _, name := range names {
		s, ok := c.open(name)
		good = good && ok
		if _, err := io.WriteString(c.out, s); err != nil {
			break
		}
	}
	return status(good)
}

func tee(c *call) int {
	flags, names := options(c.args)
	out := []io.Writer{c.out}
	for _, name := range names {
		if w, ok := c.create(name, strings.Contains(flags, "a"), c.streams); ok {
			if f, isFile := w.(*fileWriter); isFile {
				defer f.close()
			}
			out = append(out, w)
		}
	}
	_, _ = io.Copy(io.MultiWriter(out...), struct{ io.Reader }{c.in})
	return 0
}

// dd copies from if= to of=.
func dd(c *call) int {
	o := map[string]string{"bs": "512", "count": "-1"}
	for _, a := range c.args {
		k, v, _ := strings.Cut(a, "=")
		o[k] = v
	}
	size := func(s string) int64 {
		n, _ := strconv.ParseInt(strings.TrimRight(s, "kKMGcb"), 10, 64)
		switch {
		case strings.HasSuffix(s, "k"), strings.HasSuffix(s, "K"):
			return n << 10
		case strings.HasSuffix(s, "M"):
			return n << 20
		}
		return n
	}
	bs := min(max(size(o["bs"]), 1), 64<<20)
	limit := int64(64 << 20)
	if n := size(o["count"]); n >= 0 && n < limit/bs {
		limit = n * bs
	}
	var in io.Reader = struct{ io.Reader }{c.in}
	if name := o["if"]; name != "" {
		_, n := c.fs.resolve(c.abs(name))
		switch {
		case n == nil:
			return c.fail("failed to open '%s': No such file or directory", name)
		case n.kind == kindDevice:
			in = io.LimitReader(zeros{}, min(limit, maxOutput))
			if name == "/dev/null" {
				in = strings.NewReader("")
			}
		default:
			s, ok := c.open(name)
			if !ok {
				return 1
			}
			in = strings.NewReader(s)
		}
	}
	out := c.out
	if name := o["of"]; name != "" {
		w, ok := c.create(name, false, c.streams)
		if !ok {
			return 1
		}
		if f, isFile := w.(*fileWriter); isFile {
			defer f.close()
		}
		out = w
	}
	n, _ := io.Copy(out, io.LimitReader(in, limit))
	whole, part := n/bs, min(n%bs, 1)
	_, _ = fmt.Fprintf(c.err, "%d+%d records in\n%d+%d records out\n", whole, part, whole, part)
	if !c.m.embedded {
		_, _ = fmt.Fprintf(c.err, "%d bytes copied, %.9f s, %.1f MB/s\n", n, float64(n)/2.1e8+3.1e-5, float64(n)/(float64(n)/2.1e8+3.1e-5)/1e6)
	}
	return 0
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func mkdir(c *call) int {
	flags, names := options(c.args)
	good := true
	for _, name := range names {
		file, n := c.fs.resolve(c.abs(name))
		_, parent := c.fs.resolve(path.Dir(file))
		switch {
		case n != nil && strings.Contains(flags, "p"):
		case n != nil:
			good = c.fail("cannot create directory ‘%s’: File exists", name) == 0
		case parent == nil && !strings.Contains(flags, "p"):
			good = c.fail("cannot create directory ‘%s’: No such file or directory", name) == 0
		case parent != nil && !c.mayWrite(file):
			good = c.fail("cannot create directory ‘%s’: Permission denied", name) == 0
		default:
			c.makeDirs(file)
		}
	}
	return status(good)
}

// makeDirs makes a directory and those above it.
func (sh *Shell) makeDirs(file string) {
	var missing []string
	for f := file; sh.fs.at(f) == nil && len(missing) < maxDepth; f = path.Dir(f) {
		missing = append(missing, f)
	}
	slices.Reverse(missing)
	for _, f := range missing {
		sh.fs.put(f, &node{kind: kindDir, mode: 0o755, uid: sh.user.uid, mod: sh.m.now(), size: -1})
	}
}

func rm(c *call) int {
	flags, names := options(c.args)
	good := true
	for _, name := range names {
		file := c.abs(name)
		n := c.fs.at(file)
		if n == nil {
			file, n = c.fs.resolve(file)
		}
		switch {
		case n == nil && strings.Contains(flags, "f"):
		case n == nil:
			good = c.fail("cannot remove '%s': No such file or directory", name) == 0
		case n.kind == kindDir && !strings.ContainsAny(flags, "rR") && c.name != "rmdir":
			good = c.fail("cannot remove '%s': Is a directory", name) == 0
		case file == "/":
			good = c.fail("it is dangerous to operate recursively on '/'\n%s: use --no-preserve-root to override this failsafe", c.name) == 0
		case !c.mayWrite(file) && !c.mayWrite(path.Dir(file)+"/x"):
			good = c.fail("cannot remove '%s': Permission denied", name) == 0
		default:
			c.fs.remove(file)
		}
	}
	return status(good)
}

// copyOrMove is cp and mv.
func copyOrMove(c *call) int {
	_, names := options(c.args)
	if len(names) < 2 {
		return c.fail("missing file operand\nTry '%s --help' for more information.", c.name)
	}
	to := names[len(names)-1]
	good := true
	for _, name := range names[:len(names)-1] {
		from, n := c.fs.resolve(c.abs(name))
		if n == nil {
			good = c.fail("cannot stat '%s': No such file or directory", name) == 0
			continue
		}
		file, at := c.fs.resolve(c.abs(to))
		if at != nil && at.kind == kindDir {
			file = path.Join(file, path.Base(name))
		}
		if _, dir := c.fs.resolve(path.Dir(file)); dir == nil {
			good = c.fail("cannot create regular file '%s': No such file or directory", to) == 0
			continue
		}
		if !c.mayWrite(file) {
			good = c.fail("cannot create regular file '%s': Permission denied", to) == 0
			continue
		}
		dup := *n
		dup.brought = n.brought
		if n.program && n.text == "" {
			dup.text = path.Base(from)
		}
		if n.kind == kindFile && !n.program && c.fs.written+len(n.text) > maxWritten {
			dup.text, dup.size = "", n.length()
		}
		c.fs.written += len(dup.text)
		dup.mod = c.m.now()
		if !c.fs.put(file, &dup) {
			return c.fail("error writing '%s': No space left on device", to)
		}
		if c.name == "mv" && from != file {
			c.fs.remove(from)
		}
	}
	return status(good)
}

func ln(c *call) int {
	_, names := options(c.args)
	if len(names) < 2 {
		return c.fail("missing file operand")
	}
	file := c.abs(names[1])
	if _, n := c.fs.resolve(file); n != nil && n.kind == kindDir {
		file = path.Join(file, path.Base(names[0]))
	}
	if !c.mayWrite(file) {
		return c.fail("failed to create symbolic link '%s': Permission denied", names[1])
	}
	c.fs.put(file, &node{kind: kindLink, mode: 0o777, text: names[0], size: -1, mod: c.m.now()})
	return 0
}

func touch(c *call) int {
	_, names := options(c.args)
	for _, name := range names {
		file, n := c.fs.resolve(c.abs(name))
		if n != nil {
			if n = c.fs.change(file); n != nil {
				n.mod = c.m.now()
			}
			continue
		}
		if !c.mayWrite(file) {
			return c.fail("cannot touch '%s': Permission denied", name)
		}
		if _, dir := c.fs.resolve(path.Dir(file)); dir == nil {
			return c.fail("cannot touch '%s': No such file or directory", name)
		}
		c.makeFile(file, false)
	}
	return 0
}

func chmod(c *call) int {
	if len(c.args) < 2 {
		return c.fail("missing operand")
	}
	names := c.args
	for len(names) > 0 && len(names[0]) > 1 && names[0][0] == '-' && strings.Trim(names[0][1:], "Rvfc") == "" {
		names = names[1:]
	}
	if len(names) < 2 {
		return c.fail("missing operand")
	}
	mode, good := names[0], true
	for _, name := range names[1:] {
		file, n := c.fs.resolve(c.abs(name))
		if n == nil {
			if c.m.embedded {
				good = c.fail("%s: No such file or directory", name) == 0
			} else {
				good = c.fail("cannot access '%s': No such file or directory", name) == 0
			}
			continue
		}
		if c.user.uid != 0 && n.uid != c.user.uid {
			good = c.fail("changing permissions of '%s': Operation not permitted", name) == 0
			continue
		}
		bits, ok := modeOf(mode, n.mode)
		if !ok {
			return c.fail("invalid mode: ‘%s’", mode)
		}
		if n = c.fs.change(file); n != nil {
			if n.mode = bits; n.kind == kindFile && bits&0o111 != 0 {
				c.bring(file, n)
			}
		}
	}
	return status(good)
}

// modeOf reads a mode such as 755 or u+x.
func modeOf(s string, old uint32) (uint32, bool) {
	if n, err := strconv.ParseUint(s, 8, 16); err == nil {
		return uint32(n) & 0o7777, true
	}
	for part := range strings.SplitSeq(s, ",") {
		i := strings.IndexAny(part, "+-=")
		if i < 0 || strings.Trim(part[:i], "ugoa") != "" || strings.Trim(part[i+1:], "rwxXst") != "" {
			return 0, false
		}
		var bits uint32
		for _, r := range part[i+1:] {
			bits |= map[rune]uint32{'r': 0o444, 'w': 0o222, 'x': 0o111, 'X': 0o111, 's': 0o6000, 't': 0o1000}[r]
		}
		var who uint32
		for _, r := range part[:i] {
			who |= map[rune]uint32{'u': 0o4700, 'g': 0o2070, 'o': 0o1007, 'a': 0o7777}[r]
		}
		if who == 0 {
			who = 0o7777
		}
		switch part[i] {
		case '+':
			old |= bits & who
		case '-':
			old &^= bits & who
		default:
			old = old&^who | bits&who
		}
	}
	return old, true
}
