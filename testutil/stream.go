package testutil

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
)

// Stream is an open event stream. Its methods are for one goroutine, the
// test's, but Close may come from any.
type Stream struct {
	client *Client
	resp   *http.Response
	cancel context.CancelFunc
	lines  *bufio.Reader
	once   sync.Once
	// LastID is the id of the last message that had one.
	LastID string
}

// Message is one event of a stream.
type Message struct {
	// Event is message or error; ID is "" when the event had none.
	Event, ID string
	// Type is stats, histogram, logs or error.
	Type string `json:"type"`
	// Data is the payload, Message the sentence of an error.
	Data    json.RawMessage `json:"data"`
	Message string          `json:"message"`
}

// Open opens the stream with the query, given as name, value …; it is closed
// with the test at the latest. header may be nil.
func (c *Client) Open(header http.Header, query ...string) *Stream {
	t := c.world.t
	t.Helper()
	r := c.Request(http.MethodGet, "/api/v1/stream"+queryString(query), nil)
	for name, values := range header {
		r.Header[name] = values
	}
	ctx, cancel := context.WithCancel(r.Context())
	resp, err := c.http.Do(r.WithContext(ctx)) //nolint:bodyclose // Close does
	if err != nil {
		cancel()
		require.FailNow(t, "no stream", c.mask(err.Error()))
	}
	s := &Stream{client: c, resp: resp, cancel: cancel, lines: bufio.NewReader(resp.Body)}
	t.Cleanup(s.Close)
	require.Equal(t, http.StatusOK, resp.StatusCode, "status of the stream")
	if err := c.world.template.spec.Check(r, nil, resp, []byte(": keepalive\n\n")); err != nil {
		t.Errorf("the stream violates openapi.yaml: %s", c.mask(err.Error()))
	}
	line, err := s.lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, ": keepalive\n", line)
	return s
}

// Next waits for the next message. ok is false when the stream has ended.
func (s *Stream) Next() (m Message, ok bool) {
	t := s.client.world.t
	t.Helper()
	data := ""
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return m, false
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && data != "":
			require.NoError(t, json.Unmarshal([]byte(data), &m), "data of a message")
			if m.ID != "" {
				s.LastID = m.ID
			}
			return m, true
		case name == "event":
			m.Event = value
		case name == "id":
			m.ID = value
		case name == "data":
			data = value
		}
	}
}

// Until reads until a message of the type and returns it; a stream that ends
// before fails the test.
func (s *Stream) Until(kind string) Message {
	t := s.client.world.t
	t.Helper()
	for {
		m, ok := s.Next()
		if !ok {
			require.FailNow(t, "the stream ended before a message of type "+kind)
		}
		if m.Type == kind {
			return m
		}
		require.NotEqual(t, "error", m.Type, "the stream ended abnormally: %s", m.Message)
	}
}

// LogIDs returns the ids of the rows of a message of type logs.
func (m Message) LogIDs() []int64 {
	var rows []struct{ ID int64 }
	if json.Unmarshal(m.Data, &rows) != nil {
		return nil
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}

// Close ends the stream.
func (s *Stream) Close() {
	s.once.Do(func() {
		s.cancel()
		_ = s.resp.Body.Close()
	})
}
