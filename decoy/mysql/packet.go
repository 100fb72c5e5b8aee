package mysql

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"decnet/decoy/octets"
	"decnet/decoy/trap"
)

// The authentication plugins that matter here.
const (
	pluginNative = "mysql_native_password"
	pluginClear  = "mysql_clear_password"
	pluginSHA2   = "caching_sha2_password"
)

// The capabilities that change what a packet looks like.
const (
	hasDatabase   = 1 << 3
	hasTLS        = 1 << 11
	protocol41    = 1 << 9
	secure        = 1 << 15
	hasPlugins    = 1 << 19
	hasAttributes = 1 << 20
	lengthEncoded = 1 << 21
	// offered are those of a server as it is installed, TLS among them.
	offered = 0x81fff7ff | hasTLS
)

// maxPacket bounds what is read of a client that hasn't logged in, in bytes.
const maxPacket = 16 << 10

var errPacket = errors.New("the packet is too large")

// read reads a packet and its sequence number.
func read(r io.Reader) (body []byte, seq byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, err
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if size > maxPacket {
		return nil, 0, errPacket
	}
	body = make([]byte, size)
	_, err = io.ReadFull(r, body)
	return body, head[3], err
}

func write(w io.Writer, seq byte, body []byte) error {
	n := len(body)
	_, err := w.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}, body...))
	return err
}

// greeting is the handshake of version 10.
func (s *server) greeting(conn *trap.Session, challenge []byte) []byte {
	b := append([]byte{10}, s.version...)
	b = append(b, 0)
	// The number of the connection, as a server that has been up for a while has it.
	up := conn.Now().Sub(conn.Host.Booted(conn.Now()))
	id := uint32(up.Minutes()) + uint32(conn.Remote.Port())%16
	b = binary.LittleEndian.AppendUint32(b, id)
	b = append(b, challenge[:8]...)
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint16(b, offered&0xffff)
	charset := byte(255) // utf8mb4_0900_ai_ci
	if s.isMaria() {
		charset = 45 // utf8mb4_general_ci
	}
	b = append(b, charset, 2, 0) // autocommit
	b = binary.LittleEndian.AppendUint16(b, offered>>16)
	b = append(b, 21)
	b = append(b, make([]byte, 10)...)
	b = append(b, challenge[8:]...)
	b = append(b, 0)
	return append(b, s.plugin()+"\x00"...)
}

// failure is an error packet.
func failure(code uint16, state, message string) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{0xff}, code)
	return append(b, "#"+state+message...)
}

// switchTo asks for another plugin.
func switchTo(plugin string, challenge []byte) []byte {
	b := append([]byte{0xfe}, plugin+"\x00"...)
	b = append(b, challenge...)
	return append(b, 0)
}

// isTLSRequest reports whether a client goes on with TLS: it sends the head of a
// login only.
func isTLSRequest(b []byte) bool {
	return len(b) == 32 && binary.LittleEndian.Uint32(b)&hasTLS != 0
}

// login is what a client says of itself.
type login struct {
	user, database, plugin, attributes string
	response                           []byte
	// plugins says that it can be asked for another plugin.
	plugins bool
}

// cursor reads the parts of a packet.
type cursor struct{ octets.Cursor }

func parts(b []byte) cursor { return cursor{octets.Cursor{Rest: b}} }

// text reads up to a zero, which must be there.
func (c *cursor) text() string {
	i := bytes.IndexByte(c.Rest, 0)
	if i < 0 {
		c.Bad = true
		return ""
	}
	s := string(c.Take(i))
	c.Take(1)
	return s
}

// counted reads bytes behind their length-encoded number.
func (c *cursor) counted() []byte {
	switch n := c.Byte(); n {
	case 0xfc:
		return c.Take(int(c.Uint16(binary.LittleEndian)))
	case 0xfb, 0xfd, 0xfe, 0xff: // no packet here is so large
		c.Bad = true
		return nil
	default:
		return c.Take(int(n))
	}
}

// parseLogin reads HandshakeResponse41.
func parseLogin(b []byte) (l login, ok bool) {
	c := parts(b)
	head := c.Take(32)
	if c.Bad {
		return l, false
	}
	flags := binary.LittleEndian.Uint32(head)
	if flags&protocol41 == 0 {
		return l, false
	}
	l.user = c.text()
	switch {
	case flags&lengthEncoded != 0:
		l.response = c.counted()
	case flags&secure != 0:
		l.response = c.Take(int(c.Byte()))
	default:
		l.response = []byte(c.text())
	}
	if flags&hasDatabase != 0 {
		l.database = c.text()
	}
	l.plugin, l.plugins = pluginNative, flags&hasPlugins != 0
	if l.plugins && len(c.Rest) > 0 {
		l.plugin = c.text()
	}
	if flags&hasAttributes != 0 && len(c.Rest) > 0 {
		l.attributes = attributes(c.counted())
	}
	return l, !c.Bad
}

// attributes reads what a client tells of its program, as name=value.
func attributes(b []byte) string {
	c := parts(b)
	var all []string
	for len(c.Rest) > 0 && !c.Bad {
		name, value := c.counted(), c.counted()
		if !c.Bad {
			all = append(all, fmt.Sprintf("%s=%s", name, value))
		}
	}
	return strings.Join(all, " ")
}
