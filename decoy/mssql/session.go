package mssql

import (
	"bufio"
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// client is one session.
type client struct {
	*server
	conn *trap.Session
	link *link
	// old and first are those of the [encoder].
	old, first bool

	database string
	// options are those of sp_configure that were changed: what was set, and what
	// is in force.
	set, active map[string]int
}

// grace is how long a client has to log in.
const grace = time.Minute

// Serve implements [trap.Server].
func (s *server) Serve(ctx context.Context, conn *trap.Session) {
	_ = conn.SetDeadline(time.Now().Add(grace))
	raw := bufio.NewReaderSize(conn.Conn, 4096)
	conn = conn.Over(peeked{conn.Conn, raw})
	first, err := raw.Peek(1)
	if err != nil {
		return
	}
	strict := first[0] == tlsHello
	if strict {
		if s.strict == nil {
			_, _ = raw.Peek(5)
			hello, _ := raw.Peek(raw.Buffered())
			tlstrap.Observe(conn, hello)
			unknown(conn, hello)
			return
		}
		if conn, err = s.strict.Upgrade(ctx, conn); err != nil {
			return
		}
		raw = bufio.NewReaderSize(conn.Conn, 4096)
	}
	c := &client{
		server: s, conn: conn, link: &link{raw: raw, out: conn.Conn, size: packetSize},
		set: map[string]int{}, active: map[string]int{},
	}
	c.serve(ctx, strict)
}

// serve reads up to the login and answers it.
func (c *client) serve(ctx context.Context, strict bool) {
	for {
		m, err := c.link.read(nil)
		if err != nil {
			c.broken(err)
			return
		}
		switch m.kind {
		case typePrelogin:
			if !c.greet(ctx, m.body, strict) {
				return
			}
		case typeLogin7:
			l, ok := parseLogin(m.body)
			if !ok {
				unknown(c.conn, append(bytes.Clone(c.link.head), m.body...))
				return
			}
			c.login(ctx, &l)
			return
		default:
			if l, ok := parseOldLogin(m.body); ok && m.kind == typeOldLogin {
				c.conn.Record("auth", append(l.fields(),
					trap.Field{Key: "username", Value: l.user}, trap.Field{Key: "password", Value: l.password}, trap.Field{Key: "status", Value: "failed"})...)
				return // it is not understood since 2012
			}
			unknown(c.conn, append(bytes.Clone(c.link.head), m.body...))
			return
		}
	}
}

// broken records what is no message, or ends within.
func (c *client) broken(err error) {
	var plain *tlstrap.PlainError
	switch {
	case errors.As(err, &plain):
		unknown(c.conn, plain.First)
	case errors.Is(err, errMessage), len(c.link.head) > 0:
		unknown(c.conn, c.link.head)
	}
}

func unknown(conn *trap.Session, b []byte) {
	if len(b) == 0 {
		return
	}
	conn.Record("unknown_packet",
		trap.Field{Key: "pkt_type", Value: fmt.Sprintf("0x%02x", b[0])},
		trap.Field{Key: "data", Value: hex.EncodeToString(b[:min(len(b), 64)])})
}

// greet answers PRELOGIN and begins TLS where it was agreed on.
func (c *client) greet(ctx context.Context, body []byte, strict bool) bool {
	p, ok := parsePrelogin(body)
	if !ok || c.link.inner != nil {
		unknown(c.conn, append(bytes.Clone(c.link.head), body...))
		return false
	}
	c.conn.Record("prelogin", p.fields()...)
	if err := c.link.write(c.prelogin(&p)); err != nil {
		return false
	}
	agreed := agree(p.encryption)
	if strict || agreed == encryptNone {
		return true
	}
	if next, err := c.link.raw.Peek(1); err != nil || next[0] == typeLogin7 {
		return err == nil // it can't do what it agreed to; its login is as good in the clear
	}
	h := &handshake{Conn: c.conn.Conn, raw: c.link.raw}
	over, err := c.wrapped.Upgrade(ctx, c.conn.Over(h))
	if err != nil {
		c.link.head = nil
		c.broken(err)
		return false
	}
	h.over = true
	c.link.inner = bufio.NewReaderSize(over.Conn, 16<<10) // a whole record
	if c.link.only = agreed == encryptOff; !c.link.only {
		c.link.out = over.Conn
	}
	return true
}

// login answers LOGIN7.
func (c *client) login(ctx context.Context, l *login) {
	c.old, c.first = !modern(l.version), l.version>>24 == 0x70
	c.link.spid = 51 + c.conn.Remote.Port()%13
	if l.packet >= 512 {
		c.link.size = int(min(l.packet, packetSize))
	}
	if l.integrated {
		c.negotiate(ctx, l)
		return
	}
	fields := append([]trap.Field{{Key: "username", Value: l.user}, {Key: "password", Value: l.password}}, l.fields()...)
	if l.changed != "" {
		fields = append(fields, trap.Field{Key: "new_password", Value: l.changed})
	}
	status := "failed"
	allowed := c.allows(l)
	if allowed {
		status = "success"
	}
	c.conn.Record("auth", append(fields, trap.Field{Key: "status", Value: status})...)
	c.conn.Pause(ctx, 3*time.Millisecond, 25*time.Millisecond)
	if !allowed {
		c.refuse(problem{18456, 1, 14, "Login failed for user '" + l.user + "'."})
		return
	}
	c.database = "master"
	if l.database != "" {
		name, there := c.databaseNamed(l.database)
		if !there {
			c.refuse(problem{4060, 1, 11, `Cannot open database "` + l.database + `" requested by the login. The login failed.`},
				problem{18456, 1, 14, "Login failed for user '" + l.user + "'."})
			return
		}
		c.database = name
	}
	e := c.encoder()
	e.welcome(c.server, l, c.database, c.link.size)
	if err := c.link.write(e.b); err != nil {
		return
	}
	_ = c.conn.SetDeadline(time.Time{})
	c.work(l.user)
}

func (c *client) encoder() *encoder { return &encoder{old: c.old, first: c.first, server: c.name} }

// allows reports whether the settings let somebody in.
func (c *client) allows(l *login) bool {
	name := c.username == "" || strings.EqualFold(c.username, l.user)
	return c.server.password != "" && l.user != "" && name && subtle.ConstantTimeCompare([]byte(c.server.password), []byte(l.password)) == 1
}

// refuse ends a login.
func (c *client) refuse(why ...problem) {
	e := c.encoder()
	for _, p := range why {
		e.problem(p)
	}
	e.done(tokenDone, doneError, 0, 0)
	_ = c.link.write(e.b)
}

// negotiate speaks NTLM until the user is known, and refuses.
func (c *client) negotiate(ctx context.Context, l *login) {
	challenge := ntlmtrap.NewChallenge()
	token := l.token
	for range 3 {
		msg, kind := ntlmtrap.Find(token)
		if kind == ntlmtrap.Authenticate {
			who, err := ntlmtrap.ParseLogin(msg)
			if err != nil {
				unknown(c.conn, token)
				return
			}
			fields := append(who.Fields(challenge), l.fields()...)
			c.conn.Record("auth", append(fields, trap.Field{Key: "status", Value: "failed"})...)
			c.conn.Pause(ctx, 5*time.Millisecond, 40*time.Millisecond)
			c.untrusted()
			return
		}
		var answer []byte
		switch wrapped := ntlmtrap.Wrapped(token); {
		case kind == ntlmtrap.Negotiate && wrapped:
			answer = ntlmtrap.WrapChallenge(c.ntlm.Challenge(msg, challenge, c.conn.Now()))
		case kind == ntlmtrap.Negotiate:
			answer = c.ntlm.Challenge(msg, challenge, c.conn.Now())
		case wrapped:
			answer = ntlmtrap.AskNTLM()
		default:
			c.conn.Record("auth", append(l.fields(), trap.Field{Key: "mechanism", Value: "sspi"}, trap.Field{Key: "status", Value: "failed"})...)
			c.untrusted()
			return
		}
		e := c.encoder()
		e.block(0xed, func() { e.b = append(e.b, answer...) })
		if err := c.link.write(e.b); err != nil {
			return
		}
		m, err := c.link.read(nil)
		if err != nil || m.kind != typeSSPI {
			if err == nil {
				err = errMessage
			}
			c.broken(err)
			return
		}
		token = m.body
	}
}

func (c *client) untrusted() {
	with := "Integrated"
	if c.release.major < 14 {
		with = "Windows"
	}
	c.refuse(problem{18452, 1, 14, "Login failed. The login is from an untrusted domain and cannot be used with " + with + " authentication."})
}

// work takes statements until the client leaves.
func (c *client) work(user string) {
	for {
		m, err := c.link.read(c.conn.Files)
		if err != nil {
			if errors.Is(err, errMessage) {
				c.broken(err)
			}
			return
		}
		e := c.encoder()
		switch m.kind {
		case typeBatch:
			c.batch(e, user, c.statement(m.body), m.stored)
		case typeRPC:
			c.call(e, user, m.body, m.stored)
		case typeAttention:
			e.done(tokenDone, doneAttn, 0, 0)
		case typeManager:
			e.done(tokenDone, 0, 0, 0)
		default:
			unknown(c.conn, append(bytes.Clone(c.link.head), m.body...))
			return
		}
		if err := c.link.write(e.b); err != nil {
			return
		}
	}
}
