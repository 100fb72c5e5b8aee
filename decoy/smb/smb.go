// Package smb imitates a file server on ports 445 and 139: Windows or Samba,
// by the host's system and distribution. It follows MS-SMB, MS-SMB2 (up to 3.1.1),
// MS-NLMP and, on port 139, the session service of RFC 1002.
//
// It records the dialects that a client offers (negotiate), each login with user,
// domain, workstation and the answer to a random challenge as hashcat cracks it
// (auth), the shares it asks for (tree_connect), files and pipes (create), commands
// of SMB1 that exploits use (exploit_probe: MS17-010, DoublePulsar) and what those
// carry as one file of the quarantine (file_upload), and malformed messages.
//
// Nobody gets further than IPC$: Windows and the Red Hat family let in only who
// claims to be nobody, Samba of the Debian family makes a guest of unknown users,
// as its smb.conf says. No file is ever served, and pipes refuse. SMB1 is spoken
// by Windows and by CentOS 7; later Sambas say that they know no such dialect.
package smb

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/trap"
)

// maxMessage bounds a message, in bytes.
const maxMessage = 64 << 10

// New makes the service. The setting workgroup overrules the domain.
func New(e trap.Env) (trap.Service, error) {
	return trap.Service{TCP: &server{newPersona(e)}}, nil
}

// persona is whom the service imitates.
type persona struct {
	windows bool
	// guests says that unknown users are let in as guests.
	guests bool
	smb1   bool
	// highest is the last dialect of SMB2 that is spoken.
	highest    uint16
	nativeOS   string
	nativeLM   string
	vulnerable bool
	guid       [16]byte
	ntlm       ntlmtrap.Server
}

func newPersona(e trap.Env) *persona {
	h := e.Host
	p := &persona{highest: 0x0311}
	copy(p.guid[:], h.Derive("smb guid", 16))
	name := ntlmtrap.NetBIOSName(h.Hostname)
	_, domain, _ := strings.Cut(h.Hostname, ".")
	p.ntlm = ntlmtrap.Server{NetBIOS: name, Domain: name, DNS: h.Hostname, DNSDomain: domain, Major: 6, Minor: 1}
	switch {
	case h.System != "windows":
		p.samba(h.Distro)
	case h.Archetype == "windows-workstation":
		p.windows, p.smb1, p.vulnerable, p.highest = true, true, true, 0x0210
		p.nativeOS, p.nativeLM = "Windows 7 Professional 7601 Service Pack 1", "Windows 7 Professional 6.1"
		p.ntlm.Build = 7601
	default:
		p.windows, p.smb1 = true, true
		p.nativeOS, p.nativeLM = "Windows Server 2016 Standard 14393", "Windows Server 2016 Standard 6.3"
		p.ntlm.Major, p.ntlm.Minor, p.ntlm.Build = 10, 0, 14393
	}
	if w := e.Config["workgroup"]; w != "" {
		p.ntlm.Domain, p.ntlm.Joined = strings.ToUpper(w), p.windows
	}
	if p.windows {
		p.ntlm.DNSDomain = p.ntlm.DNS
		if domain != "" {
			p.ntlm.DNSDomain = domain
		}
	}
	if h.Archetype == "domain-controller" && e.Config["workgroup"] == "" {
		p.ntlm.Domain, p.ntlm.Joined = "CORP", true
		if label, _, _ := strings.Cut(domain, "."); label != "" {
			p.ntlm.Domain = ntlmtrap.NetBIOSName(label)
		}
	}
	return p
}

func (p *persona) samba(distro string) {
	version := map[string]string{
		"ubuntu22": "4.15.13-Ubuntu", "ubuntu20": "4.15.13-Ubuntu", "rocky9": "4.18.6", "centos7": "4.10.16",
		"fedora": "4.19.2", "alpine": "4.18.9", "arch": "4.19.4", "kali": "4.19.4-Debian",
	}[distro]
	if version == "" {
		version = "4.17.12-Debian"
	}
	p.nativeOS, p.nativeLM = "Windows 6.1", "Samba "+version
	p.smb1 = distro == "centos7"
	p.guests = strings.HasSuffix(version, "Debian") || strings.HasSuffix(version, "Ubuntu")
}

type server struct{ *persona }

// session is the state of one client.
type session struct {
	*trap.Session
	*persona
	ctx       context.Context //nolint:containedctx // it is the life of the session
	challenge [8]byte
	// asked says that the challenge was sent.
	asked    bool
	loggedIn bool
	guest    bool
	dialect  uint16
	id       uint64
	trees    map[uint32]string
	noted    int
	upload   *trap.Upload
}

// Serve implements [trap.Server].
func (v *server) Serve(ctx context.Context, s *trap.Session) {
	c := &session{
		Session: s, persona: v.persona, ctx: ctx, challenge: ntlmtrap.NewChallenge(), trees: map[uint32]string{},
		id: uint64(binary.BigEndian.Uint32([]byte(s.ID[:4])))<<16 | 0x41,
	}
	defer c.finish()
	for {
		msg, err := c.read()
		if err != nil {
			return
		}
		answer, goOn := c.answer(msg)
		if answer != nil {
			if _, err := s.Write(frame(answer)); err != nil {
				return
			}
		}
		if !goOn {
			return
		}
	}
}

// finish keeps what exploits carried.
func (c *session) finish() {
	if c.upload != nil {
		c.Record("file_upload", append(c.upload.Done().Fields(), trap.Field{Key: "filename", Value: "smb1-transaction.bin"})...)
	}
}

// carry takes the content of a transaction.
func (c *session) carry(b []byte) {
	if len(b) == 0 {
		return
	}
	if c.upload == nil {
		c.upload = c.Files.Begin()
	}
	_, _ = c.upload.Write(b)
}

func frame(msg []byte) []byte {
	return append([]byte{0, byte(len(msg) >> 16), byte(len(msg) >> 8), byte(len(msg))}, msg...)
}

var errMessage = errors.New("malformed message")

// read returns the next message, and speaks the session service in between.
func (c *session) read() ([]byte, error) {
	for {
		var head [4]byte
		if n, err := io.ReadFull(c, head[:]); err != nil {
			if n > 0 {
				c.malformed(head[:n], "cut off")
			}
			return nil, fmt.Errorf("read: %w", err)
		}
		n := int(head[1])<<16 | int(head[2])<<8 | int(head[3])
		if n > maxMessage || head[0] != 0 && n > 512 {
			c.malformed(head[:], "length")
			return nil, errMessage
		}
		b := make([]byte, n)
		if got, err := io.ReadFull(c, b); err != nil {
			c.malformed(append(head[:], b[:got]...), "cut off")
			return nil, fmt.Errorf("read: %w", err)
		}
		switch head[0] {
		case 0:
			if n > 0 {
				return b, nil
			}
		case 0x81: // session request: called and calling name
			called, calling := netbiosNames(b)
			c.Record("session_request", trap.Field{Key: "called", Value: called}, trap.Field{Key: "calling", Value: calling})
			if _, err := c.Write([]byte{0x82, 0, 0, 0}); err != nil {
				return nil, fmt.Errorf("write: %w", err)
			}
		case 0x85: // keep alive
		default:
			c.malformed(append(head[:], b...), "session service")
			return nil, errMessage
		}
	}
}

// netbiosNames decodes the two names of a session request (RFC 1001, 14.1).
func netbiosNames(b []byte) (called, calling string) {
	var names [2]string
	for i := range names {
		if len(b) < 34 || b[0] != 32 {
			break
		}
		var name []byte
		for j := 1; j < 33; j += 2 {
			name = append(name, (b[j]-'A')<<4|(b[j+1]-'A')&15)
		}
		names[i], b = strings.TrimRight(string(name[:15]), " \x00"), b[34:]
	}
	return names[0], names[1]
}

func (c *session) malformed(b []byte, why string) {
	c.Record("malformed", trap.Field{Key: "error", Value: why}, trap.Field{Key: "data", Value: hex.EncodeToString(b[:min(len(b), 64)])})
}

// maxNotes bounds how many of the events that a client can repeat without end
// are recorded in a session.
const maxNotes = 200

func (c *session) note(event string, fields ...trap.Field) {
	if c.noted++; c.noted <= maxNotes {
		c.Record(event, fields...)
	}
}

// answer returns what is answered to a message, nil for nothing, and whether
// the session goes on.
func (c *session) answer(msg []byte) ([]byte, bool) {
	switch {
	case len(msg) >= 32 && string(msg[:4]) == "\xffSMB":
		return c.smb1Answer(msg)
	case len(msg) >= 64 && string(msg[:4]) == "\xfeSMB":
		return c.smb2Answer(msg)
	}
	c.malformed(msg, "protocol")
	return nil, false
}

// login is what became of a token.
type login struct {
	token  []byte
	status uint32
}

// NT status codes.
const (
	statusOK            = 0
	statusMore          = 0xc0000016
	statusBadParameter  = 0xc000000d
	statusInvalidHandle = 0xc0000008
	statusNotImpl       = 0xc0000002
	statusAccessDenied  = 0xc0000022
	statusLogonFailure  = 0xc000006d
	statusInsufficient  = 0xc0000205
	statusBadNetName    = 0xc00000cc
	statusSessionGone   = 0xc0000203
	statusTreeGone      = 0xc00000c9
	statusNotFound      = 0xc0000034
	statusNotSupported  = 0xc00000bb
)

// logIn takes a security token.
func (c *session) logIn(token []byte) login {
	msg, kind := ntlmtrap.Find(token)
	wrapped := ntlmtrap.Wrapped(token)
	switch {
	case kind == ntlmtrap.Negotiate:
		c.asked = true
		challenge := c.ntlm.Challenge(msg, c.challenge, c.Now())
		if wrapped {
			challenge = ntlmtrap.WrapChallenge(challenge)
		}
		return login{challenge, statusMore}
	case kind == ntlmtrap.Authenticate && c.asked:
		c.asked = false
		l, err := ntlmtrap.ParseLogin(msg)
		if err != nil {
			c.malformed(msg, "NTLM")
			return login{nil, statusBadParameter}
		}
		status := c.judge(l)
		c.Record("auth", append(l.Fields(c.challenge), trap.Field{Key: "status", Value: statusWord(status, c.guest)})...)
		c.challenge = ntlmtrap.NewChallenge()
		if status == statusOK && wrapped {
			return login{ntlmtrap.Accepted(), status}
		}
		return login{nil, status}
	case msg == nil && wrapped:
		return login{ntlmtrap.AskNTLM(), statusMore}
	}
	c.malformed(token, "security token")
	return login{nil, statusBadParameter}
}

// judge decides on a login.
func (c *session) judge(l *ntlmtrap.Login) uint32 {
	c.loggedIn, c.guest = false, false
	switch {
	case l.Anonymous():
	case c.guests:
		c.guest = true
	default:
		c.Pause(c.ctx, 2e6, 9e6)
		return statusLogonFailure
	}
	c.loggedIn = true
	return statusOK
}

func statusWord(status uint32, guest bool) string {
	switch {
	case status != statusOK:
		return "failed"
	case guest:
		return "guest"
	}
	return "success"
}

// connectTree decides on a share and records it.
func (c *session) connectTree(path string) uint32 {
	share := path[strings.LastIndexByte(path, '\\')+1:]
	status := uint32(statusBadNetName)
	switch strings.ToUpper(share) {
	case "IPC$":
		status = statusOK
	case "ADMIN$", "C$":
		if c.windows {
			status = statusAccessDenied
		}
	case "PRINT$":
		if !c.windows {
			status = statusAccessDenied
		}
	case "NETLOGON", "SYSVOL":
		if c.windows && c.ntlm.Joined {
			status = statusAccessDenied
		}
	}
	c.note("tree_connect", trap.Field{Key: "path", Value: path}, trap.Field{Key: "share", Value: share},
		trap.Field{Key: "status", Value: hexStatus(status)})
	return status
}

func hexStatus(s uint32) string { return fmt.Sprintf("0x%08x", s) }

func (c *session) command(version, code int) {
	c.note("command", trap.Field{Key: "command", Value: "SMB" + strconv.Itoa(version) + " " + fmt.Sprintf("0x%02x", code)})
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}
