// Package smtp imitates a mail server (RFC 5321 with STARTTLS of RFC 3207 and AUTH
// of RFC 4954) of the kind that a distribution installs. As "smtp" it relays for
// nobody; as "smtp_relay" it takes every message, keeps it in the quarantine and
// says that it is queued. It never sends anything.
//
// It records "ehlo", "auth_attempt" (username and password, or hashcat), "mail_from", "rcpt_to",
// "rcpt_denied", "vrfy", "message_accepted" and "unknown_command".
package smtp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"decnet/decoy/sasl"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// New makes a server that relays nothing. Of its settings it knows "banner", the
// text behind 220, "mta": postfix, exim or sendmail, and "auth": the mechanisms that
// it offers, of plain, login and cram-md5 (plain login).
func New(e trap.Env) (trap.Service, error) { return build(e, false) }

// NewRelay makes a server that takes every message, with the same settings.
func NewRelay(e trap.Env) (trap.Service, error) { return build(e, true) }

func build(e trap.Env, open bool) (trap.Service, error) {
	tls, err := tlstrap.New(e, tlstrap.Options{})
	if err != nil {
		return trap.Service{}, err
	}
	s := &server{tls: tls, open: open, name: e.Host.Hostname, mta: strings.ToLower(e.Config["mta"])}
	switch s.mta {
	case "":
		s.mta = "postfix"
	case "postfix", "exim", "sendmail":
	default:
		return trap.Service{}, fmt.Errorf("mta is postfix, exim or sendmail, not %q", e.Config["mta"])
	}
	if s.mechanisms, err = sasl.Mechanisms(e.Config, []string{sasl.Plain, sasl.Login}, sasl.Plain, sasl.Login, sasl.CRAM); err != nil {
		return trap.Service{}, err
	}
	if !strings.Contains(s.name, ".") {
		s.name += ".localdomain"
	}
	if s.banner = e.Config["banner"]; s.banner == "" {
		s.banner = s.greeting(e)
	}
	s.banner = strings.NewReplacer("\r", " ", "\n", " ").Replace(s.banner)
	return trap.Service{TCP: s}, nil
}

func (s *server) greeting(e trap.Env) string {
	switch s.mta {
	case "exim":
		return s.name + " ESMTP Exim 4.96 " + e.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000")
	case "sendmail":
		return s.name + " ESMTP Sendmail 8.17.1.9/8.17.1.9/Debian-2; " + e.Now().UTC().Format("Mon, 2 Jan 2006 15:04:05 GMT")
	}
	if strings.HasPrefix(e.Host.Distro, "ubuntu") {
		return s.name + " ESMTP Postfix (Ubuntu)"
	}
	if e.Host.Distro == "debian" {
		return s.name + " ESMTP Postfix (Debian/GNU)"
	}
	return s.name + " ESMTP Postfix"
}

type server struct {
	tls               *tlstrap.Terminator
	open              bool
	name, mta, banner string
	mechanisms        []string
}

// The bounds of a session.
const (
	maxLine     = 2048     // RFC 5321 wants 512, servers take 2048
	maxErrors   = 20       // then postfix hangs up
	maxRcpt     = 100      // of a message
	maxMessages = 100      // of a session
	maxMessage  = 10 << 20 // what EHLO announces, in bytes
)

// state is what a session has come to.
type state struct {
	*server
	conn   *trap.Session
	r      *bufio.Reader
	secure bool
	hello  bool
	from   string
	sender bool
	to     []string
	// errors counts what it refused, messages what it took.
	errors, messages int
	quit             bool
}

// Serve implements [trap.Server].
func (s *server) Serve(ctx context.Context, conn *trap.Session) {
	st := &state{server: s, conn: conn, r: bufio.NewReaderSize(conn, 4096)}
	if !st.say("220 " + s.banner) {
		return
	}
	for !st.quit {
		line, err := trap.ReadLine(st.r, maxLine)
		if errors.Is(err, trap.ErrLineTooLong) {
			st.say("500 5.5.2 Error: line too long")
			return
		}
		if err != nil || !st.command(ctx, string(line)) {
			return
		}
		if st.errors > maxErrors {
			st.say("421 4.7.0 " + s.name + " Error: too many errors")
			return
		}
	}
}

// say sends a reply and reports whether that worked.
func (st *state) say(lines ...string) bool {
	_, err := st.conn.Write([]byte(strings.Join(lines, "\r\n") + "\r\n"))
	return err == nil
}

// refuse says no and counts it.
func (st *state) refuse(line string) bool {
	st.errors++
	return st.say(line)
}

// command answers one line, and reports whether the session goes on.
func (st *state) command(ctx context.Context, line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToUpper(verb) {
	case "HELO", "EHLO":
		return st.greet(strings.ToUpper(verb) == "EHLO", rest)
	case "STARTTLS":
		return st.startTLS(ctx)
	case "AUTH":
		return st.auth(ctx, rest)
	case "MAIL":
		return st.mail(rest)
	case "RCPT":
		return st.rcpt(rest)
	case "DATA":
		return st.data()
	case "RSET":
		st.reset()
		return st.say("250 2.0.0 Ok")
	case "NOOP":
		return st.say("250 2.0.0 Ok")
	case "VRFY", "EXPN":
		st.conn.Record("vrfy", trap.Field{Key: "value", Value: rest})
		if st.mta == "exim" {
			return st.say("252 Administrative prohibition")
		}
		return st.say("252 2.0.0 " + rest)
	case "QUIT":
		st.quit = true
		return st.say("221 2.0.0 Bye")
	}
	st.conn.Record("unknown_command", trap.Field{Key: "command", Value: line})
	if web(verb) {
		return st.say("221 2.7.0 Error: I can break rules, too. Goodbye.") && false
	}
	return st.refuse("502 5.5.2 Error: command not recognized")
}

// web reports whether somebody speaks HTTP, which postfix hangs up on.
func web(verb string) bool {
	switch strings.ToUpper(verb) {
	case "GET", "POST", "CONNECT", "HEAD", "OPTIONS":
		return true
	}
	return false
}

func (st *state) greet(extended bool, domain string) bool {
	if domain == "" {
		return st.refuse("501 Syntax: EHLO hostname")
	}
	st.conn.Record("ehlo", trap.Field{Key: "domain", Value: domain})
	st.hello = true
	st.reset()
	if !extended {
		return st.say("250 " + st.name)
	}
	lines := []string{st.name, "PIPELINING", fmt.Sprintf("SIZE %d", maxMessage), "VRFY", "ETRN"}
	if !st.secure {
		lines = append(lines, "STARTTLS")
	}
	lines = append(lines, "AUTH "+strings.Join(st.mechanisms, " "), "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "CHUNKING")
	for i := range lines[:len(lines)-1] {
		lines[i] = "250-" + lines[i]
	}
	lines[len(lines)-1] = "250 " + lines[len(lines)-1]
	return st.say(lines...)
}

func (st *state) startTLS(ctx context.Context) bool {
	if st.secure {
		return st.refuse("554 5.5.1 Error: TLS already active")
	}
	// What was sent along with STARTTLS is thrown away, as RFC 3207 wants.
	if !st.say("220 2.0.0 Ready to start TLS") {
		return false
	}
	conn, err := st.tls.Upgrade(ctx, st.conn)
	if err != nil {
		return false
	}
	st.conn, st.r, st.secure, st.hello = conn, bufio.NewReaderSize(conn, 4096), true, false
	st.reset()
	return true
}

func (st *state) reset() {
	st.from, st.sender, st.to = "", false, nil
}

// pauseAfterLogin is how long a server waits before it refuses a password.
const pauseAfterLogin = 1500 * time.Millisecond
