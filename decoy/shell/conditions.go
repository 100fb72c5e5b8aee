package shell

import (
	"slices"
	"strconv"
	"strings"
)

// test evaluates [ … ].
func test(c *call) int {
	args := c.args
	if c.name == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			c.complain(c.err, "[: missing `]'")
			return 2
		}
		args = args[:len(args)-1]
	}
	for {
		i := slices.Index(args, "-o")
		if i <= 0 {
			break
		}
		if c.allTrue(args[:i]) {
			return 0
		}
		args = args[i+1:]
	}
	if c.allTrue(args) {
		return 0
	}
	return 1
}

func (c *call) allTrue(args []string) bool {
	for {
		i := slices.Index(args, "-a")
		if i <= 0 {
			return c.isTrue(args)
		}
		if !c.isTrue(args[:i]) {
			return false
		}
		args = args[i+1:]
	}
}

func (c *call) isTrue(a []string) bool {
	not := false
	for len(a) > 1 && a[0] == "!" {
		not, a = !not, a[1:]
	}
	switch len(a) {
	case 1:
		return (a[0] != "") != not
	case 2:
		return c.unary(a[0], a[1]) != not
	case 3:
		return compare(a[0], a[1], a[2]) != not
	}
	return not
}

func compare(l, op, r string) bool {
	a, _ := strconv.ParseInt(strings.TrimSpace(l), 10, 64)
	b, _ := strconv.ParseInt(strings.TrimSpace(r), 10, 64)
	switch op {
	case "=", "==":
		return l == r
	case "!=":
		return l != r
	case "-eq":
		return a == b
	case "-ne":
		return a != b
	case "-gt":
		return a > b
	case "-ge":
		return a >= b
	case "-lt":
		return a < b
	case "-le":
		return a <= b
	}
	return false
}

func (c *call) unary(op, arg string) bool {
	switch op {
	case "-z":
		return arg == ""
	case "-n":
		return arg != ""
	case "-t":
		return c.interactive
	}
	_, n := c.fs.resolve(c.abs(arg))
	if n == nil {
		return false
	}
	switch op {
	case "-d":
		return n.kind == kindDir
	case "-f":
		return n.kind == kindFile
	case "-c":
		return n.kind == kindDevice
	case "-s":
		return n.length() > 0
	case "-x":
		return n.mode&0o111 != 0
	case "-w":
		return c.mayWrite(c.abs(arg))
	case "-e", "-r":
		return true
	case "-L", "-h":
		at := c.fs.at(c.abs(arg))
		return at != nil && at.kind == kindLink
	}
	return false
}
