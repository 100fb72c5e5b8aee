package tlstrap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"decnet/decoy/trap"
)

// maxHello bounds what is read before the hello is whole, in bytes with the
// headers of records. Real ones are under 3 kB.
const maxHello = 32 << 10

const (
	recordHeader    = 5
	recordHandshake = 22
	maxRecord       = 16 << 10
)

// PlainError says that the client didn't begin with TLS.
type PlainError struct {
	// Session goes on in plain text; it begins with what the client has sent.
	Session *trap.Session
	// First is the first bytes that the client sent, at most five.
	First []byte
}

// Error implements error.
func (e *PlainError) Error() string { return "the client did not begin a TLS handshake" }

// rewound is a connection that first gives what was read from it already.
type rewound struct {
	net.Conn
	head []byte
}

func (c *rewound) Read(p []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.head)
	c.head = c.head[n:]
	return n, nil
}

// errTooLong is why a hello is not read to its end.
var errTooLong = errors.New("the client hello is too long")

// readHello reads records until they hold a whole handshake message. It returns
// the message and all bytes that were read; the latter also with an error.
func readHello(r io.Reader) (msg, read []byte, err error) {
	for {
		begin := len(read)
		if read, err = more(r, read, recordHeader); err != nil {
			return nil, read, fmt.Errorf("read a client hello: %w", err)
		}
		header := read[begin:]
		n := int(binary.BigEndian.Uint16(header[3:]))
		if header[0] != recordHandshake || header[1] != 3 || n == 0 || n > maxRecord {
			return nil, read, errHello
		}
		if len(read)+n > maxHello {
			return nil, read, errTooLong
		}
		begin = len(read)
		if read, err = more(r, read, n); err != nil {
			return nil, read, fmt.Errorf("read a client hello: %w", err)
		}
		msg = append(msg, read[begin:]...)
		if msg[0] != 1 {
			return nil, read, errHello
		}
		if len(msg) < 4 {
			continue
		}
		want := 4 + int(msg[1])<<16 + int(msg[2])<<8 + int(msg[3])
		if want > maxHello {
			return nil, read, errTooLong
		}
		if len(msg) >= want {
			return msg[:want], read, nil
		}
	}
}

// more reads n more bytes.
func more(r io.Reader, have []byte, n int) ([]byte, error) {
	begin := len(have)
	have = append(have, make([]byte, n)...)
	got, err := io.ReadFull(r, have[begin:])
	return have[:begin+got], err
}
