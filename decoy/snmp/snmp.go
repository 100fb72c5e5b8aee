// Package snmp imitates an SNMP agent on UDP port 161: v1 and v2c (RFC 1157,
// RFC 3416) with a small MIB of a printer, a router, a Windows or a Linux, and of
// v3 (RFC 3414) the discovery of the engine.
//
// It records each request with version, community, kind and OIDs (get_request,
// set_request), of v3 the user and the authenticated message as hashcat cracks it
// (mode 25000), and what can't be read (parse_error). A wrong community is not
// answered, as real agents don't. An answer is never longer than twice the
// question or 484 bytes, what every host takes, so it is no amplifier.
package snmp

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"decnet/decoy/ber"
	"decnet/decoy/trap"
)

// Tags of PDUs and types.
const (
	pduGet      = 0xa0
	pduNext     = 0xa1
	pduResponse = 0xa2
	pduSet      = 0xa3
	pduBulk     = 0xa5
	pduReport   = 0xa8
	typeAddress = 0x40
	typeCounter = 0x41
	typeGauge   = 0x42
	typeTicks   = 0x43
	noObject    = 0x80
	endOfMIB    = 0x82
)

// Bounds of what is read and answered.
const (
	maxBindings = 64
	maxRepeat   = 32
	minAnswer   = 484 // bytes that every entity takes (RFC 3417, 3.2)
)

// Device is who the agent says it is.
type Device struct {
	Descr    string
	ObjectID string
	// Extra are more texts, by OID.
	Extra map[string]string
}

type agent struct {
	device    Device
	community string
	engine    []byte
}

// New makes the service. The setting community is one that is answered beside
// "public".
func New(e trap.Env) (trap.Service, error) { return For(e, deviceOf(e.Host)), nil }

// For makes the service for that device.
func For(e trap.Env, d Device) trap.Service {
	engine := append([]byte{0x80, 0, 0x1f, 0x88, 0x80}, e.Host.Derive("snmp engine", 8)...)
	return trap.Service{UDP: &agent{device: d, community: e.Config["community"], engine: engine}}
}

var errMalformed = errors.New("malformed SNMP message")

// Respond implements [trap.Responder].
func (a *agent) Respond(_ context.Context, d *trap.Datagram) []byte {
	m, err := Parse(d.Data)
	if err != nil {
		d.Record("parse_error", trap.Field{Key: "error", Value: err.Error()}, trap.Field{Key: "data", Value: hex.EncodeToString(d.Data[:min(len(d.Data), 64)])})
		return nil
	}
	if m.Version == 3 {
		return a.v3(d, m)
	}
	fields := []trap.Field{
		{Key: "version", Value: [...]string{"1", "2c"}[m.Version]}, {Key: "community", Value: m.Community},
		{Key: "oids", Value: list(m.Bindings)}, {Key: "pdu", Value: kind(m.PDU)},
	}
	if m.PDU == pduSet {
		var values []string
		for _, b := range m.Bindings {
			values = append(values, hex.EncodeToString(b.Value[:min(len(b.Value), 256)]))
		}
		d.Record("set_request", append(fields, trap.Field{Key: "values", Value: strings.Join(values, " ")})...)
	} else {
		d.Record("get_request", fields...)
	}
	if m.Community != "public" && (a.community == "" || m.Community != a.community) {
		return nil
	}
	return a.answer(m, a.mib(d), max(minAnswer, 2*len(d.Data)))
}

func kind(pdu byte) string {
	return map[byte]string{pduGet: "get", pduNext: "getnext", pduSet: "set", pduBulk: "getbulk"}[pdu]
}

// list writes the names as the wire dialect does.
func list(bindings []Binding) string {
	var all []string
	for _, b := range bindings {
		all = append(all, "'"+b.Name.String()+"'")
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// Message is a request. Of v3 only User to Auth are set.
type Message struct {
	Version   int
	Community string
	PDU       byte
	ID        int64
	// NonRepeaters and Repeat are those of GetBulk.
	NonRepeaters, Repeat int64
	Bindings             []Binding

	User          string
	MsgID         int64
	Engine, Auth  []byte
	Authenticated bool
}

// Binding is a name and its encoded value.
type Binding struct {
	Name  OID
	Value []byte
}

// Parse reads a request.
func Parse(b []byte) (*Message, error) {
	e, _, err := ber.Parse(b)
	if err != nil || e.Tag != ber.Sequence {
		return nil, errMalformed
	}
	parts, err := e.Children(5)
	if err != nil || len(parts) < 3 {
		return nil, errMalformed
	}
	version, err := parts[0].Int()
	switch {
	case err != nil || parts[0].Tag != ber.Integer:
		return nil, errMalformed
	case version == 3:
		return parse3(parts)
	case version != 0 && version != 1 || len(parts) != 3:
		return nil, errMalformed
	}
	m := &Message{Version: int(version), Community: string(parts[1].Value), PDU: parts[2].Tag}
	if kind(m.PDU) == "" || m.PDU == pduBulk && version == 0 {
		return nil, errMalformed
	}
	return m, m.parsePDU(parts[2])
}

func (m *Message) parsePDU(e ber.Element) error {
	parts, err := e.Children(4)
	if err != nil || len(parts) != 4 {
		return errMalformed
	}
	var errs [3]error
	m.ID, errs[0] = parts[0].Int()
	m.NonRepeaters, errs[1] = parts[1].Int()
	m.Repeat, errs[2] = parts[2].Int()
	bindings, err := parts[3].Children(maxBindings)
	if errors.Join(append(errs[:], err)...) != nil {
		return errMalformed
	}
	for _, b := range bindings {
		p, err := b.Children(2)
		if err != nil || len(p) != 2 || p[0].Tag != ber.OID {
			return errMalformed
		}
		name, err := decodeOID(p[0].Value)
		if err != nil {
			return err
		}
		m.Bindings = append(m.Bindings, Binding{name, ber.Wrap(p[1].Tag, p[1].Value)})
	}
	return nil
}

// answer makes the response, within a bound of bytes.
func (a *agent) answer(m *Message, mib []Binding, limit int) []byte {
	var out []Binding
	code, index := int64(0), int64(0)
	fail := func(v1, i int64) { code, index, out = v1, i, m.Bindings }
	switch m.PDU {
	case pduSet:
		if fail(2, 1); m.Version == 1 {
			code = 17 // not writable
		}
	case pduBulk:
		out = bulk(m, mib, limit)
	default:
		for i, b := range m.Bindings {
			found, ok := lookup(mib, b.Name, m.PDU == pduNext)
			if !ok && m.Version == 0 {
				fail(2, int64(i+1)) // no such name
				break
			}
			out = append(out, found)
		}
	}
	answer := encode(m, code, index, out)
	if len(answer) > limit {
		answer = encode(m, 1, 0, nil) // too big
	}
	return answer
}

// lookup finds a name, or the next one.
func lookup(mib []Binding, name OID, next bool) (Binding, bool) {
	for _, b := range mib {
		if c := b.Name.compare(name); c == 0 && !next || c > 0 && next {
			return b, true
		}
	}
	if next {
		return Binding{name, []byte{endOfMIB, 0}}, false
	}
	return Binding{name, []byte{noObject, 0}}, false
}

// bulk returns as many as fit.
func bulk(m *Message, mib []Binding, limit int) []Binding {
	var out []Binding
	room := limit - 40 - len(m.Community)
	add := func(b Binding) bool {
		room -= len(b.encode())
		if room < 0 {
			return false
		}
		out = append(out, b)
		return true
	}
	single := int(min(max(m.NonRepeaters, 0), int64(len(m.Bindings))))
	for _, b := range m.Bindings[:single] {
		if found, _ := lookup(mib, b.Name, true); !add(found) {
			return out
		}
	}
	names := m.Bindings[single:]
	for range min(max(m.Repeat, 0), maxRepeat) {
		following := make([]Binding, 0, len(names))
		ended := true
		for _, b := range names {
			found, ok := lookup(mib, b.Name, true)
			if ended = ended && !ok; !add(found) {
				return out
			}
			following = append(following, found)
		}
		if names = following; ended {
			break
		}
	}
	return out
}

func (b Binding) encode() []byte { return ber.Wrap(ber.Sequence, b.Name.encode(), b.Value) }

func encode(m *Message, code, index int64, bindings []Binding) []byte {
	var all [][]byte
	for _, b := range bindings {
		all = append(all, b.encode())
	}
	return ber.Wrap(ber.Sequence, ber.Int(ber.Integer, int64(m.Version)), ber.Text(ber.Octets, m.Community),
		ber.Wrap(pduResponse, ber.Int(ber.Integer, m.ID), ber.Int(ber.Integer, code), ber.Int(ber.Integer, index), ber.Wrap(ber.Sequence, all...)))
}

// parse3 reads the head of a message of v3.
func parse3(parts []ber.Element) (*Message, error) {
	if len(parts) != 4 {
		return nil, errMalformed
	}
	global, err := parts[1].Children(4)
	if err != nil || len(global) != 4 || len(global[2].Value) != 1 {
		return nil, errMalformed
	}
	m := &Message{Version: 3, Authenticated: global[2].Value[0]&1 != 0}
	if m.MsgID, err = global[0].Int(); err != nil {
		return nil, errMalformed
	}
	security, _, err := ber.Parse(parts[2].Value)
	if err != nil {
		return nil, errMalformed
	}
	p, err := security.Children(6)
	if err != nil || len(p) != 6 {
		return nil, errMalformed
	}
	m.Engine, m.User, m.Auth = p[0].Value, string(p[3].Value), p[4].Value
	return m, nil
}

// v3 tells who the engine is, and that it knows no such user.
func (a *agent) v3(d *trap.Datagram, m *Message) []byte {
	fields := []trap.Field{{Key: "version", Value: "3"}, {Key: "username", Value: m.User}, {Key: "engine", Value: hex.EncodeToString(m.Engine)}}
	if i := bytes.Index(d.Data, m.Auth); m.Authenticated && len(m.Auth) == 12 && i > 0 && len(d.Data) <= 1500 {
		whole := bytes.Clone(d.Data)
		clear(whole[i : i+12])
		fields = append(fields, trap.Field{Key: "hashcat_mode", Value: "25000"}, trap.Field{Key: "hashcat", Value: "$SNMPv3$0$" +
			strconv.FormatInt(m.MsgID, 10) + "$" + hex.EncodeToString(whole) + "$" + hex.EncodeToString(m.Engine) + "$" + hex.EncodeToString(m.Auth)})
	}
	d.Record("get_request", fields...)
	now := d.Now()
	booted := d.Host.Booted(now)
	counter := OID{1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0} // usmStatsUnknownEngineIDs
	if bytes.Equal(m.Engine, a.engine) {
		counter[9] = 3 // usmStatsUnknownUserNames
	}
	boots := int64(d.Host.Rand("snmp boots").IntN(40) + 2)
	security := ber.Wrap(ber.Sequence, ber.Wrap(ber.Octets, a.engine), ber.Int(ber.Integer, boots),
		ber.Int(ber.Integer, int64(now.Sub(booted)/time.Second)), ber.Text(ber.Octets, m.User), ber.Text(ber.Octets, ""), ber.Text(ber.Octets, ""))
	count := Binding{counter, ber.Int(typeCounter, int64(now.Sub(booted)/(37*time.Minute))+1)}
	report := ber.Wrap(pduReport, ber.Int(ber.Integer, 0), ber.Int(ber.Integer, 0), ber.Int(ber.Integer, 0), ber.Wrap(ber.Sequence, count.encode()))
	return ber.Wrap(ber.Sequence, ber.Int(ber.Integer, 3),
		ber.Wrap(ber.Sequence, ber.Int(ber.Integer, m.MsgID), ber.Int(ber.Integer, 65507), ber.Wrap(ber.Octets, []byte{0}), ber.Int(ber.Integer, 3)),
		ber.Wrap(ber.Octets, security),
		ber.Wrap(ber.Sequence, ber.Wrap(ber.Octets, a.engine), ber.Text(ber.Octets, ""), report))
}
