package ingest

import "strings"

// decnetSD is the structured data element that holds a decoy's fields.
const decnetSD = "decnet@55555"

// syslogLine is a line in the form of RFC 5424.
type syslogLine struct {
	// timestamp is "-" or what should be a time; host, app, procID and msgID may be "-".
	timestamp, host, app, procID, msgID string
	// params are the parameters of the element decnetSD, unescaped, in order.
	params []param
	// msg is the free text, as it is. Nobody may look for structure in it: that is
	// how fields are forged.
	msg string
}

type param struct{ name, value string }

// parseSyslog reads a line by position only. ok is false unless the header and
// the structured data are whole: a line that was cut or glued proves nothing.
func parseSyslog(s string) (m syslogLine, ok bool) {
	rest, ok := cutPriority(s)
	if !ok {
		return m, false
	}
	for _, field := range []*string{&m.timestamp, &m.host, &m.app, &m.procID, &m.msgID} {
		var found bool
		if *field, rest, found = strings.Cut(rest, " "); !found || *field == "" {
			return m, false
		}
	}
	if m.params, rest, ok = parseSD(rest); !ok {
		return m, false
	}
	if rest != "" && rest[0] != ' ' {
		return m, false
	}
	m.msg = strings.TrimPrefix(rest, " ")
	return m, true
}

// cutPriority passes "<PRI>1 ". PRI is not checked against 191: the decoys'
// own collector does not either.
func cutPriority(s string) (rest string, ok bool) {
	pri, rest, found := strings.Cut(s, ">1 ")
	if !found || len(pri) < 2 || len(pri) > 4 || pri[0] != '<' {
		return "", false
	}
	return rest, strings.Trim(pri[1:], "0123456789") == ""
}

// parseSD reads "-" or a row of elements.
func parseSD(s string) (params []param, rest string, ok bool) {
	if strings.HasPrefix(s, "-") {
		return nil, s[1:], true
	}
	if !strings.HasPrefix(s, "[") {
		return nil, s, false
	}
	for strings.HasPrefix(s, "[") {
		var id string
		var found []param
		if id, found, s, ok = parseElement(s[1:]); !ok {
			return nil, s, false
		}
		if id == decnetSD {
			params = append(params, found...)
		}
	}
	return params, s, true
}

// parseElement reads `id name="value" …]`.
func parseElement(s string) (id string, params []param, rest string, ok bool) {
	end := strings.IndexAny(s, " ]\"=")
	if end <= 0 || s[end] == '"' || s[end] == '=' {
		return "", nil, s, false
	}
	id, s = s[:end], s[end:]
	for {
		switch {
		case strings.HasPrefix(s, "]"):
			return id, params, s[1:], true
		case !strings.HasPrefix(s, " "):
			return id, nil, s, false
		}
		name, after, found := strings.Cut(s[1:], `="`)
		if !found || name == "" || strings.ContainsAny(name, " ]\"=") {
			return id, nil, s, false
		}
		value, after, found := cutValue(after)
		if !found {
			return id, nil, s, false
		}
		params = append(params, param{name, value})
		s = after
	}
}

// cutValue reads up to the closing quote. A backslash escapes a quote, a
// backslash and a closing bracket; before anything else it stands for itself
// (RFC 5424 §6.3.3). All in one pass: replacing one escape after the other
// decodes \\" wrongly.
func cutValue(s string) (value, rest string, ok bool) {
	if i := strings.IndexAny(s, `"\`); i >= 0 && s[i] == '"' {
		return s[:i], s[i+1:], true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`"\]`, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", s, false
}
