package mqtt

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// maxPayload is how much of a payload an event has, and the most that is given
// back to a client that subscribed to its own topic, in bytes.
const maxPayload = 8 << 10

// maxAlias is how many topics a client may abbreviate.
const maxAlias = 10

// message is what is published.
type message struct {
	topic   string
	payload []byte
	qos     byte
	retain  bool
	// props are the properties that go with it to a subscriber, on the wire.
	props []byte
}

func (m *message) size() int { return len(m.topic) + len(m.payload) + len(m.props) + 64 }

// incoming is a PUBLISH without its payload.
type incoming struct {
	message
	id    uint16
	alias int
	// rest is the size of the payload.
	rest int
}

// head reads what stands before the payload. More than [maxPacket] bytes of it
// are a failure.
func (c *client) head(h header) (incoming, error) {
	m := incoming{message: message{qos: h.flags >> 1 & 3, retain: h.flags&1 != 0}, rest: h.size}
	if m.qos == 3 {
		return m, malformed("a quality of service of 3")
	}
	read := func(n int) ([]byte, error) {
		if n > m.rest {
			return nil, malformed("the packet ends too early")
		}
		m.rest -= n
		b := make([]byte, n)
		_, err := io.ReadFull(c.r, b)
		return b, err
	}
	size, err := read(2)
	if err != nil {
		return m, err
	}
	topic, err := read(int(binary.BigEndian.Uint16(size)))
	if err != nil {
		return m, err
	}
	if !isText(topic) {
		return m, malformed("the topic is not UTF-8")
	}
	m.topic = string(topic)
	if m.qos > 0 {
		id, err := read(2)
		if err != nil {
			return m, err
		}
		if m.id = binary.BigEndian.Uint16(id); m.id == 0 {
			return m, violation("a packet identifier of 0")
		}
	}
	if c.level == level5 {
		var props []byte
		if props, err = c.rawProperties(read); err != nil {
			return m, err
		}
		if err := m.take(props); err != nil {
			return m, err
		}
	}
	return m, c.resolve(&m)
}

// rawProperties reads the properties with their length.
func (c *client) rawProperties(read func(int) ([]byte, error)) ([]byte, error) {
	var raw []byte
	for len(raw) < 4 {
		b, err := read(1)
		if err != nil {
			return nil, err
		}
		if raw = append(raw, b[0]); b[0]&0x80 == 0 {
			break
		}
	}
	n := parts(raw)
	size := n.length()
	if n.Bad || size > maxPacket {
		return nil, malformed("the properties are too long")
	}
	b, err := read(size)
	return append(raw, b...), err
}

func (m *incoming) take(raw []byte) error {
	p := parts(raw)
	all := p.properties(typePublish)
	if p.Bad {
		return malformed("a property that can't be there")
	}
	for _, one := range all {
		switch one.id {
		case propTopicAlias:
			if one.number == 0 {
				return malformed("a topic alias of 0")
			}
			m.alias = int(one.number)
		case propSubscription:
		default:
			m.props = append(m.props, one.raw...)
		}
	}
	return nil
}

// resolve replaces an alias and looks at the topic.
func (c *client) resolve(m *incoming) error {
	if m.alias > maxAlias {
		return &failure{"a topic alias of " + strconv.Itoa(m.alias), reasonTopicAlias}
	}
	if m.alias > 0 {
		old := &c.aliases[m.alias]
		switch {
		case m.topic == "":
			m.topic = *old
		case c.hold(len(m.topic) - len(*old)):
			*old = m.topic
		}
	}
	if m.topic == "" || strings.ContainsAny(m.topic, "+#") || strings.Count(m.topic, "/") > maxDepth {
		return violation("a topic that nobody can publish to")
	}
	return nil
}

// publish takes a message, however long it is.
func (c *client) publish(h header) error {
	m, err := c.head(h)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			c.protocolError("the packet has no end")
		}
		return err
	}
	size := m.rest
	m.payload = make([]byte, min(size, maxPayload))
	got, err := io.ReadFull(c.r, m.payload)
	m.payload = m.payload[:got]
	var stored *trap.Stored
	if rest := size - got; err == nil && rest > 0 {
		u := c.conn.Files.Begin()
		_, _ = u.Write(m.payload)
		_, err = io.CopyN(u, c.r, int64(rest))
		s := u.Done()
		stored = &s
	}
	if _, again := c.pending[m.id]; m.qos < 2 || !again {
		c.recordPublish(&m, size, stored)
	}
	if err != nil {
		return err
	}
	return c.distribute(&m, stored == nil)
}

func (c *client) recordPublish(m *incoming, size int, stored *trap.Stored) {
	fields := []trap.Field{
		{Key: "topic", Value: m.topic}, {Key: "payload", Value: string(m.payload)},
		{Key: "qos", Value: strconv.Itoa(int(m.qos))}, {Key: "retain", Value: strconv.FormatBool(m.retain)},
		{Key: "payload_bytes", Value: strconv.Itoa(size)},
	}
	if stored != nil {
		fields = append(fields, trap.Field{Key: "sha256", Value: stored.SHA256})
	}
	c.conn.Record("publish", fields...)
	if stored != nil {
		c.upload(m.topic, *stored)
	}
}

// distribute gives a message to the client itself where it asked for it, and
// acknowledges it. Without whole only the acknowledgement is made.
func (c *client) distribute(m *incoming, whole bool) error {
	var reason byte
	denied := strings.HasPrefix(m.topic, "$SYS/") || strings.HasPrefix(m.topic, "$share/")
	if denied {
		reason = reasonNotAllowed
	}
	if m.qos == 2 {
		if _, again := c.pending[m.id]; !again && !denied {
			if len(c.pending) >= window && c.level == level5 {
				return c.acknowledge(typePubrec, m.id, reasonQuota)
			}
			c.wait(m, whole)
		}
		return c.acknowledge(typePubrec, m.id, reason)
	}
	if !denied {
		if err := c.spread(&m.message, whole); err != nil {
			return err
		}
		if !c.reaches(m.topic) {
			reason = reasonNobody
		}
	}
	if m.qos == 0 {
		return nil
	}
	return c.acknowledge(typePuback, m.id, reason)
}

// maxPending bounds the messages that wait for their release.
const maxPending = 128

// wait keeps a message of quality 2 until it is released. Where there is no
// room its payload is given back to nobody.
func (c *client) wait(m *incoming, whole bool) {
	if len(c.pending) >= maxPending {
		return
	}
	kept := m.message
	if !whole || !c.hold(kept.size()) {
		kept = message{}
	}
	c.pending[m.id] = kept
}

// acknowledge answers a PUBLISH or what follows on it.
func (c *client) acknowledge(kind byte, id uint16, reason byte) error {
	first := kind << 4
	if kind == typePubrel {
		first |= 2
	}
	body := binary.BigEndian.AppendUint16(nil, id)
	if c.level == level5 && reason != 0 {
		body = append(body, reason)
	}
	return c.send(packet(first, body))
}

// spread keeps a retained message for this session and delivers.
func (c *client) spread(m *message, whole bool) error {
	if !whole {
		return nil
	}
	if m.retain {
		c.keep(m)
	}
	if s := c.subscribed(m.topic); s != nil && !s.noLocal {
		live := *m
		live.retain = m.retain && s.asPublished
		return c.deliver(&live, s)
	}
	return nil
}

// maxKept bounds the retained messages of a session.
const maxKept = 64

func (c *client) keep(m *message) {
	old, there := c.store[m.topic]
	if there {
		c.held -= old.size()
		delete(c.store, m.topic)
	}
	if len(m.payload) > 0 && len(c.store) < maxKept && c.hold(m.size()) {
		c.store[m.topic] = *m
	}
}
