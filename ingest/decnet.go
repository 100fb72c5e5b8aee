package ingest

import (
	"strings"
	"time"

	"decnet/repo"
)

// sniffDecnet recognises the collector's lines by the keys that only they have
// at their top.
func sniffDecnet(o *object) bool {
	if o.get("timestamp") == nil {
		return false
	}
	if _, ok := o.str("raw_line"); ok {
		return true
	}
	return o.get("decky") != nil && o.get("service") != nil
}

// Stand-ins for what a line does not tell.
const (
	unknownName = "unknown"
	// nilEvent is RFC 5424's own "no value", and what the collector writes for
	// lines without an event type.
	nilEvent = "-"
)

// parseDecnet reads a line of the DECNET collector: an envelope around the line
// that the decoy wrote (raw_line). Where that line is whole RFC 5424 it is the
// better source, because the collector loses the offset and the fraction of the
// time and every field from the first escaped "]" on.
func parseDecnet(line []byte) (Record, error) {
	env, err := parseObject(line)
	if err != nil {
		return Record{}, err
	}
	d := decnetLine{env: &env, lossy: env.damaged || env.repeated}
	raw, hasRaw := env.str("raw_line")
	if hasRaw {
		d.wire, d.hasWire = parseSyslog(raw)
	}
	var e repo.Event
	if e.Time, err = d.time(); err != nil {
		return Record{}, err
	}
	d.readFields()
	e.RawLine = raw
	e.Decky = d.name("decky", d.wire.host, unknownName)
	e.Service = d.name("service", d.wire.app, unknownName)
	e.EventType = d.name("event_type", d.wire.msgID, nilEvent)
	if e.Msg = d.optional("msg"); e.Msg == "" {
		e.Msg = strings.TrimLeft(d.wire.msg, " ")
	}
	e.TraceID, e.SpanID = d.trace()
	e.AttackerIP = d.attacker(e.Service)
	e.Fields = d.fields.normal()
	d.findUnkept()
	switch {
	case !hasRaw:
		e.RawLine = string(line)
	case d.lossy:
		e.Original = append([]byte(nil), line...)
	}
	applyRules(&e, &d.fields)
	addDecoyBounties(&e, &d.fields)
	return Record{Event: e}, nil
}

// decnetLine is an envelope on its way to an event.
type decnetLine struct {
	env     *object
	wire    syslogLine
	hasWire bool
	fields  object
	// lossy says that the row can't hold all of the envelope.
	lossy bool
}

// time prefers the decoy's own time, of which the collector's is the first 19
// characters; where it is not, it is something of its own.
func (d *decnetLine) time() (time.Time, error) {
	stamp := d.env.get("timestamp")
	if d.hasWire {
		if t, err := timeOf(d.wire.timestamp); err == nil {
			text, ok := scalarText(stamp)
			cut := strings.NewReplacer("T", " ", "t", " ").Replace(d.wire.timestamp)
			d.lossy = d.lossy || stamp != nil && !ok || !strings.HasPrefix(cut, text)
			return t, nil
		}
	}
	return eventTime(stamp)
}

// readFields takes the collector's fields and mends them by the decoy's own
// line. A value that is not a string was not made by the collector: it stays.
func (d *decnetLine) readFields() {
	raw := d.env.get("fields")
	switch {
	case len(raw) > 0 && raw[0] == '{':
		// Checked before as a part of the envelope, so there can be no error.
		d.fields, _ = parseObject(raw)
		d.lossy = d.lossy || d.fields.repeated
	case raw != nil && string(raw) != "null":
		d.lossy = true
	}
	for _, p := range d.wire.params {
		if old := d.fields.get(p.name); old == nil || old[0] == '"' {
			d.fields.set(p.name, quote(p.value))
		}
	}
}

// name reads a text that every row has.
func (d *decnetLine) name(key, wire, missing string) string {
	s := d.optional(key)
	if s == "" {
		s = wire
	}
	if s == "" {
		s = missing
	}
	return s
}

// optional reads a text that may be absent; another type is read as its text.
func (d *decnetLine) optional(key string) string {
	raw := d.env.get(key)
	if raw == nil || string(raw) == "null" {
		return ""
	}
	s, ok := scalarText(raw)
	if !ok || raw[0] != '"' {
		d.lossy = true
	}
	return s
}

// trace reads the W3C trace context that the collector adds with tracing on.
func (d *decnetLine) trace() (trace, span string) {
	raw := d.env.get("_trace")
	if raw == nil {
		return "", ""
	}
	if raw[0] == '{' {
		ctx, _ := parseObject(raw)
		parent, _ := ctx.str("traceparent")
		if trace, span, ok := splitTraceparent(parent); ok {
			d.lossy = d.lossy || len(ctx.members) > 1
			return trace, span
		}
	}
	d.lossy = true
	return "", ""
}

func splitTraceparent(s string) (trace, span string, ok bool) {
	p := strings.Split(s, "-")
	if len(p) < 4 || len(p[0]) != 2 || !isHex(p[1], 32) || !isHex(p[2], 16) {
		return "", "", false
	}
	return p[1], p[2], true
}

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// attacker is the collector's answer, or, where it has none, that of the fields
// that it lost. The prober's attacker is always its target.
func (d *decnetLine) attacker(service string) string {
	if service == serviceProber {
		if target, ok := d.fields.text("target_ip"); ok {
			return repo.AttackerAddress(target)
		}
	}
	if ip := repo.AttackerAddress(d.optional("attacker_ip")); ip != repo.UnknownAttacker {
		return ip
	}
	return attackerOf(&d.fields)
}

// attackerOf applies the collector's rule: the first of these fields that is
// present counts, whatever is in it.
func attackerOf(fields *object) string {
	for _, key := range [...]string{
		"src_ip", "src", "client_ip", "remote_ip", "remote_addr", "target_ip", "ip",
	} {
		if ip, ok := fields.text(key); ok {
			return repo.AttackerAddress(ip)
		}
	}
	return repo.UnknownAttacker
}

// findUnkept looks for what has no place in the row: keys that the collector
// does not write, and an address that nothing else in the row repeats.
func (d *decnetLine) findUnkept() {
	for i := range d.env.members {
		switch d.env.members[i].key {
		case "timestamp", "decky", "service", "event_type", "attacker_ip", "fields", "msg", "raw_line", "_trace":
		default:
			d.lossy = true
		}
	}
	ip := d.optional("attacker_ip")
	if ip == "" || ip == repo.UnknownAttacker || repo.AttackerAddress(ip) == ip {
		return
	}
	for i := range d.fields.members {
		if s, ok := scalarText(d.fields.members[i].raw); ok && s == ip {
			return
		}
	}
	d.lossy = true
}
