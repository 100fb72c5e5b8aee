package mssql

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/octets"
	"decnet/decoy/trap"
)

func decimal(n int) string { return strconv.Itoa(n) }

// call is a request to call a procedure.
type call struct {
	name string
	args []argument
	// rest is what could not be read.
	rest []byte
}

// procedures have numbers instead of names.
func numbered(id uint16) string {
	names := []string{
		"", "sp_cursor", "sp_cursoropen", "sp_cursorprepare", "sp_cursorexecute", "sp_cursorprepexec", "sp_cursorunprepare", "sp_cursorfetch",
		"sp_cursoroption", "sp_cursorclose", "sp_executesql", "sp_prepare", "sp_execute", "sp_prepexec", "sp_prepexecrpc", "sp_unprepare",
	}
	if int(id) < len(names) {
		return names[id]
	}
	return "procedure " + strconv.Itoa(int(id))
}

// parseCall reads a request. Arguments of types that bots don't use end it.
func parseCall(b []byte) (c call, ok bool) {
	p := cursor{octets.Cursor{Rest: b}}
	if n := p.number(); n == 0xffff {
		c.name = numbered(p.number())
	} else {
		c.name = ntlmtrap.FromUTF16(p.Take(2 * int(n)))
	}
	p.Take(2) // options
	if p.Bad {
		return c, false
	}
	for len(p.Rest) > 0 && len(c.args) < maxItems {
		before := p.Rest
		a := argument{name: strings.ToLower(ntlmtrap.FromUTF16(p.Take(2 * int(p.Byte()))))}
		p.Take(1)
		if a.value = p.value(); p.Bad {
			c.rest = before
			break
		}
		c.args = append(c.args, a)
	}
	return c, true
}

// cursor reads the parts of a request.
type cursor struct{ octets.Cursor }

// number reads two bytes.
func (c *cursor) number() uint16 { return c.Uint16(binary.LittleEndian) }

// value reads the type of an argument and its value.
func (c *cursor) value() any {
	switch c.Byte() {
	case 0x26, 0x68: // a number, a bit
		c.Take(1)
		return c.integer(int(c.Byte()))
	case 0x38:
		return c.integer(4)
	case 0xe7, 0xef: // a text
		if v, ok := c.long(c.number(), true); ok {
			return ntlmtrap.FromUTF16(v)
		}
	case 0xa7, 0xaf: // a text in a code page
		if v, ok := c.long(c.number(), true); ok {
			return string(v)
		}
	case 0xa5, 0xad: // bytes
		if v, ok := c.long(c.number(), false); ok {
			return string(v)
		}
	case 0x63: // ntext
		c.Take(4 + 5)
		return ntlmtrap.FromUTF16(c.Take(int(c.Uint32(binary.LittleEndian))))
	default:
		c.Bad = true
	}
	return nil
}

func (c *cursor) integer(n int) any {
	b := c.Take(n)
	switch {
	case c.Bad || n == 0:
		return nil
	case n == 1:
		return int(b[0])
	case n == 2:
		return int(int16(binary.LittleEndian.Uint16(b)))
	case n == 4:
		return int(int32(binary.LittleEndian.Uint32(b)))
	case n == 8:
		return int(int64(binary.LittleEndian.Uint64(b)))
	}
	c.Bad = true
	return nil
}

// long reads a value that may come in parts; false is NULL.
func (c *cursor) long(most uint16, collated bool) ([]byte, bool) {
	if collated {
		c.Take(5)
	}
	if most != 0xffff {
		n := c.number()
		if n == 0xffff {
			return nil, false
		}
		v := c.Take(int(n))
		return v, !c.Bad
	}
	if size := c.Uint64(binary.LittleEndian); c.Bad || size == 1<<64-1 {
		return nil, false
	}
	var all []byte
	for {
		n := c.Uint32(binary.LittleEndian)
		if n == 0 || c.Bad {
			return all, !c.Bad
		}
		all = append(all, c.Take(int(n))...)
	}
}

// call records a call and answers it.
func (c *client) call(e *encoder, user string, body []byte, stored *trap.Stored) {
	call, ok := parseCall(c.afterHeaders(body))
	if !ok {
		unknown(c.conn, append([]byte{typeRPC}, body...))
		e.problem(problem{8009, 1, 16, "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect."})
		e.done(tokenDoneProc, doneError, 0, 0)
		return
	}
	b := &batchRun{client: c, e: e, user: user, vars: map[string]any{}, whole: stored == nil}
	at := map[string]int{"sp_executesql": 0, "sp_prepexec": 2, "sp_prepare": 2, "sp_cursoropen": 1}
	sql := ""
	place, has := at[call.name]
	if has && place < len(call.args) {
		sql = asText(call.args[place].value)
	}
	fields := []trap.Field{{Key: "procedure", Value: call.name}}
	for i, a := range call.args {
		if sql == "" || i != place {
			fields = append(fields, trap.Field{Key: "arg" + strconv.Itoa(i), Value: asText(a.value)})
		}
		if strings.HasPrefix(a.name, "@") {
			b.vars[a.name] = a.value
		}
	}
	if len(call.rest) > 0 {
		fields = append(fields, trap.Field{Key: "data", Value: hex.EncodeToString(call.rest[:min(len(call.rest), 64)])})
	}
	query := sql
	if query == "" {
		query = "EXEC " + call.name
	}
	c.recordQuery(query, stored, fields...)
	switch {
	case sql != "":
		b.run(sql, 0)
		b.status(0)
	case strings.HasPrefix(call.name, "sp_") && (strings.HasPrefix(call.name, "sp_cursor") || strings.Contains(call.name, "prepare") || call.name == "sp_execute"):
		b.status(0)
	default:
		b.procedure(call.name, call.args, 0)
	}
	b.end(tokenDoneProc)
}
