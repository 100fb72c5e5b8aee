package mqtt

import "encoding/binary"

// window is how many messages of quality 1 and 2 are on their way at once, each
// way.
const window = 20

// maxQueued bounds the messages that wait for room in the window.
const maxQueued = 100

// outbox is what is on its way to the client.
type outbox struct {
	// window is what the client takes at once, largest the size of a packet that it
	// takes, 0 for any.
	window, largest int
	last            uint16
	// inflight are the identifiers of the messages that aren't acknowledged.
	inflight map[uint16]struct{}
	queue    []outgoing
}

// outgoing is a message with the subscription it belongs to.
type outgoing struct {
	message
	number uint32
}

// deliver sends a message, or lets it wait.
func (c *client) deliver(m *message, by *subscription) error {
	out := outgoing{message: *m, number: by.id}
	out.qos = min(m.qos, by.qos)
	if out.qos > 0 && len(c.out.inflight) >= c.out.window {
		if len(c.out.queue) < maxQueued && c.hold(out.size()) {
			c.out.queue = append(c.out.queue, out)
		}
		return nil
	}
	return c.transmit(&out)
}

func (c *client) transmit(m *outgoing) error {
	first := typePublish<<4 | m.qos<<1
	if m.retain {
		first |= 1
	}
	body := appendText(nil, m.topic)
	if m.qos > 0 {
		for {
			c.out.last++
			if _, taken := c.out.inflight[c.out.last]; !taken && c.out.last != 0 {
				break
			}
		}
		body = binary.BigEndian.AppendUint16(body, c.out.last)
	}
	if c.level == level5 {
		var props []byte
		if m.number != 0 {
			props = appendLength([]byte{propSubscription}, int(m.number))
		}
		props = append(props, m.props...)
		body = append(appendLength(body, len(props)), props...)
	}
	whole := packet(first, append(body, m.payload...))
	if c.out.largest > 0 && len(whole) > c.out.largest {
		return nil // it would be more than the client takes
	}
	if m.qos > 0 {
		c.out.inflight[c.out.last] = struct{}{}
	}
	return c.send(whole)
}

// acknowledged takes what follows on a PUBLISH, in either direction.
func (c *client) acknowledged(h header, body []byte) error {
	p := parts(body)
	id := p.number()
	if p.Bad || id == 0 || h.kind == typePubrel && h.flags != 2 && c.level != level31 {
		return &failure{text: "malformed acknowledgement"}
	}
	var reason byte
	if c.level == level5 && len(p.Rest) > 0 {
		reason = p.Byte()
	}
	switch h.kind {
	case typePubrel:
		if m, there := c.pending[id]; there {
			delete(c.pending, id)
			if m.topic != "" {
				c.held -= m.size()
				if err := c.spread(&m, true); err != nil {
					return err
				}
			}
		}
		return c.acknowledge(typePubcomp, id, 0)
	case typePubrec:
		if _, there := c.out.inflight[id]; !there || reason < 0x80 {
			return c.acknowledge(typePubrel, id, 0)
		}
	}
	if _, there := c.out.inflight[id]; !there {
		return nil
	}
	delete(c.out.inflight, id)
	for len(c.out.queue) > 0 && len(c.out.inflight) < c.out.window {
		next := c.out.queue[0]
		c.out.queue = c.out.queue[1:]
		c.held -= next.size()
		if err := c.transmit(&next); err != nil {
			return err
		}
	}
	return nil
}
