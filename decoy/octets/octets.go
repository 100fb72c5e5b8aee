// Package octets reads binary messages from their begin to their end.
//
// What it promises: no length is believed that the input doesn't have, reading
// takes no memory beyond the input, and nothing panics. A fault is asked for
// once, at the end of a message, and not after each of its parts.
package octets

import "encoding/binary"

// Cursor stands before the part of a message that is to be read next.
type Cursor struct {
	// Rest is what was not read yet.
	Rest []byte
	// Bad is set by a part that isn't there, for good; all that is read from then
	// on is nil or zero.
	Bad bool
}

// Take reads the next n bytes, which stay part of the input.
func (c *Cursor) Take(n int) []byte {
	if c.Bad || n < 0 || n > len(c.Rest) {
		c.Bad = true
		return nil
	}
	part := c.Rest[:n:n]
	c.Rest = c.Rest[n:]
	return part
}

// Byte reads one byte.
func (c *Cursor) Byte() byte {
	if b := c.Take(1); !c.Bad {
		return b[0]
	}
	return 0
}

// Uint16 reads two bytes as a number.
func (c *Cursor) Uint16(order binary.ByteOrder) uint16 {
	if b := c.Take(2); !c.Bad {
		return order.Uint16(b)
	}
	return 0
}

// Uint32 reads four bytes as a number.
func (c *Cursor) Uint32(order binary.ByteOrder) uint32 {
	if b := c.Take(4); !c.Bad {
		return order.Uint32(b)
	}
	return 0
}

// Uint64 reads eight bytes as a number.
func (c *Cursor) Uint64(order binary.ByteOrder) uint64 {
	if b := c.Take(8); !c.Bad {
		return order.Uint64(b)
	}
	return 0
}
