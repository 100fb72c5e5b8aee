// Package mysql imitates a MySQL or MariaDB server (client/server protocol,
// handshake version 10, as the MySQL documentation has it) that nobody can log in to.
//
// A client proves the password with a hash over the server's challenge. The event
// "auth" has that hash in the form of hashcat (mode 11200) as "hashcat", besides
// the user name, the database and the client's own attributes. Where the client is
// willing, and over TLS every client that is asked may be, it is asked for the
// password in clear text first, as a server with PAM does: then "password" is there.
package mysql

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// New makes the service. Of its settings it knows "version", such as 8.0.36 or
// 5.5.5-10.11.6-MariaDB-0+deb12u1.
func New(e trap.Env) (trap.Service, error) {
	tls, err := tlstrap.New(e, tlstrap.Options{})
	if err != nil {
		return trap.Service{}, err
	}
	version := e.Config["version"]
	if version == "" {
		version = packaged(e.Host.Distro)
	}
	return trap.Service{TCP: &server{tls: tls, version: version}}, nil
}

// packaged is the server that a distribution installs as mysql.
func packaged(distro string) string {
	switch distro {
	case "ubuntu22":
		return "8.0.36-0ubuntu0.22.04.1"
	case "ubuntu20":
		return "8.0.36-0ubuntu0.20.04.1"
	case "centos7":
		return "5.5.68-MariaDB"
	case "rocky9", "fedora":
		return "8.0.36"
	case "alpine", "arch":
		return "5.5.5-10.11.6-MariaDB"
	}
	return "5.5.5-10.11.6-MariaDB-0+deb12u1"
}

type server struct {
	tls     *tlstrap.Terminator
	version string
}

// Serve implements [trap.Server].
func (s *server) Serve(ctx context.Context, conn *trap.Session) {
	challenge := newChallenge()
	if err := write(conn, 0, s.greeting(conn, challenge)); err != nil {
		return
	}
	answer, seq, err := read(conn)
	if err != nil {
		return
	}
	if isTLSRequest(answer) {
		if conn, err = s.tls.Upgrade(ctx, conn); err != nil {
			return
		}
		if answer, seq, err = read(conn); err != nil {
			return
		}
	}
	login, ok := parseLogin(answer)
	if !ok {
		conn.Record("protocol_error", trap.Field{Key: "data", Value: hex.EncodeToString(answer[:min(len(answer), 64)])})
		_ = write(conn, seq+1, failure(1043, "08S01", "Bad handshake"))
		return
	}
	s.refuse(ctx, conn, seq, login, challenge)
}

// newChallenge makes 20 bytes without a zero, which would end them.
func newChallenge() []byte {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // it never fails
	for i := range b {
		b[i] = b[i]%93 + 33
	}
	return b
}

// refuse records who wanted in, and says no.
func (s *server) refuse(ctx context.Context, conn *trap.Session, seq byte, l login, challenge []byte) {
	fields := []trap.Field{
		{Key: "username", Value: l.user},
		{Key: "database", Value: l.database},
		{Key: "auth_plugin", Value: l.plugin},
	}
	if l.attributes != "" {
		fields = append(fields, trap.Field{Key: "client_attributes", Value: l.attributes})
	}
	response := l.response
	if l.plugin == pluginClear && len(response) > 0 {
		fields = append(fields, trap.Field{Key: "password", Value: text(response)})
		response = nil
	} else if l.plugin != pluginNative && l.plugins {
		// What isn't native_password is asked for that, which every client has.
		if err := write(conn, seq+1, switchTo(pluginNative, challenge)); err != nil {
			return
		}
		again, at, err := read(conn)
		if err != nil {
			conn.Record("auth", fields...)
			return
		}
		response, seq = again, at
	}
	switch {
	case len(response) == 20:
		fields = append(fields, trap.Field{
			Key: "hashcat", Value: "$mysqlna$" + hex.EncodeToString(challenge) + "*" + hex.EncodeToString(response),
		})
	case len(response) == 0 && l.plugin != pluginClear:
		fields = append(fields, trap.Field{Key: "password", Value: ""}) // an empty password has no hash
	}
	conn.Record("auth", fields...)
	conn.Pause(ctx, 5*time.Millisecond, 30*time.Millisecond)
	using := "YES"
	if len(l.response) == 0 && len(response) == 0 {
		using = "NO"
	}
	_ = write(conn, seq+1, failure(1045, "28000",
		"Access denied for user '"+l.user+"'@'"+conn.Remote.Addr().String()+"' (using password: "+using+")"))
}

func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}

// isMaria reports whether the version is that of MariaDB, which greets in its own way.
func (s *server) isMaria() bool { return strings.Contains(s.version, "MariaDB") }
