// Package tftp imitates a TFTP server on UDP port 69 (RFC 1350).
//
// It records each request with op, filename and mode (request), and what is none
// (unknown_opcode). A file to read is not found, but that routers and telephones
// have a short configuration of at most one block.
//
// A file to write is taken into the quarantine (file_upload) only as far as one
// socket allows: a real server answers from a new port for each transfer, here
// everything comes and goes through port 69. Clients that insist on a new port
// give up after the first answer; the others' blocks are put together here, at
// most 16 transfers at once and 2 MiB of each, and one that rests for a minute is
// ended when the next packet of anybody comes.
package tftp

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"decnet/decoy/trap"
)

// Kinds of packets.
const (
	opRead  = 1
	opWrite = 2
	opData  = 3
	opAck   = 4
	opError = 5
)

// Bounds of transfers.
const (
	block        = 512
	maxTransfers = 16
	maxBlocks    = 4096
	maxRest      = time.Minute
)

type server struct {
	config string

	mu        sync.Mutex
	transfers map[netip.AddrPort]*transfer
}

// transfer is a file on its way in.
type transfer struct {
	peer     trap.Peer
	filename string
	last     time.Time // under the server's lock

	mu     sync.Mutex // nobody waits for another's file to be written
	upload *trap.Upload
	next   uint16
	ended  bool
}

// New makes the service.
func New(e trap.Env) (trap.Service, error) {
	v := &server{transfers: map[netip.AddrPort]*transfer{}}
	switch {
	case e.Host.System == "cisco":
		v.config = "!\nversion 15.0\nservice timestamps log datetime msec\nno service password-encryption\n!\nhostname " + e.Host.Hostname +
			"\n!\nboot-start-marker\nboot-end-marker\n!\nno aaa new-model\nip subnet-zero\n!\ninterface Vlan1\n ip address dhcp\n!\nline vty 0 4\n login\nend\n"
	case e.Host.Archetype == "voip-server":
		v.config = "<device><devicePool><callManagerGroup><members><member priority=\"0\"><callManager><name>" + e.Host.Hostname +
			"</name></callManager></member></members></callManagerGroup></devicePool></device>\n"
	}
	v.config = v.config[:min(len(v.config), block-1)]
	return trap.Service{UDP: v}, nil
}

// Request is a request to read or write a file.
type Request struct{ Filename, Mode string }

// Parse reads what follows the opcode of a request.
func Parse(b []byte) (Request, bool) {
	name, rest, ok := strings.Cut(string(b), "\x00")
	mode, _, ok2 := strings.Cut(rest, "\x00")
	return Request{name, mode}, ok && ok2 && name != ""
}

func failure(code byte, text string) []byte {
	return append([]byte{0, opError, 0, code}, text+"\x00"...)
}

// Respond implements [trap.Responder].
func (v *server) Respond(_ context.Context, d *trap.Datagram) []byte {
	v.expire(d.Now())
	if len(d.Data) < 4 || d.Data[0] != 0 {
		unknown(d)
		return failure(4, "Illegal TFTP operation")
	}
	switch op := d.Data[1]; op {
	case opRead, opWrite:
		r, ok := Parse(d.Data[2:])
		if !ok {
			unknown(d)
			return failure(4, "Illegal TFTP operation")
		}
		d.Record("request", trap.Field{Key: "op", Value: [...]string{"", "RRQ", "WRQ"}[op]},
			trap.Field{Key: "filename", Value: r.Filename}, trap.Field{Key: "mode", Value: r.Mode})
		if op == opWrite {
			return v.begin(d, r)
		}
		name := strings.ToLower(r.Filename)
		if v.config != "" && (strings.Contains(name, "conf") || strings.HasSuffix(name, ".cnf.xml") || strings.HasSuffix(name, ".cfg")) {
			return append([]byte{0, opData, 0, 1}, v.config...)
		}
		return failure(1, "File not found")
	case opData:
		return v.take(d)
	case opAck, opError:
		return nil
	}
	unknown(d)
	return failure(4, "Illegal TFTP operation")
}

func unknown(d *trap.Datagram) {
	op := ""
	if len(d.Data) >= 2 {
		op = strconv.Itoa(int(binary.BigEndian.Uint16(d.Data)))
	}
	d.Record("unknown_opcode", trap.Field{Key: "opcode", Value: op}, trap.Field{Key: "data", Value: hex.EncodeToString(d.Data[:min(len(d.Data), 64)])})
}

// begin takes up a file.
func (v *server) begin(d *trap.Datagram, r Request) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.transfers[d.Remote]; !known && len(v.transfers) < maxTransfers {
		v.transfers[d.Remote] = &transfer{peer: d.Peer, filename: r.Filename, upload: d.Files.Begin(), next: 1, last: d.Now()}
	} else if !known {
		return failure(3, "Disk full or allocation exceeded")
	}
	return []byte{0, opAck, 0, 0}
}

// take takes a block.
func (v *server) take(d *trap.Datagram) []byte {
	v.mu.Lock()
	t := v.transfers[d.Remote]
	if t != nil {
		t.last = d.Now()
	}
	v.mu.Unlock()
	if t == nil {
		return failure(5, "Unknown transfer ID")
	}
	if t.write(binary.BigEndian.Uint16(d.Data[2:]), d.Data[4:]) {
		v.mu.Lock()
		delete(v.transfers, d.Remote)
		v.mu.Unlock()
		t.done()
	}
	return []byte{0, opAck, d.Data[2], d.Data[3]}
}

// write takes a block, unless it came before, and says whether it is the last.
func (t *transfer) write(number uint16, content []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || number != t.next {
		return false
	}
	content = content[:min(len(content), block)]
	_, _ = t.upload.Write(content)
	t.next++
	return len(content) < block || t.next > maxBlocks
}

// done ends the file, once.
func (t *transfer) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	t.peer.Record("file_upload", append(t.upload.Done().Fields(), trap.Field{Key: "filename", Value: t.filename})...)
}

// expire ends transfers that rest.
func (v *server) expire(now time.Time) {
	var ended []*transfer
	v.mu.Lock()
	for from, t := range v.transfers {
		if now.Sub(t.last) > maxRest {
			delete(v.transfers, from)
			ended = append(ended, t)
		}
	}
	v.mu.Unlock()
	for _, t := range ended {
		t.done()
	}
}
