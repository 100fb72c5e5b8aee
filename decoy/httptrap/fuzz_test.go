//go:build fuzz

package httptrap_test

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"net"

	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
)

// wire is a connection whose other side has said all it will.
type wire struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (w *wire) Read(p []byte) (int, error)       { return w.in.Read(p) }
func (w *wire) Write(p []byte) (int, error)      { return w.out.Write(p) }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

type notes struct{ n int }

func (n *notes) Record(e trap.Event) {
	n.n++
	for _, f := range e.Fields {
		if f.Key == "" || len(f.Value) > 256<<10 {
			panic("an odd field: " + f.Key)
		}
	}
}

type plain struct{}

func (plain) Answer(_ context.Context, _ *trap.Session, r *httptrap.Request) httptrap.Response {
	return httptrap.Response{Status: 200, Reason: "OK", Headers: []httptrap.Header{{Name: "Content-Length", Value: "0"}}}
}

func (plain) Refuse(*trap.Session, *httptrap.Fault) *httptrap.Response {
	return &httptrap.Response{Status: 400, Reason: "Bad Request"}
}

func FuzzServe(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /x?username=a&password=b HTTP/1.0\r\nAuthorization: Basic YTpi\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 86\r\n\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nabc\r\n--B--\r\n",
		"POST /xmlrpc.php HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n<methodCall><methodName>wp.getUsersBlogs</methodName><value>a</value><string>b</string></methodCall>",
		"PUT /a HTTP/1.1\r\nHost: a\r\nAuthorization: Digest username=\"a\", nc=1, response=x\r\nContent-Length: 5\r\n\r\n12345",
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x00\x05", "GET /\r\n",
	} {
		f.Add([]byte(s))
	}
	files, err := trap.OpenQuarantine(f.TempDir(), 1<<10, 1<<16)
	if err != nil {
		f.Fatal(err)
	}
	host, err := trap.NewHost(trap.Identity{Decky: "d", Secret: []byte("0123456789abcdef")})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n := &notes{}
		w := &wire{in: bytes.NewReader(in)}
		s := &trap.Session{Conn: w, Peer: trap.Peer{
			Env: trap.Env{Host: host, Files: files, Now: time.Now}, Remote: netip.MustParseAddrPort("192.0.2.1:1"), Recorder: n,
		}}
		httptrap.Serve(t.Context(), s, plain{}, httptrap.Limits{})
		if answers := strings.Count(w.out.String(), "HTTP/1.1 200"); answers > n.n {
			t.Fatalf("%d answers, but %d events", answers, n.n)
		}
	})
}
