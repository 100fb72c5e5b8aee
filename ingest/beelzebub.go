package ingest

import (
	"net"
	"strings"

	"decnet/repo"
)

const beelzebubEvent = "New Event"

// sniffBeelzebub recognises an event by its wrapping, and what the pot says when
// it starts. Its other messages look like anybody's and are known only between
// events.
func sniffBeelzebub(o *object) bool {
	msg, _ := o.str("msg")
	if strings.HasPrefix(msg, "Init service ") && o.get("level") != nil && o.get("port") != nil {
		return true
	}
	event := o.object("event")
	return msg == beelzebubEvent && event.get("Protocol") != nil && event.get("Status") != nil
}

// parseBeelzebub reads a line of Beelzebub, an event in a line of logrus. The
// end of a session tells neither address nor protocol: both come from the
// session, where its beginning was read.
func parseBeelzebub(line []byte) (Record, error) {
	o, err := parseObject(line)
	if err != nil {
		return Record{}, err
	}
	if msg, _ := o.str("msg"); msg != beelzebubEvent {
		return Record{}, ignore(IgnoredOwnMessage, "The line is about Beelzebub itself.")
	}
	event := o.object("event")
	if len(event.members) == 0 {
		return Record{}, reject(ReasonNoEvent, "The line has no event.")
	}
	stamp := event.get("DateTime")
	if !isSet(stamp) {
		stamp = o.get("time")
	}
	var e repo.Event
	if e.Time, err = eventTime(stamp); err != nil {
		return Record{}, err
	}
	protocol, _ := event.str("Protocol")
	protocol = strings.ToLower(protocol)
	status, _ := event.str("Status")
	e.RawLine, e.Decky, e.Service = string(line), "beelzebub", protocol
	if e.Service == "" {
		e.Service = unknownName
	}
	e.EventType = beelzebubType(&event, protocol, status)
	e.AttackerIP = beelzebubAttacker(&event)
	e.Msg, _ = event.str("Msg")
	fields := beelzebubFields(&o, &event, &e)
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	if headers := readHeaders(fields.get("headers")); headers.userAgent == "" {
		agent, _ := event.str("UserAgent")
		addUserAgent(&e, &fields, agent)
	}
	rec := Record{Event: e}
	if id, _ := event.str("ID"); id != "" && status != "Stateless" {
		rec.Session = SessionRef{
			Key: sessionKey("beelzebub", "", id), Opens: status == "Start", Closes: status == "End",
			Service: protocol, Fallback: e.Service,
		}
	}
	return rec, nil
}

func beelzebubType(event *object, protocol, status string) string {
	user, _ := event.str("User")
	password, _ := event.str("Password")
	switch {
	case status == "Start":
		return "connect"
	case status == "End":
		return "disconnect"
	case protocol == "http" || protocol == "mcp":
		return "request"
	case protocol == "tcp":
		return "data"
	case status == "Interaction":
		return "command"
	case user != "" || password != "":
		return "auth_attempt"
	}
	return "connect"
}

// beelzebubAttacker is SourceIp, or, in older versions, a part of RemoteAddr.
func beelzebubAttacker(event *object) string {
	if ip, _ := event.str("SourceIp"); ip != "" {
		return repo.AttackerAddress(ip)
	}
	remote, _ := event.str("RemoteAddr")
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return repo.UnknownAttacker
	}
	return repo.AttackerAddress(host)
}

// beelzebubFields are the event's own, those of the line around it, and what the
// wire contract calls otherwise.
func beelzebubFields(o, event *object, e *repo.Event) object {
	fields := fieldsWithout(event, "DateTime", "Msg")
	for _, m := range o.members {
		if m.key != "event" && m.key != "msg" {
			fields.alias(m.key, m.raw)
		}
	}
	alias := func(name, key string) {
		if raw := event.get(key); isSet(raw) {
			fields.alias(name, raw)
		}
	}
	switch e.EventType {
	case "auth_attempt":
		// An empty name or password is one, too.
		fields.alias("username", event.get("User"))
		fields.alias("password", event.get("Password"))
		alias("version", "Client")
	case "command", "data":
		alias("command", "Command")
	case "request":
		alias("method", "HTTPMethod")
		alias("path", "RequestURI")
		alias("headers", "HeadersMap")
	}
	return fields
}
