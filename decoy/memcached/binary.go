package memcached

import (
	"encoding/binary"
	"io"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// The first bytes of packets.
const (
	magicRequest  = 0x80
	magicResponse = 0x81
	headerSize    = 24
)

// header is the begin of a request.
type header struct {
	magic, op, extras byte
	key               uint16
	body              uint32 // extras, key and value, in bytes
	opaque            uint32
	cas               uint64
}

func parseHeader(b *[headerSize]byte) header {
	return header{
		magic: b[0], op: b[1], key: binary.BigEndian.Uint16(b[2:]), extras: b[4],
		body: binary.BigEndian.Uint32(b[8:]), opaque: binary.BigEndian.Uint32(b[12:]), cas: binary.BigEndian.Uint64(b[16:]),
	}
}

// status is the result in a response.
type status uint16

const (
	statusOK         status = 0
	statusNotFound   status = 1
	statusExists     status = 2
	statusTooLarge   status = 3
	statusInvalid    status = 4
	statusNotStored  status = 5
	statusNoNumber   status = 6
	statusAuthFailed status = 0x20
	statusUnknown    status = 0x81
	statusNoMemory   status = 0x82
)

func (s status) text() string {
	switch s {
	case statusNotFound:
		return "Not found"
	case statusExists:
		return "Data exists for key."
	case statusTooLarge:
		return "Too large."
	case statusInvalid:
		return "Invalid arguments"
	case statusNotStored:
		return "Not stored."
	case statusNoNumber:
		return "Non-numeric server-side value for incr or decr"
	case statusAuthFailed:
		return "Auth failure."
	case statusUnknown:
		return "Unknown command"
	case statusNoMemory:
		return "Out of memory"
	case statusOK:
	}
	return ""
}

// opcode is what a request asks for; the quiet ones are answered only where there
// is something to say.
type opcode struct {
	name  string
	quiet bool
	wants int  // bytes of extras; -4 is four or none
	key   bool // it has one
	value bool // it may have one
	run   func(c *client, p *packet)
}

// packet is a request that was read whole.
type packet struct {
	header
	opcode
	ext, keyText string
	value        string
}

// opcodes are those that the server knows, by their numbers.
func opcodes() map[byte]opcode {
	all := map[byte]opcode{
		0x00: {name: "get", key: true, run: (*client).binGet},
		0x01: {name: "set", key: true, value: true, wants: 8, run: (*client).binSet},
		0x02: {name: "add", key: true, value: true, wants: 8, run: (*client).binSet},
		0x03: {name: "replace", key: true, value: true, wants: 8, run: (*client).binSet},
		0x04: {name: "delete", key: true, run: (*client).binDelete},
		0x05: {name: "incr", key: true, wants: 20, run: (*client).binArithmetic},
		0x06: {name: "decr", key: true, wants: 20, run: (*client).binArithmetic},
		0x07: {name: "quit", run: func(c *client, p *packet) { c.quit = true; c.ok(p, "", "", "", 0) }},
		0x08: {name: "flush_all", wants: -4, run: (*client).binFlush},
		0x0a: {name: "noop", run: func(c *client, p *packet) { c.ok(p, "", "", "", 0) }},
		0x0b: {name: "version", run: func(c *client, p *packet) { c.ok(p, "", "", c.version, 0) }},
		0x0c: {name: "getk", key: true, run: (*client).binGet},
		0x0e: {name: "append", key: true, value: true, run: (*client).binSet},
		0x0f: {name: "prepend", key: true, value: true, run: (*client).binSet},
		0x10: {name: "stats", run: (*client).binStats},
		0x1c: {name: "touch", key: true, wants: 4, run: (*client).binTouch},
		0x1d: {name: "gat", key: true, wants: 4, run: (*client).binGet},
		0x23: {name: "gatk", key: true, wants: 4, run: (*client).binGet},
		0x20: {name: "sasl_list_mechs", run: func(c *client, p *packet) { c.ok(p, "", "", "PLAIN", 0) }},
		0x21: {name: "sasl_auth", key: true, value: true, run: (*client).binAuth},
		0x22: {name: "sasl_step", key: true, value: true, run: (*client).binAuth},
	}
	for quiet, loud := range map[byte]byte{
		0x09: 0x00, 0x0d: 0x0c, 0x11: 0x01, 0x12: 0x02, 0x13: 0x03, 0x14: 0x04, 0x15: 0x05, 0x16: 0x06, 0x17: 0x07, 0x18: 0x08, 0x19: 0x0e, 0x1a: 0x0f, 0x1e: 0x1d, 0x24: 0x23,
	} {
		o := all[loud]
		o.quiet = true
		all[quiet] = o
	}
	return all
}

// answer writes a response.
func (c *client) answer(p *packet, s status, ext, key, value string, cas uint64) {
	b := make([]byte, headerSize, headerSize+len(ext)+len(key))
	b[0], b[1], b[4] = magicResponse, p.op, byte(len(ext))
	binary.BigEndian.PutUint16(b[2:], uint16(len(key)))
	binary.BigEndian.PutUint16(b[6:], uint16(s))
	binary.BigEndian.PutUint32(b[8:], uint32(len(ext)+len(key)+len(value)))
	binary.BigEndian.PutUint32(b[12:], p.opaque)
	binary.BigEndian.PutUint64(b[16:], cas)
	_, _ = c.w.Write(append(append(b, ext...), key...))
	_, _ = c.w.WriteString(value)
}

// ok says that it is done, unless the client wants to hear of failures only.
func (c *client) ok(p *packet, ext, key, value string, cas uint64) {
	if !p.quiet {
		c.answer(p, statusOK, ext, key, value, cas)
	}
}

func (c *client) fail(p *packet, s status) { c.answer(p, s, "", "", s.text(), 0) }

// nextPacket answers one request of the binary protocol. It reports whether there
// may be more.
func (c *client) nextPacket() bool {
	var raw [headerSize]byte
	if _, err := io.ReadFull(c.r, raw[:]); err != nil {
		return false
	}
	p := &packet{header: parseHeader(&raw)}
	if p.magic != magicRequest {
		c.malformed("not a request of the binary protocol", raw[:])
		return false
	}
	head := make([]byte, int(p.extras)+int(p.header.key)) // 64 kB at most
	if _, err := io.ReadFull(c.r, head); err != nil {
		return false
	}
	var known bool
	p.opcode, known = c.opcodes[p.op]
	p.ext, p.keyText = string(head[:p.extras]), string(head[p.extras:])
	rest := int64(p.body) - int64(len(head))
	switch {
	case rest < 0:
		c.malformed("the lengths contradict each other", raw[:])
		c.fail(p, statusUnknown)
		return false
	case !known:
		c.malformed("unknown opcode", raw[:])
		c.fail(p, statusUnknown)
		return c.pass(rest)
	case !p.fits(rest):
		c.malformed("invalid arguments", raw[:])
		c.fail(p, statusInvalid)
		return false
	case rest > maxValue:
		c.malformed("the value is too large", raw[:])
		c.fail(p, statusTooLarge)
		return c.pass(rest)
	}
	if !c.binValue(p, int(rest)) {
		return false
	}
	return !c.quit
}

// pass reads over what is not kept.
func (c *client) pass(n int64) bool {
	_, err := io.CopyN(io.Discard, c.r, n)
	return err == nil
}

// fits reports whether the lengths are those that the opcode has.
func (p *packet) fits(value int64) bool {
	extras := p.wants == int(p.extras) || p.wants < 0 && (p.extras == 0 || int(p.extras) == -p.wants)
	named := p.opcode.key == (p.header.key > 0) || p.op == 0x10 || p.op == 0x22
	return extras && named && p.header.key <= maxKey && (p.opcode.value || value == 0)
}

// binValue reads the value of a request and carries the request out.
func (c *client) binValue(p *packet, size int) bool {
	value, refusal, alive := c.blob(size)
	if !alive {
		return false
	}
	p.value = value
	c.recordPacket(p)
	if refusal != "" {
		c.fail(p, statusNoMemory)
		return true
	}
	p.run(c, p)
	return true
}

// recordPacket records a request as if it had been typed.
func (c *client) recordPacket(p *packet) {
	if strings.HasPrefix(p.name, "sasl_auth") || p.name == "sasl_step" {
		return // binAuth does
	}
	words := []string{p.name}
	if p.keyText != "" {
		words = append(words, p.keyText)
	}
	for ext := p.ext; len(ext) >= 4; ext = ext[4:] {
		words = append(words, strconv.FormatUint(uint64(be32(ext)), 10))
	}
	var what *stored
	if p.opcode.value {
		words = append(words, number(len(p.value)))
		what = &stored{key: p.keyText, data: p.value}
	}
	c.record(words, what, trap.Field{Key: "protocol", Value: "binary"})
}

func be32(s string) uint32 { return binary.BigEndian.Uint32([]byte(s[:4])) }
func be64(s string) uint64 { return binary.BigEndian.Uint64([]byte(s[:8])) }

// until32 reads an expiry in 32 bits.
func (c *client) until32(n uint32) int64 { return int64(int32(n)) }

func (c *client) binGet(p *packet) {
	i := c.find(p.keyText)
	withKey := strings.HasSuffix(p.name, "k")
	if i == nil {
		switch {
		case p.quiet:
		case withKey:
			c.answer(p, statusNotFound, "", p.keyText, "", 0)
		default:
			c.fail(p, statusNotFound)
		}
		return
	}
	if p.ext != "" {
		i.expires = c.store.until(c.until32(be32(p.ext)))
	}
	key := ""
	if withKey {
		key = p.keyText
	}
	c.answer(p, statusOK, string(binary.BigEndian.AppendUint32(nil, i.flags)), key, i.value, i.cas)
}

func (c *client) binSet(p *packet) {
	i := &item{key: p.keyText, value: p.value}
	if p.ext != "" {
		i.flags, i.expires = be32(p.ext), c.store.until(c.until32(be32(p.ext[4:])))
	}
	how := map[string]verb{"set": verbSet, "add": verbAdd, "replace": verbReplace, "append": verbAppend, "prepend": verbPrepend}[p.name]
	c.count["cmd_set"]++
	switch c.store.keep(how, i, p.cas) {
	case done:
		c.ok(p, "", "", "", i.cas)
	case exists:
		c.fail(p, statusExists)
	case notFound:
		c.fail(p, statusNotFound)
	case notStored:
		c.fail(p, map[verb]status{verbAdd: statusExists, verbReplace: statusNotFound, verbAppend: statusNotStored, verbPrepend: statusNotStored}[how])
	}
}

func (c *client) binDelete(p *packet) {
	i := c.store.get(p.keyText)
	switch {
	case i == nil:
		c.count["delete_misses"]++
		c.fail(p, statusNotFound)
	case p.cas != 0 && p.cas != i.cas:
		c.fail(p, statusExists)
	default:
		c.count["delete_hits"]++
		c.store.remove(i)
		c.ok(p, "", "", "", 0)
	}
}

func (c *client) binArithmetic(p *packet) {
	delta, first, expires := be64(p.ext), be64(p.ext[8:]), be32(p.ext[16:])
	i := c.store.get(p.keyText)
	if i == nil {
		c.count[p.name+"_misses"]++
		if expires == 0xffffffff { // it is not to be made
			c.fail(p, statusNotFound)
			return
		}
		i = &item{key: p.keyText, value: strconv.FormatUint(first, 10), expires: c.store.until(c.until32(expires))}
		c.store.put(i)
		c.ok(p, "", "", string(binary.BigEndian.AppendUint64(nil, first)), i.cas)
		return
	}
	if p.cas != 0 && p.cas != i.cas {
		c.fail(p, statusExists)
		return
	}
	n, ok := c.store.add(i, delta, p.name == "decr")
	if !ok {
		c.fail(p, statusNoNumber)
		return
	}
	c.count[p.name+"_hits"]++
	c.ok(p, "", "", string(binary.BigEndian.AppendUint64(nil, n)), i.cas)
}

func (c *client) binTouch(p *packet) {
	c.count["cmd_touch"]++
	i := c.store.get(p.keyText)
	if i == nil {
		c.fail(p, statusNotFound)
		return
	}
	i.expires, i.used = c.store.until(c.until32(be32(p.ext))), c.store.now()
	c.ok(p, "", "", "", i.cas)
}

func (c *client) binFlush(p *packet) {
	c.count["cmd_flush"]++
	seconds := int64(0)
	if p.ext != "" {
		seconds = c.until32(be32(p.ext))
	}
	c.flushIn(seconds)
	c.ok(p, "", "", "", 0)
}

// binStats answers with a packet for each line and an empty one behind them.
func (c *client) binStats(p *packet) {
	if p.keyText != "reset" {
		all, ok := c.about(p.keyText)
		if !ok {
			c.fail(p, statusNotFound)
			return
		}
		for _, s := range all {
			c.answer(p, statusOK, "", s.name, s.value, 0)
		}
	}
	c.answer(p, statusOK, "", "", "", 0)
}

// binAuth records who wants in, and says no.
func (c *client) binAuth(p *packet) {
	c.count["auth_cmds"]++
	c.count["auth_errors"]++
	fields := []trap.Field{{Key: "mechanism", Value: p.keyText}}
	// PLAIN is whom to act for, who it is, and the password, with zeros between.
	if parts := strings.SplitN(p.value, "\x00", 3); p.keyText == "PLAIN" && len(parts) == 3 {
		fields = append(fields, trap.Field{Key: "username", Value: parts[1]}, trap.Field{Key: "password", Value: parts[2]})
	} else {
		fields = append(fields, trap.Field{Key: "response", Value: hexOf(p.value)})
	}
	c.conn.Record("auth", fields...)
	c.fail(p, statusAuthFailed)
}
