package ingest

import (
	"encoding/base64"
	"strconv"
	"strings"

	"decnet/repo"
)

// sniffGlutton recognises Glutton's sensor id beside an address, in the spelling
// of either of its logs.
func sniffGlutton(o *object) bool {
	if o.get("sensorID") == nil {
		return false
	}
	return o.get("srcHost") != nil && o.get("dstPort") != nil ||
		o.get("ts") != nil && o.get("level") != nil && o.get("msg") != nil
}

// parseGlutton reads a line of Glutton: an event of its producer, old (connKey,
// action) or new (transport, payloadHash, tls), or a line of glutton.log, whose
// time is ts. Ports are text or numbers; connKey is beyond 2^53 and keeps its
// digits. A payload stays as it is, in base64; payload_size is its length.
func parseGlutton(line []byte) (Record, error) {
	o, err := parseObject(line)
	if err != nil {
		return Record{}, err
	}
	ip, hasIP := o.text("srcHost")
	if !hasIP {
		ip, hasIP = o.text("src_ip")
	}
	if !hasIP {
		return Record{}, ignore(IgnoredOwnMessage, "The line has no address; it is about Glutton itself.")
	}
	stamp := o.get("timestamp")
	if stamp == nil {
		stamp = o.get("ts")
	}
	var e repo.Event
	if e.Time, err = eventTime(stamp); err != nil {
		return Record{}, err
	}
	e.RawLine, e.AttackerIP = string(line), repo.AttackerAddress(ip)
	if e.Decky, _ = o.text("sensorID"); e.Decky == "" {
		e.Decky = "glutton"
	}
	e.Msg, _ = o.str("msg")
	e.Service = gluttonService(&o)
	fields := fieldsWithout(&o, "timestamp", "ts", "sensorID", "msg")
	e.EventType = "connect"
	if text, _ := o.str("payload"); text != "" {
		e.EventType = "data"
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			fields.alias("payload_size", strconv.AppendInt(nil, int64(len(b)), 10))
		}
	}
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	return Record{Event: e}, nil
}

// gluttonService is the handler that answered, unless that is one for anything:
// then the port tells.
func gluttonService(o *object) string {
	handler, _ := o.str("handler")
	switch handler = strings.ToLower(handler); handler {
	case "", "tcp", "udp", "proxy_tcp":
	default:
		return handler
	}
	port := o.get("dstPort")
	if port == nil {
		port = o.get("dest_port")
	}
	if n, ok := integer(port); ok {
		if s := portService(n); s != "" {
			return s
		}
	}
	if transport, _ := o.str("transport"); transport != "" {
		return strings.ToLower(transport)
	}
	if handler == "udp" {
		return handler
	}
	return "tcp"
}
