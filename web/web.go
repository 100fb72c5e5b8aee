package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed app
var app embed.FS

// policy lets the page run its own scripts and nothing else. No text can become
// markup or a script, since there is no policy of Trusted Types to make one.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// permissions are what the page may ask the browser for.
const permissions = "clipboard-write=(self), camera=(), microphone=(), geolocation=(), payment=(), usb=(), clipboard-read=()"

const (
	// assets is where the files are served, each under the hash of them all.
	assets = "/assets/"
	// forever is for files whose address changes with their content.
	forever = "public, max-age=31536000, immutable"
)

// pages are the paths that the page itself tells apart.
const pages = `^/(?:|events|attackers|attackers/[0-9A-Fa-f-]{1,64}|credentials|bounty|fleet|ingest|health|settings)$`

// file is what is served under one path.
type file struct {
	plain, packed     []byte
	kind, etag, cache string
}

// Handler serves the dashboard. It never changes, so any number of requests
// may use it at once.
type Handler struct {
	files map[string]file
	page  file
	pages *regexp.Regexp
	next  http.Handler
}

// New returns a handler that serves the dashboard and gives every request that
// is not for it to next. It fails only if the program was built wrongly.
func New(next http.Handler) (*Handler, error) {
	h := &Handler{files: map[string]file{}, pages: regexp.MustCompile(pages), next: next}
	contents, err := read(app)
	if err != nil {
		return nil, err
	}
	base := assets + version(contents)
	for name, data := range contents {
		if name == "index.html" {
			continue
		}
		kind := mime.TypeByExtension(path.Ext(name))
		switch path.Ext(name) { // what the machine's own table says must not matter
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".css":
			kind = "text/css; charset=utf-8"
		case ".svg":
			kind = "image/svg+xml"
		case ".txt":
			kind = "text/plain; charset=utf-8"
		}
		if h.files[base+"/"+name], err = newFile(data, kind, forever); err != nil {
			return nil, err
		}
	}
	index := bytes.ReplaceAll(contents["index.html"], []byte("{{base}}"), []byte(base))
	h.page, err = newFile(index, "text/html; charset=utf-8", "no-cache")
	return h, err
}

// read returns all files by their path below the root of the app.
func read(from fs.FS) (map[string][]byte, error) {
	contents := map[string][]byte{}
	err := fs.WalkDir(from, "app", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		contents[strings.TrimPrefix(name, "app/")], err = fs.ReadFile(from, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded dashboard: %w", err)
	}
	return contents, nil
}

// version names the content of all files. One name for all keeps the imports
// between modules relative, so that the files are served as they are written.
func version(contents map[string][]byte) string {
	names := make([]string, 0, len(contents))
	for name := range contents {
		names = append(names, name)
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		each := sha256.Sum256(contents[name])
		_, _ = fmt.Fprintf(sum, "%s\x00%x\n", name, each) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

func newFile(data []byte, kind, cache string) (file, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return file{}, fmt.Errorf("compress the dashboard: %w", err)
	}
	sum := sha256.Sum256(data)
	return file{plain: data, packed: packed.Bytes(), kind: kind, cache: cache, etag: hex.EncodeToString(sum[:8])}, nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := h.files[r.URL.Path]
	if !ok && h.pages.MatchString(r.URL.Path) {
		f, ok = h.page, true
	}
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.next.ServeHTTP(w, r)
		return
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policy)
	head.Set("Permissions-Policy", permissions)
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", f.cache)
	head.Set("Vary", "Accept-Encoding")
	body, etag := f.plain, `"`+f.etag+`"`
	if accepts(r.Header.Values("Accept-Encoding"), "gzip") {
		body, etag = f.packed, `"`+f.etag+`-gz"`
		head.Set("Content-Encoding", "gzip")
	}
	head.Set("ETag", etag)
	if matches(r.Header.Values("If-None-Match"), etag) {
		head.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head.Set("Content-Type", f.kind)
	head.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a client that went away needs no answer
	}
}

// accepts reports whether the headers take the coding: named, or by *, and not
// with a weight of zero.
func accepts(headers []string, coding string) bool {
	star := false
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		name, parameters, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		taken := !refused(parameters)
		if name == coding {
			return taken
		}
		star = star || name == "*" && taken
	}
	return star
}

// refused reports whether the parameters of a coding are a weight of zero.
func refused(parameters string) bool {
	weight, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(parameters, " ", "")), "q=")
	if !ok {
		return false
	}
	q, err := strconv.ParseFloat(weight, 64)
	return err != nil || q <= 0
}

func matches(headers []string, etag string) bool {
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || part == etag {
			return true
		}
	}
	return false
}
