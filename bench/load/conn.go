package load

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"
)

// target is where the service is.
type target struct {
	address, host string
	tls           *tls.Config
}

func newTarget(root *url.URL) target {
	t := target{host: root.Host, address: root.Host}
	port := "80"
	if root.Scheme == "https" {
		port = "443"
		t.tls = &tls.Config{ServerName: root.Hostname(), MinVersion: tls.VersionTLS12}
	}
	if root.Port() == "" {
		t.address = net.JoinHostPort(root.Hostname(), port)
	}
	return t
}

// readBuffer is how much is read at once of heads; larger bodies go past it.
const readBuffer = 8 << 10

// conn is a connection of one user, who sends one request after the other. A
// client of net/http would hand each of them to two more goroutines.
type conn struct {
	net.Conn
	r    *bufio.Reader
	stop func() bool
}

// dial opens a connection that ends with the context.
func (t *target) dial(ctx context.Context, timeout time.Duration) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d := net.Dialer{}
	c, err := d.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	if t.tls != nil {
		secure := tls.Client(c, t.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c = secure
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, readBuffer)}, nil
}

// endWith lets reads and writes fail once the context is done.
func (c *conn) endWith(ctx context.Context) {
	c.stop = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
}

func (c *conn) close() {
	c.stop()
	_ = c.Close() // nothing is lost by it
}

// answer is what came for a request.
type answer struct {
	status     int
	media      string
	retryAfter bool
	body       []byte
	// last says that the service closes the connection.
	last bool
}

// send writes a request and reads the head of its answer.
func (c *conn) send(request []byte, asked *http.Request) (*http.Response, error) {
	if _, err := c.Write(request); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	resp, err := http.ReadResponse(c.r, asked)
	if err != nil {
		return nil, fmt.Errorf("read the head: %w", err)
	}
	return resp, nil
}

// headOf takes what is needed of a head.
func headOf(resp *http.Response) answer {
	media := resp.Header.Get("Content-Type")
	if media != jsonMedia { // the usual one needs no parsing
		if plain, _, err := mime.ParseMediaType(media); err == nil {
			media = plain
		}
	}
	return answer{status: resp.StatusCode, media: media, retryAfter: resp.Header.Get("Retry-After") != "", last: resp.Close}
}

const (
	jsonMedia   = "application/json"
	streamMedia = "text/event-stream"
)

// exchange sends a request and reads the whole answer, into a buffer that it asks
// for once the answer begins: most users wait, and need none meanwhile.
func (c *conn) exchange(request []byte, asked *http.Request, buffer func() *bytes.Buffer) (answer, error) {
	resp, err := c.send(request, asked) //nolint:bodyclose // it is read to its end, or the connection is closed
	if err != nil {
		return answer{}, err
	}
	a := headOf(resp)
	b := buffer()
	b.Reset()
	if resp.ContentLength > 0 {
		b.Grow(int(min(resp.ContentLength, maxBody)) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return a, fmt.Errorf("read the body: %w", err)
	}
	if n == maxBody {
		return a, wrong("a body of more than %d bytes", maxBody)
	}
	a.body = b.Bytes()
	return a, nil
}

// maxBody bounds a body, in bytes.
const maxBody = 64 << 20
