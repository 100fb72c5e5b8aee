package ssh

import (
	"bufio"
	"bytes"
	"crypto/md5" //nolint:gosec // the definition of HASSH
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"decnet/decoy/trap"
)

// maxBanner bounds the client's first line, as RFC 4253 does.
const maxBanner = 255

// maxKexInit bounds the client's list of algorithms.
const maxKexInit = 35000

// wire is a connection on which the banners were exchanged already. It shows
// the client's list of algorithms, which is not secret, to its reader.
type wire struct {
	net.Conn
	r *bufio.Reader
	// head is the client's line, for the library to read.
	head []byte
	// sent is the line of the server, which is not to be sent twice.
	sent []byte
	// seen is the first packet, as far as it came; nil when it is done.
	seen []byte
	done bool
	// first are the first bytes after the banner.
	first []byte
	peer  *trap.Peer
	// before counts what came before the client was let in.
	before  int
	trusted atomic.Bool
	flow    *flow
}

// maxBefore bounds what a client sends before it is let in, in bytes. The library
// keeps up to 17 packets of 256 kB each that nobody has looked at yet.
const maxBefore = 64 << 10

var errBefore = errors.New("more than a client needs to log in")

func (w *wire) Read(p []byte) (int, error) {
	if len(w.head) > 0 {
		n := copy(p, w.head)
		w.head = w.head[n:]
		return n, nil
	}
	trusted := w.trusted.Load()
	if trusted {
		if err := w.flow.wait(); err != nil {
			return 0, err
		}
	}
	n, err := w.r.Read(p)
	if n > 0 && !w.done && !w.look(p[:n]) {
		return 0, errKexInit
	}
	if trusted {
		w.flow.add(n)
	} else if w.before += n; w.before > maxBefore {
		return 0, errBefore
	}
	return n, err
}

// Close also ends a wait of Read.
func (w *wire) Close() error {
	w.flow.stop()
	return w.Conn.Close()
}

func (w *wire) Write(p []byte) (int, error) {
	if w.sent != nil {
		same := bytes.Equal(p, w.sent)
		if w.sent = nil; same {
			return len(p), nil
		}
	}
	return w.Conn.Write(p)
}

// look takes what came of the first packet, and records it once it is whole. It
// returns false for one that is too large, for which the library would take all
// the memory that the packet asks for.
func (w *wire) look(p []byte) bool {
	if room := 64 - len(w.first); room > 0 {
		w.first = append(w.first, p[:min(room, len(p))]...)
	}
	w.seen = append(w.seen, p[:min(len(p), maxKexInit+4-len(w.seen))]...)
	if len(w.seen) < 4 {
		return true
	}
	size := binary.BigEndian.Uint32(w.seen)
	if size > maxKexInit {
		return false
	}
	if len(w.seen) < int(size)+4 {
		return true
	}
	w.done = true
	if k, err := parseKexInit(w.seen[4 : size+4]); err == nil {
		hassh, algorithms := k.hassh()
		w.peer.Record("kex", trap.Field{Key: "hassh", Value: hassh}, trap.Field{Key: "hassh_algorithms", Value: algorithms},
			trap.Field{Key: "host_key_algorithms", Value: k.hostKeys})
	}
	w.seen = nil
	return true
}

// kexInit is what HASSH is made of, of the lists in SSH_MSG_KEXINIT.
type kexInit struct{ kex, hostKeys, cipher, mac, compression string }

var errKexInit = errors.New("no list of algorithms")

// parseKexInit reads a packet behind its length (RFC 4253, 6 and 7.1).
func parseKexInit(packet []byte) (kexInit, error) {
	var k kexInit
	if len(packet) < 18 || packet[1] != 20 || int(packet[0]) > len(packet)-18 {
		return k, errKexInit
	}
	rest := packet[18 : len(packet)-int(packet[0])]
	for _, list := range [...]*string{&k.kex, &k.hostKeys, &k.cipher, nil, &k.mac, nil, &k.compression} {
		if len(rest) < 4 {
			return k, errKexInit
		}
		n := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; uint64(n) > uint64(len(rest)) {
			return k, errKexInit
		}
		if list != nil {
			*list = string(rest[:n])
		}
		rest = rest[n:]
	}
	return k, nil
}

func (k *kexInit) hassh() (sum, algorithms string) {
	algorithms = k.kex + ";" + k.cipher + ";" + k.mac + ";" + k.compression
	h := md5.Sum([]byte(algorithms)) //nolint:gosec // the definition of HASSH
	return hex.EncodeToString(h[:]), algorithms
}

var errBanner = errors.New("no SSH client")

// greet exchanges the banners as OpenSSH does.
func greet(s *trap.Session, v *version) (*wire, error) {
	line := v.banner + "\r\n"
	if _, err := s.Write([]byte(line)); err != nil {
		return nil, fmt.Errorf("greet: %w", err)
	}
	r := bufio.NewReaderSize(s.Conn, 4096)
	client, err := trap.ReadLine(r, maxBanner)
	if len(client) > 0 {
		s.Record("client_banner", trap.Field{Key: "banner", Value: string(client)})
	}
	if err != nil && !errors.Is(err, trap.ErrLineTooLong) {
		return nil, fmt.Errorf("greet: %w", err)
	}
	text := string(client)
	number, _, _ := strings.Cut(strings.TrimPrefix(text, "SSH-"), "-")
	answer := ""
	switch {
	case err != nil, !strings.HasPrefix(text, "SSH-"), strings.Count(text, "-") < 2, !strings.Contains(number, "."):
		answer = "Invalid SSH identification string.\r\n"
		if strings.HasSuffix(v.banner, "_7.4") {
			answer = "Protocol mismatch.\n"
		}
	case number != "2.0" && number != "1.99":
		answer = "Protocol major versions differ.\r\n"
		if strings.HasSuffix(v.banner, "_7.4") {
			answer = "Protocol major versions differ.\n"
		}
	}
	if answer != "" {
		s.Record("protocol_error", trap.Field{Key: "error", Value: strings.TrimSpace(answer)}, trap.Field{Key: "data", Value: hex.EncodeToString(client[:min(len(client), 64)])})
		if !v.dropbear {
			_, _ = s.Write([]byte(answer))
		}
		return nil, errBanner
	}
	return &wire{Conn: s.Conn, r: r, head: []byte(text + "\r\n"), sent: []byte(line), peer: &s.Peer, flow: newFlow()}, nil
}
