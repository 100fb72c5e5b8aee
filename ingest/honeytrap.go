package ingest

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"strings"

	"decnet/repo"
)

func sniffHoneytrap(line []byte) bool {
	if honeytrapText.Match(line) {
		return true
	}
	if !bytes.Contains(line, []byte(`"attack_connection"`)) {
		return false
	}
	o, err := parseObject(line)
	return err == nil && o.get("attack_connection") != nil && o.get("is_virtual") != nil
}

// parseHoneytrap reads a line of attackers.json or attacker.log of Honeytrap
// (the one in C): one connection to any port, with what came over it. Its event
// is a connect, or data if anything was sent; or, where that begins like an HTTP
// request, a request. Virtual rows, which are made of a payload and not of a
// connection, are none.
func parseHoneytrap(line []byte) ([]Record, error) {
	if bytes.HasPrefix(line, []byte("[")) {
		return parseHoneytrapText(line)
	}
	o, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	if c := o.get("attack_connection"); len(c) == 0 || c[0] != '{' {
		return nil, reject(ReasonNoEvent, "The line has no attack_connection.")
	}
	attack := o.object("attack_connection")
	ip, _ := attack.str("remote_ip")
	if string(o.get("is_virtual")) == "true" {
		return nil, ignore(IgnoredNoEvent, "The row is virtual: it stands for no connection.")
	}
	stamp := "@timestamp"
	if o.get(stamp) == nil {
		stamp = "start_time"
	}
	var e repo.Event
	if e.Time, err = eventTime(o.get(stamp)); err != nil {
		return nil, err
	}
	e.RawLine = string(line)
	e.AttackerIP = repo.AttackerAddress(ip)
	fields := fieldsWithout(&o, stamp)
	sent := attack.object("payload")
	fields.alias("src_port", attack.get("remote_port"))
	fields.alias("dst_port", attack.get("local_port"))
	fields.alias("payload_size", sent.get("length"))
	size, _ := integer(sent.get("length"))
	if size > 0 {
		fields.alias("md5_hash", sent.get("md5_hash"))
	}
	transport, _ := attack.str("protocol")
	data, _ := sent.str("data_hex")
	honeytrapFinish(&e, &fields, transport, size, data)
	return []Record{{Event: e}}, nil
}

// honeytrapText is a line of attacker.log. The microseconds behind the colon are
// a number, not digits of a fraction: 5 are five of them.
var honeytrapText = regexp.MustCompile(`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?::(\d{1,6}))? GMT\] (\w{1,20}) ` +
	`(\S{1,64}):(\d{1,5}) -> (\S{1,64}):(\d{1,5}) ([0-9a-f]*) ([0-9a-f]*) \((\d{1,10}) bytes\)$`)

func parseHoneytrapText(line []byte) ([]Record, error) {
	m := honeytrapText.FindStringSubmatch(string(line))
	if m == nil {
		return nil, reject(ReasonNotFormat, "The line is neither of attackers.json nor of attacker.log.")
	}
	micros := strings.Repeat("0", 6-len(m[2])) + m[2]
	at, err := timeOf(m[1] + "." + micros)
	if err != nil {
		return nil, err
	}
	var e repo.Event
	e.Time, e.RawLine = at, string(line)
	e.AttackerIP = repo.AttackerAddress(m[4])
	var fields object
	for i, key := range [...]string{"protocol", "src_ip", "src_port", "dst_ip", "dst_port", "md5_hash", "sha512_hash", "payload_size"} {
		if strings.HasSuffix(key, "port") || strings.HasSuffix(key, "size") {
			fields.setNumber(key, m[i+3])
		} else {
			fields.setText(key, m[i+3])
		}
	}
	size, _ := integer(fields.get("payload_size"))
	honeytrapFinish(&e, &fields, m[3], size, "")
	return []Record{{Event: e}}, nil
}

// honeytrapFinish names the event by what was sent. Honeytrap imitates no
// protocol: the service is that of the transport, tcp or udp, unless the
// attacker spoke HTTP.
func honeytrapFinish(e *repo.Event, fields *object, transport string, size int64, data string) {
	e.Decky, e.EventType, e.Service = "honeytrap", "connect", strings.ToLower(transport)
	if e.Service == "" {
		e.Service = "honeytrap"
	}
	if size > 0 {
		e.EventType = "data"
	}
	if r, ok := readRequest(data); ok {
		e.EventType, e.Service = "request", "http"
		fields.alias("method", quote(r.method))
		fields.alias("path", quote(r.path))
		fields.alias("headers", []byte(r.headers.normal()))
	}
	e.Fields = fields.normal()
	applyRules(e, fields)
}

// httpRequest is what the first bytes of a connection say, if they are HTTP.
type httpRequest struct {
	method, path string
	headers      object
}

// maxRequestHead bounds what of a request is read, in bytes.
const maxRequestHead = 16 << 10

var requestLine = regexp.MustCompile(`^([A-Z]{3,10}) (\S+) HTTP/\d\.\d\r?$`)

// readRequest reads the head of an HTTP request from hex. Of a header that comes
// twice the first counts, as it does for the rules. A line that is no header
// ends the head.
func readRequest(data string) (r httpRequest, ok bool) {
	head, err := hex.DecodeString(data[:min(len(data), 2*maxRequestHead)&^1])
	if err != nil {
		return r, false
	}
	first, rest, ok := strings.Cut(string(head), "\n")
	m := requestLine.FindStringSubmatch(first)
	if !ok || m == nil {
		return r, false
	}
	r.method, r.path = m[1], m[2]
	for line := range strings.Lines(rest) {
		name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if !found || name == "" || strings.ContainsAny(name, " \t") {
			break
		}
		name = strings.ToLower(asText(name))
		if r.headers.get(name) == nil {
			r.headers.set(name, quote(strings.TrimSpace(value)))
		}
	}
	return r, true
}
