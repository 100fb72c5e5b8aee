package httptrap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// framing is how a request says where its body ends.
type framing struct {
	chunked bool
	length  int64
}

// frame reads the headers about the body. What could be read in two ways is a
// fault, as it is to today's servers, since it is how requests are smuggled.
func (r *Request) frame() (framing, error) {
	bad := func(kind Kind, why, data string) (framing, error) {
		r.Note("smuggling", why)
		return framing{}, &Fault{Kind: kind, Why: why, Data: []byte(data), Request: r}
	}
	codings, lengths := r.count("Transfer-Encoding"), r.count("Content-Length")
	coding, length := r.Get("Transfer-Encoding"), r.Get("Content-Length")
	switch {
	case codings > 0 && lengths > 0:
		return bad(BadRequest, "both Content-Length and Transfer-Encoding", coding+" "+length)
	case codings > 1:
		return bad(BadRequest, "several Transfer-Encoding", coding)
	case codings == 1 && (r.Minor < 1):
		return bad(BadRequest, "Transfer-Encoding in HTTP/1.0", coding)
	case codings == 1 && !strings.EqualFold(coding, "chunked"):
		return bad(BadCoding, "Transfer-Encoding", coding)
	case codings == 1:
		return framing{chunked: true}, nil
	case lengths > 1:
		return bad(BadRequest, "several Content-Length", length)
	case lengths == 0:
		return framing{}, nil
	}
	if strings.Trim(length, "0123456789") != "" || length == "" {
		return bad(BadRequest, "Content-Length", length)
	}
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil {
		return bad(LongBody, "Content-Length", length)
	}
	return framing{length: n}, nil
}

// errChunk is a chunked body that is broken.
var errChunk = errors.New("a broken chunk")

// chunks reads a body in chunks (RFC 9112, section 7.1). Trailers are dropped.
type chunks struct {
	r    *bufio.Reader
	left int64
	// begun says that a chunk was read, whose end is to come.
	begun, done bool
}

// maxChunkLine bounds the line before a chunk, with its extensions.
const maxChunkLine = 256

func (c *chunks) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
		if c.done {
			return 0, io.EOF
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	return n, unexpected(err)
}

// next reads the line before a chunk.
func (c *chunks) next() error {
	if c.begun {
		if line, err := trap.ReadLine(c.r, 0); err != nil {
			return chunkError(err)
		} else if len(line) > 0 {
			return errChunk
		}
	}
	c.begun = true
	line, err := trap.ReadLine(c.r, maxChunkLine)
	if err != nil {
		return chunkError(err)
	}
	size, _, _ := strings.Cut(string(line), ";")
	size = strings.TrimRight(size, " \t")
	if size == "" || strings.Trim(size, "0123456789abcdefABCDEF") != "" {
		return errChunk
	}
	if c.left, err = strconv.ParseInt(size, 16, 64); err != nil {
		return errChunk
	}
	if c.left > 0 {
		return nil
	}
	c.done = true
	for range maxHeaders {
		line, err := trap.ReadLine(c.r, maxLine)
		if err != nil {
			return chunkError(err)
		}
		if len(line) == 0 {
			return nil
		}
	}
	return errChunk
}

func chunkError(err error) error {
	if errors.Is(err, trap.ErrLineTooLong) {
		return errChunk
	}
	return fmt.Errorf("read a chunk: %w", unexpected(err))
}

// unexpected is the error for an end that came too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fixed reads a body whose length is known.
type fixed struct {
	r    io.Reader
	left int64
}

func (f *fixed) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > f.left {
		p = p[:f.left]
	}
	n, err := f.r.Read(p)
	f.left -= int64(n)
	return n, unexpected(err)
}

func (f framing) reader(r *bufio.Reader) io.Reader {
	if f.chunked {
		return &chunks{r: r}
	}
	return &fixed{r: r, left: f.length}
}
