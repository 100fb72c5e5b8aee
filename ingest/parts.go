package ingest

import (
	"slices"

	"decnet/repo"
)

// What one line may become, where it sums up a whole session.
const (
	// maxParts bounds the records of one line. What lies beyond stays in the
	// fields of the first, which keep all of the line.
	maxParts = 10_000
	// maxRepeated bounds what the records of a line repeat of it, in bytes: else a
	// session of ten thousand logins would cost the square of that.
	maxRepeated = 1 << 20
	// maxShared bounds the fields that each of a line's records repeats, in bytes.
	maxShared = 4 << 10
)

// shareLine gives records the line that they were made of: all of them while
// that is cheap, else only the first.
func shareLine(records []Record, line []byte) []Record {
	text := string(line)
	cheap := len(records)*len(text) <= maxRepeated
	for i := range records {
		if i == 0 || cheap {
			records[i].Event.RawLine = text
		}
	}
	return records
}

// shared are the members of a line's object that all of its records repeat, in
// their order in keys.
func shared(o *object, keys ...string) object {
	var common object
	size := 0
	for _, key := range keys {
		if raw := o.get(key); raw != nil && size+len(raw) <= maxShared {
			common.set(key, raw)
			size += len(raw)
		}
	}
	return common
}

// clone is a copy that can be added to.
func (o *object) clone() object {
	var c object
	for _, m := range o.members {
		c.set(m.key, m.raw)
	}
	return c
}

// fieldsWithout is an object without what has a column of its own.
func fieldsWithout(o *object, columns ...string) object {
	var fields object
	fields.members = make([]member, 0, len(o.members))
	for _, m := range o.members {
		if !slices.Contains(columns, m.key) {
			fields.set(m.key, m.raw)
		}
	}
	return fields
}

// alias adds a value under the name that the decoys of the wire contract use
// for it. The line's own member of that name stays, and what says nothing is
// not added.
func (o *object) alias(key string, raw []byte) {
	if raw != nil && !isNull(raw) && o.get(key) == nil {
		o.set(key, raw)
	}
}

// object returns the object under a key; it is empty if there is none.
func (o *object) object(key string) object {
	raw := o.get(key)
	if len(raw) == 0 || raw[0] != '{' {
		return object{}
	}
	// It was checked as a part of its parent.
	inner, _ := parseObject(raw)
	return inner
}

// list returns the elements of the value under a key.
func (o *object) list(key string) [][]byte { return elements(o.get(key)) }

// elements returns those of an array; a value that is no array is its only
// element, and null and no value have none.
func elements(raw []byte) [][]byte {
	if len(raw) == 0 || isNull(raw) {
		return nil
	}
	if raw[0] != '[' {
		return [][]byte{raw}
	}
	var found [][]byte
	s := scanner{src: raw}
	for i := skipSpace(raw, 1); raw[i] != ']'; {
		end, err := s.value(i, 0)
		if err != nil {
			break
		}
		found = append(found, raw[i:end])
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return found
}

// addPassword adds a credential without a user name: of a protocol that has
// none, or of an attempt that told none.
func addPassword(e *repo.Event, password string) {
	if e.AttackerIP == repo.UnknownAttacker || password == "" {
		return
	}
	addBounty(e, repo.BountyCredential, payload{
		{"username", quote("")}, {"password", quote(password)},
	})
}

// addUserAgent does for a format that has the user agent in a field of its own
// what the rules do for one among headers.
func addUserAgent(e *repo.Event, fields *object, agent string) {
	if e.AttackerIP == repo.UnknownAttacker || agent == "" {
		return
	}
	addFingerprint(e, "http_useragent", payload{
		{"value", quote(agent)},
		{"method", orNull(fields.get("method"))},
		{"path", orNull(fields.get("path"))},
	})
	if e.EventType == "request" {
		e.Traits.UserAgent = agent
	}
}
