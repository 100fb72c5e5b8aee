package httptrap

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// Event is how a request is recorded.
type Event struct {
	// Type is that of the event, "request" where it is "".
	Type string
	// Fields are further details.
	Fields []trap.Field
	// Short leaves out what the event of that service does not have in the wire
	// dialect: headers and body.
	Short bool
}

// record records a request, further logins in it, and uploads.
func (r *Request) record(s *trap.Session, e Event, logins []login, uploads [][]trap.Field, broken string) {
	if e.Type == "" {
		e.Type = "request"
	}
	fields := []trap.Field{{Key: "method", Value: r.Method}, {Key: "path", Value: r.Path}}
	if r.Query != "" {
		fields = append(fields, trap.Field{Key: "query_string", Value: r.Query})
	}
	fields = append(fields, trap.Field{Key: "headers", Value: headersText(r.Headers)})
	if !e.Short {
		fields = append(fields, trap.Field{Key: "body", Value: r.Shown()})
	}
	if r.BodySize > 0 {
		fields = append(fields, trap.Field{Key: "body_bytes", Value: strconv.FormatInt(r.BodySize, 10)})
	}
	if ua := r.Get("User-Agent"); ua != "" {
		fields = append(fields, trap.Field{Key: "user_agent", Value: ua})
	}
	if r.Minor < 1 {
		fields = append(fields, trap.Field{Key: "version", Value: map[int]string{0: "HTTP/1.0", -1: "HTTP/0.9"}[r.Minor]})
	}
	if r.HasLogin {
		fields = append(fields, trap.Field{Key: "username", Value: r.Username}, trap.Field{Key: "password", Value: r.Password})
	}
	if broken != "" {
		fields = append(fields, trap.Field{Key: "error", Value: broken})
	}
	s.Record(e.Type, append(append(fields, r.notes...), e.Fields...)...)
	for i := 1; i < len(logins); i++ {
		s.Record("auth_attempt", trap.Field{Key: "username", Value: logins[i].username},
			trap.Field{Key: "password", Value: logins[i].password}, trap.Field{Key: "path", Value: r.Path})
	}
	for _, u := range uploads {
		s.Record("file_upload", append(u, trap.Field{Key: "path", Value: r.Path})...)
	}
}

// Shown is the part of the body that events show.
func (r *Request) Shown() string { return string(r.Body[:min(len(r.Body), maxShown)]) }

// record records bytes that are no proper request.
func (f *Fault) record(s *trap.Session) {
	fields := []trap.Field{
		{Key: "error", Value: f.Error()},
		{Key: "data", Value: hex.EncodeToString(f.Data[:min(len(f.Data), 256)])},
	}
	if r := f.Request; r != nil && r.Method != "" {
		fields = append(fields, trap.Field{Key: "method", Value: r.Method}, trap.Field{Key: "path", Value: r.Path},
			trap.Field{Key: "headers", Value: headersText(r.Headers)})
		fields = append(fields, r.notes...)
	}
	s.Record("protocol_error", fields...)
	if f.Kind == TLS {
		tlstrap.Observe(s, f.Data)
	}
}

// headersText writes headers as a JSON object, in their order and casing. One
// that comes several times has a list.
func headersText(headers []Header) string {
	b := []byte{'{'}
	written := make([]bool, len(headers))
	for i := range headers {
		if written[i] {
			continue
		}
		if i > 0 {
			b = append(b, ',', ' ')
		}
		b = appendQuoted(b, headers[i].Name)
		b = append(b, ':', ' ')
		begin, n := len(b), 0
		for j := i; j < len(headers); j++ {
			if !strings.EqualFold(headers[j].Name, headers[i].Name) {
				continue
			}
			if n++; n > 1 {
				b = append(b, ',', ' ')
			}
			b = appendQuoted(b, headers[j].Value)
			written[j] = true
		}
		if n > 1 {
			b = append(b, ']')
			b = append(b[:begin], append([]byte{'['}, b[begin:]...)...)
		}
	}
	return string(append(b, '}'))
}

// appendQuoted appends a JSON string and leaves bytes that are no UTF-8 as they
// are.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = append(b, `\u00`...)
			b = hex.AppendEncode(b, []byte{c})
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			_, n := utf8.DecodeRuneInString(s[i:])
			b = append(b, s[i:i+n]...)
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
