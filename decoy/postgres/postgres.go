// Package postgres imitates a PostgreSQL server (frontend/backend protocol 3.0, of
// the PostgreSQL documentation, chapter "Message Flow") that nobody can log in to. It
// asks for the password in clear text, as a server with "password" in its
// pg_hba.conf does, because that is the only method that shows what attackers try.
//
// It records "startup" (username, database and the other parameters), "auth"
// (username and password) and "protocol_error".
package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// New makes the service. It knows no settings.
func New(e trap.Env) (trap.Service, error) {
	tls, err := tlstrap.New(e, tlstrap.Options{})
	if err != nil {
		return trap.Service{}, err
	}
	return trap.Service{TCP: &server{tls: tls}}, nil
}

type server struct{ tls *tlstrap.Terminator }

// The codes that a client may send in place of a version.
const (
	codeCancel = 1234<<16 | 5678
	codeTLS    = 1234<<16 | 5679
	codeGSS    = 1234<<16 | 5680
	version3   = 3
	maxStartup = 10_000 // the bound of the real server, in bytes
	maxMessage = 64 << 10
)

// Serve implements [trap.Server].
func (s *server) Serve(ctx context.Context, conn *trap.Session) {
	for range 3 { // TLS and GSSAPI may each be asked for once
		body, err := readPacket(conn, maxStartup)
		if err != nil || len(body) < 4 {
			malformed(conn, body, err)
			return
		}
		switch code := binary.BigEndian.Uint32(body); code {
		case codeTLS:
			if _, err := conn.Write([]byte{'S'}); err != nil {
				return
			}
			if conn, err = s.tls.Upgrade(ctx, conn); err != nil {
				return
			}
		case codeGSS:
			if _, err := conn.Write([]byte{'N'}); err != nil {
				return
			}
		case codeCancel:
			return
		default:
			logIn(ctx, conn, code, body[4:])
			return
		}
	}
}

// readPacket reads a message without a type: its length, which counts itself,
// and its body.
func readPacket(r io.Reader, most uint32) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > most {
		return head[:], errSize
	}
	body := make([]byte, size-4)
	_, err := io.ReadFull(r, body)
	return body, err
}

var errSize = errors.New("the length of the message is out of bounds")

// malformed says what the real server does about a length that can't be, and
// nothing to one who only left.
func malformed(conn *trap.Session, head []byte, err error) {
	if err != nil && !errors.Is(err, errSize) {
		return
	}
	conn.Record("protocol_error", trap.Field{Key: "data", Value: hex.EncodeToString(head)})
	_, _ = conn.Write(failure("FATAL", "08P01", "invalid length of startup packet"))
}

// parameters reads the names and values of a startup message.
func parameters(b []byte) (map[string]string, bool) {
	p := map[string]string{}
	for {
		name, rest, ok := cut(b)
		if !ok {
			return p, false
		}
		if name == "" {
			return p, len(rest) == 0
		}
		value, rest, ok := cut(rest)
		if !ok {
			return p, false
		}
		p[name] = value
		b = rest
	}
}

// cut takes a text up to its end of zero.
func cut(b []byte) (text string, rest []byte, ok bool) {
	before, after, ok := strings.Cut(string(b), "\x00")
	return before, []byte(after), ok
}

// logIn asks for the password and refuses it.
func logIn(ctx context.Context, conn *trap.Session, version uint32, body []byte) {
	if version>>16 != version3 {
		conn.Record("protocol_error", trap.Field{Key: "data", Value: hex.EncodeToString(body)})
		_, _ = conn.Write(failure("FATAL", "0A000", "unsupported frontend protocol "+dotted(version)+": server supports 3.0 to 3.0"))
		return
	}
	p, whole := parameters(body)
	user := p["user"]
	database := p["database"]
	if database == "" {
		database = user
	}
	conn.Record("startup", trap.Field{Key: "username", Value: user}, trap.Field{Key: "database", Value: database},
		trap.Field{Key: "application_name", Value: p["application_name"]})
	switch {
	case !whole:
		_, _ = conn.Write(failure("FATAL", "08P01", "invalid startup packet layout: expected terminator as last byte"))
		return
	case user == "":
		_, _ = conn.Write(failure("FATAL", "28000", "no PostgreSQL user name specified in startup packet"))
		return
	}
	if _, err := conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}); err != nil { // AuthenticationCleartextPassword
		return
	}
	var kind [1]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		return
	}
	answer, err := readPacket(conn, maxMessage)
	if err != nil || kind[0] != 'p' {
		if errors.Is(err, errSize) || err == nil {
			_, _ = conn.Write(failure("FATAL", "08P01", "expected password response, got message type "+number(int(kind[0]))))
		}
		return
	}
	password, _, _ := cut(answer)
	conn.Record("auth", trap.Field{Key: "username", Value: user}, trap.Field{Key: "password", Value: password},
		trap.Field{Key: "database", Value: database})
	conn.Pause(ctx, 20*time.Millisecond, 60*time.Millisecond)
	_, _ = conn.Write(failure("FATAL", "28P01", `password authentication failed for user "`+user+`"`))
}
