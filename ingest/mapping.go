package ingest

import (
	"errors"
	"strings"

	"decnet/repo"
)

// mapping is a format that a YAML file describes: which places of a JSON line
// are what. It is not changed after [LoadMapping], and safe for concurrent use.
type mapping struct {
	name string
	// sniff must all hold for a line to be of this format.
	sniff []condition
	// ignoring are tried in their order before anything else is read.
	ignoring []ignoring
	// ignorePlain says that lines that are no JSON are known and nothing is in them.
	ignorePlain bool

	time, decky, service, event, attacker, message, session value

	username, password, command, userAgent value
	url, sha256, filename, size            value
	// fields are further names of the wire contract, in the order of the file.
	fields []namedValue
}

type namedValue struct {
	name  string
	value value
}

// ignoring names lines that are no events on purpose.
type ignoring struct {
	when            []condition
	reason, because string
}

// LoadMapping makes a format of a description in YAML; docs/formats.md says how
// one is written. It is strict: a key or a value that is not known is an error
// with its line number, as a mapping that was misspelt would lose events
// silently.
func LoadMapping(data []byte) (Format, error) {
	m, err := decodeMapping(data)
	if err != nil {
		return Format{}, err
	}
	return ofObjects(m.name, m.sniffs, single(m.parse)), nil
}

func (m *mapping) sniffs(o *object) bool { return allHold(m.sniff, o) }

func (m *mapping) parse(line []byte) (Record, error) {
	o, err := parseObject(line)
	var why *ParseError
	if m.ignorePlain && errors.As(err, &why) && why.Reason == ReasonNotJSON {
		return Record{}, ignore(IgnoredNoEvent, "The line is not JSON.")
	}
	if err != nil {
		return Record{}, err
	}
	for _, ig := range m.ignoring {
		if allHold(ig.when, &o) {
			return Record{}, ignore(ig.reason, "%s", ig.because)
		}
	}
	var e repo.Event
	if e.Time, err = eventTime(m.time.json(&o)); err != nil {
		return Record{}, err
	}
	if e.EventType = m.event.column(&o, ""); e.EventType == "" {
		return Record{}, reject(ReasonNoEvent, "The line does not tell what happened.")
	}
	e.RawLine = string(line)
	e.Decky = m.decky.column(&o, m.name)
	e.Service = strings.ToLower(m.service.column(&o, m.name))
	e.Msg = m.message.column(&o, "")
	e.AttackerIP = repo.AttackerAddress(m.attacker.column(&o, ""))
	fields := m.fieldsOf(&o, &e)
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	if e.AttackerIP != repo.UnknownAttacker {
		m.addBounties(&e, &o, &fields)
	}
	return Record{Event: e, Session: m.sessionOf(&o, &e)}, nil
}

// fieldsOf is the line without what its columns hold whole, and with what it
// calls otherwise under the names of the wire contract, too.
func (m *mapping) fieldsOf(o *object, e *repo.Event) object {
	var columns []string
	for _, v := range [...]*value{&m.time, &m.decky, &m.message} {
		if key, whole := v.wholeOf(o); whole {
			columns = append(columns, key)
		}
	}
	fields := fieldsWithout(o, columns...)
	alias := func(name string, v *value) {
		if s, ok := v.text(o); ok {
			fields.alias(name, quote(s))
		}
	}
	alias("username", &m.username)
	alias("password", &m.password)
	if e.EventType != "connect" && e.EventType != "disconnect" {
		alias("command", &m.command)
	}
	for i := range m.fields {
		alias(m.fields[i].name, &m.fields[i].value)
	}
	return fields
}

func (m *mapping) addBounties(e *repo.Event, o, fields *object) {
	if _, hasUser := fields.text("username"); !hasUser {
		if password, ok := m.password.text(o); ok {
			addPassword(e, password)
		}
	}
	// Headers are read by the rules that are the same for all formats.
	if agent := m.userAgent.column(o, ""); fields.get("headers") == nil {
		addUserAgent(e, fields, agent)
	}
	text := func(v *value) []byte {
		if s := v.column(o, ""); s != "" {
			return quote(s)
		}
		return orNull(nil)
	}
	file := payload{
		{"url", text(&m.url)}, {"sha256", text(&m.sha256)},
		{"filename", text(&m.filename)}, {"size", orNull(nil)},
	}
	if isNull(file[0].raw) && isNull(file[1].raw) {
		return
	}
	if raw := m.size.json(o); raw != nil {
		if n, ok := integer(raw); ok && n >= 0 {
			file[3].raw = raw
			e.Traits.PayloadBytes = n
		}
	}
	addBounty(e, repo.BountyPayload, file)
}

// sessionOf lets later lines of a session take its service from the first,
// where a line itself may not tell it.
func (m *mapping) sessionOf(o *object, e *repo.Event) SessionRef {
	key := m.session.column(o, "")
	if key == "" || m.service.isConst {
		return SessionRef{}
	}
	told, _ := m.service.told(o)
	return SessionRef{
		Key: sessionKey(m.name, e.Decky, key), Opens: e.EventType == "connect", Closes: e.EventType == "disconnect",
		Service: strings.ToLower(told), Fallback: e.Service,
	}
}
