package mongodb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// The kinds of messages.
const (
	opReply      = 1
	opQuery      = 2004
	opCompressed = 2012
	opMsg        = 2013

	headerSize = 16
	// maxMessage is the most of one message that is read, in bytes; a real server
	// takes 48 million.
	maxMessage = 256 << 10

	flagChecksum   = 1
	flagMoreToCome = 2
)

// message is one that was read whole.
type message struct {
	id, op uint32
	body   []byte
}

var (
	errSize   = errors.New("the length of the message is out of bounds")
	errBroken = errors.New("the message is broken")
)

// readMessage reads one message. With an error that isn't one of the connection
// it returns the header too.
func readMessage(r io.Reader) (m message, head [headerSize]byte, err error) {
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return m, head, err
	}
	le := binary.LittleEndian
	size := le.Uint32(head[:])
	m.id, m.op = le.Uint32(head[4:]), le.Uint32(head[12:])
	if size < headerSize || size > maxMessage {
		return m, head, errSize
	}
	// It grows with what comes, so that a length alone takes no memory.
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, int64(size)-headerSize); err != nil {
		return m, head, err
	}
	m.body = b.Bytes()
	return m, head, nil
}

// request is a command, in whichever message it came.
type request struct {
	body     doc
	database string
	legacy   bool // it came as OP_QUERY
	silent   bool // the client waits for no answer
	flags    uint32
	// collection is that of an OP_QUERY that isn't a command.
	collection string
}

// parseMsg reads an OP_MSG: a document, and lists of documents that belong into it.
func parseMsg(b []byte) (*request, error) {
	if len(b) < 4 {
		return nil, errBroken
	}
	q := &request{flags: binary.LittleEndian.Uint32(b)}
	b = b[4:]
	q.silent = q.flags&flagMoreToCome != 0
	if q.flags&flagChecksum != 0 {
		if len(b) < 4 {
			return nil, errBroken
		}
		b = b[:len(b)-4]
	}
	budget := maxElements
	var more doc
	for len(b) > 0 {
		kind := b[0]
		b = b[1:]
		var err error
		switch kind {
		case 0:
			if q.body != nil {
				return nil, errBroken
			}
			q.body, b, err = decode(b, &budget)
		case 1:
			var e element
			e, b, err = parseSequence(b, &budget)
			more = append(more, e)
		default:
			err = errBroken
		}
		if err != nil {
			return nil, err
		}
	}
	if len(q.body) == 0 {
		return nil, errBroken
	}
	q.body = append(q.body, more...)
	q.database = q.body.text("$db")
	return q, nil
}

// parseSequence reads a list of documents with its name.
func parseSequence(b []byte, budget *int) (e element, rest []byte, err error) {
	if len(b) < 4 {
		return e, nil, errBroken
	}
	size := int64(binary.LittleEndian.Uint32(b))
	if size < 4 || size > int64(len(b)) {
		return e, nil, errBroken
	}
	part, rest := b[4:size], b[size:]
	name, part, ok := bytes.Cut(part, []byte{0})
	if !ok {
		return e, nil, errBroken
	}
	all := list{}
	for len(part) > 0 {
		var d doc
		if d, part, err = decode(part, budget); err != nil {
			return e, nil, err
		}
		all = append(all, d)
	}
	return element{string(name), all}, rest, nil
}

// parseQuery reads an OP_QUERY.
func parseQuery(b []byte) (*request, error) {
	if len(b) < 4 {
		return nil, errBroken
	}
	q := &request{legacy: true, flags: binary.LittleEndian.Uint32(b)}
	name, b, ok := bytes.Cut(b[4:], []byte{0})
	if !ok || len(b) < 8 {
		return nil, errBroken
	}
	database, collection, ok := bytes.Cut(name, []byte{'.'})
	if !ok {
		return nil, errBroken
	}
	budget := maxElements
	body, _, err := decode(b[8:], &budget) // behind it there may be a choice of fields
	if err != nil {
		return nil, err
	}
	q.body, q.database = body, string(database)
	if string(collection) != "$cmd" {
		q.collection = string(collection)
		return q, nil
	}
	// Some drivers wrap a command to tell from where it may be read.
	for _, wrap := range []string{"$query", "query"} {
		if inner, ok := q.body.get(wrap).(doc); ok && len(q.body) > 0 && q.body[0].key == wrap {
			q.body = inner
		}
	}
	if len(q.body) == 0 {
		return nil, errBroken
	}
	return q, nil
}

// frame puts a header before a body.
func frame(id, answers, op uint32, body []byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, headerSize+len(body))
	b = le.AppendUint32(b, uint32(headerSize+len(body)))
	b = le.AppendUint32(b, id)
	b = le.AppendUint32(b, answers)
	b = le.AppendUint32(b, op)
	return append(b, body...)
}

// answerTo writes the answer to a request, in the kind of message that it came in.
func answerTo(q *request, id, asked uint32, d doc) []byte {
	if !q.legacy {
		return frame(id, asked, opMsg, encode([]byte{0, 0, 0, 0, 0}, d))
	}
	flags := uint32(8) // the server knows how to wait
	if _, failed := d.lookup("$err"); failed {
		flags |= 2
	}
	b := binary.LittleEndian.AppendUint32(nil, flags)
	b = append(b, make([]byte, 8+4)...) // no cursor, from the begin
	b = binary.LittleEndian.AppendUint32(b, 1)
	return frame(id, asked, opReply, encode(b, d))
}
