package api_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/testutil"
)

// lineClient asks for the same page again and again on one connection. It does as
// little as a client can, so that the time is that of the server.
type lineClient struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

func dial(b *testing.B, host, path, token string) *lineClient {
	b.Helper()
	var d net.Dialer
	conn, err := d.DialContext(b.Context(), "tcp", host)
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return &lineClient{
		conn: conn, in: bufio.NewReaderSize(conn, 64<<10),
		request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: application/json\r\n\r\n", path, host, token),
	}
}

// ask sends the request and reads the answer to its end.
func (c *lineClient) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read the header: %w", err)
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answered with %q", line)
		}
		if len(line) == 2 {
			break
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(n))); err != nil {
				return fmt.Errorf("length: %w", err)
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without a length")
	}
	if _, err := c.in.Discard(length); err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	return nil
}

// bareHandler writes the same bytes with the same header as the answer, and does
// nothing else: what is left of a request when a server has nothing to decide.
func bareHandler(header http.Header, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body)
	})
}

// serveBare serves the handler as the program serves its own, and returns its host.
func serveBare(b *testing.B, h http.Handler) string {
	b.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := api.NewHTTPServer(h, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	b.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return listener.Addr().String()
}

// spent is what a burst took.
type spent struct{ wall, cpu time.Duration }

func (s *spent) add(more spent) {
	s.wall += more.wall
	s.cpu += more.cpu
}

// burst lets all clients ask n times each.
func burst(b *testing.B, clients []*lineClient, n int) spent {
	b.Helper()
	failed := make([]error, len(clients))
	var wg sync.WaitGroup
	began, used := time.Now(), cpuTime()
	for i, c := range clients {
		wg.Go(func() {
			for range n {
				if failed[i] = c.ask(); failed[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	took := spent{wall: time.Since(began), cpu: cpuTime() - used}
	require.NoError(b, errors.Join(failed...))
	return took
}

// BenchmarkCachedRead is an authenticated read whose cache is warm, over TCP with
// connections that stay open, against a handler of net/http that writes the same
// bytes with the same header and checks nothing. The two take turns of some
// milliseconds, so that what else the machine does meets both. of/bare is the share
// of the requests a second that is left; of/bare-cpu says the same of the processor's
// time, client included, which is steadier where others use the machine.
func BenchmarkCachedRead(b *testing.B) {
	for _, read := range []hotRead{
		{"stats", "/api/v1/stats"},
		{"bounty", "/api/v1/bounty"},
		{"histogram", "/api/v1/logs/histogram"},
		{"rankings", "/api/v1/rankings?by=service"},
		{"deckies", "/api/v1/deckies"},
		{"health", "/api/v1/health"},
		{"config", "/api/v1/config"},
		{"healthz", "/healthz"},
	} {
		b.Run(read.name, func(b *testing.B) { benchCachedRead(b, read) })
	}
}

func benchCachedRead(b *testing.B, read hotRead) {
	b.Helper()
	const clientsPerCore, each = 4, 25
	w := testutil.New(b, testutil.TCP(), testutil.WallClock(), testutil.With(func(o *api.Options) {
		o.Fleet, o.Now = &countedFleet{}, time.Now
		o.Log = slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // as the program logs, where nobody reads it
	}))
	w.Seed(300)
	host := w.Viewer.Request(http.MethodGet, read.path, nil).URL.Host
	answer := w.Viewer.Get(read.path).OK()
	bareHost := serveBare(b, bareHandler(answer.Header, answer.Body))
	var ours, bare []*lineClient
	for range clientsPerCore * runtime.GOMAXPROCS(0) {
		ours = append(ours, dial(b, host, read.path, w.Viewer.Token()))
		bare = append(bare, dial(b, bareHost, read.path, w.Viewer.Token()))
	}
	burst(b, ours, each)
	burst(b, bare, each)
	var our, theirs spent
	var requests int
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		our.add(burst(b, ours, each))
		b.StopTimer()
		theirs.add(burst(b, bare, each))
		requests += len(ours) * each
		b.StartTimer()
	}
	b.ReportMetric(float64(requests)/our.wall.Seconds(), "req/s")
	b.ReportMetric(float64(requests)/theirs.wall.Seconds(), "bare/s")
	b.ReportMetric(float64(theirs.wall)/float64(our.wall), "of/bare")
	if our.cpu > 0 {
		b.ReportMetric(float64(theirs.cpu)/float64(our.cpu), "of/bare-cpu")
	}
}
