package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// engine speaks to a Docker engine: the dozen calls that the driver needs, as
// plain HTTP. DESIGN.md says why not through the official client.
type engine struct {
	http *http.Client
	base string

	mu sync.Mutex
	// version is the prefix of paths, such as /v1.41; "" before connect.
	version string
}

// newestAPI is the newest version of the API that this was written for.
const newestAPI = 51 // 1.51

// callTimeout bounds a call without a body that the engine must think about.
const callTimeout = 30 * time.Second

// newEngine reads an address such as unix:///var/run/docker.sock or
// tcp://127.0.0.1:2375.
func newEngine(host string) (*engine, error) {
	scheme, rest, ok := strings.Cut(host, "://")
	if !ok || rest == "" {
		return nil, fmt.Errorf("%q is not the address of a Docker engine, such as unix:///var/run/docker.sock", host)
	}
	var dialer net.Dialer
	transport := &http.Transport{}
	e := &engine{http: &http.Client{Transport: transport}, base: "http://engine"}
	switch scheme {
	case "unix":
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", rest) }
	case "tcp", "http":
		transport.DialContext = dialer.DialContext
		e.base = "http://" + rest
	default:
		return nil, fmt.Errorf("a Docker engine cannot be reached by %q; use unix:// or tcp://", scheme)
	}
	return e, nil
}

// close lets idle connections go.
func (e *engine) close() { e.http.CloseIdleConnections() }

// engineError is a refusal by the engine.
type engineError struct {
	status  int
	message string
}

// Error is what the engine said.
func (e *engineError) Error() string { return "the Docker engine says: " + e.message }

func isStatus(err error, status int) bool {
	var e *engineError
	return errors.As(err, &e) && e.status == status
}

// ping asks whether the engine is there, and agrees on a version with it.
func (e *engine) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := e.send(ctx, http.MethodGet, "/_ping", nil, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or of no use any more
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("ask the Docker engine: %w", err)
	}
	return nil
}

// connect finds out which version to speak.
func (e *engine) connect(ctx context.Context) (version string, err error) {
	e.mu.Lock()
	version = e.version
	e.mu.Unlock()
	if version != "" {
		return version, nil
	}
	resp, err := e.send(ctx, http.MethodGet, "/_ping", nil, "", nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // the header is all that is needed
	minor := newestAPI
	major, text, _ := strings.Cut(resp.Header.Get("Api-Version"), ".")
	if n, err := strconv.Atoi(text); err == nil && major == "1" {
		minor = min(minor, n)
	}
	version = "/v1." + strconv.Itoa(minor)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.version = version
	return version, nil
}

// minor is the agreed version behind the dot.
func (e *engine) minor(ctx context.Context) (int, error) {
	version, err := e.connect(ctx)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(version, "/v1."))
	if err != nil {
		return 0, fmt.Errorf("the version of the Docker engine: %w", err)
	}
	return n, nil
}

// call makes a call with JSON both ways; in and into may be nil.
func (e *engine) call(ctx context.Context, method, path string, query url.Values, in, into any) error {
	version, err := e.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	contentType := ""
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode a call of the Docker engine: %w", err)
		}
		body, contentType = bytes.NewReader(encoded), "application/json"
	}
	resp, err := e.send(ctx, method, version+path, query, contentType, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or of no use any more
	if into == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(into)
	}
	if err != nil {
		return fmt.Errorf("read what the Docker engine answers to %s %s: %w", method, path, err)
	}
	return nil
}

// send makes a call and turns a refusal into an error.
func (e *engine) send(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader) (*http.Response, error) {
	u := e.base + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, u, body)
	if err != nil {
		return nil, fmt.Errorf("call the Docker engine: %w", err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := e.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the Docker engine does not answer: %w", err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it is an error already
	const most = 64 << 10
	text, _ := io.ReadAll(io.LimitReader(resp.Body, most))
	var refusal struct{ Message string }
	if json.Unmarshal(text, &refusal) != nil || refusal.Message == "" {
		refusal.Message = resp.Status
	}
	return nil, &engineError{resp.StatusCode, refusal.Message}
}

// importImage makes an image of one layer from a tar archive.
func (e *engine) importImage(ctx context.Context, repo, tag string, changes []string, archive io.Reader) error {
	version, err := e.connect(ctx)
	if err != nil {
		return err
	}
	query := url.Values{"fromSrc": {"-"}, "repo": {repo}, "tag": {tag}, "changes": changes}
	resp, err := e.send(ctx, http.MethodPost, version+"/images/create", query, "application/x-tar", archive)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or of no use any more
	// The answer is a stream of objects; a failure is the last one.
	for decoder := json.NewDecoder(resp.Body); ; {
		var progress struct{ Error string }
		switch err := decoder.Decode(&progress); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read how the image is made: %w", err)
		case progress.Error != "":
			return &engineError{http.StatusInternalServerError, progress.Error}
		}
	}
}
