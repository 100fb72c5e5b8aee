package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"decnet/repo"
)

const cowriePrefix = "cowrie."

func sniffCowrie(line []byte) bool {
	if !bytes.Contains(line, []byte(`"`+cowriePrefix)) {
		return false
	}
	o, err := parseObject(line)
	if err != nil {
		return false
	}
	id, _ := o.str("eventid")
	return strings.HasPrefix(id, cowriePrefix)
}

// parseCowrie reads a line of cowrie.json, 2017 to 2026. The sensor is the
// decky; the row's event type is [cowrieEvent], and fields keep the eventid and
// all else but time, sensor and message. The protocol is told only by the
// session's first line: later ones take it from their session.
func parseCowrie(line []byte) (Record, error) {
	o, err := parseObject(line)
	if err != nil {
		return Record{}, err
	}
	id, ok := o.str("eventid")
	if !ok || id == "" {
		return Record{}, reject(ReasonNoEvent, "The event has no eventid.")
	}
	var e repo.Event
	if e.Time, err = eventTime(o.get("timestamp")); err != nil {
		return Record{}, err
	}
	e.RawLine = string(line)
	e.EventType = cowrieEvent(id)
	e.AttackerIP = repo.UnknownAttacker
	if ip, ok := o.str("src_ip"); ok {
		e.AttackerIP = repo.AttackerAddress(ip)
	}
	if e.Decky, ok = o.text("sensor"); !ok || e.Decky == "" {
		e.Decky = "cowrie"
	}
	session := cowrieSession(&o, id, e.Decky)
	e.Service = session.Service
	if e.Service == "" {
		e.Service = session.Fallback
	}
	fields := cowrieFields(&o, &e)
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	if e.AttackerIP != repo.UnknownAttacker {
		cowrieBounties(&e, id, &fields)
	}
	return Record{Event: e, Session: session}, nil
}

// cowrieEvent is the event type of an eventid: the words that the decoys of the
// wire contract use for the same thing, so that searches, rules and counts work
// across formats. Only command.input is a command: Cowrie adds .failed or
// .success as a second event for the same line. Any other eventid loses its
// "cowrie." and has its dots and dashes replaced, as client.version gives
// client_version and direct-tcpip.request direct_tcpip_request.
func cowrieEvent(id string) string {
	switch name := strings.TrimPrefix(id, cowriePrefix); name {
	case "session.connect":
		return "connect"
	case "session.closed":
		return "disconnect"
	case "command.input":
		return "command"
	case "session.file_download":
		return "file_download"
	case "session.file_download.failed":
		return "file_download_failed"
	case "session.file_upload":
		return "file_upload"
	default: // login.success, login.failed and the rest
		return strings.NewReplacer(".", "_", "-", "_").Replace(name)
	}
}

// cowrieFields is the event without what has a column of its own. A message
// that is not text (session.params has an empty list) says nothing as text and
// stays a field unless it is empty.
func cowrieFields(o *object, e *repo.Event) object {
	var fields object
	fields.members = make([]member, 0, len(o.members))
	for _, m := range o.members {
		switch m.key {
		case "timestamp", "sensor":
			continue
		case "message":
			if m.raw[0] == '"' {
				e.Msg = decodeString(m.raw)
				continue
			}
			if text := string(appendNormal(nil, m.raw)); text == "[]" || text == "null" {
				continue
			}
		}
		fields.set(m.key, m.raw)
	}
	return fields
}

// maxSessionKey bounds the stored key; a longer one is hashed.
const maxSessionKey = 256

func cowrieSession(o *object, id, sensor string) SessionRef {
	ref := SessionRef{
		Opens:    id == cowriePrefix+"session.connect",
		Closes:   id == cowriePrefix+"session.closed",
		Service:  cowrieProtocol(o, id),
		Fallback: "ssh",
	}
	if ref.Opens {
		if port, ok := integer(o.get("dst_port")); ok && port > 0 && port < 1<<16 {
			ref.DstPort = int(port)
		}
		if ref.Service == "" && (ref.DstPort == 23 || ref.DstPort == 2323) {
			ref.Service = "telnet"
		}
		if ref.Service == "" {
			ref.Service = ref.Fallback
		}
	}
	if session, ok := o.text("session"); ok && session != "" {
		ref.Key = "cowrie/" + sensor + "/" + session
		if len(ref.Key) > maxSessionKey {
			sum := sha256.Sum256([]byte(ref.Key))
			ref.Key = "cowrie/" + hex.EncodeToString(sum[:])
		}
	}
	return ref
}

// cowrieProtocol is what the line itself tells about the protocol: by name, by
// an event that only SSH has, or, up to 2018, by the class that logged it. A
// dst_port tells nothing: in direct-tcpip events it is where the attacker
// wanted to go.
func cowrieProtocol(o *object, id string) string {
	if p, ok := o.str("protocol"); ok && p != "" {
		return p
	}
	switch strings.TrimPrefix(id, cowriePrefix) {
	case "client.version", "client.kex", "client.fingerprint", "direct-tcpip.request", "direct-tcpip.data":
		return "ssh"
	}
	system, _ := o.str("system")
	class, _, _ := strings.Cut(system, ",")
	switch {
	case strings.Contains(class, "Telnet"):
		return "telnet"
	case strings.Contains(class, "SSH"):
		return "ssh"
	}
	return ""
}

// cowrieBounties are those that only Cowrie gives: files and SSH clients.
func cowrieBounties(e *repo.Event, id string, fields *object) {
	switch strings.TrimPrefix(id, cowriePrefix) {
	case "session.file_download":
		addPayload(e, fields, "destfile")
	case "session.file_upload":
		addPayload(e, fields, "filename")
	case "client.kex":
		if hash, ok := fields.str("hassh"); ok && hash != "" {
			addFingerprint(e, "hassh", payload{
				{"hash", quote(hash)},
				{"algorithms", orNull(fields.get("hasshAlgorithms"))},
			})
		}
	}
}

// addPayload adds the file of a transfer, if the line identifies one. A
// destfile of "" or "-" means standard input or output.
func addPayload(e *repo.Event, fields *object, nameKey string) {
	url, sum := filled(fields.get("url")), filled(fields.get("shasum"))
	if isNull(url) && isNull(sum) {
		return
	}
	name := filled(fields.get(nameKey))
	if string(name) == `"-"` {
		name = []byte("null")
	}
	size := []byte("null")
	if n, ok := integer(fields.get("size")); ok && n >= 0 {
		size = fields.get("size")
		e.Traits.PayloadBytes = n
	}
	addBounty(e, repo.BountyPayload, payload{
		{"url", url}, {"sha256", sum}, {"filename", name}, {"size", size},
	})
}
