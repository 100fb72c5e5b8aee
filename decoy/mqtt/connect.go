package mqtt

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// connect is what a client begins with.
type connect struct {
	name        string
	level       byte
	clean       bool
	keepAlive   uint16
	id          string
	user        *string
	password    *string
	will        *testament
	receiveMax  int
	largest     int
	authMethod  string
	userDetails []property
}

// testament is the message that a broker sends when a client is gone.
type testament struct {
	topic   string
	payload []byte
	qos     byte
	retain  bool
}

// Return codes of CONNACK before version 5, and reasons since.
const (
	refusedVersion = 1
	refusedID      = 2
	refusedLogin   = 5

	reasonMalformed   = 0x81
	reasonProtocol    = 0x82
	reasonNotAllowed  = 0x87
	reasonAuthMethod  = 0x8c
	reasonTopicAlias  = 0x94
	reasonQuota       = 0x97
	reasonNobody      = 0x10
	reasonNoSubscribe = 0x11
)

// version is the level as people know it.
func (c *connect) version() string {
	switch c.level {
	case level31:
		return "3.1"
	case level311:
		return "3.1.1"
	case level5:
		return "5.0"
	}
	return strconv.Itoa(int(c.level))
}

// parseConnect reads a CONNECT. A version that there isn't is no fault: then only
// the name and the level are there. The text tells why it isn't one, or is "".
func parseConnect(flags byte, body []byte) (c connect, fault string) {
	p := parts(body)
	c.name, c.level = string(p.data()), p.Byte()&0x7f // the highest bit is a bridge's
	switch {
	case p.Bad:
		return c, "malformed packet"
	case c.name != "MQTT" && c.name != "MQIsdp":
		return c, "invalid protocol name"
	case !c.known():
		return c, ""
	case flags != 0:
		return c, "invalid flags"
	}
	set := p.Byte()
	c.keepAlive = p.number()
	if c.level != level31 && set&1 != 0 {
		return c, "a reserved flag is set"
	}
	c.clean = set&2 != 0
	if c.level == level5 {
		c.take(p.properties(typeConnect))
	}
	id := p.data()
	c.id = string(id)
	valid := isText(id)
	if valid = c.readWill(&p, set) && valid; !valid || p.Bad {
		return c, "malformed packet"
	}
	c.readLogin(&p, set)
	switch {
	case p.Bad, len(p.Rest) > 0:
		return c, "malformed packet"
	case c.user == nil && c.password != nil && c.level != level5:
		return c, "a password without a user name"
	case c.user != nil && !isText([]byte(*c.user)):
		return c, "the user name is not UTF-8"
	}
	return c, ""
}

// known reports whether the name and the level belong together.
func (c *connect) known() bool {
	if c.name == "MQIsdp" {
		return c.level == level31
	}
	return c.level == level311 || c.level == level5
}

func (c *connect) take(all []property) {
	for _, p := range all {
		switch p.id {
		case propReceiveMax:
			c.receiveMax = int(p.number)
		case propMaxPacket:
			c.largest = int(p.number)
		case propAuthMethod:
			c.authMethod = p.text
		case propUser:
			c.userDetails = append(c.userDetails, p)
		}
	}
}

// readWill reports whether the will is one.
func (c *connect) readWill(p *cursor, set byte) bool {
	w := testament{qos: set >> 3 & 3, retain: set&0x20 != 0}
	if set&4 == 0 {
		return w.qos == 0 && !w.retain
	}
	if c.level == level5 {
		p.properties(will)
	}
	topic := p.data()
	w.topic, w.payload = string(topic), p.data()
	c.will = &w
	return w.qos < 3 && len(topic) > 0 && isText(topic) && !strings.ContainsAny(w.topic, "+#")
}

// readLogin reads the name and the password. Version 3.1 lets a client announce
// them and leave them out.
func (c *connect) readLogin(p *cursor, set byte) {
	for _, f := range []struct {
		bit byte
		to  **string
	}{{0x80, &c.user}, {0x40, &c.password}} {
		if set&f.bit == 0 || c.level == level31 && len(p.Rest) == 0 {
			continue
		}
		if b := p.data(); !p.Bad {
			s := string(b)
			*f.to = &s
		}
	}
}

// fields is what the event says.
func (c *connect) fields() []trap.Field {
	f := []trap.Field{
		{Key: "client_id", Value: c.id}, {Key: "proto", Value: c.name}, {Key: "version", Value: c.version()},
		{Key: "keepalive", Value: strconv.Itoa(int(c.keepAlive))}, {Key: "clean_session", Value: strconv.FormatBool(c.clean)},
	}
	if c.user != nil {
		f = append(f, trap.Field{Key: "username", Value: *c.user})
	}
	if c.password != nil {
		f = append(f, trap.Field{Key: "password", Value: *c.password})
	}
	if c.authMethod != "" {
		f = append(f, trap.Field{Key: "auth_method", Value: c.authMethod})
	}
	if w := c.will; w != nil {
		f = append(
			f, trap.Field{Key: "will_topic", Value: w.topic},
			trap.Field{Key: "will_payload", Value: string(w.payload[:min(len(w.payload), maxPayload)])},
			trap.Field{Key: "will_qos", Value: strconv.Itoa(int(w.qos))}, trap.Field{Key: "will_retain", Value: strconv.FormatBool(w.retain)},
		)
	}
	for i, p := range c.userDetails {
		if i == 16 {
			break
		}
		f = append(f, trap.Field{Key: "user_property", Value: p.text + "=" + p.value})
	}
	return f
}

// allows reports whether a client is let in.
func (s *server) allows(c *connect) bool {
	if c.user == nil {
		return s.anonymous
	}
	if s.password == "" {
		return s.anonymous // a broker that has no list of users lets everybody in
	}
	name := s.username == "" || s.username == *c.user
	return c.password != nil && subtle.ConstantTimeCompare([]byte(s.password), []byte(*c.password)) == 1 && name
}

// connected answers a CONNECT; false ends the session.
func (c *client) connected(flags byte, body []byte) bool {
	hello, fault := parseConnect(flags, body)
	switch {
	case fault != "":
		c.protocolError(fault)
		if hello.user != nil {
			c.conn.Record("auth", append(hello.fields(), trap.Field{Key: "status", Value: "failed"})...)
		}
		return false
	case !hello.known():
		c.protocolError("unacceptable protocol version " + hello.name + " " + hello.version())
		_ = c.send(packet(typeConnack<<4, []byte{0, refusedVersion}))
		return false
	}
	code := c.verdict(&hello)
	status := "success"
	if code != 0 {
		status = "failed"
	}
	c.conn.Record("auth", append(hello.fields(), trap.Field{Key: "status", Value: status})...)
	if w := hello.will; w != nil && len(w.payload) > maxPayload {
		c.upload(w.topic, c.conn.Files.Save(w.payload))
	}
	c.level, c.keepAlive = hello.level, hello.keepAlive
	c.out.largest = hello.largest
	if hello.receiveMax > 0 {
		c.out.window = min(hello.receiveMax, window)
	}
	if err := c.send(c.connack(&hello, code)); err != nil || code != 0 {
		return false
	}
	c.in = true
	return true
}

// verdict is the code of the CONNACK.
func (c *client) verdict(hello *connect) byte {
	five := hello.level == level5
	switch {
	case hello.id == "" && (hello.level == level31 || hello.level == level311 && !hello.clean):
		return refusedID
	case hello.authMethod != "":
		return reasonAuthMethod
	case c.allows(hello):
		return 0
	case five:
		return reasonNotAllowed
	}
	return refusedLogin
}

func (c *client) connack(hello *connect, code byte) []byte {
	if hello.level != level5 {
		return packet(typeConnack<<4, []byte{0, code})
	}
	if code != 0 {
		return packet(typeConnack<<4, []byte{0, code, 0})
	}
	props := []byte{propTopicAliasMax, 0, maxAlias}
	if hello.keepAlive == 0 {
		props = append(props, propKeepAlive, 0xff, 0xff)
	}
	if hello.id == "" {
		props = appendText(append(props, propAssignedID), newID())
	}
	props = binary.BigEndian.AppendUint16(append(props, propReceiveMax), window)
	return packet(typeConnack<<4, append(appendLength([]byte{0, 0}, len(props)), props...))
}

// newID is what a client without a name is called.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return fmt.Sprintf("auto-%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
