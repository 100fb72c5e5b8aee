// Package ldap imitates a directory on ports 389 and 636 (RFC 4511): Active
// Directory on Windows and domain controllers, else OpenLDAP's slapd.
//
// It records each bind with the name as dn and username and its password, or, for
// NTLM within SASL, with the answer to a random challenge as hashcat cracks it;
// searches with base, scope, filter and attributes; operations that would change
// something; StartTLS; and malformed messages. Nobody but the setting password is
// let in, and who is let in finds nothing but the root entries.
//
// BER is read by package ber, which SNMP and SPNEGO need too. UDP is not
// served, since connectionless LDAP is known as an amplifier.
package ldap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"decnet/decoy/ber"
	"decnet/decoy/ntlmtrap"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// maxMessage bounds a message, in bytes.
const maxMessage = 32 << 10

// Result codes.
const (
	resOK             = 0
	resOperations     = 1
	resProtocol       = 2
	resNoMethod       = 7
	resStrongerAuth   = 8
	resBindInProgress = 14
	resNoSuchObject   = 32
	resBadCredentials = 49
	resUnwilling      = 53
)

// Tags of operations and of their answers.
const (
	opBind       = 0x60
	opUnbind     = 0x42
	opSearch     = 0x63
	opModify     = 0x66
	opAdd        = 0x68
	opDelete     = 0x4a
	opRename     = 0x6c
	opCompare    = 0x6e
	opAbandon    = 0x50
	opExtended   = 0x77
	reBind       = 0x61
	reEntry      = 0x64
	reSearchDone = 0x65
	reExtended   = 0x78
	oidStartTLS  = "1.3.6.1.4.1.1466.20037"
	oidWhoAmI    = "1.3.6.1.4.1.4203.1.11.3"
	portTLS      = 636
)

type server struct {
	*directory
	tls *tlstrap.Terminator
}

// New makes the service. The setting domain overrules the suffix, such as
// "example.org"; password lets in who knows it.
func New(e trap.Env) (trap.Service, error) {
	t, err := tlstrap.New(e, tlstrap.Options{})
	if err != nil {
		return trap.Service{}, fmt.Errorf("TLS of ldap: %w", err)
	}
	return trap.Service{TCP: &server{newDirectory(e), t}}, nil
}

// session is the state of one client.
type session struct {
	*trap.Session
	*server
	ctx       context.Context //nolint:containedctx // it is the life of the session
	challenge [8]byte
	asked     bool
	bound     bool
	overTLS   bool
}

// Serve implements [trap.Server].
func (v *server) Serve(ctx context.Context, s *trap.Session) {
	c := &session{Session: s, server: v, ctx: ctx, challenge: ntlmtrap.NewChallenge()}
	if s.Port == portTLS && !c.upgrade() {
		return
	}
	for {
		b, err := ber.Read(c, maxMessage)
		if err != nil {
			if len(b) > 0 && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ber.ErrMalformed) || errors.Is(err, ber.ErrTooLong)) {
				c.malformed(b)
			}
			return
		}
		m, err := Parse(b)
		if err != nil {
			c.malformed(b)
			return
		}
		if !c.handle(m) {
			return
		}
	}
}

func (c *session) upgrade() bool {
	over, err := c.tls.Upgrade(c.ctx, c.Session)
	var plain *tlstrap.PlainError
	if errors.As(err, &plain) {
		c.malformed(plain.First)
	}
	if err != nil {
		return false
	}
	c.Session, c.overTLS = over, true
	return true
}

func (c *session) malformed(b []byte) {
	c.Record("malformed", trap.Field{Key: "data", Value: hex.EncodeToString(b[:min(len(b), 64)])})
}

// Message is an LDAPMessage without its controls.
type Message struct {
	ID int64
	Op ber.Element
}

// Parse reads an LDAPMessage.
func Parse(b []byte) (*Message, error) {
	e, rest, err := ber.Parse(b)
	if err != nil || e.Tag != ber.Sequence || len(rest) > 0 {
		return nil, ber.ErrMalformed
	}
	parts, err := e.Children(3)
	if err != nil || len(parts) < 2 || parts[0].Tag != ber.Integer {
		return nil, ber.ErrMalformed
	}
	id, err := parts[0].Int()
	if err != nil || id < 0 || id > 1<<31-1 {
		return nil, ber.ErrMalformed
	}
	return &Message{id, parts[1]}, nil
}

// send sends answers to a message.
func (c *session) send(id int64, ops ...[]byte) bool {
	var all []byte
	for _, op := range ops {
		all = append(all, ber.Wrap(ber.Sequence, ber.Int(ber.Integer, id), op)...)
	}
	_, err := c.Write(all)
	return err == nil
}

// result makes an LDAPResult.
func result(tag byte, code int64, text string, more ...[]byte) []byte {
	parts := append([][]byte{ber.Int(ber.Enumerated, code), ber.Text(ber.Octets, ""), ber.Text(ber.Octets, text)}, more...)
	return ber.Wrap(tag, parts...)
}

// handle answers a message and says whether the session goes on.
func (c *session) handle(m *Message) bool {
	switch m.Op.Tag {
	case opBind:
		return c.bind(m)
	case opUnbind:
		return false
	case opAbandon:
		return true
	case opSearch:
		return c.search(m)
	case opExtended:
		return c.extended(m)
	case opModify, opAdd, opDelete, opRename, opCompare:
		return c.change(m)
	}
	c.malformed(m.Op.Value)
	return false
}

func (c *session) bind(m *Message) bool {
	parts, err := m.Op.Children(8)
	if err != nil || len(parts) != 3 {
		c.malformed(m.Op.Value)
		return c.send(m.ID, result(reBind, resProtocol, "decoding error")) && false
	}
	c.bound = false
	dn, auth := string(parts[1].Value), parts[2]
	switch auth.Tag {
	case 0x80:
		return c.simple(m.ID, dn, string(auth.Value))
	case 0xa3:
		return c.sasl(m.ID, dn, auth)
	case 0x89, 0x8a, 0x8b:
		if c.ad {
			return c.sicily(m.ID, dn, auth)
		}
	}
	c.Record("bind", trap.Field{Key: "dn", Value: dn}, trap.Field{Key: "mechanism", Value: fmt.Sprintf("0x%02x", auth.Tag)})
	return c.send(m.ID, result(reBind, resNoMethod, "unknown authentication method"))
}

func (c *session) simple(id int64, dn, password string) bool {
	code, text := int64(resBadCredentials), c.refusal("52e")
	switch {
	case dn == "" && password == "", c.ad && password == "":
		code, text = resOK, ""
	case password == "":
		code, text = resUnwilling, "unauthenticated bind (DN with no password) disallowed"
	case c.password != "" && password == c.password:
		code, text, c.bound = resOK, "", true
	}
	fields := []trap.Field{
		{Key: "dn", Value: dn}, {Key: "password", Value: password}, {Key: "mechanism", Value: "simple"}, {Key: "status", Value: word(code)},
	}
	if dn != "" {
		fields = append(fields, trap.Field{Key: "username", Value: dn})
	}
	c.Record("bind", fields...)
	if code == resBadCredentials {
		c.Pause(c.ctx, 2*time.Millisecond, 20*time.Millisecond)
	}
	return c.send(id, result(reBind, code, text))
}

func word(code int64) string {
	if code == resOK {
		return "success"
	}
	return "failed"
}

// refusal is what Active Directory says about a login; slapd says nothing.
func (d *directory) refusal(data string) string {
	if !d.ad {
		return ""
	}
	return "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data " + data + ", v3839\x00"
}

func (c *session) sasl(id int64, dn string, auth ber.Element) bool {
	parts, err := auth.Children(2)
	if err != nil || len(parts) == 0 {
		c.malformed(auth.Value)
		return c.send(id, result(reBind, resProtocol, "decoding error"))
	}
	mechanism := string(parts[0].Value)
	var token []byte
	if len(parts) > 1 {
		token = parts[1].Value
	}
	fields := []trap.Field{{Key: "dn", Value: dn}, {Key: "mechanism", Value: mechanism}}
	if c.ad && (mechanism == "GSS-SPNEGO" || mechanism == "GSSAPI") {
		return c.ntlm(id, token, reBind, func(challenge []byte) []byte {
			if ntlmtrap.Wrapped(token) {
				challenge = ntlmtrap.WrapChallenge(challenge)
			}
			return result(reBind, resBindInProgress, "", ber.Wrap(0x87, challenge))
		})
	}
	if mechanism == "PLAIN" {
		if p := strings.SplitN(string(token), "\x00", 3); len(p) == 3 {
			fields = append(fields, trap.Field{Key: "username", Value: p[1]}, trap.Field{Key: "password", Value: p[2]})
		}
	}
	c.Record("bind", append(fields, trap.Field{Key: "status", Value: "failed"})...)
	if c.ad {
		return c.send(id, result(reBind, resNoMethod, "00002027: LdapErr: DSID-0C090573, comment: Invalid Authentication method, data 0, v3839\x00"))
	}
	return c.send(id, result(reBind, resNoMethod, "SASL(-4): no mechanism available: "))
}

// ntlm takes a token of NTLM; wrap makes the answer with the challenge.
func (c *session) ntlm(id int64, token []byte, tag byte, wrap func([]byte) []byte) bool {
	msg, kind := ntlmtrap.Find(token)
	switch {
	case kind == ntlmtrap.Negotiate:
		c.asked = true
		return c.send(id, wrap(c.machine.Challenge(msg, c.challenge, c.Now())))
	case kind == ntlmtrap.Authenticate && c.asked:
		c.asked = false
		l, err := ntlmtrap.ParseLogin(msg)
		if err != nil {
			break
		}
		c.Record("bind", append(l.Fields(c.challenge), trap.Field{Key: "status", Value: "failed"})...)
		c.challenge = ntlmtrap.NewChallenge()
		return c.send(id, result(tag, resBadCredentials, c.refusal("52e")))
	}
	c.malformed(token)
	return c.send(id, result(tag, resBadCredentials, "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 57, v3839\x00"))
}

// sicily is Microsoft's own way to log in with NTLM (MS-ADTS 5.1.1.1.3).
func (c *session) sicily(id int64, dn string, auth ber.Element) bool {
	reply := func(code int64, matched, text string) []byte {
		return ber.Wrap(reBind, ber.Int(ber.Enumerated, code), ber.Text(ber.Octets, matched), ber.Text(ber.Octets, text))
	}
	if auth.Tag == 0x89 {
		c.Record("bind", trap.Field{Key: "dn", Value: dn}, trap.Field{Key: "mechanism", Value: "sicily"})
		return c.send(id, reply(resOK, "NTLM", ""))
	}
	return c.ntlm(id, auth.Value, reBind, func(challenge []byte) []byte { return reply(resOK, string(challenge), "") })
}

func (c *session) extended(m *Message) bool {
	parts, err := m.Op.Children(2)
	if err != nil || len(parts) == 0 || parts[0].Tag != 0x80 {
		c.malformed(m.Op.Value)
		return false
	}
	oid := string(parts[0].Value)
	c.Record("extended", trap.Field{Key: "oid", Value: oid})
	switch {
	case oid == oidStartTLS && !c.overTLS:
		return c.send(m.ID, result(reExtended, resOK, "", ber.Text(0x8a, oid))) && c.upgrade()
	case oid == oidStartTLS:
		return c.send(m.ID, result(reExtended, resOperations, "TLS already started"))
	case oid == oidWhoAmI && !c.ad:
		return c.send(m.ID, result(reExtended, resOK, "", ber.Text(0x8b, "")))
	case c.ad:
		return c.send(m.ID, result(reExtended, resProtocol, "0000203D: LdapErr: DSID-0C090E17, comment: Unknown extended request OID, data 0, v3839\x00"))
	}
	return c.send(m.ID, result(reExtended, resProtocol, "unsupported extended operation"))
}

// change refuses what would change something.
func (c *session) change(m *Message) bool {
	name, object := operation(m.Op.Tag), string(m.Op.Value)
	if m.Op.Tag != opDelete {
		parts, err := m.Op.Children(16)
		if err != nil || len(parts) == 0 {
			c.malformed(m.Op.Value)
			return false
		}
		object = string(parts[0].Value)
	}
	c.Record("modify", trap.Field{Key: "operation", Value: name}, trap.Field{Key: "dn", Value: object},
		trap.Field{Key: "data", Value: hex.EncodeToString(m.Op.Value[:min(len(m.Op.Value), 256)])})
	tag := m.Op.Tag + 1 // the answer's tag is the next one
	if m.Op.Tag == opDelete {
		tag = 0x6b
	}
	switch {
	case c.ad:
		return c.send(m.ID, result(tag, resOperations, c.unbound()))
	case name == "compare":
		return c.send(m.ID, result(tag, resNoSuchObject, ""))
	case c.bound:
		return c.send(m.ID, result(tag, 50, "no write access to parent"))
	}
	return c.send(m.ID, result(tag, resStrongerAuth, "modifications require authentication"))
}

func operation(tag byte) string {
	return map[byte]string{opModify: "modify", opAdd: "add", opDelete: "delete", opRename: "rename", opCompare: "compare"}[tag]
}
