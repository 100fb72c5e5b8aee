package mqtt

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// subscription is a filter that the client asked for.
type subscription struct {
	filter               string
	qos                  byte
	noLocal, asPublished bool
	// handling is that of retained messages: always, if it is new, or never.
	handling byte
	id       uint32
}

const (
	// maxSubscriptions bounds those of a session.
	maxSubscriptions = 256
	// maxDepth is the deepest that a topic may be, in slashes.
	maxDepth = 200
)

// isFilter reports whether a client can subscribe to it.
func isFilter(s string) bool {
	if s == "" || strings.Count(s, "/") > maxDepth {
		return false
	}
	levels := strings.Split(s, "/")
	for i, l := range levels {
		if strings.Contains(l, "#") && (l != "#" || i != len(levels)-1) || strings.Contains(l, "+") && l != "+" {
			return false
		}
	}
	return true
}

// matches reports whether a filter has a topic.
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") != strings.HasPrefix(filter, "$") {
		return false // wildcards don't stand for what is the broker's own
	}
	for {
		f, fRest, fMore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, tRest, tMore := strings.Cut(topic, "/")
		switch {
		case f != "+" && f != t:
			return false
		case !fMore || !tMore:
			return fMore == tMore || fMore && fRest == "#"
		}
		filter, topic = fRest, tRest
	}
}

// plain is the filter without the group that shares it.
func (s *subscription) plain() (filter string, shared bool) {
	rest, shared := strings.CutPrefix(s.filter, "$share/")
	if !shared {
		return s.filter, false
	}
	_, filter, _ = strings.Cut(rest, "/")
	return filter, true
}

// subscribed returns the subscription by which the client gets a topic.
func (c *client) subscribed(topic string) *subscription {
	var best *subscription
	for i := range c.subs {
		s := &c.subs[i]
		if filter, _ := s.plain(); matches(filter, topic) && (best == nil || s.qos > best.qos) {
			best = s
		}
	}
	return best
}

// reaches reports whether somebody subscribed to a topic.
func (c *client) reaches(topic string) bool { return c.subscribed(topic) != nil }

// parseSubscribe reads a SUBSCRIBE.
func parseSubscribe(level, flags byte, body []byte) (id uint16, all []subscription, err error) {
	p := parts(body)
	id = p.number()
	if level != level31 && flags != 2 {
		return id, nil, malformed("SUBSCRIBE with wrong flags")
	}
	if p.Bad || id == 0 {
		return id, nil, malformed("SUBSCRIBE without a packet identifier")
	}
	var number uint32
	if level == level5 {
		for _, one := range p.properties(typeSubscribe) {
			if one.id == propSubscription {
				number = one.number
			}
		}
	}
	for len(p.Rest) > 0 && !p.Bad {
		filter := p.data()
		o := p.Byte()
		s := subscription{filter: string(filter), qos: o & 3, id: number}
		if level == level5 {
			s.noLocal, s.asPublished, s.handling = o&4 != 0, o&8 != 0, o>>4&3
			o &^= 0x3c
		}
		if p.Bad || o > 2 || s.handling == 3 || !isText(filter) || !isFilter(s.filter) {
			return id, all, malformed("SUBSCRIBE to what is no filter")
		}
		all = append(all, s)
	}
	if p.Bad || len(all) == 0 && level != level31 {
		return id, all, malformed("malformed SUBSCRIBE")
	}
	return id, all, nil
}

// subscribe answers a SUBSCRIBE and sends what was retained.
func (c *client) subscribe(flags byte, body []byte) error {
	id, asked, err := parseSubscribe(c.level, flags, body)
	if len(asked) > 0 {
		c.recordTopics("subscribe", asked)
	}
	if err != nil {
		return err
	}
	answer := binary.BigEndian.AppendUint16(nil, id)
	if c.level == level5 {
		answer = append(answer, 0)
	}
	var granted []subscription
	for _, s := range asked {
		code, fresh := c.add(s)
		answer = append(answer, code)
		_, shared := s.plain()
		if code <= 2 && !shared && (s.handling == 0 || s.handling == 1 && fresh) {
			granted = append(granted, s)
		}
	}
	if err := c.send(packet(typeSuback<<4, answer)); err != nil {
		return err
	}
	return c.sendRetained(granted)
}

// add keeps a subscription and returns the code of its answer, and whether there
// was none of that filter.
func (c *client) add(s subscription) (code byte, fresh bool) {
	if i := c.find(s.filter); i >= 0 {
		c.subs[i] = s
		return s.qos, false
	}
	if len(c.subs) >= maxSubscriptions || !c.hold(len(s.filter)) {
		if c.level == level5 {
			return reasonQuota, false
		}
		return 0x80, false
	}
	c.subs = append(c.subs, s)
	return s.qos, true
}

func (c *client) find(filter string) int {
	return slices.IndexFunc(c.subs, func(s subscription) bool { return s.filter == filter })
}

// sendRetained sends the retained messages of these subscriptions, those of the
// broker first.
func (c *client) sendRetained(granted []subscription) error {
	if len(granted) == 0 {
		return nil
	}
	all := c.retained(c.conn.Now())
	for _, m := range c.store {
		all = append(all, m)
	}
	for i := range granted {
		for j := range all {
			m := all[j]
			if !matches(granted[i].filter, m.topic) {
				continue
			}
			m.retain = true
			if err := c.deliver(&m, &granted[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// unsubscribe answers an UNSUBSCRIBE.
func (c *client) unsubscribe(flags byte, body []byte) error {
	p := parts(body)
	id := p.number()
	if c.level == level5 {
		p.properties(typeUnsubscribe)
	}
	var asked []subscription
	for len(p.Rest) > 0 && !p.Bad {
		filter := p.data()
		if p.Bad || !isText(filter) || !isFilter(string(filter)) {
			return malformed("UNSUBSCRIBE from what is no filter")
		}
		asked = append(asked, subscription{filter: string(filter)})
	}
	if p.Bad || id == 0 || c.level != level31 && (flags != 2 || len(asked) == 0) {
		return malformed("malformed UNSUBSCRIBE")
	}
	c.recordTopics("unsubscribe", asked)
	answer := binary.BigEndian.AppendUint16(nil, id)
	if c.level == level5 {
		answer = append(answer, 0)
	}
	for _, s := range asked {
		code := byte(reasonNoSubscribe)
		if i := c.find(s.filter); i >= 0 {
			code = 0
			c.held -= len(s.filter)
			c.subs = slices.Delete(c.subs, i, i+1)
		}
		if c.level == level5 {
			answer = append(answer, code)
		}
	}
	return c.send(packet(typeUnsuback<<4, answer))
}

// recordTopics records filters as the list that the wire dialect has.
func (c *client) recordTopics(event string, all []subscription) {
	var list, qos strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for i, s := range all {
		if i > 0 {
			list.WriteString(", ")
			qos.WriteByte(',')
		}
		list.WriteString("'" + escape.Replace(s.filter) + "'")
		qos.WriteString(strconv.Itoa(int(s.qos)))
	}
	fields := []trap.Field{{Key: "topics", Value: "[" + list.String() + "]"}}
	if event == "subscribe" {
		fields = append(fields, trap.Field{Key: "qos", Value: qos.String()})
	}
	c.conn.Record(event, fields...)
}
