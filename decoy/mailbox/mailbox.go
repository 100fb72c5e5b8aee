// Package mailbox imitates the POP3 (RFC 1939) and IMAP (RFC 3501) servers of
// Dovecot, on their plain ports with STLS and STARTTLS, and on 995 and 993 with TLS
// from the first byte. Nobody has a mailbox: every password is refused, as that of
// a user who doesn't exist is.
//
// It records "auth" (username, password, status) and each other command as "command".
package mailbox

import (
	"bufio"
	"context"
	"encoding/base64"
	"strings"
	"time"

	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// maxLine bounds a command, in bytes; Dovecot takes about as much before a login.
const maxLine = 8 << 10

// maxCommands bounds the commands of a session before a login.
const maxCommands = 200

// maxFailures is after how many refused passwords the server hangs up.
const maxFailures = 10

// NewPOP3 makes a POP3 server. It knows no settings.
func NewPOP3(e trap.Env) (trap.Service, error) { return build(e, 995, pop3) }

// NewIMAP makes an IMAP server. It knows no settings.
func NewIMAP(e trap.Env) (trap.Service, error) { return build(e, 993, imap) }

func build(e trap.Env, secure int, talk func(ctx context.Context, c *client)) (trap.Service, error) {
	tls, err := tlstrap.New(e, tlstrap.Options{})
	if err != nil {
		return trap.Service{}, err
	}
	return trap.Service{TCP: &server{tls: tls, securePort: secure, talk: talk, product: product(e.Host.Distro)}}, nil
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
	c.conn.Record("auth", trap.Field{Key: "username", Value: user}, trap.Field{Key: "password", Value: password},
		trap.Field{Key: "status", Value: "failed"}, trap.Field{Key: "method", Value: method})
	c.failures++
	pause := time.Duration(min(c.failures, 4)) * 500 * time.Millisecond
	c.conn.Pause(ctx, pause, pause+500*time.Millisecond)
	return c.failures < maxFailures
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
