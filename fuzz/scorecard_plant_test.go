//go:build fuzz

package fuzz

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"decnet/testutil"
)

// wrapper puts a defect before a service. It is called once a world, so what it
// keeps is that world's.
type wrapper = func(next http.Handler) http.Handler

// answer is a response that a wrapper may still change.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask has the service answer into memory.
func ask(next http.Handler, r *http.Request) *answer {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	return &answer{rec.Code, rec.Header(), rec.Body.Bytes()}
}

func (a *answer) ok() bool { return a.status >= 200 && a.status < 300 }

func (a *answer) send(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// replace changes the body's text.
func (a *answer) replace(from, to string) {
	a.body = bytes.Replace(a.body, []byte(from), []byte(to), 1)
	a.header.Del("Content-Length")
}

// matcher chooses requests.
type matcher func(r *http.Request) bool

// on chooses a method and a path; a path that ends in "*" is a prefix.
func on(method, path string) matcher {
	prefix, open := strings.CutSuffix(path, "*")
	return func(r *http.Request) bool {
		return r.Method == method && (r.URL.Path == path || open && strings.HasPrefix(r.URL.Path, prefix))
	}
}

func anyRequest(r *http.Request) bool { return !strings.HasSuffix(r.URL.Path, "/stream") }

// hasQuery chooses requests whose parameter, given once, contains a text.
func hasQuery(path, name, text string) matcher {
	return func(r *http.Request) bool {
		q, err := url.ParseQuery(r.URL.RawQuery)
		return err == nil && (on(http.MethodGet, path)(r) || on(http.MethodHead, path)(r)) && len(q[name]) == 1 && strings.Contains(q.Get(name), text)
	}
}

// instead answers the chosen requests by another handler.
func instead(m matcher, do func(next http.Handler, w http.ResponseWriter, r *http.Request)) wrapper {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m(r) {
				do(next, w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// edit changes the answers to the chosen requests.
func edit(m matcher, change func(a *answer)) wrapper {
	return instead(m, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		a := ask(next, r)
		change(a)
		a.send(w)
	})
}

// editOK changes only successes.
func editOK(m matcher, change func(a *answer)) wrapper {
	return edit(m, func(a *answer) {
		if a.ok() {
			change(a)
		}
	})
}

// editRequest changes the chosen requests before the service sees them.
func editRequest(m matcher, change func(r *http.Request)) wrapper {
	return instead(m, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		change(r)
		next.ServeHTTP(w, r)
	})
}

// setQuery changes one parameter of the query.
func setQuery(r *http.Request, change func(q url.Values)) {
	q := r.URL.Query()
	change(q)
	r.URL.RawQuery = q.Encode()
}

// readBody takes the request's body and gives it back.
func readBody(r *http.Request) []byte {
	raw, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return raw
}

// asAdmin answers the chosen requests as if an administrator had sent them, when
// the service refuses them with the status.
func asAdmin(m matcher, status int) wrapper {
	return instead(m, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		raw := readBody(r)
		a := ask(next, r)
		if a.status != status {
			a.send(w)
			return
		}
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(bytes.NewReader(raw))
		again.Header.Set("Authorization", "Bearer "+adminToken(next, r))
		next.ServeHTTP(w, again)
	})
}

// adminToken is the token of the administrator.
func adminToken(next http.Handler, r *http.Request) string {
	body := `{"username":"` + actorAdmin + `","password":"` + testutil.Password + `"}`
	req := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/api/v1/auth/login", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	var got struct {
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal(ask(next, req).body, &got)
	return got.Token
}

// keeper remembers answers to reads, as a cache does.
type keeper struct {
	mu    sync.Mutex
	kept  map[string]*answer
	stale bool
}

// keyOf is what an answer depends on.
func keyOf(r *http.Request) string { return r.Header.Get("Authorization") + " " + r.URL.String() }

// staleOnce serves the answer from before once after a write: a write that does
// not drop this cache.
func staleOnce(write, read matcher) wrapper {
	return func(next http.Handler) http.Handler {
		k := &keeper{kept: map[string]*answer{}}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !write(r) && !read(r) {
				next.ServeHTTP(w, r)
				return
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			if read(r) && k.stale && k.kept[keyOf(r)] != nil {
				k.stale = false
				k.kept[keyOf(r)].send(w)
				return
			}
			a := ask(next, r)
			switch {
			case write(r) && a.ok():
				k.stale = true
			case read(r) && a.ok():
				k.kept[keyOf(r)] = a
			}
			a.send(w)
		})
	}
}

// keptForever is a cache that nothing drops; key says what an answer depends on.
func keptForever(read matcher, key func(r *http.Request) string) wrapper {
	return func(next http.Handler) http.Handler {
		k := &keeper{kept: map[string]*answer{}}
		return instead(read, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			k.mu.Lock()
			defer k.mu.Unlock()
			a := k.kept[key(r)]
			if a == nil {
				if a = ask(next, r); a.ok() {
					k.kept[key(r)] = a
				}
			}
			a.send(w)
		})(next)
	}
}

// misspell is a writer that breaks the frames of a stream.
type misspell struct{ http.ResponseWriter }

// Write implements io.Writer.
func (m misspell) Write(p []byte) (int, error) {
	_, err := m.ResponseWriter.Write(bytes.ReplaceAll(p, []byte("event:"), []byte("evnet:"))) //nolint:wrapcheck // a test's writer
	return len(p), err
}

// Unwrap lets the service flush.
func (m misspell) Unwrap() http.ResponseWriter { return m.ResponseWriter }
