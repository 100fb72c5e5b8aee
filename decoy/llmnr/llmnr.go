// Package llmnr imitates a host that hears link-local name resolution: LLMNR on
// UDP port 5355 (RFC 4795) and multicast DNS on UDP port 5353 (RFC 6762).
//
// It records each question (query) and what can't be read (raw_packet). It
// answers questions for its own name alone, with its own address, as every host
// does; it never answers for another's, which would make it the poisoner that it
// is there to see.
package llmnr

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// portMDNS is where multicast DNS is spoken.
const portMDNS = 5353

// Types of questions.
const (
	typeA    = 1
	typeAAAA = 28
	typeAny  = 255
)

// maxQuestions bounds the questions of a packet that are read.
const maxQuestions = 16

type server struct {
	name string
	addr netip.Addr
}

// New makes the service.
func New(e trap.Env) (trap.Service, error) {
	name, _, _ := strings.Cut(e.Host.Hostname, ".")
	return trap.Service{UDP: &server{strings.ToLower(name), e.Host.Addr.Unmap()}}, nil
}

// Question is what is asked for.
type Question struct {
	// Name has its labels joined by dots.
	Name string
	Type uint16
	raw  []byte
}

// Packet is a query or an answer.
type Packet struct {
	ID        uint16
	Response  bool
	Questions []Question
}

var errMalformed = errors.New("malformed DNS packet")

// Parse reads a packet's head and questions. Compressed names, which a first
// question has no use for, are refused.
func Parse(b []byte) (*Packet, error) {
	if len(b) < 12 {
		return nil, errMalformed
	}
	p := &Packet{ID: binary.BigEndian.Uint16(b), Response: b[2]&0x80 != 0}
	rest := b[12:]
	for range min(int(binary.BigEndian.Uint16(b[4:])), maxQuestions) {
		q, after, err := question(rest)
		if err != nil {
			return nil, err
		}
		p.Questions, rest = append(p.Questions, q), after
	}
	return p, nil
}

func question(b []byte) (Question, []byte, error) {
	var labels []string
	for i := 0; i < len(b) && i < 255; {
		n := int(b[i])
		if i++; n == 0 {
			if len(b) < i+4 {
				break
			}
			return Question{strings.Join(labels, "."), binary.BigEndian.Uint16(b[i:]), b[:i+4]}, b[i+4:], nil
		}
		if n > 63 || len(b) < i+n {
			break
		}
		labels = append(labels, string(b[i:i+n]))
		i += n
	}
	return Question{}, nil, errMalformed
}

// Respond implements [trap.Responder].
func (v *server) Respond(_ context.Context, d *trap.Datagram) []byte {
	proto := "llmnr"
	if d.Port == portMDNS {
		proto = "mdns"
	}
	p, err := Parse(d.Data)
	if err != nil {
		d.Record("raw_packet", trap.Field{Key: "proto", Value: proto}, trap.Field{Key: "data", Value: hex.EncodeToString(d.Data[:min(len(d.Data), 64)])},
			trap.Field{Key: "error", Value: err.Error()})
		return nil
	}
	if p.Response { // somebody answers: a poisoner, or a neighbour
		d.Record("response", trap.Field{Key: "proto", Value: proto}, trap.Field{Key: "data", Value: hex.EncodeToString(d.Data[:min(len(d.Data), 512)])})
		return nil
	}
	for _, q := range p.Questions {
		d.Record("query", trap.Field{Key: "proto", Value: proto}, trap.Field{Key: "name", Value: q.Name}, trap.Field{Key: "qtype", Value: typeName(q.Type)})
	}
	if len(p.Questions) != 1 || !v.mine(p.Questions[0].Name, proto) {
		return nil
	}
	return v.answer(p, proto)
}

func typeName(t uint16) string {
	name := map[uint16]string{typeA: "A", 5: "CNAME", 12: "PTR", 16: "TXT", typeAAAA: "AAAA", 33: "SRV", 47: "NSEC", 65: "HTTPS", typeAny: "ANY"}[t]
	if name == "" {
		return strconv.Itoa(int(t))
	}
	return name
}

func (v *server) mine(name, proto string) bool {
	name = strings.ToLower(name)
	if proto == "mdns" {
		return name == v.name+".local"
	}
	return name == v.name
}

// answer tells the own address, or that there is none of the kind.
func (v *server) answer(p *Packet, proto string) []byte {
	q := p.Questions[0]
	kind, size := uint16(typeA), 4
	if v.addr.Is6() {
		kind, size = typeAAAA, 16
	}
	has := v.addr.IsValid() && (q.Type == kind || q.Type == typeAny)
	if proto == "mdns" && !has {
		return nil
	}
	b := binary.BigEndian.AppendUint16(nil, p.ID)
	flags, ttl := uint16(0x8000), uint32(30)
	if proto == "mdns" {
		flags, ttl = 0x8400, 10 // RFC 6762, 6.7: at most ten seconds to who isn't of it
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	answers := uint16(0)
	if has {
		answers = 1
	}
	for _, n := range []uint16{1, answers, 0, 0} {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	b = append(b, q.raw...)
	if !has {
		return b
	}
	b = append(b, 0xc0, 12, byte(kind>>8), byte(kind), 0, 1)
	b = binary.BigEndian.AppendUint32(b, ttl)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	return append(b, v.addr.AsSlice()...)
}
