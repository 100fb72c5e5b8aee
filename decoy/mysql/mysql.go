// Package mysql imitates a MySQL or MariaDB server (client/server protocol,
// handshake version 10, as the MySQL documentation has it) that nobody can log in to.
//
// A client proves the password with a hash over the server's challenge. The event
// "auth" has that hash in the form of hashcat (mode 11200) as "hashcat", besides
// the user name, the database and the client's own attributes. MySQL 8 asks for
// caching_sha2_password, whose hash hashcat does not know, but whose server may say
// that it has not seen the account lately and wants the password itself: over TLS
// as it is, else encrypted with an RSA key of the server. Then "password" is there.
// A client that won't send it leaves "challenge" and "response", in hexadecimal
// digits, for which SHA256(password) XOR SHA256(SHA256(SHA256(password)) + challenge)
// is the response.
package mysql

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"strconv"
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
	s := &server{tls: tls, version: version}
	if s.plugin() == pluginSHA2 {
		if s.key, err = rsaKey(e.Host); err != nil {
			return trap.Service{}, fmt.Errorf("mysql: %w", err)
		}
	}
	return trap.Service{TCP: s}, nil
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
	// key is what passwords are encrypted with where the version has it.
	key *rsa.PrivateKey
}

// plugin is the one that the server greets with: MySQL 8 has another than all
// before and than MariaDB.
func (s *server) plugin() string {
	major, _, _ := strings.Cut(s.version, ".")
	if n, err := strconv.Atoi(major); err == nil && n >= 8 && !s.isMaria() {
		return pluginSHA2
	}
	return pluginNative
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
	secure := isTLSRequest(answer)
	if secure {
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
	v := &visit{server: s, conn: conn, seq: seq, secure: secure, challenge: challenge, login: login}
	v.refuse(ctx)
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

// visit is a client that has said who it is.
type visit struct {
	*server
	login
	conn      *trap.Session
	seq       byte
	secure    bool
	challenge []byte
}

// refuse records who wanted in, and says no.
func (v *visit) refuse(ctx context.Context) {
	fields := []trap.Field{
		{Key: "username", Value: v.user},
		{Key: "database", Value: v.database},
		{Key: "auth_plugin", Value: v.login.plugin},
	}
	if v.attributes != "" {
		fields = append(fields, trap.Field{Key: "client_attributes", Value: v.attributes})
	}
	proof, there, using := v.prove()
	v.conn.Record("auth", append(fields, proof...)...)
	if !there {
		return
	}
	v.conn.Pause(ctx, 5*time.Millisecond, 30*time.Millisecond)
	with := "NO"
	if using {
		with = "YES"
	}
	_ = write(v.conn, v.seq+1, failure(1045, "28000",
		"Access denied for user '"+v.user+"'@'"+v.conn.Remote.Addr().String()+"' (using password: "+with+")"))
}

// prove gets what it can of the password: the fields of it, whether the client is
// still there, and whether it used a password at all.
func (v *visit) prove() (fields []trap.Field, there, using bool) {
	response := v.response
	switch {
	case v.login.plugin == pluginClear && len(response) > 0:
		return []trap.Field{{Key: "password", Value: text(response)}}, true, true
	case v.login.plugin == pluginSHA2 && v.key != nil && len(response) > 0:
		return v.proveSHA2()
	case v.login.plugin == pluginSHA2 && v.key != nil:
	case v.login.plugin != pluginNative && v.plugins:
		// What isn't native_password is asked for that, which every client has.
		again, ok := v.ask(switchTo(pluginNative, v.challenge))
		if !ok {
			return nil, false, true
		}
		response = again
	}
	using = len(v.response) > 0 || len(response) > 0
	switch {
	case len(response) == 20:
		fields = []trap.Field{{Key: "hashcat", Value: "$mysqlna$" + hex.EncodeToString(v.challenge) + "*" + hex.EncodeToString(response)}}
	case len(response) == 0 && v.login.plugin != pluginClear:
		fields = []trap.Field{{Key: "password", Value: ""}} // an empty password has no hash
	}
	return fields, true, using
}

// ask sends a packet and reads the answer; false says that the client has gone.
func (v *visit) ask(packet []byte) ([]byte, bool) {
	if err := write(v.conn, v.seq+1, packet); err != nil {
		return nil, false
	}
	answer, seq, err := read(v.conn)
	v.seq = seq
	return answer, err == nil
}

func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}

// isMaria reports whether the version is that of MariaDB, which greets in its own way.
func (s *server) isMaria() bool { return strings.Contains(s.version, "MariaDB") }
