package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"decnet/decoy/octets"
)

// Types of control packets.
const (
	typeConnect     = 1
	typeConnack     = 2
	typePublish     = 3
	typePuback      = 4
	typePubrec      = 5
	typePubrel      = 6
	typePubcomp     = 7
	typeSubscribe   = 8
	typeSuback      = 9
	typeUnsubscribe = 10
	typeUnsuback    = 11
	typePingreq     = 12
	typePingresp    = 13
	typeDisconnect  = 14
	typeAuth        = 15
)

// Levels of the protocol, as CONNECT has them.
const (
	level31  = 3
	level311 = 4
	level5   = 5
)

// maxPacket bounds a packet that is held as a whole, in bytes. The payload of a
// PUBLISH is no part of it.
const maxPacket = 64 << 10

// errLength is what a length of more than four bytes gives.
var errLength = errors.New("the remaining length has more than four bytes")

// header begins each packet.
type header struct {
	kind, flags byte
	// size is of what follows, in bytes, at most 256 MiB.
	size int
}

// readHeader reads the type and the length of a packet.
func readHeader(r *bufio.Reader) (header, error) {
	first, err := r.ReadByte()
	if err != nil {
		return header{}, err
	}
	h := header{kind: first >> 4, flags: first & 0xf}
	for shift := 0; shift < 28; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return h, err
		}
		h.size |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			return h, nil
		}
	}
	return h, errLength
}

// packet is a control packet on the wire.
func packet(first byte, body []byte) []byte {
	b := appendLength([]byte{first}, len(body))
	return append(b, body...)
}

// appendLength appends a variable byte integer.
func appendLength(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// cursor reads the parts of a packet.
type cursor struct{ octets.Cursor }

func parts(b []byte) cursor { return cursor{octets.Cursor{Rest: b}} }

// number reads two bytes.
func (c *cursor) number() uint16 { return c.Uint16(binary.BigEndian) }

// data reads bytes behind their number.
func (c *cursor) data() []byte { return c.Take(int(c.number())) }

func (c *cursor) length() int {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b := c.Byte()
		n |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			return n
		}
	}
	c.Bad = true
	return 0
}

// isText reports whether bytes may stand where MQTT has a string.
func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return false
		}
	}
	return true
}

// Properties of version 5 that matter here.
const (
	propSubscription  = 0x0b
	propAssignedID    = 0x12
	propKeepAlive     = 0x13
	propAuthMethod    = 0x15
	propReceiveMax    = 0x21
	propTopicAliasMax = 0x22
	propTopicAlias    = 0x23
	propUser          = 0x26
	propMaxPacket     = 0x27
)

// The forms of a property's value.
const (
	formByte = iota + 1
	form16
	form32
	formLength
	formText
	formData
	formPair
)

// property is one of version 5.
type property struct {
	id byte
	// number is the value of what is a number, text of what is a string or bytes
	// (of a pair, the name), value the second string of a pair.
	number      uint32
	text, value string
	// raw is the whole of it on the wire.
	raw []byte
}

// rule says what a property looks like and which packets may have it.
type rule struct {
	form byte
	in   uint16
}

func in(kinds ...byte) uint16 {
	var set uint16
	for _, k := range kinds {
		set |= 1 << k
	}
	return set
}

// will stands for the properties of a will, which have a list of their own.
const will = 0

func ruleOf(id byte) rule {
	acks := in(typePuback, typePubrec, typePubrel, typePubcomp)
	switch id {
	case 0x01:
		return rule{formByte, in(typePublish, will)}
	case 0x02:
		return rule{form32, in(typePublish, will)}
	case 0x03, 0x08:
		return rule{formText, in(typePublish, will)}
	case 0x09:
		return rule{formData, in(typePublish, will)}
	case propSubscription:
		return rule{formLength, in(typePublish, typeSubscribe)}
	case 0x11:
		return rule{form32, in(typeConnect, typeDisconnect)}
	case propAuthMethod:
		return rule{formText, in(typeConnect, typeAuth)}
	case 0x16:
		return rule{formData, in(typeConnect, typeAuth)}
	case 0x17, 0x19:
		return rule{formByte, in(typeConnect)}
	case 0x18:
		return rule{form32, in(will)}
	case 0x1f:
		return rule{formText, acks | in(typeDisconnect, typeAuth)}
	case propReceiveMax, propTopicAliasMax:
		return rule{form16, in(typeConnect)}
	case propTopicAlias:
		return rule{form16, in(typePublish)}
	case propUser:
		return rule{formPair, acks | in(typeConnect, typePublish, will, typeSubscribe, typeUnsubscribe, typeDisconnect, typeAuth)}
	case propMaxPacket:
		return rule{form32, in(typeConnect)}
	}
	return rule{}
}

// maxProperties bounds the properties of one packet.
const maxProperties = 256

// properties reads those of a packet. What isn't allowed there, comes twice or
// has a value that it can't have makes the cursor bad.
func (c *cursor) properties(kind byte) []property {
	part := parts(c.Take(c.length()))
	var all []property
	var seen [0x30]bool
	for len(part.Rest) > 0 && !c.Bad {
		p := part.property(kind)
		if part.Bad || len(all) == maxProperties || p.id != propUser && seen[p.id] {
			c.Bad = true
			return nil
		}
		seen[p.id] = true
		all = append(all, p)
	}
	return all
}

func (c *cursor) property(kind byte) property {
	from := c.Rest
	p := property{id: c.Byte()}
	r := ruleOf(p.id)
	if r.in&(1<<kind) == 0 {
		c.Bad = true
		return p
	}
	switch r.form {
	case formByte:
		p.number = uint32(c.Byte())
		c.Bad = c.Bad || p.number > 1
	case form16:
		p.number = uint32(c.number())
		c.Bad = c.Bad || p.id == propReceiveMax && p.number == 0
	case form32:
		p.number = c.Uint32(binary.BigEndian)
		c.Bad = c.Bad || p.id == propMaxPacket && p.number == 0
	case formLength:
		p.number = uint32(c.length())
		c.Bad = c.Bad || p.number == 0
	case formText:
		b := c.data()
		p.text, c.Bad = string(b), c.Bad || !isText(b)
	case formData:
		p.text = string(c.data())
	case formPair:
		name, value := c.data(), c.data()
		p.text, p.value, c.Bad = string(name), string(value), c.Bad || !isText(name) || !isText(value)
	}
	p.raw = from[:len(from)-len(c.Rest)]
	return p
}
