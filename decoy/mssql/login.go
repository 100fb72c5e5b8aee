package mssql

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/trap"
)

// login is what LOGIN7 tells.
type login struct {
	version, packet, program, pid                              uint32
	host, user, password, app, server, library, lang, database string
	changed                                                    string
	mac                                                        []byte
	// integrated says that the token, and not the password, is to be checked.
	integrated bool
	token      []byte
}

// Where the fixed part has what, in bytes.
const (
	atVersion  = 4
	atPacket   = 8
	atProgram  = 12
	atPID      = 16
	atOptions2 = 25
	atTexts    = 36
	atMAC      = 72
	atToken    = 78
	atChange   = 86
	atLong     = 90
	fixedOld   = 86
	fixedNew   = 94
)

// parseLogin reads LOGIN7. UTF-16 that is none is kept, see [ntlmtrap.FromUTF16].
func parseLogin(b []byte) (login, bool) {
	if len(b) < fixedOld {
		return login{}, false
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	l := login{
		version: u32(atVersion), packet: u32(atPacket), program: u32(atProgram), pid: u32(atPID),
		integrated: b[atOptions2]&0x80 != 0, mac: bytes.Clone(b[atMAC : atMAC+6]),
	}
	texts := []struct {
		at     int
		to     *string
		hidden bool
	}{
		{atTexts, &l.host, false},
		{40, &l.user, false},
		{44, &l.password, true},
		{48, &l.app, false},
		{52, &l.server, false},
		{60, &l.library, false},
		{64, &l.lang, false},
		{68, &l.database, false},
	}
	if modern(l.version) && len(b) >= fixedNew {
		texts = append(texts, struct {
			at     int
			to     *string
			hidden bool
		}{atChange, &l.changed, true})
	}
	for _, f := range texts {
		v, ok := part(b, f.at, 2*int(binary.LittleEndian.Uint16(b[f.at+2:])))
		if !ok {
			return login{}, false
		}
		if f.hidden {
			v = reveal(v)
		}
		*f.to = ntlmtrap.FromUTF16(v)
	}
	size := int(binary.LittleEndian.Uint16(b[atToken+2:]))
	if size == 0xffff && len(b) >= fixedNew {
		size = int(min(u32(atLong), maxMessage))
	}
	token, ok := part(b, atToken, size)
	l.token = bytes.Clone(token)
	return l, ok
}

// modern reports whether a version is TDS 7.2 or later; 8.0 begins anew.
func modern(version uint32) bool { return version>>24 >= 0x72 || version == 0x08000000 }

// part returns n bytes from the offset that stands at a place.
func part(b []byte, at, n int) ([]byte, bool) {
	from := int(binary.LittleEndian.Uint16(b[at:]))
	if n == 0 {
		return nil, true
	}
	if from+n > len(b) {
		return nil, false
	}
	return b[from : from+n], true
}

// reveal undoes what passwords are obfuscated by: an exchange of the halves of
// each byte, and 0xa5.
func reveal(b []byte) []byte {
	b = bytes.Clone(b)
	for i, v := range b {
		v ^= 0xa5
		b[i] = v<<4 | v>>4
	}
	return b
}

// parseOldLogin reads what clients sent until version 7: texts in places of fixed
// size, each with its length behind it.
func parseOldLogin(b []byte) (login, bool) {
	var l login
	at := 0
	for _, to := range []*string{&l.host, &l.user, &l.password} {
		const place = 30
		if at+place >= len(b) || int(b[at+place]) > place {
			return login{}, false
		}
		*to = string(b[at : at+int(b[at+place])])
		at += place + 1
	}
	return l, true
}

// fields are those that each login has; the name and the password are apart.
func (l *login) fields() []trap.Field {
	f := []trap.Field{
		{Key: "client_host", Value: l.host},
		{Key: "app", Value: l.app},
		{Key: "server_name", Value: l.server},
		{Key: "library", Value: l.library},
		{Key: "language", Value: l.lang},
		{Key: "database", Value: l.database},
		{Key: "client_pid", Value: strconv.FormatUint(uint64(l.pid), 10)},
		{Key: "client_mac", Value: hex.EncodeToString(l.mac)},
		{Key: "tds_version", Value: fmt.Sprintf("%#08x", l.version)},
	}
	return slices.DeleteFunc(f, func(f trap.Field) bool { return f.Value == "" })
}
