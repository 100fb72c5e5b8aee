package tlstrap

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
)

// Hello is what a client says of itself when it begins a handshake. GREASE
// values (RFC 8701) are left out of all lists.
type Hello struct {
	// Version is that of the message, Versions those of the extension
	// supported_versions.
	Version  uint16
	Versions []uint16

	Ciphers, Extensions, Groups, SignatureAlgorithms []uint16
	PointFormats                                     []byte
	// HasSNI says that there is a server name, however it looks.
	HasSNI bool
	SNI    string
	ALPN   []string

	// SessionID says that the client resumes a session by id, Ticket and PSK that it
	// does so by what a server gave it before.
	SessionID, Ticket, PSK bool
}

// errHello is what a client hello that is none is called.
var errHello = errors.New("not a client hello")

// The extensions that are looked into.
const (
	extServerName          = 0
	extSupportedGroups     = 10
	extPointFormats        = 11
	extSignatureAlgorithms = 13
	extALPN                = 16
	extSessionTicket       = 35
	extPreSharedKey        = 41
	extSupportedVersions   = 43
)

// isGREASE reports whether v is one of 0x0a0a, 0x1a1a … 0xfafa.
func isGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// ParseHello reads a client hello: the handshake message with its header of four
// bytes, without the records around it.
func ParseHello(msg []byte) (*Hello, error) {
	s := cryptobyte.String(msg)
	var kind uint8
	var body cryptobyte.String
	if !s.ReadUint8(&kind) || kind != 1 || !s.ReadUint24LengthPrefixed(&body) {
		return nil, errHello
	}
	h := &Hello{}
	var session, suites, compression cryptobyte.String
	if !body.ReadUint16(&h.Version) || !body.Skip(32) || !body.ReadUint8LengthPrefixed(&session) ||
		!body.ReadUint16LengthPrefixed(&suites) || !body.ReadUint8LengthPrefixed(&compression) {
		return nil, errHello
	}
	h.SessionID = len(session) > 0
	h.Ciphers = numbers(suites)
	var extensions cryptobyte.String
	if body.Empty() {
		return h, nil // the extensions are optional
	}
	if !body.ReadUint16LengthPrefixed(&extensions) {
		return nil, errHello
	}
	for !extensions.Empty() {
		var id uint16
		var data cryptobyte.String
		if !extensions.ReadUint16(&id) || !extensions.ReadUint16LengthPrefixed(&data) {
			return nil, errHello
		}
		if isGREASE(id) {
			continue
		}
		h.Extensions = append(h.Extensions, id)
		h.read(id, data)
	}
	return h, nil
}

// read looks into an extension. One that is broken counts with what of it could
// be read.
func (h *Hello) read(id uint16, data cryptobyte.String) {
	var list cryptobyte.String
	switch id {
	case extServerName:
		h.HasSNI = true
		h.SNI = serverName(data)
	case extSupportedGroups:
		data.ReadUint16LengthPrefixed(&list)
		h.Groups = numbers(list)
	case extPointFormats:
		data.ReadUint8LengthPrefixed(&list)
		h.PointFormats = list
	case extSignatureAlgorithms:
		data.ReadUint16LengthPrefixed(&list)
		h.SignatureAlgorithms = numbers(list)
	case extALPN:
		data.ReadUint16LengthPrefixed(&list)
		var protocol cryptobyte.String
		for list.ReadUint8LengthPrefixed(&protocol) {
			h.ALPN = append(h.ALPN, string(protocol))
		}
	case extSupportedVersions:
		data.ReadUint8LengthPrefixed(&list)
		h.Versions = numbers(list)
	case extSessionTicket:
		h.Ticket = len(data) > 0
	case extPreSharedKey:
		h.PSK = true
	}
}

func serverName(data cryptobyte.String) string {
	var list, name cryptobyte.String
	var kind uint8
	if data.ReadUint16LengthPrefixed(&list) && list.ReadUint8(&kind) && kind == 0 && list.ReadUint16LengthPrefixed(&name) {
		return string(name)
	}
	return ""
}

// numbers reads a list without a length.
func numbers(s cryptobyte.String) []uint16 {
	all := make([]uint16, 0, len(s)/2)
	var v uint16
	for s.ReadUint16(&v) {
		if !isGREASE(v) {
			all = append(all, v)
		}
	}
	return all
}

// Highest is the newest version of TLS that the client offers.
func (h *Hello) Highest() uint16 {
	var highest uint16
	for _, v := range h.Versions {
		highest = max(highest, v)
	}
	if highest == 0 {
		return h.Version
	}
	return highest
}
