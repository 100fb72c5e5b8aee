package mongodb

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// The bounds of one message's documents. A real server takes 200 levels and any
// number of elements.
const (
	maxDepth    = 100
	maxElements = 20_000
)

// doc is a document: its elements in their order.
type doc []element

type element struct {
	key   string
	value any
}

// The types of BSON that Go has no type for. The others are float64, string, doc,
// list, bool, nil, int32, int64 and time.Time.
type (
	list     []any
	objectID [12]byte
	// blob is binary data, and its subtype.
	blob struct {
		kind byte
		data string
	}
	timestamp uint64
	decimal   [16]byte
	// script is code in JavaScript. It is never run.
	script string
	// pattern is a regular expression. It is never matched.
	pattern struct{ expression, options string }
	// other is one of the types without a value, by its number.
	other byte
)

// get returns the value of that name, or nil.
func (d doc) get(key string) any {
	v, _ := d.lookup(key)
	return v
}

func (d doc) lookup(key string) (any, bool) {
	for _, e := range d {
		if e.key == key {
			return e.value, true
		}
	}
	return nil, false
}

// text returns the text of that name, or "".
func (d doc) text(key string) string {
	s, _ := d.get(key).(string)
	return s
}

// sub returns the document of that name, or an empty one.
func (d doc) sub(key string) doc {
	s, _ := d.get(key).(doc)
	return s
}

// number returns the number of that name, or 0.
func (d doc) number(key string) int64 {
	n, _ := asNumber(d.get(key))
	return int64(n)
}

// truth is how the real server reads a switch: a bool, or a number that isn't 0.
func (d doc) truth(key string) bool {
	if b, ok := d.get(key).(bool); ok {
		return b
	}
	n, ok := asNumber(d.get(key))
	return ok && n != 0
}

// asNumber returns a number of any type, cut to what an int64 holds.
func asNumber(v any) (float64, bool) {
	switch n := v.(type) {
	case int32:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		if math.IsNaN(n) {
			return 0, true
		}
		return max(min(n, 1<<62), -1<<62), true
	}
	return 0, false
}

var errBSON = errors.New("the document is broken")

// decoder reads documents. It takes no memory for lengths, only for what is there.
type decoder struct {
	b    []byte
	left int // elements that it may read yet
}

// decode reads the document at the begin of b, and returns what is behind it.
func decode(b []byte, budget *int) (d doc, rest []byte, err error) {
	r := &decoder{b: b, left: *budget}
	d, err = r.document(0)
	*budget = r.left
	return d, r.b, err
}

// take returns the next n bytes.
func (r *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.b) {
		return nil, errBSON
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head, nil
}

func (r *decoder) int32() (int32, error) {
	b, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return int32(binary.LittleEndian.Uint32(b)), nil
}

func (r *decoder) uint64() (uint64, error) {
	b, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// cstring reads a text that ends with a zero.
func (r *decoder) cstring() (string, error) {
	for i, c := range r.b {
		if c == 0 {
			s := string(r.b[:i])
			r.b = r.b[i+1:]
			return s, nil
		}
	}
	return "", errBSON
}

// string reads a text with its length, which counts the zero at its end.
func (r *decoder) string() (string, error) {
	n, err := r.int32()
	if err != nil || n < 1 {
		return "", errBSON
	}
	b, err := r.take(int(n))
	if err != nil || b[n-1] != 0 {
		return "", errBSON
	}
	return string(b[:n-1]), nil
}

// document reads a document inside of so many others.
func (r *decoder) document(depth int) (doc, error) {
	if depth > maxDepth {
		return nil, errBSON
	}
	size, err := r.int32()
	if err != nil || size < 5 {
		return nil, errBSON
	}
	body, err := r.take(int(size) - 4)
	if err != nil || body[len(body)-1] != 0 {
		return nil, errBSON
	}
	inner := &decoder{b: body[:len(body)-1], left: r.left}
	d := doc{}
	for len(inner.b) > 0 {
		if inner.left--; inner.left < 0 {
			return nil, errBSON
		}
		kind, _ := inner.take(1)
		key, err := inner.cstring()
		if err != nil {
			return nil, err
		}
		v, err := inner.value(kind[0], depth)
		if err != nil {
			return nil, err
		}
		d = append(d, element{key, v})
	}
	r.left = inner.left
	return d, nil
}

func (r *decoder) value(kind byte, depth int) (any, error) {
	switch kind {
	case 0x01:
		n, err := r.uint64()
		return math.Float64frombits(n), err
	case 0x02, 0x0e: // text, and the symbol of old days
		return r.string()
	case 0x03:
		return r.document(depth + 1)
	case 0x04:
		d, err := r.document(depth + 1)
		all := make(list, len(d))
		for i, e := range d {
			all[i] = e.value
		}
		return all, err
	case 0x05:
		return r.binary()
	case 0x07:
		b, err := r.take(12)
		if err != nil {
			return nil, err
		}
		return objectID(b), nil
	case 0x08:
		b, err := r.take(1)
		if err != nil {
			return nil, err
		}
		return b[0] != 0, nil
	case 0x09:
		n, err := r.uint64()
		return time.UnixMilli(int64(n)).UTC(), err
	case 0x0a:
		return nil, nil
	case 0x10:
		return r.int32()
	case 0x11:
		n, err := r.uint64()
		return timestamp(n), err
	case 0x12:
		n, err := r.uint64()
		return int64(n), err
	case 0x13:
		b, err := r.take(16)
		if err != nil {
			return nil, err
		}
		return decimal(b), nil
	case 0x06, 0x7f, 0xff:
		return other(kind), nil
	}
	return r.rare(kind, depth)
}

// rare reads what holds code, or is no longer used.
func (r *decoder) rare(kind byte, depth int) (any, error) {
	switch kind {
	case 0x0b:
		e, err := r.cstring()
		if err != nil {
			return nil, err
		}
		o, err := r.cstring()
		return pattern{e, o}, err
	case 0x0c: // a pointer into another collection
		if _, err := r.string(); err != nil {
			return nil, err
		}
		b, err := r.take(12)
		if err != nil {
			return nil, err
		}
		return objectID(b), nil
	case 0x0d:
		s, err := r.string()
		return script(s), err
	case 0x0f: // code with its variables, which nobody needs
		if _, err := r.int32(); err != nil {
			return nil, err
		}
		s, err := r.string()
		if err != nil {
			return nil, err
		}
		_, err = r.document(depth + 1)
		return script(s), err
	}
	return nil, errBSON
}

func (r *decoder) binary() (any, error) {
	n, err := r.int32()
	if err != nil || n < 0 {
		return nil, errBSON
	}
	kind, err := r.take(1)
	if err != nil {
		return nil, err
	}
	b, err := r.take(int(n))
	return blob{kind[0], string(b)}, err
}

// encode appends a document.
func encode(b []byte, d doc) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	for _, e := range d {
		b = encodeElement(b, e.key, e.value)
	}
	b = append(b, 0)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

func encodeElement(b []byte, key string, v any) []byte {
	at := len(b)
	b = append(append(append(b, 0), key...), 0)
	b, kind := encodeValue(b, v)
	b[at] = kind
	return b
}

// encodeValue appends a value and returns its type.
func encodeValue(b []byte, v any) (all []byte, kind byte) {
	le := binary.LittleEndian
	switch v := v.(type) {
	case float64:
		return le.AppendUint64(b, math.Float64bits(v)), 0x01
	case string:
		return encodeString(b, v), 0x02
	case doc:
		return encode(b, v), 0x03
	case list:
		return encode(b, v.document()), 0x04
	case blob:
		b = append(le.AppendUint32(b, uint32(len(v.data))), v.kind)
		return append(b, v.data...), 0x05
	case objectID:
		return append(b, v[:]...), 0x07
	case bool:
		if v {
			return append(b, 1), 0x08
		}
		return append(b, 0), 0x08
	case time.Time:
		return le.AppendUint64(b, uint64(v.UnixMilli())), 0x09
	case pattern:
		return append(append(append(append(b, v.expression...), 0), v.options...), 0), 0x0b
	case script:
		return encodeString(b, string(v)), 0x0d
	case int32:
		return le.AppendUint32(b, uint32(v)), 0x10
	case timestamp:
		return le.AppendUint64(b, uint64(v)), 0x11
	case int64:
		return le.AppendUint64(b, uint64(v)), 0x12
	case decimal:
		return append(b, v[:]...), 0x13
	case other:
		return b, byte(v)
	}
	return b, 0x0a // null
}

func encodeString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)+1))
	return append(append(b, s...), 0)
}

// document is how an array is written: its places are the names.
func (l list) document() doc {
	d := make(doc, len(l))
	for i, v := range l {
		d[i] = element{itoa(i), v}
	}
	return d
}
