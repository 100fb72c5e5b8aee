package mqtt

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// client is one session. What it publishes, only it gets back.
type client struct {
	*server
	conn *trap.Session
	r    *bufio.Reader
	// first is how the packet that is read began, for the event about a broken one.
	first []byte

	in        bool
	level     byte
	keepAlive uint16
	pinged    bool

	subs    []subscription
	store   map[string]message
	pending map[uint16]message
	aliases [maxAlias + 1]string
	held    int
	out     outbox
	// told is what the broker's own topics said last.
	told time.Time
}

// maxHeld bounds what a session makes the decoy keep, in bytes: what it
// published, subscribed to, and has not taken yet.
const maxHeld = 48 << 10

// hold takes n bytes of the session's share, and reports whether there are any.
func (c *client) hold(n int) bool {
	if c.held+n > maxHeld {
		return false
	}
	c.held += n
	return true
}

// The pauses of a broker.
const (
	// tick is how often it publishes what it knows of itself.
	tick = 10 * time.Second
	// silence is how long a client may say nothing when it named no time.
	silence = 2 * time.Minute
	// grace is how long a client has for its CONNECT.
	grace = 90 * time.Second
)

// failure ends a session; its code is what a client of version 5 is told, 0 for
// nothing.
type failure struct {
	text string
	code byte
}

// Error implements error.
func (f *failure) Error() string { return f.text }

func malformed(text string) error { return &failure{text, reasonMalformed} }
func violation(text string) error { return &failure{text, reasonProtocol} }

func newClient(s *server, conn *trap.Session) *client {
	return &client{
		server: s, conn: conn, r: bufio.NewReaderSize(conn, 4096),
		store: map[string]message{}, pending: map[uint16]message{}, told: s.lastTick(conn.Now()),
		out: outbox{window: window, inflight: map[uint16]struct{}{}},
	}
}

// Serve implements [trap.Server].
func (s *server) Serve(_ context.Context, conn *trap.Session) {
	c := newClient(s, conn)
	for {
		if err := c.await(); err != nil {
			return
		}
		err := c.next()
		var f *failure
		if errors.As(err, &f) {
			c.protocolError(f.text)
			if c.level == level5 && f.code != 0 {
				_ = c.send([]byte{typeDisconnect << 4, 1, f.code})
			}
		}
		if err != nil {
			return
		}
	}
}

// patience is how long the client may be silent.
func (c *client) patience() time.Duration {
	switch d := time.Duration(c.keepAlive) * time.Second * 3 / 2; {
	case !c.in:
		return grace
	case d == 0 || d > silence:
		return silence
	default:
		return d
	}
}

// await waits for the next packet; meanwhile a subscriber is told what changes.
func (c *client) await() error {
	end := time.Now().Add(c.patience())
	for {
		until := end
		if next := time.Now().Add(tick); len(c.subs) > 0 && next.Before(end) {
			until = next
		}
		if err := c.conn.SetReadDeadline(until); err != nil {
			return err
		}
		_, err := c.r.Peek(1)
		if err == nil {
			// The packet as a whole has as long as the silence before it.
			return c.conn.SetReadDeadline(time.Now().Add(silence))
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || !time.Now().Before(end) {
			return err
		}
		if err := c.tell(); err != nil {
			return err
		}
	}
}

// errOver ends a session in which nothing is wrong.
var errOver = errors.New("the session is over")

// next reads one packet and answers it.
func (c *client) next() error {
	begun, _ := c.r.Peek(min(c.r.Buffered(), 64))
	c.first = append(c.first[:0], begun...)
	if !c.in && c.first[0] == 0x16 {
		hello, _ := c.r.Peek(c.r.Buffered())
		tlstrap.Observe(c.conn, hello)
	}
	h, err := readHeader(c.r)
	switch {
	case errors.Is(err, errLength):
		return &failure{text: "malformed remaining length"}
	case err != nil:
		return err
	case !c.in && h.kind != typeConnect:
		return &failure{text: "packet " + strconv.Itoa(int(h.kind)) + " before CONNECT"}
	case c.in && h.kind == typePublish:
		return c.publish(h)
	case h.size > maxPacket:
		return &failure{text: "packet " + strconv.Itoa(int(h.kind)) + " of " + strconv.Itoa(h.size) + " bytes"}
	}
	body := make([]byte, h.size)
	if _, err := io.ReadFull(c.r, body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			c.protocolError("the packet has no end")
		}
		return err
	}
	if c.in {
		return c.answer(h, body)
	}
	if !c.connected(h.flags, body) {
		return errOver
	}
	return nil
}

// answer answers all but CONNECT and PUBLISH.
func (c *client) answer(h header, body []byte) error {
	switch h.kind {
	case typeSubscribe:
		return c.subscribe(h.flags, body)
	case typeUnsubscribe:
		return c.unsubscribe(h.flags, body)
	case typePuback, typePubrec, typePubrel, typePubcomp:
		return c.acknowledged(h, body)
	case typePingreq:
		if !c.pinged {
			c.pinged = true // each of them would say nothing new
			c.other(h)
		}
		return c.send([]byte{typePingresp << 4, 0})
	case typeDisconnect:
		c.other(h)
		return errOver
	case typeSuback, typeUnsuback, typePingresp:
		c.other(h)
		return nil
	case typeConnect:
		return &failure{text: "a second CONNECT"}
	case typeAuth:
		return &failure{text: "AUTH without a method"}
	}
	return violation("packet of type " + strconv.Itoa(int(h.kind)))
}

// other records a packet of which the type is all there is to say.
func (c *client) other(h header) {
	c.conn.Record("packet", trap.Field{Key: "pkt_type", Value: strconv.Itoa(int(h.kind))})
}

func (c *client) protocolError(text string) {
	c.conn.Record("protocol_error",
		trap.Field{Key: "error", Value: text}, trap.Field{Key: "data", Value: hex.EncodeToString(c.first)})
}

func (c *client) upload(topic string, stored trap.Stored) {
	c.conn.Record("file_upload", append(stored.Fields(), trap.Field{Key: "filename", Value: topic})...)
}

func (c *client) send(b []byte) error {
	_, err := c.conn.Write(b)
	return err
}
