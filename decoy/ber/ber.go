// Package ber reads and writes the small part of BER (X.690) that LDAP, SNMP,
// SPNEGO and CredSSP use: tags of one byte and definite lengths.
//
// What it promises: reading takes no memory beyond its input, no length is
// believed that the input doesn't have, and nothing panics.
package ber

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Universal tags.
const (
	Bool       = 0x01
	Integer    = 0x02
	Octets     = 0x04
	Null       = 0x05
	OID        = 0x06
	Enumerated = 0x0a
	Sequence   = 0x30
	Set        = 0x31
)

// ErrMalformed says that the input is not BER, or BER of a kind that isn't read.
var ErrMalformed = errors.New("malformed BER")

// ErrTooLong says that an element is over the caller's bound.
var ErrTooLong = errors.New("the BER element is too long")

// Element is a tag and what it holds, a part of the input.
type Element struct {
	Tag   byte
	Value []byte
}

// Parse reads one element and returns what follows it.
func Parse(b []byte) (e Element, rest []byte, err error) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return Element{}, nil, ErrMalformed
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		count := n & 0x7f
		if count == 0 || count > 4 || len(b) < 2+count {
			return Element{}, nil, ErrMalformed
		}
		n, head = length(b[2:2+count]), 2+count
	}
	if n > len(b)-head {
		return Element{}, nil, ErrMalformed
	}
	return Element{b[0], b[head : head+n]}, b[head+n:], nil
}

func length(b []byte) int {
	var n uint32
	for _, c := range b {
		n = n<<8 | uint32(c)
	}
	return int(min(n, 1<<30))
}

// Children reads the elements inside, at most limit of them.
func (e Element) Children(limit int) ([]Element, error) {
	var all []Element
	for rest := e.Value; len(rest) > 0; {
		if len(all) == limit {
			return nil, ErrTooLong
		}
		c, r, err := Parse(rest)
		if err != nil {
			return nil, err
		}
		all, rest = append(all, c), r
	}
	return all, nil
}

// Int reads the value as a signed number of at most eight bytes.
func (e Element) Int() (int64, error) {
	if len(e.Value) == 0 || len(e.Value) > 8 {
		return 0, ErrMalformed
	}
	n := int64(int8(e.Value[0]))
	for _, c := range e.Value[1:] {
		n = n<<8 | int64(c)
	}
	return n, nil
}

// Read reads one element of at most limit bytes, with its head. At an error it
// returns what was read.
func Read(r io.Reader, limit int) ([]byte, error) {
	b := make([]byte, 2, 6)
	if n, err := io.ReadFull(r, b); err != nil {
		return b[:n], fmt.Errorf("read BER: %w", err)
	}
	n := int(b[1])
	if n >= 0x80 {
		count := n & 0x7f
		if count == 0 || count > 4 {
			return b, ErrMalformed
		}
		b = b[:2+count]
		if got, err := io.ReadFull(r, b[2:]); err != nil {
			return b[:2+got], fmt.Errorf("read BER: %w", err)
		}
		n = length(b[2:])
	}
	if n > limit-len(b) {
		return b, ErrTooLong
	}
	head := len(b)
	b = append(b, make([]byte, n)...)
	if got, err := io.ReadFull(r, b[head:]); err != nil {
		return b[:head+got], fmt.Errorf("read BER: %w", err)
	}
	return b, nil
}

// Wrap writes an element that holds the parts.
func Wrap(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 0, n+6)
	b = append(b, tag)
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	case n < 0x10000:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0x84), uint32(n))
	}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Text writes an element that holds the text.
func Text(tag byte, s string) []byte { return Wrap(tag, []byte(s)) }

// Int writes a signed number in the fewest bytes.
func Int(tag byte, n int64) []byte {
	full := binary.BigEndian.AppendUint64(nil, uint64(n))
	for len(full) > 1 && (full[0] == 0 && full[1] < 0x80 || full[0] == 0xff && full[1] >= 0x80) {
		full = full[1:]
	}
	return Wrap(tag, full)
}
