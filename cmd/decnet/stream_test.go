package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// eventStream is an open stream of the API.
type eventStream struct {
	messages chan string
	errs     chan error
}

// openStream opens a stream and reads it until it ends.
func openStream(t *testing.T, c *client, path string) *eventStream {
	t.Helper()
	resp := c.send(t, http.MethodGet, path, nil) //nolint:bodyclose // send closes it when the test ends
	require.Equal(t, http.StatusOK, resp.StatusCode)
	s := &eventStream{messages: make(chan string, 1000), errs: make(chan error, 1)}
	go func() {
		scanner := bufio.NewScanner(resp.Body)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
				s.messages <- data
			}
		}
		s.errs <- scanner.Err()
		close(s.messages)
	}()
	return s
}

// next waits for a message of a type and returns it.
func (s *eventStream) next(t *testing.T, kind string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case text, ok := <-s.messages:
			require.True(t, ok, "the stream ended")
			var m struct{ Type string }
			require.NoError(t, json.Unmarshal([]byte(text), &m), text)
			if m.Type == kind {
				return text
			}
		case <-timeout:
			require.FailNow(t, "no message of type "+kind)
		}
	}
}

// end waits for the end of the stream.
func (s *eventStream) end(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.errs:
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			require.NoError(t, err)
		}
	case <-time.After(patience):
		require.FailNow(t, "the stream is still open")
	}
}
