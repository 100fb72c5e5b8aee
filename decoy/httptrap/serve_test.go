package httptrap_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
)

// hello is a site that tells what it was asked for.
type hello struct{}

func (hello) Answer(_ context.Context, s *trap.Session, r *httptrap.Request) httptrap.Response {
	return httptrap.Golang(r, 200, "text/plain", nil, []byte(r.Method+" "+r.Path), s.Now())
}

func (hello) Refuse(_ *trap.Session, f *httptrap.Fault) *httptrap.Response {
	return httptrap.RefuseGolang(f)
}

// journal keeps events.
type journal struct {
	mu     sync.Mutex
	events []trap.Event
}

func (j *journal) Record(e trap.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Fields = append([]trap.Field(nil), e.Fields...)
	j.events = append(j.events, e)
}

func (j *journal) types() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var types []string
	for _, e := range j.events {
		types = append(types, e.Type)
	}
	return types
}

// serve runs one connection in a goroutine and returns the client's side and what
// is closed when the server is done.
func serve(t *testing.T, l httptrap.Limits) (net.Conn, *journal, <-chan struct{}) {
	t.Helper()
	host, err := trap.NewHost(trap.Identity{Decky: "d", Secret: []byte("0123456789abcdef")})
	require.NoError(t, err)
	files, err := trap.OpenQuarantine(t.TempDir(), 1<<20, 1<<20)
	require.NoError(t, err)
	client, server := net.Pipe()
	j := &journal{}
	s := &trap.Session{Conn: server, Peer: trap.Peer{
		Env: trap.Env{Host: host, Files: files, Now: time.Now}, Remote: netip.MustParseAddrPort("192.0.2.1:1"), Port: 80, Recorder: j,
	}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer server.Close() //nolint:errcheck // a pipe
		httptrap.Serve(t.Context(), s, hello{}, l)
	}()
	return client, j, done
}

func TestServe_DripFeedingTheHeadEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, j, done := serve(t, httptrap.Limits{Head: 30 * time.Second})
		begin := time.Now()
		_, err := io.WriteString(client, "GET / HTTP/1.1\r\n")
		require.NoError(t, err)
		var drip error
		for drip == nil {
			timer := time.NewTimer(5 * time.Second)
			<-timer.C
			_, drip = io.WriteString(client, "X: y\r\n")
		}
		<-done
		assert.LessOrEqual(t, time.Since(begin), 36*time.Second)
		assert.Empty(t, j.types(), "there was no request yet")
	})
}

func TestServe_AnIdleConnectionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, j, done := serve(t, httptrap.Limits{Idle: 5 * time.Second})
		_, err := io.WriteString(client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
		require.NoError(t, err)
		answer, err := io.ReadAll(client)
		require.NoError(t, err)
		assert.True(t, strings.HasSuffix(string(answer), "\r\n\r\nGET /a"))
		<-done
		assert.Equal(t, []string{"request"}, j.types())
	})
}

func TestServe_WaitsForABodyThatItAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, j, done := serve(t, httptrap.Limits{Requests: 1})
		_, err := io.WriteString(client, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		require.NoError(t, err)
		const asked = "HTTP/1.1 100 Continue\r\n\r\n"
		got := make([]byte, len(asked))
		_, err = io.ReadFull(client, got)
		require.NoError(t, err)
		assert.Equal(t, asked, string(got))
		_, err = io.WriteString(client, "hi")
		require.NoError(t, err)
		rest, err := io.ReadAll(client)
		require.NoError(t, err)
		assert.Contains(t, string(rest), "Connection: close\r\n", "it was the last that the limit allows")
		<-done
		assert.Equal(t, []string{"request"}, j.types())
	})
}

func TestGolang_LongBodiesAreChunkedAsByNetHTTP(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	long := []byte(strings.Repeat("x", 5000))
	a := httptrap.Golang(&httptrap.Request{Minor: 1, Keep: true}, 200, "text/plain", []httptrap.Header{{Name: "Z", Value: "1"}, {Name: "A", Value: "2"}}, long, now)
	assert.True(t, a.Chunked)
	assert.Equal(t, []httptrap.Header{
		{Name: "A", Value: "2"}, {Name: "Content-Type", Value: "text/plain"}, {Name: "Z", Value: "1"},
		{Name: "Date", Value: "Fri, 02 Jan 2026 03:04:05 GMT"}, {Name: "Transfer-Encoding", Value: "chunked"},
	}, a.Headers)
	a = httptrap.Golang(&httptrap.Request{Minor: 0}, 200, "text/plain", nil, long, now)
	assert.True(t, a.Close, "HTTP/1.0 knows no chunks, so the end tells the length")
	assert.False(t, a.Chunked)
}
