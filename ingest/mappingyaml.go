package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// errUnknownKey is told by who visits a key to [eachKey], which knows its line.
var errUnknownKey = errors.New("unknown key")

// maxMapping bounds the description of a format, in bytes.
const maxMapping = 64 << 10

// decodeMapping reads the YAML by hand: so every key is known or an error, and
// every error has its line.
func decodeMapping(data []byte) (*mapping, error) {
	if len(data) > maxMapping {
		return nil, fmt.Errorf("mapping: it has %d bytes; the limit is %d", len(data), maxMapping)
	}
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) != 1:
		return nil, errors.New("mapping: it is empty")
	case err != nil:
		return nil, fmt.Errorf("mapping: %w", err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("mapping: a file describes one format, and has no second document")
	}
	m := &mapping{}
	err := eachKey(doc.Content[0], func(key string, n *yaml.Node) error { return m.set(key, n) })
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	return m, nil
}

var mappingName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// check looks for what a mapping can't do without.
func (m *mapping) check() error {
	switch {
	case !mappingName.MatchString(m.name):
		return fmt.Errorf("name %q is not a word of at most 32 small letters, digits, dashes and underscores", m.name)
	case len(m.sniff) == 0:
		return errors.New("sniff is missing: it says which lines are of this format")
	case len(m.time.paths) == 0:
		return errors.New("time is missing: it says where the time of an event is")
	case m.event.isNothing():
		return errors.New("event is missing: it says what happened")
	case m.service.isNothing():
		return errors.New("service is missing: it says which protocol the pot imitates")
	case len(m.attacker.paths) == 0:
		return errors.New("attacker is missing: it says where the attacker's address is")
	}
	return nil
}

func (v *value) isNothing() bool { return len(v.paths) == 0 && v.fallback == "" }

func (m *mapping) set(key string, n *yaml.Node) (err error) {
	switch key {
	case "name":
		m.name, err = textOf(n)
	case "description":
		_, err = textOf(n)
	case "sniff":
		m.sniff, err = conditionsOf(n)
	case "plain_lines":
		var s string
		if s, err = textOf(n); err == nil && s != "ignore" && s != "reject" {
			err = errAt(n, "plain_lines is ignore or reject, not %q", s)
		}
		m.ignorePlain = s == "ignore"
	case "ignore":
		err = eachItem(n, func(n *yaml.Node) error {
			ig, err := ignoringOf(n)
			m.ignoring = append(m.ignoring, ig)
			return err
		})
	case "fields":
		err = eachKey(n, func(name string, n *yaml.Node) error {
			v, err := valueOf(n)
			m.fields = append(m.fields, namedValue{name, v})
			return err
		})
	default:
		target := m.valueNamed(key)
		if target == nil {
			return errUnknownKey
		}
		*target, err = valueOf(n)
	}
	return err
}

func (m *mapping) valueNamed(key string) *value {
	switch key {
	case "time":
		return &m.time
	case "decky":
		return &m.decky
	case "service":
		return &m.service
	case "event":
		return &m.event
	case "attacker":
		return &m.attacker
	case "message":
		return &m.message
	case "session":
		return &m.session
	case "username":
		return &m.username
	case "password":
		return &m.password
	case "command":
		return &m.command
	case "user_agent":
		return &m.userAgent
	case "url":
		return &m.url
	case "sha256":
		return &m.sha256
	case "filename":
		return &m.filename
	case "size":
		return &m.size
	}
	return nil
}

// valueOf reads a path, or an object that says more.
func valueOf(n *yaml.Node) (value, error) {
	var v value
	if n.Kind != yaml.MappingNode {
		var err error
		v.paths, err = pathsOf(n)
		return v, err
	}
	err := eachKey(n, func(key string, n *yaml.Node) (err error) {
		switch key {
		case "path":
			v.paths, err = pathsOf(n)
		case "const", "default":
			v.isConst = v.isConst || key == "const"
			v.fallback, err = textOf(n)
		case "when":
			v.when, err = conditionsOf(n)
		default:
			err = v.setStep(key, n)
		}
		return err
	})
	switch {
	case err != nil:
	case v.isConst && len(v.paths) > 0:
		err = errAt(n, "a value has a path or is const, not both")
	case v.isNothing():
		err = errAt(n, "a value needs a path or a const")
	}
	return v, err
}

// setStep reads what is made of a text that was found.
func (v *value) setStep(key string, n *yaml.Node) (err error) {
	switch key {
	case "decode":
		v.base64, err = oneWord(n, "base64")
	case "take":
		v.hostPort, err = oneWord(n, "host")
	case "extract":
		if v.extract, err = regexpOf(n); err == nil && v.extract.NumSubexp() != 1 {
			err = errAt(n, "extract needs exactly one group in parentheses")
		}
	case "map":
		v.mapped = map[string]string{}
		err = eachKey(n, func(from string, n *yaml.Node) (err error) {
			v.mapped[from], err = textOf(n)
			return err
		})
	case "match":
		v.matches, err = matchesOf(n)
	case "slug":
		v.slug, err = oneWord(n, "true")
	case "then":
		v.then = &value{}
		err = eachKey(n, v.then.setStep)
	default:
		err = errUnknownKey
	}
	return err
}

func matchesOf(n *yaml.Node) ([]match, error) {
	var all []match
	err := eachItem(n, func(n *yaml.Node) error {
		var m match
		err := eachKey(n, func(key string, n *yaml.Node) (err error) {
			switch key {
			case "pattern":
				m.re, err = regexpOf(n)
			case "value":
				m.value, err = textOf(n)
			default:
				err = errUnknownKey
			}
			return err
		})
		if err == nil && (m.re == nil || m.value == "") {
			err = errAt(n, "a match needs a pattern and a value")
		}
		all = append(all, m)
		return err
	})
	return all, err
}

func ignoringOf(n *yaml.Node) (ignoring, error) {
	var ig ignoring
	err := eachKey(n, func(key string, n *yaml.Node) (err error) {
		switch key {
		case "when":
			ig.when, err = conditionsOf(n)
		case "reason":
			ig.reason, err = textOf(n)
			reasons := []string{IgnoredOwnMessage, IgnoredOwnConnection, IgnoredHeader, IgnoredNoEvent}
			if err == nil && !slices.Contains(reasons, ig.reason) {
				err = errAt(n, "reason is one of %s, not %q", strings.Join(reasons, ", "), ig.reason)
			}
		case "because":
			ig.because, err = textOf(n)
		default:
			err = errUnknownKey
		}
		return err
	})
	if err == nil && (len(ig.when) == 0 || ig.reason == "" || ig.because == "") {
		err = errAt(n, "an ignore rule needs when, reason and because")
	}
	return ig, err
}

// conditionsOf reads a list of conditions.
func conditionsOf(n *yaml.Node) ([]condition, error) {
	var all []condition
	err := eachItem(n, func(n *yaml.Node) error {
		c, err := conditionOf(n)
		all = append(all, c)
		return err
	})
	if err == nil && len(all) == 0 {
		err = errAt(n, "the list is empty")
	}
	return all, err
}

// conditionOf reads a path that must be there, or an object that says more.
func conditionOf(n *yaml.Node) (condition, error) {
	var c condition
	if n.Kind == yaml.ScalarNode {
		var err error
		c.path, err = pathOf(n)
		return c, err
	}
	tests := 0
	err := eachKey(n, func(key string, n *yaml.Node) (err error) {
		if key != "path" && key != "not" {
			tests++
		}
		switch key {
		case "path":
			c.path, err = pathOf(n)
		case "not":
			c.not, err = oneWord(n, "true")
		case "equals":
			var s string
			s, err = textOf(n)
			c.equals = []string{s}
		case "one_of":
			c.oneOf, err = textsOf(n)
		case "prefix":
			c.prefix, err = textOf(n)
		case "matches":
			c.matches, err = regexpOf(n)
		case "only":
			c.only, err = textsOf(n)
		default:
			err = errUnknownKey
		}
		return err
	})
	switch {
	case err != nil:
	case tests > 1:
		err = errAt(n, "a condition has one test")
	case (c.only == nil) != (c.path != nil):
		err = errAt(n, "a condition needs a path, or only")
	}
	return c, err
}

// pathsOf reads a path or a list of them.
func pathsOf(n *yaml.Node) ([][]string, error) {
	if n.Kind == yaml.ScalarNode {
		p, err := pathOf(n)
		return [][]string{p}, err
	}
	var all [][]string
	err := eachItem(n, func(n *yaml.Node) error {
		p, err := pathOf(n)
		all = append(all, p)
		return err
	})
	if err == nil && len(all) == 0 {
		err = errAt(n, "the list is empty")
	}
	return all, err
}

// pathOf reads keys and indices with dots between; \. is a dot in a key.
func pathOf(n *yaml.Node) ([]string, error) {
	s, err := textOf(n)
	if err != nil {
		return nil, err
	}
	var path []string
	var step strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			step.WriteByte(s[i])
		case s[i] == '.':
			path = append(path, step.String())
			step.Reset()
		default:
			step.WriteByte(s[i])
		}
	}
	path = append(path, step.String())
	if slices.Contains(path, "") {
		return nil, errAt(n, "the path %q has an empty part", s)
	}
	return path, nil
}

func errAt(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...))
}

// eachKey visits the keys of an object in their order; none may come twice.
func eachKey(n *yaml.Node, visit func(key string, n *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return errAt(n, "keys and values are expected here")
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, err := textOf(n.Content[i])
		if err != nil {
			return err
		}
		if seen[key] {
			return errAt(n.Content[i], "the key %q comes twice", key)
		}
		seen[key] = true
		switch err := visit(key, n.Content[i+1]); {
		case err == errUnknownKey: //nolint:errorlint // That of a key within has its line already.
			return errAt(n.Content[i], "unknown key %q", key)
		case err != nil:
			return err
		}
	}
	return nil
}

func eachItem(n *yaml.Node, visit func(n *yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return errAt(n, "a list is expected here")
	}
	for _, item := range n.Content {
		if err := visit(item); err != nil {
			return err
		}
	}
	return nil
}

func textOf(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return "", errAt(n, "text is expected here")
	}
	return n.Value, nil
}

func textsOf(n *yaml.Node) ([]string, error) {
	texts := []string{}
	err := eachItem(n, func(n *yaml.Node) error {
		s, err := textOf(n)
		texts = append(texts, s)
		return err
	})
	return texts, err
}

// oneWord reads a key that has only one value that makes sense.
func oneWord(n *yaml.Node, word string) (bool, error) {
	s, err := textOf(n)
	if err == nil && s != word {
		err = errAt(n, "only %q is known here, not %q", word, s)
	}
	return err == nil, err
}

func regexpOf(n *yaml.Node) (*regexp.Regexp, error) {
	s, err := textOf(n)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, errAt(n, "%v", err)
	}
	return re, nil
}
