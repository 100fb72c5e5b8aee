package shell

import (
	"errors"
	"strings"
)

// Bounds of what is parsed.
const (
	maxScript = 64 << 10
	maxDepth  = 24
)

var (
	// errIncomplete says that more lines have to come.
	errIncomplete = errors.New("unexpected end of file")
	errTooDeep    = errors.New("too deeply nested")
)

// syntaxError is at a token.
type syntaxError struct{ near string }

func (e *syntaxError) Error() string { return "syntax error near unexpected token `" + e.near + "'" }

// Operators between the parts of a list.
const (
	opThen = ";"
	opAnd  = "&&"
	opOr   = "||"
	opBack = "&"
)

// item is a pipeline and what stands after it.
type item struct {
	pipe []*command
	not  bool
	op   string
}

// command is a simple command, or a compound one, by kind.
type command struct {
	kind   string // "" simple, "{", "(", "if", "while", "until", "for", "case", "func"
	assign []word
	words  []word
	redirs []redirection
	// Of compound commands: conditions and bodies by turns, an else at the end.
	bodies [][]item
	// name is the variable of for, the name of a function; subject that of case.
	name     string
	subject  word
	patterns [][]word
	inList   bool
}

// redirection is "2>&1" and the like. For a here-document, word is the text.
type redirection struct {
	fd   int // -1 is the default of the operator
	op   string
	word word
}

// word is source text with its quotes, expanded when it is used.
type word string

type parser struct {
	src   string
	pos   int
	depth int
	// heres wait for their text, which begins after the line.
	heres []*hereDoc
}

type hereDoc struct {
	c      *command
	at     int
	end    string
	quoted bool
	tabs   bool
}

// parse reads a script.
func parse(src string) ([]item, error) {
	if len(src) > maxScript {
		src = src[:maxScript]
	}
	p := &parser{src: src}
	list, err := p.list()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.src) {
		return nil, &syntaxError{p.peekToken()}
	}
	if len(p.heres) > 0 {
		p.readHeres()
	}
	return list, nil
}

// blanks passes spaces, comments and continued lines; with lines also line ends.
func (p *parser) blanks(lines bool) {
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			p.pos++
		case c == '\\' && p.pos+1 < len(p.src) && p.src[p.pos+1] == '\n':
			p.pos += 2
		case c == '#':
			for p.pos < len(p.src) && p.src[p.pos] != '\n' {
				p.pos++
			}
		case c == '\n' && lines:
			p.pos++
			p.readHeres()
		default:
			return
		}
	}
}

func (p *parser) readHeres() {
	for _, h := range p.heres {
		var b strings.Builder
		for p.pos < len(p.src) {
			line, _, more := strings.Cut(p.src[p.pos:], "\n")
			p.pos = min(p.pos+len(line)+1, len(p.src))
			if h.tabs {
				line = strings.TrimLeft(line, "\t")
			}
			if line == h.end || !more && line == "" {
				break
			}
			b.WriteString(line + "\n")
		}
		text := b.String()
		if h.quoted {
			text = quoteWord(text)
		} else {
			text = `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
		}
		h.c.redirs[h.at].word = word(text)
	}
	p.heres = nil
}

func quoteWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (p *parser) has(s string) bool { return strings.HasPrefix(p.src[p.pos:], s) }

// peekToken is the operator or word that comes next, for messages and keywords.
func (p *parser) peekToken() string {
	for _, op := range [...]string{"&&", "||", ";;", ";", "&", "|", "(", ")", "\n", "<", ">"} {
		if p.has(op) {
			if op == "\n" {
				return "newline"
			}
			return op
		}
	}
	save := p.pos
	w, _ := p.word()
	p.pos = save
	return string(w)
}

// keyword takes a reserved word, if it is next.
func (p *parser) keyword(k string) bool {
	p.blanks(false)
	if p.peekToken() != k {
		return false
	}
	p.pos += len(k)
	return true
}

func (p *parser) atEnd() bool {
	p.blanks(true)
	if p.pos >= len(p.src) {
		return true
	}
	switch p.peekToken() {
	case "then", "fi", "else", "elif", "do", "done", "}", ")", "esac", ";;":
		return true
	}
	return false
}

// list reads up to the end of the text or a word that ends a compound command.
func (p *parser) list() ([]item, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errTooDeep
	}
	defer func() { p.depth-- }()
	var items []item
	for !p.atEnd() {
		it, err := p.pipeline()
		if err != nil {
			return nil, err
		}
		p.blanks(false)
		switch {
		case p.has("&&"), p.has("||"):
			it.op = p.src[p.pos : p.pos+2]
			p.pos += 2
			if p.atEnd() {
				return nil, p.unexpected()
			}
		case p.has(";;"):
		case p.has(";"), p.has("&"):
			it.op = p.src[p.pos : p.pos+1]
			p.pos++
		case p.pos < len(p.src) && p.src[p.pos] == '\n':
			it.op = opThen
		case !p.atEnd():
			return nil, p.unexpected()
		}
		items = append(items, it)
	}
	return items, nil
}

func (p *parser) unexpected() error {
	if p.pos >= len(p.src) {
		return errIncomplete
	}
	return &syntaxError{p.peekToken()}
}

func (p *parser) pipeline() (item, error) {
	var it item
	for p.keyword("!") {
		it.not = !it.not
	}
	for {
		c, err := p.command()
		if err != nil {
			return it, err
		}
		it.pipe = append(it.pipe, c)
		p.blanks(false)
		if !p.has("|") || p.has("||") {
			return it, nil
		}
		p.pos++
		if p.has("&") {
			p.pos++
			c.redirs = append(c.redirs, redirection{2, ">&", "1"})
		}
		if p.atEnd() {
			return it, p.unexpected()
		}
	}
}

func (p *parser) command() (*command, error) {
	p.blanks(false)
	var c *command
	var err error
	switch k := p.peekToken(); k {
	case "(":
		p.pos++
		c, err = p.group(k, ")")
	case "{":
		p.pos++
		c, err = p.group(k, "}")
	case "if":
		c, err = p.ifCommand()
	case "while", "until":
		c, err = p.loop(k)
	case "for":
		c, err = p.forCommand()
	case "case":
		c, err = p.caseCommand()
	default:
		return p.simple()
	}
	if err != nil {
		return nil, err
	}
	for {
		ok, err := p.redirection(c)
		if err != nil || !ok {
			return c, err
		}
	}
}

// body reads a list and the word that must end it.
func (p *parser) body(ends ...string) ([]item, string, error) {
	list, err := p.list()
	if err != nil {
		return nil, "", err
	}
	for _, end := range ends {
		if p.keyword(end) {
			return list, end, nil
		}
	}
	return nil, "", p.unexpected()
}

func (p *parser) simple() (*command, error) {
	c := &command{}
	for {
		p.blanks(false)
		ok, err := p.redirection(c)
		if err != nil {
			return nil, err
		}
		if ok {
			continue
		}
		w, err := p.word()
		switch {
		case err != nil:
			return nil, err
		case w == "" && len(c.words)+len(c.assign)+len(c.redirs) == 0:
			return nil, p.unexpected()
		case w == "":
			return c, nil
		case len(c.words) == 0 && isAssignment(string(w)):
			c.assign = append(c.assign, w)
			continue
		}
		c.words = append(c.words, w)
		if len(c.words) == 1 && isName(string(w)) {
			p.blanks(false)
			if p.has("()") {
				return p.function(string(w))
			}
		}
	}
}

func (p *parser) function(name string) (*command, error) {
	p.pos += 2
	p.blanks(true)
	if p.pos >= len(p.src) {
		return nil, errIncomplete
	}
	body, err := p.command()
	if err != nil {
		return nil, err
	}
	return &command{kind: "func", name: name, bodies: [][]item{{{pipe: []*command{body}}}}}, nil
}

// redirection takes one, if it is next.
func (p *parser) redirection(c *command) (bool, error) {
	p.blanks(false)
	start, fd := p.pos, -1
	if p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		fd = int(p.src[p.pos] - '0')
		p.pos++
	}
	for _, op := range [...]string{"<<<", "<<-", "<<", "<&", "<>", ">>", ">&", ">|", "&>>", "&>", "<", ">"} {
		if !p.has(op) || fd >= 0 && op[0] == '&' {
			continue
		}
		p.pos += len(op)
		p.blanks(false)
		w, err := p.word()
		if err != nil {
			return false, err
		}
		if w == "" {
			return false, p.unexpected()
		}
		c.redirs = append(c.redirs, redirection{fd, op, w})
		if op == "<<" || op == "<<-" {
			end := strings.NewReplacer("'", "", `"`, "", `\`, "").Replace(string(w))
			p.heres = append(p.heres, &hereDoc{c, len(c.redirs) - 1, end, end != string(w), op == "<<-"})
		}
		return true, nil
	}
	p.pos = start
	return false, nil
}

// word reads one with its quotes; "" is that there is none.
func (p *parser) word() (word, error) {
	start := p.pos
	for p.pos < len(p.src) {
		if strings.IndexByte(" \t\r\n;&|()<>", p.src[p.pos]) >= 0 {
			break
		}
		if err := p.unit(); err != nil {
			return "", err
		}
	}
	return word(p.src[start:p.pos]), nil
}

// unit passes one character, or what a quote or a $( encloses.
func (p *parser) unit() error {
	end, err := unitEnd(p.src, p.pos, 0)
	p.pos = end
	return err
}

// unitEnd returns where the character, quotation or substitution at i ends.
func unitEnd(s string, i, depth int) (int, error) {
	if depth > maxDepth {
		return len(s), errTooDeep
	}
	switch {
	case s[i] == '\\':
		return min(i+2, len(s)), nil
	case s[i] == '\'':
		end := strings.IndexByte(s[i+1:], '\'')
		if end < 0 {
			return len(s), errIncomplete
		}
		return i + end + 2, nil
	case s[i] == '"':
		return enclosed(s, i+1, depth, `"`, "")
	case s[i] == '`':
		for j := i + 1; j < len(s); j++ {
			switch s[j] {
			case '\\':
				j++
			case '`':
				return j + 1, nil
			}
		}
		return len(s), errIncomplete
	case strings.HasPrefix(s[i:], "$'"):
		for j := i + 2; j < len(s); j++ {
			switch s[j] {
			case '\\':
				j++
			case '\'':
				return j + 1, nil
			}
		}
		return len(s), errIncomplete
	case strings.HasPrefix(s[i:], "$("):
		return enclosed(s, i+2, depth, ")", "(")
	case strings.HasPrefix(s[i:], "${"):
		return enclosed(s, i+2, depth, "}", "{")
	}
	return i + 1, nil
}

// enclosed passes up to the closing character, over what is quoted and nested.
func enclosed(s string, i, depth int, closing, opening string) (int, error) {
	open := 0
	for i < len(s) {
		switch c := s[i : i+1]; {
		case c == closing && open == 0:
			return i + 1, nil
		case c == closing:
			open--
		case c == opening:
			open++
		case closing == `"` && c == "'":
			i++
			continue
		}
		next := i + 1
		if c := s[i]; c != '(' && c != ')' && c != '{' && c != '}' {
			var err error
			if next, err = unitEnd(s, i, depth+1); err != nil {
				return next, err
			}
		}
		i = next
	}
	return len(s), errIncomplete
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9' || i == 0) {
			return false
		}
	}
	return s != ""
}

func isAssignment(w string) bool {
	name, _, ok := strings.Cut(w, "=")
	return ok && isName(strings.TrimSuffix(name, "+"))
}
