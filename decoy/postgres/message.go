package postgres

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// failure is an ErrorResponse with the fields that a server sends for a login:
// severity twice, the SQLSTATE and the text, and where in its source it was said.
func failure(severity, state, text string) []byte {
	file, line, routine := source(state)
	var fields strings.Builder
	for _, f := range []struct{ code, value string }{
		{"S", severity},
		{"V", severity},
		{"C", state},
		{"M", strings.ReplaceAll(text, "\x00", "")},
		{"F", file},
		{"L", line},
		{"R", routine},
	} {
		fields.WriteString(f.code + f.value + "\x00")
	}
	fields.WriteByte(0)
	b := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+fields.Len()))
	return append(b, fields.String()...)
}

// source is where PostgreSQL 15 says an error of a state.
func source(state string) (file, line, routine string) {
	switch state {
	case "28P01":
		return "auth.c", "331", "auth_failed"
	case "28000":
		return "postmaster.c", "2270", "ProcessStartupPacket"
	case "0A000":
		return "postmaster.c", "2139", "ProcessStartupPacket"
	}
	return "postmaster.c", "2035", "ProcessStartupPacket"
}

func number(n int) string { return strconv.Itoa(n) }

// dotted is a version as the server writes it.
func dotted(v uint32) string { return number(int(v>>16)) + "." + number(int(v&0xffff)) }
