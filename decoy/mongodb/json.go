package mongodb

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
)

// jsonOf writes a document as relaxed extended JSON, and stops soon after that many
// bytes. Texts keep the bytes that they have; only what would end them is escaped.
func jsonOf(v any, most int) string {
	w := &jsonWriter{most: most}
	w.value(v)
	return w.b.String()[:min(w.b.Len(), most)]
}

type jsonWriter struct {
	b    strings.Builder
	most int
}

func (w *jsonWriter) full() bool { return w.b.Len() > w.most }

func (w *jsonWriter) text(s string) {
	w.b.WriteByte('"')
	for i := 0; i < len(s) && !w.full(); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			w.b.WriteByte('\\')
			w.b.WriteByte(c)
		case c == '\n':
			w.b.WriteString(`\n`)
		case c == '\r':
			w.b.WriteString(`\r`)
		case c == '\t':
			w.b.WriteString(`\t`)
		case c < ' ':
			w.b.WriteString(`\u00` + hex.EncodeToString([]byte{c}))
		default:
			w.b.WriteByte(c)
		}
	}
	w.b.WriteByte('"')
}

// wrapped writes a value that JSON has no type for.
func (w *jsonWriter) wrapped(name, value string) {
	w.b.WriteString(`{"` + name + `": `)
	w.text(value)
	w.b.WriteByte('}')
}

func (w *jsonWriter) value(v any) {
	switch v := v.(type) {
	case doc:
		w.document(v)
	case list:
		w.b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				w.b.WriteString(", ")
			}
			if w.full() {
				break
			}
			w.value(item)
		}
		w.b.WriteByte(']')
	case string:
		w.text(v)
	case bool:
		w.b.WriteString(strconv.FormatBool(v))
	case int32:
		w.b.WriteString(strconv.FormatInt(int64(v), 10))
	case int64:
		w.b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		w.float(v)
	case objectID:
		w.wrapped("$oid", hex.EncodeToString(v[:]))
	case time.Time:
		w.wrapped("$date", v.Format("2006-01-02T15:04:05.000Z"))
	case blob:
		w.wrapped("$binary", base64.StdEncoding.EncodeToString([]byte(v.data[:min(len(v.data), w.most)])))
	case timestamp:
		w.wrapped("$timestamp", strconv.FormatUint(uint64(v), 10))
	case decimal:
		w.wrapped("$numberDecimal", hex.EncodeToString(v[:]))
	case script:
		w.wrapped("$code", string(v))
	case pattern:
		w.wrapped("$regex", v.expression)
	default:
		w.b.WriteString("null")
	}
}

func (w *jsonWriter) float(f float64) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		w.wrapped("$numberDouble", strconv.FormatFloat(f, 'g', -1, 64))
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		w.b.WriteString(strconv.FormatFloat(f, 'f', 1, 64))
	default:
		w.b.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
	}
}

func (w *jsonWriter) document(d doc) {
	w.b.WriteByte('{')
	for i, e := range d {
		if i > 0 {
			w.b.WriteString(", ")
		}
		if w.full() {
			break
		}
		w.text(e.key)
		w.b.WriteString(": ")
		w.value(e.value)
	}
	w.b.WriteByte('}')
}
