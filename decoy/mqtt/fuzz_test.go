//go:build fuzz

package mqtt

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"decnet/decoy/trap"
)

// stream is a connection that gives what it has, and then ends.
type stream struct {
	net.Conn
	in  io.Reader
	out int
}

func (s *stream) Read(p []byte) (int, error)      { return s.in.Read(p) }
func (s *stream) Write(p []byte) (int, error)     { s.out += len(p); return len(p), nil }
func (s *stream) SetReadDeadline(time.Time) error { return nil }

type nowhere struct{}

func (nowhere) Record(trap.Event) {}

func seeds(f *testing.F) {
	f.Helper()
	text, err := os.ReadFile("testdata/open.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if parts := strings.Split(line, " | "); len(parts) == 4 {
			if b, err := hex.DecodeString(parts[1]); err == nil {
				f.Add(b)
			}
		}
	}
}

// FuzzSession: no session makes the broker panic, keep more than a session's
// share, or lose count of it.
func FuzzSession(f *testing.F) {
	seeds(f)
	host, err := trap.NewHost(trap.Identity{Decky: "d", Hostname: "h", System: "embedded", Secret: []byte("the secret of a fuzzer")})
	if err != nil {
		f.Fatal(err)
	}
	files, err := trap.OpenQuarantine(f.TempDir(), 1<<20, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	env := trap.Env{Host: host, Files: files, Now: time.Now, Log: slog.New(slog.DiscardHandler), Config: trap.Config{"anonymous": "true"}}
	service, err := New(env)
	if err != nil {
		f.Fatal(err)
	}
	s := service.TCP.(*server)
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := &stream{in: bytes.NewReader(data)}
		session := &trap.Session{Conn: conn, Peer: trap.Peer{Env: env, Recorder: nowhere{}}}
		s.Serve(t.Context(), session)
		c := newClient(s, session)
		c.r = bufio.NewReader(bytes.NewReader(data))
		for {
			if _, err := c.r.Peek(1); err != nil || c.next() != nil {
				break
			}
			if c.held < 0 || c.held > maxHeld {
				t.Fatalf("%d bytes are held", c.held)
			}
		}
	})
}

// FuzzMatches: a filter without wildcards has its own topic only.
func FuzzMatches(f *testing.F) {
	f.Add("a/+/#", "a/b")
	f.Add("$SYS/#", "$SYS/x")
	f.Add("#", "")
	f.Fuzz(func(t *testing.T, filter, topic string) {
		got := matches(filter, topic)
		if isFilter(filter) && !strings.ContainsAny(filter, "+#") && got != (filter == topic) {
			t.Fatalf("%q %q: %v", filter, topic, got)
		}
	})
}
