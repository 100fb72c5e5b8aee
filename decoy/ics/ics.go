// Package ics imitates an industrial controller, a Siemens SIMATIC S7-200: on
// port 502 Modbus/TCP with its device identification (Modbus Application Protocol
// V1.1b3), on UDP port 161 an agent of SNMP (by package snmp), on port 80 a simple
// page of the operator's panel.
//
// It records each request of Modbus with unit, function, address and data
// (modbus), each page asked for (request), what SNMP records, and malformed
// messages. Registers hold values that change slowly with the clock; what is
// written is answered as done and forgotten.
package ics

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"decnet/decoy/snmp"
	"decnet/decoy/trap"
)

// portHTTP is where the panel is.
const portHTTP = 80

// Functions and exceptions of Modbus.
const (
	readCoils       = 1
	readInputs      = 2
	readHolding     = 3
	readRegisters   = 4
	writeCoil       = 5
	writeRegister   = 6
	writeCoils      = 15
	writeRegisters  = 16
	reportID        = 17
	encapsulated    = 43
	illegalFunction = 1
	illegalAddress  = 2
	illegalValue    = 3
	registers       = 400 // how many there are
)

type server struct{ host *trap.Host }

// New makes the service.
func New(e trap.Env) (trap.Service, error) {
	agent := snmp.For(e, snmp.Device{Descr: "Siemens, SIMATIC, S7-200", ObjectID: "1.3.6.1.4.1.4329.6.3.2"})
	return trap.Service{TCP: &server{e.Host}, UDP: agent.UDP}, nil
}

// Serve implements [trap.Server].
func (v *server) Serve(_ context.Context, s *trap.Session) {
	if s.Port == portHTTP {
		v.panel(s)
		return
	}
	for {
		f, raw, err := readFrame(s)
		if err != nil {
			if len(raw) > 0 {
				malformed(s, raw)
			}
			return
		}
		s.Record("modbus", describe(f)...)
		pdu := v.answer(f.pdu, s.Now())
		head := binary.BigEndian.AppendUint16(append([]byte(nil), raw[:4]...), uint16(len(pdu)+1))
		if _, err := s.Write(append(append(head, f.unit), pdu...)); err != nil {
			return
		}
	}
}

func malformed(s *trap.Session, b []byte) {
	s.Record("malformed", trap.Field{Key: "data", Value: hex.EncodeToString(b[:min(len(b), 64)])})
}

// frame is a request.
type frame struct {
	unit byte
	pdu  []byte // at least the function
}

var errMalformed = errors.New("malformed message")

// readFrame reads a request; the second value is all that was read.
func readFrame(r io.Reader) (*frame, []byte, error) {
	b := make([]byte, 7, 260)
	if n, err := io.ReadFull(r, b); err != nil {
		return nil, b[:n], fmt.Errorf("read: %w", err)
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if b[2] != 0 || b[3] != 0 || n < 2 || n > 254 {
		return nil, b, errMalformed
	}
	b = b[:7+n-1]
	if got, err := io.ReadFull(r, b[7:]); err != nil {
		return nil, b[:7+got], fmt.Errorf("read: %w", err)
	}
	return &frame{b[6], b[7:]}, b, nil
}

// describe returns what an event says about a request.
func describe(f *frame) []trap.Field {
	fields := []trap.Field{
		{Key: "unit", Value: strconv.Itoa(int(f.unit))}, {Key: "function", Value: strconv.Itoa(int(f.pdu[0]))},
		{Key: "name", Value: name(f.pdu[0])}, {Key: "data", Value: hex.EncodeToString(f.pdu[1:])},
	}
	if len(f.pdu) >= 5 && f.pdu[0] <= writeRegisters {
		fields = append(fields, trap.Field{Key: "address", Value: strconv.Itoa(int(binary.BigEndian.Uint16(f.pdu[1:])))},
			trap.Field{Key: "value", Value: strconv.Itoa(int(binary.BigEndian.Uint16(f.pdu[3:])))})
	}
	return fields
}

func name(function byte) string {
	n := map[byte]string{
		readCoils: "read_coils", readInputs: "read_discrete_inputs", readHolding: "read_holding_registers", readRegisters: "read_input_registers",
		writeCoil: "write_coil", writeRegister: "write_register", writeCoils: "write_coils", writeRegisters: "write_registers",
		reportID: "report_server_id", encapsulated: "device_identification",
	}[function]
	if n == "" {
		return "unknown"
	}
	return n
}

// answer returns the answer to a request.
func (v *server) answer(pdu []byte, now time.Time) []byte {
	function := pdu[0]
	no := func(code byte) []byte { return []byte{function | 0x80, code} }
	var address, count int
	if len(pdu) >= 5 {
		address, count = int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:]))
	}
	short := len(pdu) < 5
	switch function {
	case readCoils, readInputs, readHolding, readRegisters:
		most := 125
		if function <= readInputs {
			most = 2000
		}
		switch {
		case short || count < 1 || count > most:
			return no(illegalValue)
		case address+count > registers:
			return no(illegalAddress)
		}
		return v.values(function, address, count, now)
	case writeCoil, writeRegister:
		switch {
		case short || function == writeCoil && count != 0 && count != 0xff00:
			return no(illegalValue)
		case address >= registers:
			return no(illegalAddress)
		}
		return pdu[:5]
	case writeCoils, writeRegisters:
		switch {
		case len(pdu) < 6 || int(pdu[5]) != len(pdu)-6 || count < 1:
			return no(illegalValue)
		case address+count > registers:
			return no(illegalAddress)
		}
		return pdu[:5]
	case reportID:
		id := "\xffSiemens SIMATIC S7-200"
		return append([]byte{function, byte(len(id))}, id...)
	case encapsulated:
		return v.identify(pdu)
	}
	return no(illegalFunction)
}

// values returns what is read: bits or registers.
func (v *server) values(function byte, address, count int, now time.Time) []byte {
	if function <= readInputs {
		b := make([]byte, (count+7)/8)
		for i := range count {
			if v.level(address+i, now)&1 != 0 {
				b[i/8] |= 1 << (i % 8)
			}
		}
		return append([]byte{function, byte(len(b))}, b...)
	}
	b := []byte{function, byte(2 * count)}
	for i := range count {
		b = binary.BigEndian.AppendUint16(b, v.level(address+i, now))
	}
	return b
}

// level is a register's value: most are zero, some are a set point, some follow
// a slow wave as a tank's level does.
func (v *server) level(address int, now time.Time) uint16 {
	r := v.host.Derive("modbus "+strconv.Itoa(address), 4)
	base := 100 + int(binary.BigEndian.Uint16(r))%900
	switch {
	case r[2] < 140:
		return 0
	case r[2] < 200:
		return uint16(base)
	}
	phase := float64(now.Unix()%3600)/3600 + float64(r[3])/256
	return uint16(float64(base) + 20*math.Sin(2*math.Pi*phase))
}

// identify answers Read Device Identification.
func (v *server) identify(pdu []byte) []byte {
	if len(pdu) < 4 || pdu[1] != 14 {
		return []byte{encapsulated | 0x80, illegalFunction}
	}
	objects := []string{"Siemens", "SIMATIC", "S7-200"}
	code, first := pdu[2], int(pdu[3])
	from, to := 0, len(objects)
	switch {
	case code < 1 || code > 4:
		return []byte{encapsulated | 0x80, illegalValue}
	case code == 4:
		if first >= len(objects) {
			return []byte{encapsulated | 0x80, illegalAddress}
		}
		from, to = first, first+1
	case first < len(objects):
		from = first
	}
	b := []byte{encapsulated, 14, code, 0x81, 0, 0, byte(to - from)}
	for i := from; i < to; i++ {
		b = append(append(b, byte(i), byte(len(objects[i]))), objects[i]...)
	}
	return b
}

// Bounds of a request for a page.
const (
	maxLine    = 2048
	maxHeaders = 64
)

// panel serves the operator's page.
func (v *server) panel(s *trap.Session) {
	r := bufio.NewReaderSize(s, maxLine)
	line, err := trap.ReadLine(r, maxLine)
	method, path, ok := parseLine(string(line))
	if err != nil || !ok {
		if len(line) > 0 {
			malformed(s, line)
		}
		return
	}
	agent := ""
	for range maxHeaders {
		header, err := trap.ReadLine(r, maxLine)
		if err != nil || len(header) == 0 {
			break
		}
		if n, value, _ := strings.Cut(string(header), ":"); strings.EqualFold(n, "user-agent") {
			agent = strings.TrimSpace(value)
		}
	}
	s.Record("request", trap.Field{Key: "method", Value: method}, trap.Field{Key: "path", Value: path}, trap.Field{Key: "user_agent", Value: agent})
	status, body := "404 Not Found", "<html><head><title>404</title></head><body>Not found</body></html>"
	switch bare, _, _ := strings.Cut(path, "?"); bare {
	case "/":
		s.Conn.Write([]byte("HTTP/1.1 302 Found\r\nLocation: /index.html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")) //nolint:errcheck // the session is over either way
		return
	case "/index.html":
		status, body = "200 OK", v.page(s.Now())
	}
	head := "HTTP/1.1 " + status + "\r\nContent-Type: text/html\r\nDate: " + s.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05") + " GMT\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\nConnection: close\r\n\r\n"
	if method == "HEAD" {
		body = ""
	}
	_, _ = io.WriteString(s, head+body)
}

func parseLine(line string) (method, path string, ok bool) {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !strings.HasPrefix(parts[2], "HTTP/1.") || parts[0] == "" || !strings.HasPrefix(parts[1], "/") {
		return "", "", false
	}
	return parts[0], parts[1], true
}

func (v *server) page(now time.Time) string {
	serial := strings.ToUpper(hex.EncodeToString(v.host.Derive("plc serial", 4)))
	up := now.Sub(v.host.Booted(now)).Truncate(time.Second)
	return "<html>\n<head><title>Overview - Siemens, SIMATIC, S7-200</title></head>\n<body>\n<h1>SIMATIC S7-200</h1>\n<table>\n" +
		"<tr><td>Station</td><td>" + v.host.Hostname + "</td></tr>\n<tr><td>Module</td><td>CPU 226 DC/DC/DC</td></tr>\n" +
		"<tr><td>Serial number</td><td>S C-" + serial + "</td></tr>\n<tr><td>Operating mode</td><td>RUN</td></tr>\n" +
		"<tr><td>Uptime</td><td>" + strconv.Itoa(int(up.Hours())/24) + " d " + strconv.Itoa(int(up.Hours())%24) + " h</td></tr>\n</table>\n</body>\n</html>\n"
}
