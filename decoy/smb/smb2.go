package smb

import (
	"encoding/binary"
	"fmt"
	"strings"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/trap"
)

// Commands of SMB2.
const (
	cmdNegotiate    = 0
	cmdSetup        = 1
	cmdLogoff       = 2
	cmdTreeConnect  = 3
	cmdTreeClose    = 4
	cmdCreate       = 5
	cmdCancel       = 12
	cmdEcho         = 13
	cmdOplock       = 18
	statusUserGone  = statusSessionGone
	flagsServerToMe = 1
)

// smb2Reply makes an answer with the ids of the question.
func smb2Reply(req []byte, status uint32, session uint64, tree uint32, body []byte) []byte {
	b := make([]byte, 64, 64+len(body))
	copy(b, "\xfeSMB")
	b[4] = 64
	copy(b[6:8], req[6:8]) // credit charge
	binary.LittleEndian.PutUint32(b[8:], status)
	copy(b[12:14], req[12:14])
	credits := max(binary.LittleEndian.Uint16(req[14:]), 1)
	binary.LittleEndian.PutUint16(b[14:], min(credits, 512))
	b[16] = flagsServerToMe
	copy(b[24:32], req[24:32]) // message id
	copy(b[32:36], req[32:36])
	binary.LittleEndian.PutUint32(b[36:], tree)
	binary.LittleEndian.PutUint64(b[40:], session)
	return append(b, body...)
}

// errorBody is what follows a header that says why not.
func errorBody() []byte { return []byte{9, 0, 0, 0, 0, 0, 0, 0, 0} }

func (c *session) smb2Answer(req []byte) ([]byte, bool) {
	if binary.LittleEndian.Uint16(req[4:]) != 64 {
		c.malformed(req, "header")
		return nil, false
	}
	command := binary.LittleEndian.Uint16(req[12:])
	id, tree := binary.LittleEndian.Uint64(req[40:]), binary.LittleEndian.Uint32(req[36:])
	reply := func(status uint32, body []byte) ([]byte, bool) {
		if body == nil {
			body = errorBody()
		}
		return smb2Reply(req, status, id, tree, body), true
	}
	switch command {
	case cmdNegotiate:
		return c.smb2Negotiate(req)
	case cmdSetup:
		return c.smb2Setup(req)
	case cmdEcho:
		return reply(statusOK, []byte{4, 0, 0, 0})
	case cmdCancel:
		return nil, true
	}
	if !c.loggedIn || id != c.id {
		c.command(2, int(command))
		return reply(statusUserGone, nil)
	}
	switch command {
	case cmdLogoff:
		c.loggedIn, c.trees = false, map[uint32]string{}
		return reply(statusOK, []byte{4, 0, 0, 0})
	case cmdTreeConnect:
		return c.smb2Tree(req)
	}
	if _, ok := c.trees[tree]; !ok {
		c.command(2, int(command))
		return reply(statusTreeGone, nil)
	}
	switch command {
	case cmdTreeClose:
		delete(c.trees, tree)
		return reply(statusOK, []byte{4, 0, 0, 0})
	case cmdCreate:
		name, _ := part(req, 64+44, 64+46)
		c.note("create", trap.Field{Key: "path", Value: ntlmtrap.FromUTF16(name)}, trap.Field{Key: "share", Value: c.trees[tree]})
		return reply(statusAccessDenied, nil)
	}
	c.command(2, int(command))
	if command > cmdOplock {
		return reply(statusBadParameter, nil)
	}
	if command == 11 { // what a control code asks for is in none of the trees
		return reply(statusNotFound, nil)
	}
	return reply(statusAccessDenied, nil)
}

// part returns what an offset, counted from the header, and a length point at.
func part(req []byte, atOffset, atLength int) ([]byte, bool) {
	if len(req) < atOffset+2 || len(req) < atLength+2 {
		return nil, false
	}
	from, n := int(binary.LittleEndian.Uint16(req[atOffset:])), int(binary.LittleEndian.Uint16(req[atLength:]))
	if from > len(req) || n > len(req)-from {
		return nil, false
	}
	return req[from : from+n], true
}

// choose returns the highest dialect that both speak.
func (c *session) choose(req []byte) (best uint16, names string) {
	if len(req) < 64+36 {
		return 0, ""
	}
	n := min(int(binary.LittleEndian.Uint16(req[64+2:])), (len(req)-64-36)/2, 64)
	var list []string
	for i := range n {
		d := binary.LittleEndian.Uint16(req[64+36+2*i:])
		list = append(list, fmt.Sprintf("0x%04x", d))
		switch d {
		case 0x0202, 0x0210, 0x0300, 0x0302, 0x0311:
			if d <= c.highest {
				best = max(best, d)
			}
		}
	}
	return best, strings.Join(list, " ")
}

func (c *session) smb2Negotiate(req []byte) ([]byte, bool) {
	if c.dialect != 0 && c.dialect != 0x02ff {
		return nil, false // the specification has the server hang up at the second
	}
	best, names := c.choose(req)
	c.Record("negotiate", trap.Field{Key: "dialects", Value: names}, trap.Field{Key: "dialect", Value: fmt.Sprintf("0x%04x", best)})
	if best == 0 {
		return smb2Reply(req, statusNotSupported, 0, 0, errorBody()), true
	}
	c.dialect = best
	return smb2Reply(req, statusOK, 0, 0, c.negotiateBody(best)), true
}

// negotiateBody is SMB2 NEGOTIATE Response.
func (c *session) negotiateBody(dialect uint16) []byte {
	token := ntlmtrap.Hello()
	b := make([]byte, 64, 256)
	b[0] = 65
	b[2] = 1 // signing is possible
	if c.windows && c.ntlm.Joined {
		b[2] = 3 // a controller demands it
	}
	binary.LittleEndian.PutUint16(b[4:], dialect)
	copy(b[8:24], c.guid[:])
	capabilities, size := uint32(0x07), uint32(8<<20)
	if dialect == 0x0202 || dialect == 0x02ff {
		capabilities, size = 1, 64<<10
	}
	binary.LittleEndian.PutUint32(b[24:], capabilities)
	for _, at := range []int{28, 32, 36} {
		binary.LittleEndian.PutUint32(b[at:], size)
	}
	now := c.Now()
	binary.LittleEndian.PutUint64(b[40:], ntlmtrap.FileTime(now))
	if c.windows && c.highest < 0x0300 {
		binary.LittleEndian.PutUint64(b[48:], ntlmtrap.FileTime(c.Host.Booted(now)))
	}
	binary.LittleEndian.PutUint16(b[56:], 64+64)
	binary.LittleEndian.PutUint16(b[58:], uint16(len(token)))
	b = append(b, token...)
	if dialect != 0x0311 {
		return b
	}
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint16(b[6:], 1) // contexts
	binary.LittleEndian.PutUint32(b[60:], uint32(64+len(b)))
	b = append(b, 1, 0, 38, 0, 0, 0, 0, 0, 1, 0, 32, 0, 1, 0) // integrity: SHA-512, a salt
	return append(b, random(32)...)
}

func (c *session) smb2Setup(req []byte) ([]byte, bool) {
	token, ok := part(req, 64+12, 64+14)
	if !ok || c.dialect == 0 || c.dialect == 0x02ff {
		c.malformed(req, "session setup")
		return nil, false
	}
	l := c.logIn(token)
	if l.status != statusOK && l.status != statusMore {
		return smb2Reply(req, l.status, c.id, 0, errorBody()), true
	}
	body := []byte{9, 0, 0, 0, 72, 0, byte(len(l.token)), byte(len(l.token) >> 8)}
	if l.status == statusOK {
		body[2] = 2 // nobody
		if c.guest {
			body[2] = 1
		}
	}
	return smb2Reply(req, l.status, c.id, 0, append(body, l.token...)), true
}

func (c *session) smb2Tree(req []byte) ([]byte, bool) {
	path, ok := part(req, 64+4, 64+6)
	if !ok {
		return smb2Reply(req, statusBadParameter, c.id, 0, errorBody()), true
	}
	name := ntlmtrap.FromUTF16(path)
	if status := c.connectTree(name); status != statusOK {
		return smb2Reply(req, status, c.id, 0, errorBody()), true
	}
	tree := uint32(len(c.trees) + 1)
	if len(c.trees) < 16 {
		c.trees[tree] = name
	}
	body := []byte{16, 0, 2, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x01, 0x1f, 0}
	return smb2Reply(req, statusOK, c.id, tree, body), true
}
