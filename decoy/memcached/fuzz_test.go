//go:build fuzz

package memcached

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"decnet/decoy/trap"
)

// oneWay is a connection of which all that will ever come is known.
type oneWay struct {
	net.Conn
	in  *bytes.Reader
	out int
}

func (c *oneWay) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *oneWay) Write(p []byte) (int, error) {
	if c.out += len(p); c.out > 8<<20 {
		return 0, io.ErrShortWrite // as the limits of a session do
	}
	return len(p), nil
}

type nobody struct{}

func (nobody) Record(trap.Event) {}

// FuzzSession: no bytes make a session panic, hang, or hold more than it may.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"get a b\r\nstats\r\n", "set a 1 0 3\r\nabc\r\nincr a 1\r\ngets a\r\n", "ms a 2 T0 ME\r\nhi\r\nmg a v t s k O1\r\nma a N0 J1 D2 v\r\nme a\r\nmd a I\r\nmg a\r\n",
		"lru_crawler metadump all\r\nstats cachedump 1 1\r\nstats slabs\r\nstats items\r\n", "flush_all 1\r\ntouch a -1\r\n", "set a 0 0 99999999\r\n", "ms \r\n", "GET / HTTP/1.1\r\n",
		"\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00a",
		"\x80\x01\x00\x01\x08\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0012345678aval",
		"\x80\x21\x00\x05\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00PLAIN\x00u\x00p",
	} {
		f.Add([]byte(seed))
	}
	host, err := trap.NewHost(trap.Identity{Decky: "d", Hostname: "h", Distro: "debian", Secret: make([]byte, 16)})
	if err != nil {
		f.Fatal(err)
	}
	files, err := trap.OpenQuarantine(f.TempDir(), 1<<10, 1<<12)
	if err != nil {
		f.Fatal(err)
	}
	env := trap.Env{Host: host, Files: files, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Log: slog.New(slog.DiscardHandler)}
	s, err := New(env)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := &trap.Session{Conn: &oneWay{in: bytes.NewReader(data)}, Peer: trap.Peer{
			Env: env, Remote: netip.MustParseAddrPort("192.0.2.1:1"), Recorder: nobody{},
		}}
		s.TCP.Serve(t.Context(), conn)
		if held := s.TCP.(*server).memory.used.Load(); held != 0 {
			t.Fatalf("%d bytes were not given back", held)
		}
	})
}
