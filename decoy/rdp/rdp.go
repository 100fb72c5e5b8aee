// Package rdp imitates the remote desktop on port 3389 (MS-RDPBCGR, MS-CSSP)
// up to the login: a Windows that demands network level authentication, or, on
// other systems, xrdp, which speaks TLS.
//
// It records the connection request with the user in its cookie and the
// protocols (connection_request), the login by CredSSP with the answer to a random
// NTLM challenge as hashcat cracks it (auth), the name and version that a client
// without NLA tells (client_info), the client hello of TLS (through tlstrap), and
// what is none of these (data). Classic RDP security is refused with the code that
// a real server has for it. Nobody is let in.
package rdp

import (
	"context"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"decnet/decoy/ber"
	"decnet/decoy/ntlmtrap"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// Protocols of a negotiation, and codes of its failure.
const (
	protoTLS      = 1
	protoHybrid   = 2
	protoHybridEx = 8
	failTLS       = 1
	failHybrid    = 5
	maxRequest    = 1024
	maxToken      = 16 << 10
	maxInitial    = 16 << 10
)

var errMalformed = errors.New("malformed message")

type server struct {
	windows bool
	tls     *tlstrap.Terminator
	ntlm    ntlmtrap.Server
}

// New makes the service.
func New(e trap.Env) (trap.Service, error) {
	h := e.Host
	v := &server{windows: h.System == "windows"}
	o := tlstrap.Options{}
	if v.windows {
		o.Days = 182
		o.Subject = pkix.Name{CommonName: h.Hostname}
	}
	var err error
	if v.tls, err = tlstrap.New(e, o); err != nil {
		return trap.Service{}, fmt.Errorf("TLS of rdp: %w", err)
	}
	name := ntlmtrap.NetBIOSName(h.Hostname)
	v.ntlm = ntlmtrap.Server{NetBIOS: name, Domain: name, DNS: h.Hostname, DNSDomain: h.Hostname, Major: 10, Build: 14393}
	if h.Archetype == "windows-workstation" { // as decoy/smb says
		v.ntlm.Major, v.ntlm.Minor, v.ntlm.Build = 6, 1, 7601
	}
	return trap.Service{TCP: v, SourceKey: "src_ip"}, nil
}

// Request is a connection request.
type Request struct {
	// Cookie is the whole line, User the name in mstshash.
	Cookie, User string
	// Negotiates says that the client named protocols.
	Negotiates bool
	Protocols  uint32
	Source     uint16
}

// ParseRequest reads an X.224 connection request, without its TPKT header.
func ParseRequest(b []byte) (*Request, error) {
	if len(b) < 7 || int(b[0]) != len(b)-1 || b[1]&0xf0 != 0xe0 {
		return nil, errMalformed
	}
	r := &Request{Source: binary.BigEndian.Uint16(b[4:])}
	rest := b[7:]
	if i := strings.Index(string(rest), "\r\n"); i >= 0 {
		r.Cookie, rest = string(rest[:i]), rest[i+2:]
		if _, user, ok := strings.Cut(r.Cookie, "mstshash="); ok {
			r.User = user
		}
	}
	if len(rest) >= 8 && rest[0] == 1 && binary.LittleEndian.Uint16(rest[2:]) == 8 {
		r.Negotiates, r.Protocols = true, binary.LittleEndian.Uint32(rest[4:])
	}
	return r, nil
}

// readTPKT reads one packet and returns what it holds; at an error, all that came.
func readTPKT(r io.Reader, limit int) ([]byte, error) {
	var head [4]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		return head[:n], fmt.Errorf("read: %w", err)
	}
	n := int(binary.BigEndian.Uint16(head[2:])) - 4
	if head[0] != 3 || n < 0 || n > limit {
		return head[:], errMalformed
	}
	b := make([]byte, n)
	if got, err := io.ReadFull(r, b); err != nil {
		return append(head[:], b[:got]...), fmt.Errorf("read: %w", err)
	}
	return b, nil
}

// data records what isn't understood, by the name that the wire dialect has.
func data(s *trap.Session, b []byte) {
	if len(b) > 0 {
		s.Record("data", trap.Field{Key: "bytes", Value: strconv.Itoa(len(b))}, trap.Field{Key: "hex", Value: hex.EncodeToString(b[:min(len(b), 64)])})
	}
}

// Serve implements [trap.Server].
func (v *server) Serve(ctx context.Context, s *trap.Session) {
	b, err := readTPKT(s, maxRequest)
	if err != nil {
		data(s, b)
		return
	}
	r, err := ParseRequest(b)
	if err != nil {
		data(s, b)
		return
	}
	fields := []trap.Field{
		{Key: "cookie", Value: r.Cookie}, {Key: "username", Value: r.User}, {Key: "protocols", Value: protocols(r)},
	}
	s.Record("connection_request", fields...)
	chosen, failure := v.choose(r)
	if !r.Negotiates {
		return // who doesn't negotiate can't be told; the server hangs up
	}
	kind, value := byte(2), chosen
	if failure != 0 {
		kind, value = 3, failure
	}
	answer := []byte{3, 0, 0, 19, 14, 0xd0, byte(r.Source >> 8), byte(r.Source), 0x12, 0x34, 0, kind, 0, 8, 0, byte(value), 0, 0, 0}
	if kind == 2 && v.windows {
		answer[12] = 0x1f
	}
	if _, err := s.Write(answer); err != nil || failure != 0 {
		return
	}
	over, err := v.tls.Upgrade(ctx, s)
	if err != nil {
		var plain *tlstrap.PlainError
		if errors.As(err, &plain) {
			data(s, plain.First)
		}
		return
	}
	if chosen == protoTLS {
		initial(over)
		return
	}
	v.credssp(ctx, over)
}

func protocols(r *Request) string {
	if !r.Negotiates {
		return "rdp"
	}
	names := "rdp"
	for _, p := range []struct {
		bit  uint32
		name string
	}{{protoTLS, "tls"}, {protoHybrid, "nla"}, {4, "rdstls"}, {protoHybridEx, "nla-ex"}} {
		if r.Protocols&p.bit != 0 {
			names += " " + p.name
		}
	}
	return names
}

// choose returns the protocol that the session goes on with, or why not.
func (v *server) choose(r *Request) (chosen, failure uint32) {
	switch {
	case v.windows && r.Protocols&protoHybridEx != 0 && v.ntlm.Major >= 10:
		return protoHybridEx, 0
	case v.windows && r.Protocols&protoHybrid != 0:
		return protoHybrid, 0
	case v.windows:
		return 0, failHybrid
	case r.Protocols&protoTLS != 0:
		return protoTLS, 0
	}
	return 0, failTLS
}

// initial reads what a client without NLA begins with, MCS Connect Initial.
func initial(s *trap.Session) {
	b, err := readTPKT(s, maxInitial)
	if err != nil {
		data(s, b)
		return
	}
	name, build, ok := ParseCore(b)
	if !ok {
		data(s, b)
		return
	}
	s.Record("client_info", trap.Field{Key: "client_name", Value: name}, trap.Field{Key: "client_build", Value: strconv.Itoa(int(build))})
}

// ParseCore finds the client core data in MCS Connect Initial: the name and the
// build of the client.
func ParseCore(b []byte) (name string, build uint32, ok bool) {
	// The key of the client's data in GCC, then two bytes of length.
	i := strings.Index(string(b), "Duca")
	if i < 0 {
		return "", 0, false
	}
	rest := b[i+4:]
	skip := 1
	if len(rest) > 0 && rest[0]&0x80 != 0 {
		skip = 2
	}
	const offset, size = 24, 32 // of the name
	if len(rest) < skip+offset+size || binary.LittleEndian.Uint16(rest[skip:]) != 0xc001 {
		return "", 0, false
	}
	core := rest[skip:]
	name = ntlmtrap.FromUTF16(core[offset : offset+size])
	name, _, _ = strings.Cut(name, "\x00")
	return name, binary.LittleEndian.Uint32(core[20:]), true
}

// credssp speaks CredSSP until the user is known.
func (v *server) credssp(ctx context.Context, s *trap.Session) {
	challenge := ntlmtrap.NewChallenge()
	for asked := false; ; {
		b, err := ber.Read(s, maxToken)
		if err != nil {
			data(s, b)
			return
		}
		version, token, err := ParseTSRequest(b)
		if err != nil {
			data(s, b)
			return
		}
		msg, kind := ntlmtrap.Find(token)
		switch {
		case kind == ntlmtrap.Negotiate && !asked:
			asked = true
			answer := v.ntlm.Challenge(msg, challenge, s.Now())
			if ntlmtrap.Wrapped(token) {
				answer = ntlmtrap.WrapChallenge(answer)
			}
			if _, err := s.Write(tsToken(version, answer)); err != nil {
				return
			}
		case kind == ntlmtrap.Authenticate && asked:
			v.refuse(ctx, s, msg, version, challenge)
			return
		default:
			data(s, b)
			return
		}
	}
}

// refuse records who came and sends him away.
func (v *server) refuse(ctx context.Context, s *trap.Session, msg []byte, version int64, challenge [8]byte) {
	l, err := ntlmtrap.ParseLogin(msg)
	if err != nil {
		data(s, msg)
		return
	}
	s.Record("auth", append(l.Fields(challenge), trap.Field{Key: "status", Value: "failed"})...)
	s.Pause(ctx, 5*time.Millisecond, 40*time.Millisecond)
	if version == 2 || version == 5 {
		return // these have no code for it
	}
	code := ber.Wrap(0xa4, ber.Int(ber.Integer, int64(int32(-0x3fffff93)))) // STATUS_LOGON_FAILURE
	_, _ = s.Write(ber.Wrap(ber.Sequence, ber.Wrap(0xa0, ber.Int(ber.Integer, min(version, 6))), code))
}

func tsToken(version int64, token []byte) []byte {
	return ber.Wrap(ber.Sequence, ber.Wrap(0xa0, ber.Int(ber.Integer, min(version, 6))),
		ber.Wrap(0xa1, ber.Wrap(ber.Sequence, ber.Wrap(ber.Sequence, ber.Wrap(0xa0, ber.Wrap(ber.Octets, token))))))
}

// ParseTSRequest returns the version and the first token of a TSRequest.
func ParseTSRequest(b []byte) (version int64, token []byte, err error) {
	e, _, err := ber.Parse(b)
	if err != nil || e.Tag != ber.Sequence {
		return 0, nil, errMalformed
	}
	parts, err := e.Children(8)
	if err != nil {
		return 0, nil, fmt.Errorf("TSRequest: %w", err)
	}
	for _, p := range parts {
		inner, _, err := ber.Parse(p.Value)
		if err != nil {
			return 0, nil, fmt.Errorf("TSRequest: %w", err)
		}
		switch p.Tag {
		case 0xa0:
			if version, err = inner.Int(); err != nil {
				return 0, nil, fmt.Errorf("TSRequest: %w", err)
			}
		case 0xa1:
			for range 3 { // SEQUENCE, [0], OCTET STRING
				if inner, _, err = ber.Parse(inner.Value); err != nil {
					return 0, nil, fmt.Errorf("TSRequest: %w", err)
				}
			}
			token = inner.Value
		}
	}
	return version, token, nil
}
