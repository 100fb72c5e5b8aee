// Package mailbox imitates the POP3 (RFC 1939) and IMAP (RFC 3501) servers of
// Dovecot, on their plain ports with STLS and STARTTLS, and on 995 and 993 with TLS
// from the first byte. Nobody has a mailbox: every password is refused, as that of
// a user who doesn't exist is.
//
// It records "auth" (username, password or hashcat, status) and each other command as "command".
package mailbox

import (
	"bufio"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"decnet/decoy/sasl"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// maxLine bounds a command, in bytes; Dovecot takes about as much before a login.
const maxLine = 8 << 10

// maxCommands bounds the commands of a session before a login.
const maxCommands = 200

// maxFailures is after how many refused passwords the server hangs up.
const maxFailures = 10

// NewPOP3 makes a POP3 server. Of its settings it knows "auth": the mechanisms that
// it offers, of plain, cram-md5 and apop (plain).
func NewPOP3(e trap.Env) (trap.Service, error) {
	return build(e, 995, pop3, sasl.Plain, sasl.CRAM, sasl.APOP)
}

// NewIMAP makes an IMAP server. Of its settings it knows "auth": the mechanisms that
// it offers, of plain and cram-md5 (plain).
func NewIMAP(e trap.Env) (trap.Service, error) { return build(e, 993, imap, sasl.Plain, sasl.CRAM) }

func build(e trap.Env, secure int, talk func(ctx context.Context, c *client), known ...string) (trap.Service, error) {
	mechanisms, err := sasl.Mechanisms(e.Config, []string{sasl.Plain}, known...)
	if err != nil {
		return trap.Service{}, err
	}
	tls, err := tlstrap.New(e, tlstrap.Options{})
	if err != nil {
		return trap.Service{}, err
	}
	s := &server{tls: tls, securePort: secure, talk: talk, product: product(e.Host.Distro)}
	s.apop = slices.Contains(mechanisms, sasl.APOP)
	s.mechanisms = slices.DeleteFunc(slices.Clone(mechanisms), func(m string) bool { return m == sasl.APOP })
	return trap.Service{TCP: s}, nil
}

// product is what Dovecot calls itself in a distribution.
func product(distro string) string {
	switch {
	case strings.HasPrefix(distro, "ubuntu"):
		return "Dovecot (Ubuntu)"
	case distro == "debian":
		return "Dovecot (Debian)"
	}
	return "Dovecot"
}

type server struct {
	tls        *tlstrap.Terminator
	securePort int
	product    string
	// mechanisms are those of SASL that are offered; apop says that POP3 has its own.
	mechanisms []string
	apop       bool
	talk       func(ctx context.Context, c *client)
}

// Serve implements [trap.Server].
func (s *server) Serve(ctx context.Context, conn *trap.Session) {
	c := &client{server: s, conn: conn}
	if conn.Port == s.securePort {
		secure, err := s.tls.Upgrade(ctx, conn)
		if err != nil {
			return
		}
		c.conn, c.secure = secure, true
	}
	c.r = bufio.NewReaderSize(c.conn, 4096)
	s.talk(ctx, c)
}

// client is one session.
type client struct {
	*server
	conn               *trap.Session
	r                  *bufio.Reader
	secure             bool
	commands, failures int
	// stamp is what the greeting of POP3 has for APOP.
	stamp string
}

func (c *client) say(lines ...string) bool {
	_, err := c.conn.Write([]byte(strings.Join(lines, "\r\n") + "\r\n"))
	return err == nil
}

// line reads a command; false ends the session.
func (c *client) line() (string, bool) {
	if c.commands++; c.commands > maxCommands {
		return "", false
	}
	b, err := trap.ReadLine(c.r, maxLine)
	return string(b), err == nil
}

func (c *client) upgrade(ctx context.Context) bool {
	secure, err := c.tls.Upgrade(ctx, c.conn)
	if err != nil {
		return false
	}
	c.conn, c.secure, c.r = secure, true, bufio.NewReaderSize(secure, 4096)
	return true
}

// refuse records a password and waits as Dovecot does, longer each time. It
// reports whether the session goes on.
func (c *client) refuse(ctx context.Context, user, password, method string) bool {
	return c.refuseWith(ctx, trap.Field{Key: "username", Value: user}, trap.Field{Key: "password", Value: password}, trap.Field{Key: "method", Value: method})
}

// refuseWith is refuse for what is no password.
func (c *client) refuseWith(ctx context.Context, fields ...trap.Field) bool {
	c.conn.Record("auth", append(fields, trap.Field{Key: "status", Value: "failed"})...)
	c.failures++
	pause := time.Duration(min(c.failures, 4)) * 500 * time.Millisecond
	c.conn.Pause(ctx, pause, pause+500*time.Millisecond)
	return c.failures < maxFailures
}

// prove sends a challenge and refuses the proof. It reports whether the answer was
// a proof, and whether the session goes on.
func (c *client) prove(ctx context.Context) (ok, going bool) {
	challenge := sasl.Challenge(c.conn.Host.Hostname, c.conn.Now())
	if !c.say("+ " + base64.StdEncoding.EncodeToString([]byte(challenge))) {
		return false, false
	}
	answer, going := c.line()
	if !going {
		return false, false
	}
	fields, ok := sasl.AnswerCRAM(challenge, answer)
	if !ok {
		return false, true
	}
	return true, c.refuseWith(ctx, fields...)
}

func (c *client) recordCommand(command, state string) {
	c.conn.Record("command", trap.Field{Key: "command", Value: command}, trap.Field{Key: "state", Value: state})
}

// plain reads the message of SASL PLAIN (RFC 4616).
func plain(s string) (user, password string, ok bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	parts := strings.SplitN(string(b), "\x00", 3)
	if err != nil || len(parts) != 3 {
		return "", "", false
	}
	return parts[1], parts[2], true
}
