package shell

func (p *parser) group(kind, end string) (*command, error) {
	list, _, err := p.body(end)
	return &command{kind: kind, bodies: [][]item{list}}, err
}

func (p *parser) ifCommand() (*command, error) {
	p.pos += len("if")
	c := &command{kind: "if"}
	for {
		cond, _, err := p.body("then")
		if err != nil {
			return nil, err
		}
		then, end, err := p.body("elif", "else", "fi")
		if err != nil {
			return nil, err
		}
		c.bodies = append(c.bodies, cond, then)
		switch end {
		case "fi":
			return c, nil
		case "else":
			list, _, err := p.body("fi")
			c.bodies = append(c.bodies, list)
			return c, err
		}
	}
}

func (p *parser) loop(kind string) (*command, error) {
	p.pos += len(kind)
	cond, _, err := p.body("do")
	if err != nil {
		return nil, err
	}
	list, _, err := p.body("done")
	return &command{kind: kind, bodies: [][]item{cond, list}}, err
}

func (p *parser) forCommand() (*command, error) {
	p.pos += len("for")
	p.blanks(false)
	name, err := p.word()
	if err != nil {
		return nil, err
	}
	c := &command{kind: "for", name: string(name)}
	p.blanks(true)
	if p.keyword("in") {
		c.inList = true
		for {
			p.blanks(false)
			w, err := p.word()
			if err != nil {
				return nil, err
			}
			if w == "" {
				break
			}
			c.words = append(c.words, w)
		}
	}
	p.blanks(true)
	if p.has(";") && !p.has(";;") {
		p.pos++
	}
	p.blanks(true)
	if !p.keyword("do") {
		return nil, p.unexpected()
	}
	list, _, err := p.body("done")
	c.bodies = [][]item{list}
	return c, err
}

func (p *parser) caseCommand() (*command, error) {
	p.pos += len("case")
	p.blanks(false)
	subject, err := p.word()
	if err != nil {
		return nil, err
	}
	c := &command{kind: "case", subject: subject}
	p.blanks(true)
	if !p.keyword("in") {
		return nil, p.unexpected()
	}
	for {
		p.blanks(true)
		if p.keyword("esac") {
			return c, nil
		}
		if p.has("(") {
			p.pos++
		}
		patterns, err := p.patterns()
		if err != nil {
			return nil, err
		}
		list, err := p.list()
		if err != nil {
			return nil, err
		}
		c.patterns, c.bodies = append(c.patterns, patterns), append(c.bodies, list)
		p.blanks(true)
		if p.has(";;") {
			p.pos += 2
		} else if p.pos >= len(p.src) {
			return nil, errIncomplete
		}
	}
}

func (p *parser) patterns() ([]word, error) {
	var all []word
	for {
		p.blanks(false)
		w, err := p.word()
		if err != nil {
			return nil, err
		}
		if w == "" {
			return nil, p.unexpected()
		}
		all = append(all, w)
		p.blanks(false)
		switch {
		case p.has("|"):
			p.pos++
		case p.has(")"):
			p.pos++
			return all, nil
		default:
			return nil, p.unexpected()
		}
	}
}
