package redis

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"

	"decnet/decoy/trap"
)

// The bounds of what is read, far below those of a real server.
const (
	maxArgs    = 1024
	maxArg     = 1 << 20 // of one argument, in bytes
	maxCommand = 2 << 20 // of all arguments together
	maxInline  = 64 << 10
)

// protocolError is what the server says before it hangs up.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// readCommand reads one command: an array of bulk strings, or a line. An empty
// line gives no arguments.
func readCommand(r *bufio.Reader) ([]string, error) {
	first, err := r.Peek(1)
	if err != nil {
		return nil, err
	}
	if first[0] != '*' {
		return readInline(r)
	}
	n, err := readSize(r, '*', maxArgs, "invalid multibulk length")
	if err != nil {
		return nil, err
	}
	args := make([]string, 0, min(max(n, 0), 16))
	total := 0
	for range n {
		size, err := readSize(r, '$', maxArg, "invalid bulk length")
		if err != nil {
			return nil, err
		}
		if size < 0 {
			return nil, protocolError("invalid bulk length")
		}
		if total += size; total > maxCommand {
			return nil, protocolError("invalid bulk length")
		}
		// Copied as it comes, so that a length alone takes no memory.
		var arg bytes.Buffer
		if _, err := io.CopyN(&arg, r, int64(size)); err != nil {
			return nil, err
		}
		if _, err := r.Discard(2); err != nil {
			return nil, err
		}
		args = append(args, arg.String())
	}
	return args, nil
}

// readSize reads a line such as "*3".
func readSize(r *bufio.Reader, kind byte, most int, bad string) (int, error) {
	line, err := trap.ReadLine(r, 64)
	switch {
	case errors.Is(err, trap.ErrLineTooLong):
		return 0, protocolError("too big count string")
	case err != nil:
		return 0, err
	case len(line) == 0 || line[0] != kind:
		got := byte('\r')
		if len(line) > 0 {
			got = line[0]
		}
		return 0, protocolError("expected '" + string(rune(kind)) + "', got '" + string(rune(got)) + "'")
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil || n > most {
		return 0, protocolError(bad)
	}
	return n, nil
}

// readInline reads a command that is typed, as with telnet: words, of which those
// in quotes may hold spaces.
func readInline(r *bufio.Reader) ([]string, error) {
	line, err := trap.ReadLine(r, maxInline)
	if errors.Is(err, trap.ErrLineTooLong) {
		return nil, protocolError("too big inline request")
	}
	if err != nil {
		return nil, err
	}
	args, ok := words(line)
	if !ok {
		return nil, protocolError("unbalanced quotes in request")
	}
	return args, nil
}

func words(line []byte) (args []string, ok bool) {
	for i := 0; i < len(line); {
		if line[i] == ' ' || line[i] == '\t' || line[i] == 0 {
			i++
			continue
		}
		var word []byte
		var quote byte
		for ; i < len(line) && (quote != 0 || line[i] != ' ' && line[i] != '\t'); i++ {
			switch c := line[i]; {
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			case c == '\\' && quote == '"' && i+1 < len(line):
				i++
				word = append(word, escaped(line[i]))
			default:
				word = append(word, c)
			}
		}
		if quote != 0 {
			return nil, false
		}
		if args = append(args, string(word)); len(args) > maxArgs {
			return nil, false
		}
	}
	return args, true
}

func escaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return 7
	}
	return c
}

// The answers of the protocol.

func simple(s string) []byte  { return []byte("+" + s + "\r\n") }
func failure(s string) []byte { return []byte("-" + s + "\r\n") }
func integer(n int) []byte    { return []byte(":" + strconv.Itoa(n) + "\r\n") }
func null() []byte            { return []byte("$-1\r\n") }

func bulk(s string) []byte {
	return []byte("$" + strconv.Itoa(len(s)) + "\r\n" + s + "\r\n")
}

func array(items ...[]byte) []byte {
	b := []byte("*" + strconv.Itoa(len(items)) + "\r\n")
	for _, i := range items {
		b = append(b, i...)
	}
	return b
}

func bulks(items ...string) []byte {
	all := make([][]byte, len(items))
	for i, s := range items {
		all[i] = bulk(s)
	}
	return array(all...)
}
