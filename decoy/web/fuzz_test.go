//go:build fuzz

package web_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"decnet/decoy/trap"
	"decnet/decoy/traptest"
	"decnet/decoy/web"
)

// wire is a connection whose other side has said all it will.
type wire struct {
	net.Conn
	in  io.Reader
	out strings.Builder
}

func (w *wire) Read(p []byte) (int, error)       { return w.in.Read(p) }
func (w *wire) Write(p []byte) (int, error)      { return w.out.Write(p) }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

type silent struct{}

func (silent) Record(trap.Event) {}

func FuzzServe(f *testing.F) {
	apps := []string{"nginx", "apache", "iis", "wordpress", "phpmyadmin", "router"}
	for i := range apps {
		f.Add(i, "GET / HTTP/1.1\r\nHost: a:80\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: \r\n\r\n")
		f.Add(i, "GET /phpmyadmin HTTP/1.0\r\nIf-None-Match: *\r\nIf-Modified-Since: x\r\n\r\n")
		f.Add(i, "HEAD /wp-json/wp/v2/users/?author=1 HTTP/1.1\r\nHost: a\r\n\r\nGET //wp-admin/ HTTP/1.1\r\nHost: a\r\n\r\n")
		f.Add(i, "GET http://x HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	sites := make([]*traptest.Bench, len(apps))
	for i, app := range apps {
		sites[i] = traptest.New(f, web.New, traptest.Options{Service: "http", Config: trap.Config{"fake_app": app}})
	}
	f.Fuzz(func(t *testing.T, i int, in string) {
		if strings.Contains(in, "POST") {
			return // a password is waited for
		}
		b := sites[uint(i)%uint(len(sites))]
		w := &wire{in: strings.NewReader(in)}
		s := &trap.Session{Conn: w, Peer: trap.Peer{Env: b.Env, Remote: netip.MustParseAddrPort("192.0.2.1:1"), Port: 80, Recorder: silent{}}}
		b.Service.TCP.Serve(t.Context(), s)
		if out := w.out.String(); strings.Contains(out, "%!") {
			t.Fatalf("a broken format: %q", out)
		}
	})
}
