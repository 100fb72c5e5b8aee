package shell

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"strings"

	"decnet/decoy/trap"
)

// Bounds of one line that a client typed.
const (
	maxSteps  = 20000
	maxOutput = 256 << 10
	maxVars   = 64 << 10
	maxBuffer = 64 << 10
)

var errSpent = errors.New("the line has used up its output")

// budget is what is left for the line that runs.
type budget struct {
	steps, output int
	dead          bool
}

// buffer is between the parts of a pipeline. What is over its bound is lost.
type buffer struct{ bytes.Buffer }

func (b *buffer) Write(p []byte) (int, error) {
	if room := maxBuffer - b.Len(); len(p) > room {
		b.Buffer.Write(p[:room])
		return room, errSpent
	}
	return b.Buffer.Write(p)
}

// limited is the output of a session.
type limited struct {
	w io.Writer
	b *budget
}

func (l limited) Write(p []byte) (int, error) {
	if l.b.output -= len(p); l.b.output < 0 {
		l.b.dead = true
		return 0, errSpent
	}
	n, err := l.w.Write(p)
	if err != nil {
		l.b.dead = true
	}
	return n, err
}

// input is where commands read from.
type input struct {
	*bufio.Reader
	// hide switches the echo of a terminal; nil where there is none.
	hide func(bool)
	// session says that it is what the client sends, not a file or a pipe.
	session bool
	// used says that something was read.
	used bool
}

func (i *input) Read(p []byte) (int, error) {
	n, err := i.Reader.Read(p)
	i.used = i.used || n > 0
	return n, err
}

func textInput(s string) *input {
	return &input{Reader: bufio.NewReaderSize(strings.NewReader(s), 512)}
}

// streams are those of a command.
type streams struct {
	in       *input
	out, err io.Writer
}

// What ends a command list early.
const (
	flowNone = iota
	flowBreak
	flowContinue
	flowReturn
	flowExit
)

// Shell is one login. It is for one goroutine.
type Shell struct {
	m      *Machine
	fs     *fileSystem
	ctx    context.Context //nolint:containedctx // that of the line that runs
	peer   *trap.Peer
	user   user
	name   string
	cwd    string
	vars   map[string]string
	export map[string]bool
	funcs  map[string]*command
	args   []string
	io     streams
	status int
	flow   int
	pid    int
	depth  int
	random uint32
	left   *budget
	// past are the lines that were typed; told the files that were recorded.
	past *[]string
	told map[string]bool
	cron *string
	// interactive says that lines come from a prompt.
	interactive bool
}

// stopped reports whether the line must come to its end.
func (sh *Shell) stopped() bool {
	return sh.left.dead || sh.flow != flowNone || sh.ctx.Err() != nil
}

// step takes one step of the budget.
func (sh *Shell) step() bool {
	if sh.left.steps--; sh.left.steps < 0 {
		sh.left.dead = true
	}
	return !sh.left.dead && sh.ctx.Err() == nil
}

// pay takes the steps that so many bytes cost.
func (sh *Shell) pay(bytes int) {
	if sh.left.steps -= bytes >> 8; sh.left.steps < 0 {
		sh.left.dead = true
	}
}

// matches is match for texts that may be long.
func (sh *Shell) matches(pattern, s string) bool {
	sh.pay(len(pattern) * len(s) / 16)
	return !sh.left.dead && match(pattern, s)
}

// fork is a shell of its own that sees the same files.
func (sh *Shell) fork() *Shell {
	sub := *sh
	sub.vars, sub.export = maps.Clone(sh.vars), maps.Clone(sh.export)
	sub.depth++
	return &sub
}

func (sh *Shell) setVar(name, value string) {
	total := len(name) + len(value)
	for k, v := range sh.vars {
		if k != name {
			total += len(k) + len(v)
		}
	}
	if total <= maxVars {
		sh.vars[name] = value
	}
}

func (sh *Shell) abs(name string) string {
	if !path.IsAbs(name) {
		name = path.Join(sh.cwd, name)
	}
	return path.Clean(name)
}

// complain writes as the shell does about what it can't do.
func (sh *Shell) complain(w io.Writer, format string, args ...any) {
	line := ""
	if sh.m.bash && !sh.interactive {
		line = "line 1: "
	}
	name := sh.name
	_, _ = fmt.Fprintf(w, name+": "+line+format+"\n", args...)
}

// runSource runs a text in this shell.
func (sh *Shell) runSource(src string, s streams) {
	if sh.depth > maxDepth {
		sh.left.dead = true
		return
	}
	list, err := parse(src)
	if err != nil {
		sh.syntax(s.err, err)
		return
	}
	sh.list(list, s)
}

func (sh *Shell) syntax(w io.Writer, err error) {
	sh.status = 2
	var syntax *syntaxError
	switch {
	case sh.m.bash && errors.Is(err, errIncomplete):
		sh.complain(w, "syntax error: unexpected end of file")
	case sh.m.bash:
		sh.complain(w, "%v", err)
	case errors.As(err, &syntax):
		sh.complain(w, `syntax error: unexpected "%s"`, syntax.near)
	default:
		sh.complain(w, "syntax error: unexpected end of file")
	}
}

func (sh *Shell) list(list []item, s streams) {
	skip := false
	for i, it := range list {
		if sh.stopped() {
			return
		}
		if i > 0 {
			switch list[i-1].op {
			case opAnd:
				skip = sh.status != 0
			case opOr:
				skip = sh.status == 0
			default:
				skip = false
			}
		}
		if skip {
			continue
		}
		sh.pipeline(it, s)
		if it.not {
			if sh.status == 0 {
				sh.status = 1
			} else {
				sh.status = 0
			}
		}
		if it.op == opBack {
			sh.status = 0
			if sh.interactive && sh.depth == 0 {
				_, _ = fmt.Fprintf(s.err, "[1] %d\n", sh.pid+7+i)
			}
		}
	}
}

func (sh *Shell) pipeline(it item, s streams) {
	if len(it.pipe) == 1 {
		sh.command(it.pipe[0], s)
		return
	}
	in := s.in
	for i, c := range it.pipe {
		sub := sh.fork()
		if i == len(it.pipe)-1 {
			sub.command(c, streams{in, s.out, s.err})
			sh.status = sub.status
			return
		}
		var out buffer
		sub.command(c, streams{in, &out, s.err})
		next := &input{Reader: bufio.NewReaderSize(&out, 512), session: in.session && in.used}
		in = next
		if sh.stopped() {
			return
		}
	}
}

// command runs one with its redirections.
func (sh *Shell) command(c *command, s streams) {
	if !sh.step() {
		return
	}
	before := sh.io
	sh.io = s
	defer func() { sh.io = before }()
	s, done, ok := sh.redirect(c.redirs, s)
	defer done()
	if !ok {
		sh.status = 1
		return
	}
	sh.io = s
	switch c.kind {
	case "":
		sh.simple(c, s)
	case "(":
		sub := sh.fork()
		sub.list(c.bodies[0], s)
		sh.status = sub.status
	case "{":
		sh.list(c.bodies[0], s)
	case "func":
		if len(sh.funcs) < maxDepth {
			sh.funcs[c.name] = c.bodies[0][0].pipe[0]
		}
		sh.status = 0
	default:
		sh.compound(c, s)
	}
}

func (sh *Shell) compound(c *command, s streams) {
	switch c.kind {
	case "if":
		for i := 0; i < len(c.bodies); i += 2 {
			if i+1 == len(c.bodies) {
				sh.list(c.bodies[i], s)
				return
			}
			sh.list(c.bodies[i], s)
			if sh.status == 0 && !sh.stopped() {
				sh.list(c.bodies[i+1], s)
				return
			}
		}
		sh.status = 0
	case "while", "until":
		for sh.step() {
			sh.list(c.bodies[0], s)
			if sh.stopped() || (sh.status == 0) != (c.kind == "while") {
				break
			}
			if sh.list(c.bodies[1], s); sh.leavesLoop() {
				return
			}
		}
		sh.status = 0
	case "for":
		values := sh.args
		if c.inList {
			values = sh.expand(c.words)
		}
		for _, v := range values {
			if !sh.step() {
				return
			}
			sh.setVar(c.name, v)
			if sh.list(c.bodies[0], s); sh.leavesLoop() {
				return
			}
		}
	case "case":
		subject := sh.expandText(c.subject)
		for i, patterns := range c.patterns {
			for _, p := range patterns {
				if sh.matches(sh.expandPattern(p), subject) {
					sh.list(c.bodies[i], s)
					return
				}
			}
		}
		sh.status = 0
	}
}

// leavesLoop ends a round of a loop, and reports whether it was the last.
func (sh *Shell) leavesLoop() bool {
	switch sh.flow {
	case flowContinue:
		sh.flow = flowNone
	case flowBreak:
		sh.flow = flowNone
		return true
	}
	return sh.stopped()
}

func (sh *Shell) simple(c *command, s streams) {
	args := sh.expand(c.words)
	if sh.stopped() {
		return
	}
	if len(args) == 0 {
		sh.status = 0
		for _, a := range c.assign {
			sh.assign(string(a))
		}
		return
	}
	target := sh
	if len(c.assign) > 0 {
		target = sh.fork()
		target.depth--
		for _, a := range c.assign {
			target.assign(string(a))
		}
	}
	status := target.call(args, s)
	sh.cwd, sh.flow, sh.status = target.cwd, target.flow, status
}

func (sh *Shell) assign(a string) {
	name, value, _ := strings.Cut(a, "=")
	text := sh.expandText(word(value))
	if plus, ok := strings.CutSuffix(name, "+"); ok {
		name, text = plus, sh.vars[plus]+text
	}
	sh.setVar(name, text)
}
