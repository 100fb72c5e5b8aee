package smb

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/trap"
)

// Commands of SMB1.
const (
	smb1Trans          = 0x25
	smb1TransSecondary = 0x26
	smb1Echo           = 0x2b
	smb1Trans2         = 0x32
	smb1Trans2Second   = 0x33
	smb1TreeClose      = 0x71
	smb1Negotiate      = 0x72
	smb1Setup          = 0x73
	smb1Logoff         = 0x74
	smb1TreeConnect    = 0x75
	smb1NTTrans        = 0xa0
	smb1NTTransSecond  = 0xa1
	smb1NTCreate       = 0xa2
)

// smb1 is a message of SMB1, taken apart.
type smb1 struct {
	head  []byte // 32 bytes
	words []byte
	data  []byte
}

func parseSMB1(b []byte) (*smb1, error) {
	if len(b) < 35 {
		return nil, errMessage
	}
	n := 33 + 2*int(b[32])
	if len(b) < n+2 {
		return nil, errMessage
	}
	size := int(binary.LittleEndian.Uint16(b[n:]))
	// Exploits lie about the size; a real server takes what is there.
	return &smb1{b[:32], b[33:n], b[n+2 : n+2+min(size, len(b)-n-2)]}, nil
}

func (m *smb1) word(i int) uint16 {
	if len(m.words) < 2*i+2 {
		return 0
	}
	return binary.LittleEndian.Uint16(m.words[2*i:])
}

func (m *smb1) unicode() bool { return m.head[11]&0x80 != 0 }

// reply makes an answer.
func (m *smb1) reply(status uint32, uid, tid uint16, words, data []byte) []byte {
	b := append([]byte(nil), m.head...)
	binary.LittleEndian.PutUint32(b[5:], status)
	b[9] = 0x98
	binary.LittleEndian.PutUint16(b[10:], 0xc807)
	if !m.unicode() {
		b[11] = 0x48
	}
	clear(b[14:22]) // no signature
	binary.LittleEndian.PutUint16(b[24:], tid)
	binary.LittleEndian.PutUint16(b[28:], uid)
	b = append(append(b, byte(len(words)/2)), words...)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(data))), data...)
}

// ids of SMB1 that a session is given.
const (
	smb1User = 0x0800
	smb1Tree = 0x0801
)

func (c *session) smb1Answer(b []byte) ([]byte, bool) {
	m, err := parseSMB1(b)
	if err != nil {
		c.malformed(b, "SMB1")
		return nil, false
	}
	command := m.head[4]
	if command == smb1Negotiate {
		return c.smb1Dialect(m)
	}
	if !c.smb1 || c.dialect != 1 {
		c.malformed(b, "SMB1 before its dialect")
		return nil, false
	}
	uid, tid := binary.LittleEndian.Uint16(m.head[28:]), binary.LittleEndian.Uint16(m.head[24:])
	reply := func(status uint32) ([]byte, bool) { return m.reply(status, uid, tid, nil, nil), true }
	switch command {
	case smb1Setup:
		return c.smb1LogIn(m)
	case smb1Echo:
		return m.reply(statusOK, uid, tid, []byte{1, 0}, m.data), true
	case smb1TransSecondary, smb1Trans2Second, smb1NTTransSecond:
		c.carry(m.data)
		c.command(1, int(command))
		return nil, true
	case smb1Trans2, smb1NTTrans, smb1Trans:
		return c.smb1Transaction(m, uid, tid)
	}
	if !c.loggedIn || uid != smb1User {
		c.command(1, int(command))
		return reply(statusAccessDenied)
	}
	switch command {
	case smb1TreeConnect:
		return c.smb1TreeConnect(m)
	case smb1TreeClose:
		delete(c.trees, uint32(tid))
		return reply(statusOK)
	case smb1Logoff:
		c.loggedIn = false
		return m.reply(statusOK, uid, tid, []byte{0xff, 0, 0, 0}, nil), true
	case smb1NTCreate:
		c.note("create", trap.Field{Key: "path", Value: strings.TrimRight(text(m, m.data, len(m.data)), "\x00")},
			trap.Field{Key: "share", Value: c.trees[uint32(tid)]})
		return reply(statusAccessDenied)
	}
	c.command(1, int(command))
	return reply(statusAccessDenied)
}

func (c *session) smb1Dialect(m *smb1) ([]byte, bool) {
	if c.dialect != 0 {
		return nil, false
	}
	var names []string
	chosen, two, any2 := -1, false, false
	for rest := m.data; len(rest) > 1 && rest[0] == 2 && len(names) < 32; {
		name, after, _ := bytes.Cut(rest[1:], []byte{0})
		switch string(name) {
		case "NT LM 0.12":
			chosen = len(names)
		case "SMB 2.002":
			two = true
		case "SMB 2.???":
			any2 = true
		}
		names, rest = append(names, string(name)), after
	}
	dialect := "none"
	var answer []byte
	switch {
	case two || any2:
		c.dialect = 0x0202
		if any2 && c.highest > 0x0202 {
			c.dialect = 0x02ff
		}
		dialect = fmt.Sprintf("0x%04x", c.dialect)
		answer = smb2Reply(make([]byte, 64), statusOK, 0, 0, c.negotiateBody(c.dialect))
	case chosen >= 0 && c.smb1:
		c.dialect, dialect = 1, "NT LM 0.12"
		answer = c.smb1Chosen(m, chosen)
	default:
		answer = m.reply(statusOK, 0, 0, []byte{0xff, 0xff}, nil)
	}
	c.Record("negotiate", trap.Field{Key: "dialects", Value: strings.Join(names, ", ")}, trap.Field{Key: "dialect", Value: dialect})
	return answer, c.dialect != 0
}

// smb1Chosen is the answer to a negotiation that ends in NT LM 0.12.
func (c *session) smb1Chosen(m *smb1, index int) []byte {
	extended := binary.LittleEndian.Uint16(m.head[10:])&0x0800 != 0
	w := make([]byte, 34)
	binary.LittleEndian.PutUint16(w, uint16(index))
	w[2] = 3 // users, with challenge
	w[3], w[5] = 50, 1
	binary.LittleEndian.PutUint32(w[7:], 16644)
	binary.LittleEndian.PutUint32(w[11:], 65536)
	capabilities := uint32(0x0001f3fc)
	if extended {
		capabilities |= 0x80000000
	}
	binary.LittleEndian.PutUint32(w[19:], capabilities)
	binary.LittleEndian.PutUint64(w[23:], ntlmtrap.FileTime(c.Now()))
	var data []byte
	if extended {
		data = append(append(data, c.guid[:]...), ntlmtrap.Hello()...)
	} else {
		w[33] = 8
		data = append(data, c.challenge[:]...)
		data = append(append(data, ntlmtrap.UTF16(c.ntlm.Domain+"\x00")...), ntlmtrap.UTF16(c.ntlm.NetBIOS+"\x00")...)
	}
	return m.reply(statusOK, 0, 0, w, data)
}

// text decodes a text of the message's encoding.
func text(m *smb1, b []byte, n int) string {
	b = b[:min(n, len(b))]
	if m.unicode() {
		if len(b)%2 == 1 {
			b = b[1:] // padding
		}
		return ntlmtrap.FromUTF16(b)
	}
	return string(b)
}

func (c *session) smb1LogIn(m *smb1) ([]byte, bool) {
	switch len(m.words) {
	case 24:
		n := int(m.word(7))
		if n > len(m.data) {
			break
		}
		l := c.logIn(m.data[:n])
		words := []byte{0xff, 0, 0, 0, 0, 0, byte(len(l.token)), byte(len(l.token) >> 8)}
		if l.status != statusOK && l.status != statusMore {
			return m.reply(l.status, 0, 0, nil, nil), true
		}
		return m.reply(l.status, smb1User, 0, words, append(l.token, c.native(m, 32+1+8+2+len(l.token))...)), true
	case 26:
		lm, nt := int(m.word(7)), int(m.word(8))
		if lm > 1024 || nt > 1024 || lm+nt > len(m.data) {
			break
		}
		status := c.smb1Plain(m, m.data[:lm], m.data[lm:lm+nt], m.data[lm+nt:])
		if status != statusOK {
			return m.reply(status, 0, 0, nil, nil), true
		}
		words := []byte{0xff, 0, 0, 0, 0, 0}
		if c.guest {
			words[4] = 1
		}
		return m.reply(statusOK, smb1User, 0, words, c.native(m, 32+1+6+2)), true
	}
	c.malformed(append(m.words[:len(m.words):len(m.words)], m.data...), "session setup")
	return m.reply(statusBadParameter, 0, 0, nil, nil), true
}

// smb1Plain takes a login that has no NTLMSSP.
func (c *session) smb1Plain(m *smb1, lm, nt, rest []byte) uint32 {
	if m.unicode() && (len(lm)+len(nt))%2 == 0 && len(rest) > 0 {
		rest = rest[1:] // texts begin at even offsets of the message
	}
	names := strings.SplitN(text(m, rest, len(rest)/2*2), "\x00", 5)
	names = append(names, "", "", "", "")
	l := &ntlmtrap.Login{User: names[0], Domain: names[1], LM: lm, NT: nt}
	if len(nt) == 1 && nt[0] == 0 {
		l.NT = nil
	}
	status := c.judge(l)
	c.Record("auth", append(l.Fields(c.challenge), trap.Field{Key: "native_os", Value: names[2]},
		trap.Field{Key: "native_lm", Value: names[3]}, trap.Field{Key: "status", Value: statusWord(status, c.guest)})...)
	return status
}

// native is the names of the system, which begin at that offset of the message.
func (c *session) native(m *smb1, offset int) []byte {
	if !m.unicode() {
		return []byte(c.nativeOS + "\x00" + c.nativeLM + "\x00" + c.ntlm.Domain + "\x00")
	}
	var b []byte
	if offset%2 == 1 {
		b = append(b, 0)
	}
	return append(b, ntlmtrap.UTF16(c.nativeOS+"\x00"+c.nativeLM+"\x00"+c.ntlm.Domain+"\x00")...)
}

func (c *session) smb1TreeConnect(m *smb1) ([]byte, bool) {
	n := int(m.word(3))
	if n > len(m.data) {
		return m.reply(statusBadParameter, smb1User, 0, nil, nil), true
	}
	if m.unicode() && n%2 == 0 && n < len(m.data) {
		n++ // padding
	}
	path := text(m, m.data[n:], (len(m.data)-n)/2*2)
	if !m.unicode() {
		path = string(m.data[n:])
	}
	path, _, _ = strings.Cut(path, "\x00")
	if status := c.connectTree(path); status != statusOK {
		return m.reply(status, smb1User, 0, nil, nil), true
	}
	c.trees[smb1Tree] = path
	words := []byte{0xff, 0, 0, 0, 1, 0, 0xff, 0x01, 0x1f, 0, 0xff, 0x01, 0x1f, 0}
	return m.reply(statusOK, smb1User, smb1Tree, words, []byte("IPC\x00\x00\x00")), true
}

// smb1Transaction answers what MS17-010 and its scanners send.
func (c *session) smb1Transaction(m *smb1, uid, tid uint16) ([]byte, bool) {
	command := m.head[4]
	name, status := "", uint32(statusAccessDenied)
	switch {
	case command == smb1Trans && m.word(14) == 0x23: // PeekNamedPipe
		name, status = "ms17-010", statusInvalidHandle
		if c.vulnerable {
			status = statusInsufficient
		}
	case command == smb1Trans2 && m.word(14) == 0x0e: // SESSION_SETUP, of no known use
		name, status = "doublepulsar", statusNotImpl
	case command == smb1NTTrans:
		name, status = "eternalblue", statusOK // go on: the rest is worth having
		if !c.vulnerable {
			status = statusBadParameter
		}
	}
	c.carry(m.data)
	fields := []trap.Field{
		{Key: "command", Value: fmt.Sprintf("SMB1 0x%02x", command)}, {Key: "function", Value: fmt.Sprintf("0x%02x", m.word(14))},
		{Key: "data", Value: hex.EncodeToString(m.data[:min(len(m.data), 64)])},
	}
	if name == "" {
		c.note("transaction", fields...)
	} else {
		c.note("exploit_probe", append(fields, trap.Field{Key: "name", Value: name})...)
	}
	return m.reply(status, uid, tid, nil, nil), true
}
