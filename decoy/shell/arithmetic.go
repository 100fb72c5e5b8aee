package shell

import (
	"strconv"
	"strings"
)

// arithmetic evaluates an expression of integers; what it can't read is 0.
func (sh *Shell) arithmetic(s string) int64 {
	text := sh.expandText(word(`"` + strings.ReplaceAll(s, `"`, "") + `"`))
	a := arith{sh: sh, s: strings.Join(strings.Fields(text), "")}
	return a.binary(0)
}

// level are the operators, the weakest first.
func level(n int) []string {
	return [][]string{{"||"}, {"&&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}}[n]
}

func (a *arith) binary(n int) int64 {
	if n > 5 {
		return a.unary()
	}
	left := a.binary(n + 1)
	for {
		op := ""
		for _, o := range level(n) {
			if strings.HasPrefix(a.s, o) {
				op = o
				break
			}
		}
		if op == "" {
			return left
		}
		a.s = a.s[len(op):]
		left = apply(op, left, a.binary(n+1))
	}
}

func apply(op string, l, r int64) int64 {
	truth := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	switch op {
	case "+":
		return l + r
	case "-":
		return l - r
	case "*":
		return l * r
	case "/", "%":
		switch {
		case r == 0 || r == -1 && op == "%":
			return 0
		case r == -1:
			return -l
		case op == "/":
			return l / r
		}
		return l % r
	case "==":
		return truth(l == r)
	case "!=":
		return truth(l != r)
	case "<":
		return truth(l < r)
	case ">":
		return truth(l > r)
	case "<=":
		return truth(l <= r)
	case ">=":
		return truth(l >= r)
	case "&&":
		return truth(l != 0 && r != 0)
	}
	return truth(l != 0 || r != 0)
}

type arith struct {
	sh    *Shell
	s     string
	depth int
}

func (a *arith) unary() int64 {
	if a.depth++; a.depth > maxDepth*8 || a.s == "" {
		return 0
	}
	switch a.s[0] {
	case '-', '+', '!':
		op := a.s[0]
		a.s = a.s[1:]
		v := a.unary()
		switch op {
		case '-':
			return -v
		case '!':
			return apply("==", v, 0)
		}
		return v
	case '(':
		a.s = a.s[1:]
		v := a.binary(0)
		a.s = strings.TrimPrefix(a.s, ")")
		return v
	}
	end := 0
	for end < len(a.s) && isName("_"+a.s[end:end+1]) {
		end++
	}
	name := a.s[:end]
	if a.s = a.s[end:]; end == 0 {
		a.s = ""
		return 0
	}
	if isName(name) {
		name = a.sh.variable(name)
	}
	v, _ := strconv.ParseInt(name, 0, 64)
	return v
}
