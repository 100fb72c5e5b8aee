package seed

import "io"

// Lines returns the next n lines of the generator as a stream, each with a line
// feed. It is the only user of the generator until it is read to its end.
func (g *Generator) Lines(n int64) io.Reader { return &reader{g: g, left: n} }

type reader struct {
	g    *Generator
	left int64
	// rest is what did not fit of the last line; it lies in buf.
	rest []byte
	buf  []byte
}

// Read implements [io.Reader]. It fills p.
func (r *reader) Read(p []byte) (int, error) {
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	for n < len(p) && r.left > 0 {
		line := r.g.Next()
		r.left--
		if len(line) < len(p)-n {
			n += copy(p[n:], line)
			p[n] = '\n'
			n++
			continue
		}
		r.buf = append(append(r.buf[:0], line...), '\n')
		copied := copy(p[n:], r.buf)
		r.rest = r.buf[copied:]
		n += copied
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
