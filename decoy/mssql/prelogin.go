package mssql

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// Options of PRELOGIN.
const (
	optVersion    = 0
	optEncryption = 1
	optInstance   = 2
	optThread     = 3
	optMARS       = 4
	optEnd        = 0xff
)

// What each side says about encryption.
const (
	encryptOff    = 0
	encryptOn     = 1
	encryptNone   = 2
	encryptMust   = 3
	encryptStrict = 4
)

// prelogin is what a client tells before it logs in.
type prelogin struct {
	version    string
	encryption byte
	instance   string
	thread     string
	// mars says that the client asked about it, with the value.
	asksMARS, mars bool
}

// parsePrelogin reads the options.
func parsePrelogin(b []byte) (prelogin, bool) {
	p := prelogin{encryption: encryptNone}
	for at := 0; ; at += 5 {
		if at < len(b) && b[at] == optEnd {
			return p, at > 0
		}
		if at+5 > len(b) {
			return p, false
		}
		from, n := int(binary.BigEndian.Uint16(b[at+1:])), int(binary.BigEndian.Uint16(b[at+3:]))
		if from+n > len(b) {
			return p, false
		}
		p.take(b[at], b[from:from+n])
	}
}

func (p *prelogin) take(option byte, v []byte) {
	switch {
	case option == optVersion && len(v) >= 4:
		p.version = fmt.Sprintf("%d.%d.%d", v[0], v[1], binary.BigEndian.Uint16(v[2:]))
	case option == optEncryption && len(v) > 0:
		p.encryption = v[0]
	case option == optInstance:
		p.instance, _, _ = strings.Cut(string(v), "\x00")
	case option == optThread && len(v) == 4:
		p.thread = strconv.FormatUint(uint64(binary.LittleEndian.Uint32(v)), 10)
	case option == optMARS && len(v) > 0:
		p.asksMARS, p.mars = true, v[0] == 1
	}
}

func (p *prelogin) fields() []trap.Field {
	names := map[byte]string{encryptOff: "off", encryptOn: "on", encryptNone: "not supported", encryptMust: "required", encryptStrict: "strict"}
	encryption := names[p.encryption&0x7f]
	return []trap.Field{
		{Key: "client_version", Value: p.version},
		{Key: "encryption", Value: encryption},
		{Key: "instance", Value: p.instance},
		{Key: "thread_id", Value: p.thread},
		{Key: "mars", Value: strconv.FormatBool(p.mars)},
	}
}

// agree is what a server with a certificate answers that nobody has told to force
// encryption.
func agree(client byte) byte {
	switch client {
	case encryptOn, encryptMust:
		return encryptOn
	case encryptNone:
		return encryptNone
	}
	return encryptOff
}

// prelogin is the answer: version, encryption, the instance, no thread, and MARS
// where the client asked.
func (s *server) prelogin(p *prelogin) []byte {
	instance := byte(0)
	if i := p.instance; i != "" && !strings.EqualFold(i, "MSSQLServer") && !strings.HasSuffix(strings.ToUpper(s.name), `\`+strings.ToUpper(i)) {
		instance = 1 // it is not the one that was meant
	}
	build := s.release.build
	values := [][]byte{{s.release.major, s.release.minor, byte(build >> 8), byte(build), 0, 0}, {agree(p.encryption)}, {instance}, {}}
	if p.asksMARS {
		mars := byte(0)
		if p.mars {
			mars = 1
		}
		values = append(values, []byte{mars})
	}
	var b, data []byte
	from := 5*len(values) + 1
	for option, v := range values {
		b = append(b, byte(option), 0, byte(from+len(data)), 0, byte(len(v)))
		data = append(data, v...)
	}
	return append(append(b, optEnd), data...)
}
