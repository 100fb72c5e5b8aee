package web_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/testutil"
	"decnet/web"
)

// firstLoad is what a browser may have to load before the page works, packed.
const firstLoad = 150 << 10

// dashboard returns the handler before one that answers 418.
func dashboard(t *testing.T) *web.Handler {
	t.Helper()
	h, err := web.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	require.NoError(t, err)
	return h
}

func ask(t *testing.T, h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// addresses are those that the page and its modules name, found as a browser would.
func addresses(t *testing.T, h http.Handler) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	var follow func(path string)
	follow = func(path string) {
		if _, ok := found[path]; ok {
			return
		}
		w := ask(t, h, http.MethodGet, path)
		require.Equalf(t, http.StatusOK, w.Code, "%s is named but not there", path)
		found[path] = w.Body.Bytes()
		if !strings.HasSuffix(path, ".js") || strings.Contains(path, "/vendor/") {
			return
		}
		for _, m := range regexp.MustCompile(`from '(\.[^']+)'`).FindAllSubmatch(found[path], -1) {
			follow(filepath.ToSlash(filepath.Join(filepath.Dir(path), string(m[1]))))
		}
	}
	index := ask(t, h, http.MethodGet, "/").Body.Bytes()
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(index, -1) {
		require.Truef(t, bytes.HasPrefix(m[1], []byte("/assets/")), "%s is loaded from elsewhere", m[1])
		follow(string(m[1]))
	}
	require.Greater(t, len(found), 10)
	return found
}

func TestDashboard_LinksIntoItOpenThePage(t *testing.T) {
	t.Parallel()
	h := dashboard(t)
	for _, path := range []string{"/", "/events?search=service%3Assh", "/attackers", "/attackers/7c1d5a86-27b4-5a3a-9f0f-1c8d9b1f0e21", "/settings"} {
		w := ask(t, h, http.MethodGet, path)
		assert.Equal(t, http.StatusOK, w.Code, path)
		assert.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"), path)
		assert.Equal(t, "no-cache", w.Header().Get("Cache-Control"), path)
	}
	assert.Empty(t, ask(t, h, http.MethodHead, "/").Body.Bytes())
}

func TestDashboard_TakesNothingFromTheAPI(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	h := dashboard(t)
	for _, r := range w.Server.Routes() {
		assert.Equalf(t, http.StatusTeapot, ask(t, h, r.Method, r.Path).Code, "%s %s", r.Method, r.Path)
	}
	for _, path := range []string{"/nowhere", "/events/", "/assets/", "/assets/../web.go", "/assets/0/main.js", "/index.html", "/api/v1/", "/attackers/a/b", "//events"} {
		assert.Equal(t, http.StatusTeapot, ask(t, h, http.MethodGet, path).Code, path)
	}
	assert.Equal(t, http.StatusTeapot, ask(t, h, http.MethodPost, "/events").Code)
}

func TestDashboard_NothingRunsThatIsNotIts(t *testing.T) {
	t.Parallel()
	h := dashboard(t)
	w := ask(t, h, http.MethodGet, "/")
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		assert.Contains(t, policy, want)
	}
	assert.NotContains(t, policy, "unsafe")
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	assert.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
	assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
	assert.NotRegexp(t, `<script>|<style| style=| on[a-z]+=`, w.Body.String(), "the page has something inline, which the policy forbids")
	for path, data := range addresses(t, h) {
		if strings.HasSuffix(path, ".js") && !strings.Contains(path, "/vendor/") {
			assert.NotRegexpf(t, `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://`, string(data), "%s", path)
		}
	}
}

func TestAssets_AreKeptForEverUnderAnAddressOfTheirContent(t *testing.T) {
	t.Parallel()
	h := dashboard(t)
	for path := range addresses(t, h) {
		w := ask(t, h, http.MethodGet, path)
		assert.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"), path)
		assert.NotEmpty(t, w.Header().Get("Content-Type"), path)
		etag := w.Header().Get("ETag")
		again := ask(t, h, http.MethodGet, path, "If-None-Match", `"other", W/`+etag)
		assert.Equal(t, http.StatusNotModified, again.Code, path)
		assert.Empty(t, again.Body.Bytes())
		assert.Equal(t, http.StatusOK, ask(t, h, http.MethodGet, path, "If-None-Match", `"other"`).Code, path)
	}
}

func TestAssets_AreSentPackedToThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	h := dashboard(t)
	size := ask(t, h, http.MethodGet, "/", "Accept-Encoding", "gzip").Body.Len()
	for path, plain := range addresses(t, h) {
		w := ask(t, h, http.MethodGet, path, "Accept-Encoding", "br, gzip;q=0.8")
		require.Equal(t, "gzip", w.Header().Get("Content-Encoding"), path)
		assert.Equal(t, "Accept-Encoding", w.Header().Get("Vary"), path)
		size += w.Body.Len()
		r, err := gzip.NewReader(w.Body)
		require.NoError(t, err)
		unpacked, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, plain, unpacked, path)
		for _, refused := range []string{"", "identity", "gzip;q=0", "gzip; q=0.0, *", "br"} {
			assert.Emptyf(t, ask(t, h, http.MethodGet, path, "Accept-Encoding", refused).Header().Get("Content-Encoding"), "%s with %q", path, refused)
		}
	}
	assert.LessOrEqual(t, size, firstLoad, "bytes of the first load, packed")
	t.Logf("the first load is %d bytes, packed", size)
}

// TestVendored_IsWhatWasPublished compares the parts of others with
// vendored.txt, which says where each came from.
func TestVendored_IsWhatWasPublished(t *testing.T) {
	t.Parallel()
	list, err := os.Open("vendored.txt")
	require.NoError(t, err)
	defer func() { _ = list.Close() }()
	listed := map[string]bool{}
	scanner := bufio.NewScanner(list)
	for scanner.Scan() {
		words := strings.Fields(scanner.Text())
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		data, err := os.ReadFile(words[1])
		require.NoError(t, err)
		sum := sha256.Sum256(data)
		assert.Equalf(t, words[0], hex.EncodeToString(sum[:]), "%s is not the published file", words[1])
		listed[words[1]] = true
	}
	require.NoError(t, scanner.Err())
	for _, pattern := range []string{"app/vendor/*", "testdata/axe*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, f := range files {
			assert.Truef(t, listed[filepath.ToSlash(f)], "%s has no line in vendored.txt", f)
		}
	}
}
