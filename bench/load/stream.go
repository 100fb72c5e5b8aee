package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// maxFirstMessages bounds what is read of a stream until its first messages are
// there, in bytes.
const maxFirstMessages = 8 << 20

// openStream sends the request and reads until the counters and the histogram
// have come, with which a dashboard begins.
func (c *conn) openStream(request []byte, asked *http.Request) (answer, error) {
	resp, err := c.send(request, asked) //nolint:bodyclose // closing it would read the stream to its end; the connection is closed
	if err != nil {
		return answer{}, err
	}
	a := headOf(resp)
	a.last = true
	if a.status != http.StatusOK {
		return a, nil
	}
	if a.media != streamMedia {
		return a, wrong("media type %q instead of a stream", a.media)
	}
	return a, firstMessages(bufio.NewReader(io.LimitReader(resp.Body, maxFirstMessages)))
}

// firstMessages reads the comment that begins a stream, and messages until the
// counters and the histogram were among them.
func firstMessages(r *bufio.Reader) error {
	var stats, histogram bool
	for n := 0; !stats || !histogram; n++ {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("read the first messages: %w", err)
		}
		line = bytes.TrimSpace(line)
		if n == 0 && !bytes.HasPrefix(line, []byte(":")) {
			return wrong("a stream that does not begin with a comment")
		}
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue
		}
		var m struct {
			Type string          `json:"type"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return wrong("a message that is not JSON: %v", err)
		}
		switch m.Type {
		case "stats":
			stats = len(m.Data) > 0 && m.Data[0] == '{'
		case "histogram":
			histogram = len(m.Data) > 0 && m.Data[0] == '['
		case "error":
			return wrong("the stream begins with an error")
		}
	}
	return nil
}
