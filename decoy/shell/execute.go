package shell

import (
	"io"
	"path"
	"strings"
)

// call runs a function, a builtin or a program.
func (sh *Shell) call(args []string, s streams) int {
	if sh.depth > maxDepth {
		sh.left.dead = true
		return 1
	}
	if f := sh.funcs[args[0]]; f != nil {
		before := sh.args
		sh.args = args[1:]
		sh.depth++
		sh.command(f, s)
		sh.depth--
		sh.args = before
		if sh.flow == flowReturn {
			sh.flow = flowNone
		}
		return sh.status
	}
	c := &call{Shell: sh, streams: s, name: args[0], args: args[1:]}
	if !strings.Contains(args[0], "/") {
		if run := sh.m.builtins[args[0]]; run != nil {
			return run(c)
		}
		file, n := sh.find(args[0])
		if n == nil {
			sh.notFound(s.err, args[0])
			return 127
		}
		return sh.execute(c, file, n)
	}
	file, n := sh.fs.resolve(sh.abs(args[0]))
	if n == nil {
		if sh.m.bash {
			sh.complain(s.err, "%s: No such file or directory", args[0])
		} else {
			sh.complain(s.err, "%s: not found", args[0])
		}
		return 127
	}
	return sh.execute(c, file, n)
}

func (sh *Shell) notFound(w io.Writer, name string) {
	if sh.m.bash {
		sh.complain(w, "%s: command not found", name)
		return
	}
	sh.complain(w, "%s: not found", name)
}

// find looks a program up in PATH.
func (sh *Shell) find(name string) (string, *node) {
	if name == "" {
		return "", nil
	}
	for _, dir := range strings.SplitN(sh.vars["PATH"], ":", maxDepth) {
		if file, n := sh.fs.resolve(path.Join(sh.abs(dir), name)); n != nil && n.kind == kindFile {
			return file, n
		}
	}
	return "", nil
}

// execute runs a file: an imitated program, or something that was brought.
func (sh *Shell) execute(c *call, file string, n *node) int {
	switch {
	case n.kind == kindDir:
		sh.complain(c.err, "%s: Is a directory", c.name)
		return 126
	case n.program:
		name := n.text // a copy keeps the name of what it is a copy of
		if name == "" {
			name = path.Base(file)
		}
		if run := sh.m.programs[name]; run != nil {
			c.name = path.Base(c.name)
			return run(c)
		}
		return 0
	case n.mode&0o111 == 0:
		sh.complain(c.err, "%s: Permission denied", c.name)
		return 126
	}
	sh.bring(file, n)
	text := n.content()
	switch {
	case n.size >= 0 || text == "":
		return 0
	case strings.HasPrefix(text, "\x7fELF"):
		if len(text) > 18 && text[18] != 0x3e && text[18] != 0x03 {
			if sh.m.bash {
				sh.complain(c.err, "%s: cannot execute binary file: Exec format error", c.name)
			} else {
				sh.complain(c.err, "%s: Exec format error", c.name)
			}
			return 126
		}
		return 0
	}
	return sh.script(text, c.name, c.args, c.streams)
}

// script runs a text in a shell of its own.
func (sh *Shell) script(text, name string, args []string, s streams) int {
	sub := sh.fork()
	sub.name, sub.args, sub.interactive = name, args, false
	sub.runSource(text, s)
	return sub.status
}
