package mssql

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"decnet/decoy/trap"
)

// Types of packets.
const (
	typeBatch     = 0x01
	typeOldLogin  = 0x02
	typeRPC       = 0x03
	typeReply     = 0x04
	typeAttention = 0x06
	typeManager   = 0x0e
	typeLogin7    = 0x10
	typeSSPI      = 0x11
	typePrelogin  = 0x12
)

const (
	// maxMessage is how much of a message is held, in bytes.
	maxMessage = 64 << 10
	// maxPacket is the largest packet that a client may ask for, with its header.
	maxPacket  = 32767
	headerSize = 8
	packetSize = 4096
)

// Records of TLS that may come where a login is expected.
const (
	tlsAlert = 0x15
	tlsHello = 0x16
	tlsData  = 0x17
)

// errMessage is why a session ends: what came is no message of TDS.
var errMessage = errors.New("not a message of TDS")

// message is what a client sends, of one or more packets.
type message struct {
	kind byte
	body []byte
	// stored is set for one that is longer than what is held.
	stored *trap.Stored
}

// link is the way to the client: plain, inside TLS, or inside TLS for the login
// only.
type link struct {
	raw *bufio.Reader
	out io.Writer
	// inner is what comes through TLS, nil without; only says that it ends with
	// the login.
	inner *bufio.Reader
	only  bool
	size  int
	spid  uint16
	// head is the header that was read last.
	head []byte
}

// source is where the next packet comes from. With TLS for the login only, the
// first byte tells: a client may end it after the first packet or after the last.
func (l *link) source() (*bufio.Reader, error) {
	if l.inner == nil || !l.only {
		if l.inner != nil {
			return l.inner, nil
		}
		return l.raw, nil
	}
	if l.inner.Buffered() > 0 {
		return l.inner, nil
	}
	b, err := l.raw.Peek(1)
	if err != nil {
		return nil, err
	}
	if b[0] == tlsData || b[0] == tlsAlert {
		return l.inner, nil
	}
	return l.raw, nil
}

// read joins the packets of one message. What is over [maxMessage] goes into the
// quarantine, if there is one.
func (l *link) read(files *trap.Quarantine) (m message, err error) {
	var up *trap.Upload
	defer func() {
		if up != nil {
			s := up.Done()
			m.stored = &s
		}
	}()
	for first := true; ; first = false {
		l.head = l.head[:0]
		r, err := l.source()
		if err != nil {
			return m, err
		}
		begun, err := r.Peek(headerSize)
		l.head = append(l.head, begun...)
		if err != nil {
			return m, fmt.Errorf("read a header: %w", err)
		}
		_, _ = r.Discard(headerSize)
		n := int(binary.BigEndian.Uint16(l.head[2:])) - headerSize
		if first {
			m.kind = l.head[0]
		}
		last := l.head[1]&1 != 0
		if n < 0 || n > maxPacket-headerSize || l.head[0] != m.kind || !known(m.kind) || n == 0 && !last {
			more, _ := r.Peek(min(r.Buffered(), 64-headerSize))
			l.head = append(l.head, more...)
			return m, errMessage
		}
		part := make([]byte, n)
		if _, err := io.ReadFull(r, part); err != nil {
			return m, fmt.Errorf("read a packet: %w", err)
		}
		room := min(maxMessage-len(m.body), n)
		m.body = append(m.body, part[:room]...)
		if room < n || up != nil {
			if files == nil {
				return m, errMessage
			}
			if up == nil {
				up = files.Begin()
				_, _ = up.Write(m.body)
			}
			_, _ = up.Write(part[room:])
		}
		if last {
			return m, nil
		}
	}
}

func known(kind byte) bool {
	switch kind {
	case typeBatch, typeOldLogin, typeRPC, typeAttention, typeManager, typeLogin7, typeSSPI, typePrelogin, 7, 8:
		return true
	}
	return false
}

// write sends a reply in packets of the size that was agreed on.
func (l *link) write(body []byte) error {
	most := l.size - headerSize
	var b []byte
	for id := byte(1); ; id++ {
		n := min(len(body), most)
		status := byte(0)
		if n == len(body) {
			status = 1
		}
		b = append(b, header(typeReply, status, n, l.spid, id)...)
		b = append(b, body[:n]...)
		if body = body[n:]; status == 1 {
			_, err := l.out.Write(b)
			return err
		}
	}
}

func header(kind, status byte, n int, spid uint16, id byte) []byte {
	n += headerSize
	return []byte{kind, status, byte(n >> 8), byte(n), byte(spid >> 8), byte(spid), id, 0}
}

// handshake is a connection for TLS: during the handshake its bytes are inside of
// PRELOGIN packets, afterwards they are not. It never reads past the end of a
// record, since what follows may be in the clear.
type handshake struct {
	net.Conn
	raw  *bufio.Reader
	over bool
	// left is of the packet, or of the record, that is read.
	left  int
	ready []byte
}

func (h *handshake) Read(p []byte) (int, error) {
	if len(h.ready) == 0 && h.left == 0 {
		if err := h.begin(); err != nil {
			return 0, err
		}
	}
	if len(h.ready) > 0 {
		n := copy(p, h.ready)
		h.ready = h.ready[n:]
		return n, nil
	}
	n, err := h.raw.Read(p[:min(len(p), h.left)])
	h.left -= n
	return n, err
}

// begin reads the header of what comes next.
func (h *handshake) begin() error {
	if h.over {
		var b [5]byte
		if _, err := io.ReadFull(h.raw, b[:]); err != nil {
			return err
		}
		h.ready, h.left = b[:], int(binary.BigEndian.Uint16(b[3:]))
		return nil
	}
	for h.left == 0 {
		var b [headerSize]byte
		if _, err := io.ReadFull(h.raw, b[:]); err != nil {
			return err
		}
		n := int(binary.BigEndian.Uint16(b[2:])) - headerSize
		if b[0] != typePrelogin || n < 0 || n == 0 && b[1]&1 == 0 {
			return errMessage
		}
		h.left = n
	}
	return nil
}

func (h *handshake) Write(p []byte) (int, error) {
	if h.over {
		return h.Conn.Write(p)
	}
	written := 0
	for id := byte(1); ; id++ {
		n := min(len(p)-written, packetSize-headerSize)
		status := byte(0)
		if written+n == len(p) {
			status = 1
		}
		if _, err := h.Conn.Write(append(header(typePrelogin, status, n, 0, id), p[written:written+n]...)); err != nil {
			return written, err
		}
		if written += n; status == 1 {
			return written, nil
		}
	}
}

// peeked is a connection of which some was read already.
type peeked struct {
	net.Conn
	raw *bufio.Reader
}

func (c peeked) Read(p []byte) (int, error) { return c.raw.Read(p) }
