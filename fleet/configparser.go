package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of INI text beyond those of its size.
const (
	// maxExpansions is how deep a value may refer to others.
	maxExpansions = 10
	// maxExpanded is how many references and bytes all that have references may
	// come to, since ten lines can ask for more than any memory holds.
	maxExpanded = 4 << 20
)

// defaultSection gives its keys to all other sections.
const defaultSection = "DEFAULT"

// document is INI text as sections of raw values.
type document struct {
	defaults *section
	// sections are in the order of the text, without the default one.
	sections []*section
	byName   map[string]*section
	// budget is what is left of maxExpanded.
	budget int
}

// section is a named group of values.
type section struct {
	name string
	// keys are in the order of the text; values are raw, before % is replaced.
	keys   []string
	values map[string]string
}

func newSection(name string) *section { return &section{name: name, values: map[string]string{}} }

// syntaxError is a fault of the text.
type syntaxError struct {
	line int
	text string
}

// Error tells where and what.
func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// iniReader reads the text line by line. Its rules are those of Python's
// configparser with its defaults, on which the files in use rely.
type iniReader struct {
	doc    *document
	strict bool
	// seen are the sections and keys of this text, for strictness.
	seen map[[2]string]bool
	// current and key are what the last line belonged to; nil and "" mean nothing.
	current *section
	key     string
	// lines are those of the value of key, which is kept when it ends.
	lines  []string
	indent int
}

// parseDocument reads INI text. A strict reader refuses what is there twice; else
// sections are merged and the last value of a key holds.
func parseDocument(text string, strict bool) (*document, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is not UTF-8 text")
	}
	defaults := newSection(defaultSection)
	r := &iniReader{
		doc:    &document{defaults: defaults, byName: map[string]*section{}, budget: maxExpanded},
		strict: strict, seen: map[[2]string]bool{},
	}
	number := 0
	for line := range strings.SplitSeq(newlines(text), "\n") {
		number++
		if err := r.line(line); err != nil {
			return nil, &syntaxError{number, err.Error()}
		}
	}
	r.endValue()
	return r.doc, nil
}

// newlines makes every kind of line end a \n.
func newlines(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

func (r *iniReader) line(line string) error {
	content := strip(line)
	if strings.HasPrefix(content, "#") || strings.HasPrefix(content, ";") {
		return nil
	}
	if content == "" {
		if r.key != "" {
			r.lines = append(r.lines, "")
		}
		return nil
	}
	indent := utf8.RuneCountInString(line[:strings.Index(line, content)])
	if r.key != "" && indent > r.indent {
		r.lines = append(r.lines, content)
		return nil
	}
	r.endValue()
	r.indent = indent
	if name, ok := header(content); ok {
		return r.begin(name)
	}
	if r.current == nil {
		if strings.HasPrefix(content, "\ufeff") {
			return errors.New("the text begins with a byte order mark: save it without one")
		}
		return errors.New("a [section] must come first")
	}
	return r.option(content)
}

// header returns the name in the brackets. What follows the last one is ignored.
func header(content string) (string, bool) {
	end := strings.LastIndexByte(content, ']')
	if content[0] != '[' || end < 2 {
		return "", false
	}
	return content[1:end], true
}

func (r *iniReader) begin(name string) error {
	if name == defaultSection {
		r.current = r.doc.defaults
		return nil
	}
	s := r.doc.byName[name]
	switch {
	case s == nil:
		s = newSection(name)
		r.doc.byName[name] = s
		r.doc.sections = append(r.doc.sections, s)
	case r.strict:
		return fmt.Errorf("the section [%s] is there twice", printable(name))
	}
	r.current = s
	return nil
}

// option begins the value of a key.
func (r *iniReader) option(content string) error {
	at := strings.IndexAny(content, "=:")
	if at < 0 {
		return errors.New("neither = nor : is there")
	}
	key := strings.ToLower(strip(content[:at]))
	if key == "" {
		return errors.New("there is no key")
	}
	id := [2]string{r.current.name, key}
	if r.strict && r.seen[id] {
		return fmt.Errorf("the key %s of [%s] is there twice", printable(key), printable(r.current.name))
	}
	r.seen[id] = true
	r.key, r.lines = key, append(r.lines[:0], strip(content[at+1:]))
	return nil
}

// endValue keeps the value whose lines were read.
func (r *iniReader) endValue() {
	if r.key == "" {
		return
	}
	s := r.current
	if _, known := s.values[r.key]; !known {
		s.keys = append(s.keys, r.key)
	}
	s.values[r.key] = strings.TrimRightFunc(strings.Join(r.lines, "\n"), isSpace)
	r.key = ""
}

// strip removes what Python takes for white space from both ends.
func strip(s string) string { return strings.TrimFunc(s, isSpace) }

// isSpace is Python's str.isspace, which knows four separators more than Go.
func isSpace(r rune) bool { return unicode.IsSpace(r) || (r >= 0x1c && r <= 0x1f) }

// raw returns a value before expansion, from the section or the default one.
func (d *document) raw(s *section, key string) (string, bool) {
	if v, ok := s.values[key]; ok {
		return v, true
	}
	v, ok := d.defaults.values[key]
	return v, ok
}

// value returns a value with its %(references)s replaced; "" without an error
// means that there is none.
func (d *document) value(s *section, key string) (string, error) {
	raw, ok := d.raw(s, key)
	if !ok || !strings.Contains(raw, "%") {
		return raw, nil
	}
	var b strings.Builder
	if err := d.expand(&b, s, raw, 1); err != nil {
		return "", fmt.Errorf("[%s] %s: %w", printable(s.name), printable(key), err)
	}
	return b.String(), nil
}

// keys returns the keys that a section has, those of the default one included.
func (d *document) keys(s *section) []string {
	all := slices.Clone(s.keys)
	for _, k := range d.defaults.keys {
		if _, own := s.values[k]; !own {
			all = append(all, k)
		}
	}
	return all
}

func (d *document) expand(b *strings.Builder, s *section, rest string, depth int) error {
	if depth > maxExpansions {
		return errors.New("%( ) refers to itself, or too deep")
	}
	for {
		before, after, found := strings.Cut(rest, "%")
		if err := d.write(b, before); err != nil || !found {
			return err
		}
		if strings.HasPrefix(after, "%") {
			b.WriteByte('%')
			rest = after[1:]
			continue
		}
		name, tail, ok := reference(after)
		if !ok {
			return errors.New("a % is written %%")
		}
		v, ok := d.raw(s, strings.ToLower(name))
		if !ok {
			return fmt.Errorf("%%(%s)s is nowhere", printable(name))
		}
		var err error
		if strings.Contains(v, "%") {
			err = d.expand(b, s, v, depth+1)
		} else {
			err = d.write(b, v)
		}
		if err != nil {
			return err
		}
		rest = tail
	}
}

// write adds to an expanded value while the budget lasts.
func (d *document) write(b *strings.Builder, s string) error {
	d.budget -= len(s) + 1
	if d.budget < 0 {
		return errors.New("%( ) makes too much of the text")
	}
	b.WriteString(s)
	return nil
}

// reference splits "(name)s tail".
func reference(s string) (name, tail string, ok bool) {
	if !strings.HasPrefix(s, "(") {
		return "", "", false
	}
	end := strings.IndexByte(s, ')')
	if end < 2 || !strings.HasPrefix(s[end:], ")s") {
		return "", "", false
	}
	return s[1:end], s[end+2:], true
}

// printable makes text of a file fit for a message: short and on one line.
func printable(s string) string {
	const most = 64
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		quoted := strconv.Quote(s)
		return quoted[1 : len(quoted)-1]
	}
	return s
}
