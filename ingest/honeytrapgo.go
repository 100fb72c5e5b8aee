package ingest

import (
	"bytes"
	"net/netip"
	"strings"

	"decnet/repo"
)

const honeytrapGoName = "honeytrap-go"

func sniffHoneytrapGo(line []byte) bool {
	if !bytes.Contains(line, []byte(`"category"`)) {
		return false
	}
	o, err := parseObject(line)
	if err != nil || o.get("date") == nil || o.get("sensor") == nil {
		return false
	}
	_, ok := o.str("category")
	return ok && (o.get("source-ip") != nil || o.get("type") != nil)
}

// parseHoneytrapGo reads a line of the file that Honeytrap (the one in Go)
// pushes to: a flat object, with keys such as source-ip and ssh.username. The
// category is the service. The fields keep all but the time and have the
// service's own keys under the names of the wire contract, too. An event without
// an address is the pot's own: its heartbeat, the start of a service.
func parseHoneytrapGo(line []byte) ([]Record, error) {
	o, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	category, ok := o.str("category")
	if !ok || category == "" {
		return nil, reject(ReasonNoEvent, "The event has no category.")
	}
	ip := honeytrapGoSource(&o)
	if ip == "" {
		return nil, ignore(IgnoredOwnMessage, "The event (%s) has no source address: it is the pot's own.", cut(category))
	}
	var e repo.Event
	if e.Time, err = eventTime(o.get("date")); err != nil {
		return nil, err
	}
	e.RawLine = string(line)
	e.AttackerIP = repo.AttackerAddress(ip)
	if e.Decky, ok = o.str("token"); !ok || e.Decky == "" {
		e.Decky = honeytrapGoName
	}
	e.Service = strings.TrimSuffix(strings.ToLower(category), "-lua")
	e.Msg, _ = o.str("message")
	fields := fieldsWithout(&o, "date")
	agent := honeytrapGoAliases(&fields)
	e.EventType = honeytrapGoEvent(&fields)
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	if _, named := fields.text("username"); !named {
		password, _ := fields.text("password")
		addPassword(&e, password)
	}
	addUserAgent(&e, &fields, agent)
	return []Record{{Event: e}}, nil
}

// cut keeps a text that goes into a sentence short.
func cut(s string) string {
	const limit = 40
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return asText(s)
}

// honeytrapGoSource is the attacker's address; older versions write it with its
// port.
func honeytrapGoSource(o *object) string {
	if ip, ok := o.str("source-ip"); ok && ip != "" {
		return ip
	}
	remote, _ := o.str("remote-addr")
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().String()
	}
	return remote
}

// honeytrapGoAliases names what a service's own keys hold, by what stands behind
// their first dot, and returns the user agent.
func honeytrapGoAliases(fields *object) (agent string) {
	names := honeytrapGoNames()
	for _, m := range fields.members {
		prefix, key, found := strings.Cut(m.key, ".")
		if !found {
			continue
		}
		// A method or a line of another service means something else.
		name := names[key]
		if name == "" {
			name = names[m.key]
		}
		if name != "" {
			fields.alias(name, m.raw)
		}
		if prefix == "http" && (key == "user-agent" || key == "header.user-agent") && agent == "" {
			agent, _ = headerText(m.raw)
		}
	}
	for _, pair := range [...][2]string{
		{"source-port", "src_port"}, {"destination-port", "dst_port"}, {"payload-length", "payload_size"},
	} {
		fields.alias(pair[1], fields.get(pair[0]))
	}
	if words := fields.list("ssh.exec"); len(words) > 0 {
		fields.alias("command", quote(joinTexts(words)))
	}
	// Redis' own key has no arguments.
	sent, _ := fields.str("payload")
	if verb, ok := fields.str("redis.command"); ok && strings.HasPrefix(sent, verb+" ") {
		fields.set("command", quote(strings.TrimRight(sent, " ")))
	}
	return agent
}

func honeytrapGoNames() map[string]string {
	return map[string]string{
		"username": "username", "user": "username", "password": "password", "command": "command",
		"smtp.line": "line", "http.method": "method", "http.url": "path", "http.uri": "path", "http.headers": "headers",
	}
}

func joinTexts(elements [][]byte) string {
	words := make([]string, 0, len(elements))
	for _, raw := range elements {
		if word, ok := scalarText(raw); ok {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// honeytrapGoEvent is the event type: what was done, where the fields tell, else
// the type in lower case with what is no letter or digit as "_".
func honeytrapGoEvent(fields *object) string {
	kind, _ := fields.str("type")
	kind = strings.ToLower(kind)
	switch {
	case fields.get("password") != nil, kind == "publickey-authentication":
		return "auth_attempt"
	case isSet(fields.get("command")):
		return "command"
	case isSet(fields.get("method")) && fields.get("http.method") != nil:
		return "request"
	}
	switch kind {
	case "":
		return "message"
	case "connection:opened":
		return "connect"
	case "connection:closed":
		return "disconnect"
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, kind)
}
