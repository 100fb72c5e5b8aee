package mssql

import (
	"encoding/binary"
	"strconv"

	"decnet/decoy/ntlmtrap"
)

// Bits of DONE.
const (
	doneMore  = 0x01
	doneError = 0x02
	doneCount = 0x10
	doneAttn  = 0x20
)

// Kinds of DONE.
const (
	tokenDone     = 0xfd
	tokenDoneProc = 0xfe
)

// encoder writes the tokens of a reply. Clients of TDS 7.1 and older have shorter
// numbers in some.
type encoder struct {
	b   []byte
	old bool
	// first says that the client is of TDS 7.0, where texts have no collation.
	first  bool
	server string
}

func (e *encoder) byte(v byte)     { e.b = append(e.b, v) }
func (e *encoder) uint16(v uint16) { e.b = binary.LittleEndian.AppendUint16(e.b, v) }
func (e *encoder) uint32(v uint32) { e.b = binary.LittleEndian.AppendUint32(e.b, v) }

// wide returns at most n characters.
func wide(s string, n int) []byte {
	b := ntlmtrap.UTF16(s)
	return b[:min(len(b), 2*n)]
}

// short appends a text of at most 255 characters.
func (e *encoder) short(s string) {
	v := wide(s, 255)
	e.byte(byte(len(v) / 2))
	e.b = append(e.b, v...)
}

// block appends a token with its length around what write appends.
func (e *encoder) block(token byte, write func()) {
	e.byte(token)
	at := len(e.b)
	e.uint16(0)
	write()
	binary.LittleEndian.PutUint16(e.b[at:], uint16(len(e.b)-at-2))
}

// problem is an error, or with a class of at most 10 a message.
type problem struct {
	number       uint32
	state, class byte
	text         string
}

func (e *encoder) problem(p problem) {
	token := byte(0xaa)
	if p.class <= 10 {
		token = 0xab
	}
	e.block(token, func() {
		e.uint32(p.number)
		e.byte(p.state)
		e.byte(p.class)
		text := wide(p.text, 2048)
		e.uint16(uint16(len(text) / 2))
		e.b = append(e.b, text...)
		e.short(e.server)
		e.byte(0) // no procedure
		if e.old {
			e.uint16(1)
		} else {
			e.uint32(1)
		}
	})
}

func (e *encoder) done(token byte, status, command uint16, rows uint64) {
	e.byte(token)
	e.uint16(status)
	e.uint16(command)
	if e.old {
		e.uint32(uint32(rows))
	} else {
		e.b = binary.LittleEndian.AppendUint64(e.b, rows)
	}
}

// change tells that something of the session is another than before.
func (e *encoder) change(kind byte, fresh, before string) {
	e.block(0xe3, func() {
		e.byte(kind)
		e.short(fresh)
		e.short(before)
	})
}

// collation is SQL_Latin1_General_CP1_CI_AS.
func collation() []byte { return []byte{0x09, 0x04, 0xd0, 0x00, 0x34} }

// welcome is the reply to a login that was let in.
func (e *encoder) welcome(s *server, l *login, database string, size int) {
	e.change(1, database, "master")
	e.problem(problem{5701, 2, 0, "Changed database context to '" + database + "'."})
	if !e.first {
		e.block(0xe3, func() {
			e.byte(7)
			e.byte(5)
			e.b = append(e.b, collation()...)
			e.byte(0)
		})
	}
	e.change(2, "us_english", "")
	e.problem(problem{5703, 1, 0, "Changed language setting to us_english."})
	version := min(l.version, 0x74000004)
	e.block(0xad, func() {
		e.byte(1)
		e.b = binary.BigEndian.AppendUint32(e.b, version)
		e.short("Microsoft SQL Server\x00\x00")
		e.b = append(e.b, s.release.major, s.release.minor, byte(s.release.build>>8), byte(s.release.build))
	})
	e.change(4, strconv.Itoa(size), "4096")
	e.done(tokenDone, 0, 0, 0)
}

// column is one of a result; number says that it is an int.
type column struct {
	name   string
	number bool
	// width is the most characters of a text.
	width int
}

// table is a result. A nil cell is NULL.
type table struct {
	columns []column
	rows    [][]any
}

func (e *encoder) table(t *table) {
	e.byte(0x81)
	e.uint16(uint16(len(t.columns)))
	for _, c := range t.columns {
		if e.old {
			e.uint16(0)
		} else {
			e.uint32(0)
		}
		e.uint16(0x21) // computed, may be NULL
		if c.number {
			e.b = append(e.b, 0x26, 4)
		} else {
			e.byte(0xe7)
			e.uint16(uint16(2 * c.width))
			if !e.first {
				e.b = append(e.b, collation()...)
			}
		}
		e.short(c.name)
	}
	for _, row := range t.rows {
		e.byte(0xd1)
		for i, c := range t.columns {
			e.cell(&c, row[i])
		}
	}
}

func (e *encoder) cell(c *column, v any) {
	switch v := v.(type) {
	case int:
		e.byte(4)
		e.uint32(uint32(int32(v)))
	case string:
		text := wide(v, c.width)
		e.uint16(uint16(len(text)))
		e.b = append(e.b, text...)
	default:
		if c.number {
			e.byte(0)
		} else {
			e.uint16(0xffff)
		}
	}
}
