package httptrap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"path"
	"strings"

	"decnet/decoy/trap"
)

const (
	// maxKept is how much of a body is kept in memory, to find credentials in.
	maxKept = 16 << 10
	// maxShown is how much of a body its event shows. Larger ones lie in the
	// quarantine as a whole.
	maxShown = 4 << 10
	// maxParts bounds the parts of an upload.
	maxParts = 64
	// maxValue bounds a value in a part that is no file.
	maxValue = 4 << 10
)

// capture takes a body while it is read.
type capture struct {
	files  *trap.Quarantine
	kept   []byte
	size   int64
	upload *trap.Upload
	// never says that its parts are stored instead.
	never bool
}

func (c *capture) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	if c.upload == nil && !c.never && c.size > maxShown {
		c.begin()
	}
	if c.upload != nil {
		_, _ = c.upload.Write(p) // it never fails
	}
	c.kept = append(c.kept, p[:min(len(p), maxKept-len(c.kept))]...)
	return len(p), nil
}

func (c *capture) begin() {
	c.upload = c.files.Begin()
	_, _ = c.upload.Write(c.kept)
}

// readBody reads the body, stores what is to be stored, and fills in what the
// request says. It returns the events of stored files, which the caller records
// after that of the request, also where the body breaks off.
func (r *Request) readBody(s *trap.Session, in *bufio.Reader, f framing) ([][]trap.Field, error) {
	c := &capture{files: s.Files}
	body := io.TeeReader(f.reader(in), c)
	var uploads [][]trap.Field
	kind, params, _ := mime.ParseMediaType(r.Get("Content-Type"))
	var err error
	switch {
	case kind == "multipart/form-data" && params["boundary"] != "":
		c.never = true
		uploads = r.readParts(s, multipart.NewReader(body, params["boundary"]))
	case r.Method == "PUT":
		c.begin()
	}
	_, err = io.Copy(io.Discard, body)
	if c.upload != nil {
		stored := c.upload.Done()
		if stored.Size > 0 {
			name, _, _ := strings.Cut(r.Target, "?")
			uploads = append(uploads, uploaded(path.Base(name), stored))
		}
	}
	r.Body, r.BodySize = c.kept, c.size
	if errors.Is(err, errChunk) {
		return uploads, &Fault{Why: "a chunk", Data: []byte(r.Method + " " + r.Target), Request: r}
	}
	if err != nil {
		return uploads, fmt.Errorf("read a body: %w", err)
	}
	return uploads, nil
}

func uploaded(name string, s trap.Stored) []trap.Field {
	return append([]trap.Field{{Key: "filename", Value: name}}, s.Fields()...)
}

// readParts reads the parts of a form. What is broken ends it; the rest of the
// body is read as bytes.
func (r *Request) readParts(s *trap.Session, parts *multipart.Reader) [][]trap.Field {
	var uploads [][]trap.Field
	for range maxParts {
		p, err := parts.NextRawPart()
		if err != nil {
			break
		}
		_, params, _ := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
		name, isFile := params["filename"]
		if !isFile {
			value, _ := io.ReadAll(io.LimitReader(p, maxValue))
			r.Form = append(r.Form, trap.Field{Key: p.FormName(), Value: string(value)})
			continue
		}
		u := s.Files.Begin()
		_, _ = io.Copy(u, p) // a part that breaks off is kept as far as it came
		uploads = append(uploads, uploaded(name, u.Done()))
	}
	return uploads
}
