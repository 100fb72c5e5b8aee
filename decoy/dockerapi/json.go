package dockerapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// field is one of an object, and fields are an object with an order.
type (
	field struct {
		name  string
		value any
	}
	fields []field
)

// MarshalJSON implements [json.Marshaler].
func (o fields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{f.name, f.value} {
			text, err := json.Marshal(v)
			if err != nil {
				return nil, err //nolint:wrapcheck // json.Marshal wraps it
			}
			if j > 0 {
				b.WriteByte(':')
			}
			b.Write(text)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// object is an answer in JSON, with the line end that Go's encoder writes.
func object(status int, v any) answer {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	if err := e.Encode(v); err != nil {
		return answer{status: http.StatusInternalServerError, kind: "application/json", body: []byte("{}\n")}
	}
	return answer{status: status, kind: "application/json", body: b.Bytes()}
}

func list(items ...any) answer {
	if items == nil {
		items = []any{}
	}
	return object(http.StatusOK, items)
}

// streamed is what comes as lines of JSON while the daemon works.
func streamed(lines ...string) answer {
	return answer{status: http.StatusOK, kind: "application/json", body: []byte(strings.Join(lines, "\r\n") + "\r\n")}
}
