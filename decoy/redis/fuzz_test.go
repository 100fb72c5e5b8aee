//go:build fuzz

package redis

import (
	"bufio"
	"bytes"
	"testing"
)

// FuzzReadCommand: no bytes make the reader panic or take more than it may.
func FuzzReadCommand(f *testing.F) {
	for _, seed := range []string{
		"*1\r\n$4\r\nPING\r\n", "PING\r\n", "SET \"a b\" 'c'\r\n", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n", "*-1\r\n", "*1\r\n$-1\r\n", "GET / HTTP/1.1\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		for {
			args, err := readCommand(r)
			if err != nil {
				return
			}
			size := 0
			for _, a := range args {
				size += len(a)
			}
			if len(args) > maxArgs || size > len(data) {
				t.Fatalf("%d arguments of %d bytes from %d", len(args), size, len(data))
			}
		}
	})
}
