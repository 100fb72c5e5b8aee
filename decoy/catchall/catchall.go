// Package catchall records what is sent to a port that nothing is imitated on.
// It answers nothing. On which ports is a setting that package fleet reads.
//
// It records the first 1024 bytes of a session as one event (data): in
// hexadecimal digits, as text byte for byte, how many came in all, and a guess
// of the protocol. Silence is not recorded; the driver tells of each session.
package catchall

import (
	"bytes"
	"context"
	"encoding/hex"
	"strconv"

	"decnet/decoy/trap"
)

// maxKept is how much of a session is recorded, in bytes.
const maxKept = 1024

type server struct{}

// New makes the service.
func New(trap.Env) (trap.Service, error) { return trap.Service{TCP: server{}, UDP: server{}}, nil }

// Serve implements [trap.Server].
func (server) Serve(_ context.Context, s *trap.Session) {
	var kept []byte
	total := 0
	buf := make([]byte, 4096)
	defer func() { // also at a limit, and when the service stops
		if total > 0 {
			record(&s.Peer, kept, total)
		}
	}()
	for {
		n, err := s.Read(buf)
		total += n
		kept = append(kept, buf[:min(n, maxKept-len(kept))]...)
		if err != nil {
			return
		}
	}
}

// Respond implements [trap.Responder].
func (server) Respond(_ context.Context, d *trap.Datagram) []byte {
	record(&d.Peer, d.Data[:min(len(d.Data), maxKept)], len(d.Data))
	return nil
}

func record(p *trap.Peer, kept []byte, total int) {
	p.Record("data", trap.Field{Key: "bytes", Value: strconv.Itoa(total)}, trap.Field{Key: "hex", Value: hex.EncodeToString(kept)},
		trap.Field{Key: "text", Value: string(kept)}, trap.Field{Key: "protocol", Value: Guess(kept)})
}

// Guess names the protocol that a client begins with, "" for none that is known.
func Guess(b []byte) string {
	at := func(offset int, s string) bool {
		return len(b) >= offset && bytes.HasPrefix(b[offset:], []byte(s))
	}
	for _, m := range []struct {
		name   string
		offset int
		starts []string
	}{
		{"tls", 0, []string{"\x16\x03\x00", "\x16\x03\x01", "\x16\x03\x02", "\x16\x03\x03"}},
		{"http2", 0, []string{"PRI * HTTP/2"}},
		{"rtsp", 0, []string{"OPTIONS rtsp:", "DESCRIBE rtsp:"}},
		{"sip", 0, []string{"OPTIONS sip:", "REGISTER sip:", "INVITE sip:"}},
		{"http", 0, []string{"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "DELETE ", "CONNECT ", "PATCH "}},
		{"ssh", 0, []string{"SSH-"}},
		{"smb", 4, []string{"\xffSMB", "\xfeSMB"}},
		{"rdp", 5, []string{"\xe0\x00\x00"}},
		{"rfb", 0, []string{"RFB "}},
		{"redis", 0, []string{"*1\r\n", "*2\r\n", "*3\r\n", "*4\r\n", "PING\r\n", "INFO\r\n"}},
		{"mqtt", 4, []string{"MQTT", "MQIsdp"}},
		{"smtp", 0, []string{"EHLO ", "HELO ", "MAIL FROM"}},
		{"ftp", 0, []string{"USER "}},
		{"adb", 0, []string{"CNXN"}},
		{"socks5", 0, []string{"\x05\x01\x00", "\x05\x02\x00", "\x05\x03\x00"}},
		{"socks4", 0, []string{"\x04\x01"}},
		{"java-rmi", 0, []string{"JRMI"}},
		{"java-object", 0, []string{"\xac\xed\x00\x05"}},
		{"memcached", 0, []string{"stats\r\n", "version\r\n"}},
		{"postgres", 4, []string{"\x00\x03\x00\x00", "\x04\xd2\x16\x2f"}},
		{"bittorrent", 0, []string{"\x13BitTorrent protocol"}},
		{"telnet", 0, []string{"\xff\xfb", "\xff\xfc", "\xff\xfd", "\xff\xfe"}},
		{"modbus", 2, []string{"\x00\x00\x00\x06", "\x00\x00\x00\x05\x00\x2b"}},
	} {
		for _, s := range m.starts {
			if at(m.offset, s) {
				return m.name
			}
		}
	}
	return ""
}
