// Package vnc imitates a VNC server on port 5900 (RFC 6143, RFB 3.3, 3.7 and
// 3.8) that asks for a password: one that speaks the standard's own security
// type, as TightVNC and x11vnc do, and names its desktop by the host's system.
//
// It records the client's version (version), the security type it chose
// (security_choice), and the answer to a random challenge (auth_response), both
// in the form of John the Ripper's "vnc" format, since VNC's DES is no mode
// of hashcat for this; where the answer is that of one of the passwords everybody
// tries, the event has it as password. Nobody is let in, unless by the setting
// password; then the screen is told (name) and stays black.
package vnc

import (
	"context"
	"crypto/des" //nolint:gosec // it is what VNC does
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/bits"
	"strconv"
	"time"

	"decnet/decoy/trap"
)

// secVNC is the type of security that asks for a password.
const secVNC = 2

type server struct {
	types    []byte
	name     string
	password string
}

// New makes the service. The setting password lets in who knows it, and name is
// that of the desktop.
func New(e trap.Env) (trap.Service, error) {
	v := &server{types: []byte{secVNC}, name: e.Config["name"], password: e.Config["password"]}
	if v.name == "" {
		v.name = e.Host.Hostname + ":1 (root)"
		if e.Host.System == "windows" {
			v.name = e.Host.Hostname
		}
	}
	return trap.Service{TCP: v}, nil
}

// version is a client's, minor only; ok is false where it is none.
func parseVersion(b []byte) (minor int, ok bool) {
	if len(b) != 12 || string(b[:4]) != "RFB " || b[7] != '.' || b[11] != '\n' {
		return 0, false
	}
	major, err := strconv.Atoi(string(b[4:7]))
	minor, err2 := strconv.Atoi(string(b[8:11]))
	if err != nil || err2 != nil || major < 3 {
		return 0, false
	}
	switch {
	case major > 3 || minor >= 8:
		return 8, true
	case minor == 7:
		return 7, true
	}
	return 3, true
}

// Serve implements [trap.Server].
func (v *server) Serve(ctx context.Context, s *trap.Session) {
	if _, err := io.WriteString(s, "RFB 003.008\n"); err != nil {
		return
	}
	hello := make([]byte, 12)
	n, err := io.ReadFull(s, hello)
	if err != nil && n == 0 {
		return
	}
	minor, ok := parseVersion(hello[:n])
	if !ok {
		s.Record("malformed", trap.Field{Key: "data", Value: hex.EncodeToString(hello[:n])})
		return
	}
	s.Record("version", trap.Field{Key: "client_version", Value: string(hello[:11])})
	if !v.choose(s, minor) || !v.authenticate(ctx, s, minor) {
		return
	}
	v.desktop(s)
}

// choose agrees on the type of security.
func (v *server) choose(s *trap.Session, minor int) bool {
	if minor == 3 { // the server decides
		_, err := s.Write([]byte{0, 0, 0, secVNC})
		return err == nil
	}
	if _, err := s.Write(append([]byte{byte(len(v.types))}, v.types...)); err != nil {
		return false
	}
	var choice [1]byte
	if _, err := io.ReadFull(s, choice[:]); err != nil {
		return false
	}
	s.Record("security_choice", trap.Field{Key: "type", Value: strconv.Itoa(int(choice[0]))})
	if choice[0] == secVNC {
		return true
	}
	refuse(s, minor, "No matching security types")
	return false
}

// refuse tells that the login failed.
func refuse(s *trap.Session, minor int, why string) {
	b := []byte{0, 0, 0, 1}
	if minor == 8 {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(why))), why...)
	}
	_, _ = s.Write(b)
}

func (v *server) authenticate(ctx context.Context, s *trap.Session, minor int) bool {
	var challenge, response [16]byte
	_, _ = rand.Read(challenge[:]) // it never fails
	if _, err := s.Write(challenge[:]); err != nil {
		return false
	}
	if n, err := io.ReadFull(s, response[:]); err != nil {
		if n > 0 {
			s.Record("malformed", trap.Field{Key: "data", Value: hex.EncodeToString(response[:n])})
		}
		return false
	}
	in := v.password != "" && Respond(v.password, challenge) == response
	status := "failed"
	if in {
		status = "success"
	}
	fields := []trap.Field{
		{Key: "challenge", Value: hex.EncodeToString(challenge[:])}, {Key: "response", Value: hex.EncodeToString(response[:])},
		{Key: "john", Value: "$vnc$*" + hex.EncodeToString(challenge[:]) + "*" + hex.EncodeToString(response[:])},
		{Key: "status", Value: status},
	}
	if p, ok := v.guess(challenge, response); ok {
		fields = append(fields, trap.Field{Key: "password", Value: p})
	}
	s.Record("auth_response", fields...)
	if in {
		_, err := s.Write([]byte{0, 0, 0, 0})
		return err == nil
	}
	s.Pause(ctx, 100*time.Millisecond, 300*time.Millisecond)
	refuse(s, minor, "Authentication failure")
	return false
}

// guess returns the password of an answer, if it is one of those that are tried
// everywhere. What is told is what the client must have typed, up to the eight
// characters that count.
func (v *server) guess(challenge, response [16]byte) (string, bool) {
	for _, p := range []string{
		v.password, "", "password", "123456", "12345678", "1234", "12345", "1234567", "admin", "root", "vnc", "vnc123", "vncpass", "test", "secret",
		"qwerty", "letmein", "abc123", "111111", "000000", "00000000", "pass", "passw0rd", "Password", "P@ssw0rd", "changeme", "default", "guest", "user", "server",
		"raspberry", "welcome", "master", "1", "123", "123123", "admin123", "root123", "FELDTECH", "Passw0rd", "monitor", "support", "ubuntu", "debian",
	} {
		if Respond(p, challenge) == response {
			return p, true
		}
	}
	return "", false
}

// Respond returns how a client that has the password answers the challenge.
func Respond(password string, challenge [16]byte) [16]byte {
	var key [8]byte
	for i := range min(len(password), 8) {
		key[i] = bits.Reverse8(password[i])
	}
	block, err := des.NewCipher(key[:]) //nolint:gosec // it is what VNC does
	if err != nil {
		return [16]byte{} // eight bytes are always a key
	}
	var out [16]byte
	block.Encrypt(out[:8], challenge[:8])
	block.Encrypt(out[8:], challenge[8:])
	return out
}

// maxMessages bounds what a client that was let in may send.
const maxMessages = 10000

// desktop tells of a screen and takes what the client types and clicks.
func (v *server) desktop(s *trap.Session) {
	if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
		return
	}
	// 1024 by 768, 32 bits, true colour.
	b := []byte{4, 0, 3, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0}
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(v.name))), v.name...)
	if _, err := s.Write(b); err != nil {
		return
	}
	var keys []byte
	defer func() {
		if len(keys) > 0 {
			s.Record("keys", trap.Field{Key: "text", Value: string(keys)})
		}
	}()
	for range maxMessages {
		var kind [1]byte
		if _, err := io.ReadFull(s, kind[:]); err != nil {
			return
		}
		size, ok := map[byte]int{0: 19, 2: 3, 3: 9, 4: 7, 5: 5, 6: 7}[kind[0]]
		if !ok {
			return
		}
		m := make([]byte, size)
		if _, err := io.ReadFull(s, m); err != nil {
			return
		}
		extra := 0
		switch kind[0] {
		case 2:
			extra = 4 * int(binary.BigEndian.Uint16(m[1:]))
		case 6:
			extra = int(binary.BigEndian.Uint32(m[3:]))
			if extra > 64<<10 {
				return
			}
		case 4:
			if sym := binary.BigEndian.Uint32(m[3:]); m[0] == 1 && len(keys) < 4096 {
				keys = appendKey(keys, sym)
			}
		}
		if kind[0] == 2 {
			if _, err := io.CopyN(io.Discard, s, int64(extra)); err != nil {
				return
			}
			continue
		}
		text := make([]byte, extra)
		if _, err := io.ReadFull(s, text); err != nil {
			return
		}
		if kind[0] == 6 {
			s.Record("clipboard", trap.Field{Key: "text", Value: string(text)})
		}
	}
}

// appendKey appends what the symbol of a key prints.
func appendKey(b []byte, sym uint32) []byte {
	switch {
	case sym >= 0x20 && sym < 0x7f:
		return append(b, byte(sym))
	case sym == 0xff0d:
		return append(b, '\n')
	}
	return b
}
