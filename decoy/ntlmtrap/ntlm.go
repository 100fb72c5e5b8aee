// Package ntlmtrap is the server's side of NTLM (MS-NLMP), bare or inside
// SPNEGO (RFC 4178), for imitated services that are logged in to with it: SMB,
// RDP and LDAP.
//
// What it promises: each challenge is random; what a client answers is recorded
// as who it claims to be and in the form that hashcat cracks (modes 5500 and
// 5600), never as a password; every offset of a message is checked before use.
package ntlmtrap

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"decnet/decoy/trap"
)

// ErrMalformed says that a message is not NTLM.
var ErrMalformed = errors.New("malformed NTLM message")

// Types of messages.
const (
	Negotiate    = 1
	Authenticate = 3
)

// Flags of NEGOTIATE_MESSAGE and CHALLENGE_MESSAGE.
const (
	flagUnicode   = 0x00000001
	flagTarget    = 0x00000004
	flagNTLM      = 0x00000200
	flagDomain    = 0x00010000
	flagServer    = 0x00020000
	flagESS       = 0x00080000
	flagInfo      = 0x00800000
	flagVersion   = 0x02000000
	flagsFromPeer = 0x60088230 // sign, seal, always sign, ESS, 128 bits, key exchange
)

// Server is the machine that a challenge speaks for.
type Server struct {
	// NetBIOS is the name of at most 15 characters, Domain its NetBIOS domain, which
	// for a machine in no domain is its own name.
	NetBIOS, Domain string
	// DNS and DNSDomain are the same in the DNS.
	DNS, DNSDomain string
	// Joined says that Domain is the domain of a directory.
	Joined bool
	// Major, Minor and Build are the version of Windows; Samba says 6.1.0.
	Major, Minor byte
	Build        uint16
}

// NetBIOSName returns the name that a host with that DNS name has.
func NetBIOSName(host string) string {
	name, _, _ := strings.Cut(host, ".")
	name = strings.ToUpper(name)
	return name[:min(len(name), 15)]
}

// NewChallenge returns eight random bytes.
func NewChallenge() [8]byte {
	var c [8]byte
	_, _ = rand.Read(c[:]) // it never fails
	return c
}

// Find returns the NTLM message in a token, which may be bare or in SPNEGO, and
// its type; nil is none.
func Find(token []byte) (msg []byte, kind uint32) {
	i := bytes.Index(token, []byte("NTLMSSP\x00"))
	if i < 0 || len(token)-i < 12 {
		return nil, 0
	}
	return token[i:], binary.LittleEndian.Uint32(token[i+8:])
}

// Challenge answers a NEGOTIATE_MESSAGE.
func (s *Server) Challenge(negotiate []byte, challenge [8]byte, now time.Time) []byte {
	var asked uint32 = flagUnicode | flagNTLM
	if len(negotiate) >= 16 {
		asked = binary.LittleEndian.Uint32(negotiate[12:])
	}
	flags := uint32(flagUnicode|flagTarget|flagNTLM|flagInfo|flagVersion) | asked&flagsFromPeer
	target := s.NetBIOS
	if s.Joined {
		flags |= flagDomain
		target = s.Domain
	} else {
		flags |= flagServer
	}
	name := UTF16(target)
	info := s.info(now)
	b := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	b = appendField(b, len(name), 56)
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = append(b, challenge[:]...)
	b = append(b, make([]byte, 8)...)
	b = appendField(b, len(info), 56+len(name))
	b = append(b, s.Major, s.Minor, byte(s.Build), byte(s.Build>>8), 0, 0, 0, 15)
	return append(append(b, name...), info...)
}

func appendField(b []byte, n, offset int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

// info is the list of AV_PAIRs.
func (s *Server) info(now time.Time) []byte {
	var b []byte
	for _, p := range []struct {
		id    uint16
		value []byte
	}{
		{2, UTF16(s.Domain)},
		{1, UTF16(s.NetBIOS)},
		{4, UTF16(s.DNSDomain)},
		{3, UTF16(s.DNS)},
		{7, binary.LittleEndian.AppendUint64(nil, FileTime(now))},
		{0, nil},
	} {
		b = binary.LittleEndian.AppendUint16(b, p.id)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(p.value)))
		b = append(b, p.value...)
	}
	return b
}

// FileTime returns t in 100 ns since 1601.
func FileTime(t time.Time) uint64 {
	return uint64(t.UnixNano()/100 + 116444736000000000)
}

// UTF16 returns s in little endian UTF-16.
func UTF16(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// FromUTF16 decodes little endian UTF-16. What is half of a pair is kept in the
// three bytes that UTF-8 would have for it, so that nothing is lost.
func FromUTF16(b []byte) string {
	var out []byte
	for i := 0; i+1 < len(b); i += 2 {
		u := rune(binary.LittleEndian.Uint16(b[i:]))
		if i+3 < len(b) {
			if r := utf16.DecodeRune(u, rune(binary.LittleEndian.Uint16(b[i+2:]))); r != utf8.RuneError {
				out = utf8.AppendRune(out, r)
				i += 2
				continue
			}
		}
		if utf16.IsSurrogate(u) {
			out = append(out, 0xe0|byte(u>>12), 0x80|byte(u>>6)&0x3f, 0x80|byte(u)&0x3f)
			continue
		}
		out = utf8.AppendRune(out, u)
	}
	return string(out)
}

// Login is what an AUTHENTICATE_MESSAGE says.
type Login struct {
	User, Domain, Workstation string
	// LM and NT are the responses.
	LM, NT []byte
}

// maxText and maxResponse bound what is taken of a field, in bytes.
const (
	maxText     = 1024
	maxResponse = 8 << 10
)

// ParseLogin reads an AUTHENTICATE_MESSAGE.
func ParseLogin(b []byte) (*Login, error) {
	if msg, kind := Find(b); len(msg) != len(b) || kind != Authenticate || len(b) < 52 {
		return nil, ErrMalformed
	}
	var flags uint32 = flagUnicode
	if len(b) >= 64 {
		flags = binary.LittleEndian.Uint32(b[60:])
	}
	field := func(at, limit int) ([]byte, error) {
		n, from := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint32(b[at+4:]))
		if n == 0 {
			return nil, nil
		}
		if n > limit || from > len(b) || n > len(b)-from {
			return nil, ErrMalformed
		}
		return b[from : from+n], nil
	}
	text := func(at int) (string, error) {
		v, err := field(at, maxText)
		if flags&flagUnicode == 0 {
			return string(v), err
		}
		return FromUTF16(v), err
	}
	var l Login
	var errs [5]error
	l.LM, errs[0] = field(12, maxResponse)
	l.NT, errs[1] = field(20, maxResponse)
	l.Domain, errs[2] = text(28)
	l.User, errs[3] = text(36)
	l.Workstation, errs[4] = text(44)
	return &l, errors.Join(errs[:]...)
}

// Anonymous says that the client claims to be nobody.
func (l *Login) Anonymous() bool { return l.User == "" && len(l.NT) == 0 }

// Fields returns what an event says about the login.
func (l *Login) Fields(challenge [8]byte) []trap.Field {
	f := []trap.Field{
		{Key: "username", Value: l.User}, {Key: "domain", Value: l.Domain}, {Key: "workstation", Value: l.Workstation},
	}
	if l.Anonymous() {
		return append(f, trap.Field{Key: "mechanism", Value: "anonymous"})
	}
	f = append(
		f,
		trap.Field{Key: "challenge", Value: hex.EncodeToString(challenge[:])},
		trap.Field{Key: "response", Value: hex.EncodeToString(l.NT)},
	)
	switch server := hex.EncodeToString(challenge[:]); {
	case len(l.NT) > 24:
		return append(f, trap.Field{Key: "mechanism", Value: "NTLMv2"}, trap.Field{Key: "hashcat_mode", Value: "5600"},
			trap.Field{Key: "hashcat", Value: l.User + "::" + l.Domain + ":" + server + ":" +
				hex.EncodeToString(l.NT[:16]) + ":" + hex.EncodeToString(l.NT[16:])})
	case len(l.NT) == 24:
		return append(f, trap.Field{Key: "mechanism", Value: "NTLMv1"}, trap.Field{Key: "hashcat_mode", Value: "5500"},
			trap.Field{Key: "hashcat", Value: l.User + "::" + l.Domain + ":" +
				hex.EncodeToString(l.LM) + ":" + hex.EncodeToString(l.NT) + ":" + server})
	}
	return append(f, trap.Field{Key: "mechanism", Value: "NTLM"})
}
