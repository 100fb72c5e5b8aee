package testutil

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// Client is somebody who calls the API of a world. It may be used by many
// goroutines. Every exchange is checked against openapi.yaml.
type Client struct {
	world *World
	name  string
	token string
	http  *http.Client
}

// As returns a client with a fresh token of the user.
func (w *World) As(u repo.User) *Client {
	w.t.Helper()
	token, err := w.tokens.Issue(u.UUID, u.TokenVersion)
	require.NoError(w.t, err)
	return w.WithToken(u.Username, token)
}

// WithToken returns a client with any token; name stands for it in messages.
func (w *World) WithToken(name, token string) *Client {
	return &Client{world: w, name: name, token: token, http: &http.Client{Transport: marking{w}}}
}

// Token is what the client sends.
func (c *Client) Token() string { return c.token }

// Response is what came back, read whole.
type Response struct {
	// Status is 0 when there was no answer; the test has failed then.
	Status int
	Header http.Header
	Body   []byte

	client *Client
	what   string
}

// Get asks with the query, given as name, value, name, value ….
func (c *Client) Get(path string, query ...string) *Response {
	c.world.t.Helper()
	return c.Do(c.Request(http.MethodGet, path+queryString(query), nil))
}

// Post sends body as JSON; a []byte is sent as it is.
func (c *Client) Post(path string, body any) *Response {
	c.world.t.Helper()
	return c.Do(c.Request(http.MethodPost, path, body))
}

// Put replaces; see Post.
func (c *Client) Put(path string, body any) *Response {
	c.world.t.Helper()
	return c.Do(c.Request(http.MethodPut, path, body))
}

// Delete deletes.
func (c *Client) Delete(path string) *Response {
	c.world.t.Helper()
	return c.Do(c.Request(http.MethodDelete, path, nil))
}

func queryString(pairs []string) string {
	if len(pairs) == 0 {
		return ""
	}
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}

// Request builds a request for Do that a test wants to change first.
func (c *Client) Request(method, path string, body any) *http.Request {
	c.world.t.Helper()
	var reader io.Reader
	if body != nil {
		raw, ok := body.([]byte)
		if !ok {
			var err error
			raw, err = json.Marshal(body)
			assert.NoError(c.world.t, err, "encode the body")
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(c.world.t.Context(), method, c.world.serving.url+path, reader)
	if !assert.NoError(c.world.t, err, "build a request") {
		r, _ = http.NewRequestWithContext(c.world.t.Context(), method, c.world.serving.url, nil)
		return r
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// Do sends a request, reads the whole answer and checks the exchange.
func (c *Client) Do(r *http.Request) *Response {
	t := c.world.t
	t.Helper()
	out := &Response{client: c, what: r.Method + " " + r.URL.Path}
	var sent []byte
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err == nil {
			sent, _ = io.ReadAll(body)
		}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		t.Errorf("%s as %s: no answer: %s", out.what, c.name, c.mask(err.Error()))
		return out
	}
	defer func() { _ = resp.Body.Close() }()
	out.Body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s as %s: the answer was cut: %s", out.what, c.name, c.mask(err.Error()))
		return out
	}
	out.Status, out.Header = resp.StatusCode, resp.Header
	if err := c.world.template.spec.Check(r, sent, resp, out.Body); err != nil {
		t.Errorf("%s as %s violates openapi.yaml: %s", out.what, c.name, c.mask(err.Error()))
	}
	return out
}

// Send sends a request and checks nothing: for answers that are cut, or read as
// they come. The caller closes the body.
func (c *Client) Send(r *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	return resp, nil
}

// mask keeps the token out of messages; an error of net/http holds the URL.
func (c *Client) mask(s string) string {
	if c.token != "" {
		s = strings.ReplaceAll(s, c.token, "[token]")
	}
	return strings.ReplaceAll(s, string(c.world.Secret), "[secret]")
}

// Want fails the test unless the status is this one.
func (r *Response) Want(status int) *Response {
	t := r.client.world.t
	t.Helper()
	if r.Status != status {
		t.Errorf("%s as %s: status %d, want %d: %s", r.what, r.client.name, r.Status, status, r.client.mask(string(r.Body)))
	}
	return r
}

// OK is Want(200).
func (r *Response) OK() *Response {
	r.client.world.t.Helper()
	return r.Want(http.StatusOK)
}

// WantProblem fails the test unless the answer is this problem.
func (r *Response) WantProblem(status int, detail string) *Response {
	t := r.client.world.t
	t.Helper()
	r.Want(status)
	if got := r.Detail(); got != detail {
		t.Errorf("%s as %s: detail %q, want %q", r.what, r.client.name, got, detail)
	}
	return r
}

// Detail is the sentence of a problem.
func (r *Response) Detail() string {
	r.client.world.t.Helper()
	return Decode[struct{ Detail string }](r).Detail
}

// Decode reads the JSON body.
func Decode[T any](r *Response) T {
	t := r.client.world.t
	t.Helper()
	var v T
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Errorf("%s as %s: status %d, not the JSON that was expected: %v", r.what, r.client.name, r.Status, err)
	}
	return v
}

// JSON encodes a value that always encodes.
func JSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Page is a list as the API sends it.
type Page[T any] struct {
	Total         int64
	Limit, Offset int
	Data          []T
}

// Login signs a user in by password and returns a client with the new token.
func (w *World) Login(username, password string) *Client {
	w.t.Helper()
	got := Decode[struct {
		AccessToken string `json:"access_token"`
	}](w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": username, "password": password}).OK())
	return w.WithToken(username, got.AccessToken)
}

// marking sends requests of a world, so that connections which are dialed for them
// are that world's, also where a test has made another one since.
type marking struct{ world *World }

// RoundTrip implements [http.RoundTripper].
func (m marking) RoundTrip(r *http.Request) (*http.Response, error) {
	m.world.goroutines.mark()
	return m.world.serving.transport.RoundTrip(r)
}
