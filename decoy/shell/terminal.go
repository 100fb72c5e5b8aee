package shell

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLine bounds a line that is typed; what is over is dropped.
const maxLine = 16 << 10

// Terminal is the line discipline of a terminal: echo, editing, and line ends
// as a terminal has them. It is for one goroutine.
type Terminal struct {
	// Errs takes error messages, where they don't go to the terminal as well.
	Errs io.Writer

	r *bufio.Reader
	w io.Writer
	// raw turns it all off: input and output are no terminal.
	raw bool

	hidden  bool
	afterCR bool
	// rest is of a line that was read in part only.
	rest []byte
	// past are the lines for the arrow keys.
	past []string
}

// NewTerminal lays a terminal over a connection; raw where the client asked for
// none.
func NewTerminal(r io.Reader, w io.Writer, raw bool) *Terminal {
	return &Terminal{r: bufio.NewReaderSize(r, 4096), w: w, raw: raw}
}

// Write shows text.
func (t *Terminal) Write(p []byte) (int, error) {
	if t.raw {
		return t.w.Write(p)
	}
	if _, err := t.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Hide switches the echo off or on.
func (t *Terminal) Hide(hidden bool) { t.hidden = hidden }

// Read is what a command reads that runs on the terminal: whole lines, to ^D.
func (t *Terminal) Read(p []byte) (int, error) {
	if t.raw {
		return t.r.Read(p)
	}
	if len(t.rest) == 0 {
		line, err := t.ReadLine()
		if err != nil && line == "" {
			return 0, err
		}
		t.rest = []byte(line + "\n")
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

var errInterrupted = errors.New("interrupted")

// ReadLine reads a line as it is edited. It ends with io.EOF at ^D on an empty
// line, and with an error of its own at ^C.
func (t *Terminal) ReadLine() (string, error) {
	var line []byte
	at := len(t.past)
	for {
		c, err := t.r.ReadByte()
		if err != nil {
			return string(line), err
		}
		cr := t.afterCR
		t.afterCR = c == '\r'
		if c == '\n' && cr && !t.raw {
			continue
		}
		if t.raw {
			if c == '\n' {
				return strings.TrimSuffix(string(line), "\r"), nil
			}
			if len(line) < maxLine {
				line = append(line, c)
			}
			continue
		}
		switch c {
		case '\r', '\n':
			return string(line), t.echo("\r\n", false)
		case 3:
			return "", errors.Join(errInterrupted, t.echo("^C\r\n", true))
		case 4:
			if len(line) == 0 {
				return "", io.EOF
			}
		case 8, 127:
			line = t.erase(line, 1)
		case 21:
			line = t.erase(line, len(line))
		case 23:
			trimmed := bytes.TrimRight(line, " ")
			line = t.erase(line, len(line)-bytes.LastIndexByte(trimmed, ' ')-1)
		case 27:
			line, at = t.arrow(line, at)
		case 0:
		default:
			if (c >= 32 || c == '\t') && len(line) < maxLine {
				line = append(line, c)
				if err := t.echo(string(c), false); err != nil {
					return "", err
				}
			}
		}
	}
}

func (t *Terminal) echo(s string, always bool) error {
	if t.hidden && !always {
		return nil
	}
	_, err := io.WriteString(t.w, s)
	return err
}

// erase takes n characters off the end.
func (t *Terminal) erase(line []byte, n int) []byte {
	for ; n > 0 && len(line) > 0; n-- {
		_, size := utf8.DecodeLastRune(line)
		line = line[:len(line)-size]
		_ = t.echo("\b \b", false)
	}
	return line
}

// arrow reads what follows an escape, and does what the keys up and down do.
func (t *Terminal) arrow(line []byte, at int) ([]byte, int) {
	if t.r.Buffered() == 0 {
		return line, at
	}
	if c, _ := t.r.ReadByte(); c != '[' && c != 'O' {
		return line, at
	}
	for t.r.Buffered() > 0 {
		c, _ := t.r.ReadByte()
		if c >= '0' && c <= '9' || c == ';' {
			continue
		}
		switch {
		case c == 'A' && at > 0:
			at--
		case c == 'B' && at < len(t.past):
			at++
		default:
			return line, at
		}
		line = t.erase(line, len(line))
		if at < len(t.past) {
			line = slices.Clone([]byte(t.past[at]))
			_ = t.echo(t.past[at], false)
		}
		break
	}
	return line, at
}
