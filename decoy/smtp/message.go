package smtp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// address reads "FROM:<a@b>" with its options.
func address(rest, word string) (string, bool) {
	if len(rest) < len(word) || !strings.EqualFold(rest[:len(word)], word) {
		return "", false
	}
	rest = strings.TrimSpace(rest[len(word):])
	if strings.HasPrefix(rest, "<") {
		inside, _, ok := strings.Cut(rest[1:], ">")
		return inside, ok
	}
	first, _, _ := strings.Cut(rest, " ")
	return first, first != ""
}

func (st *state) mail(rest string) bool {
	from, ok := address(rest, "FROM:")
	switch {
	case !st.hello:
		return st.refuse("503 5.5.1 Error: send HELO/EHLO first")
	case !ok:
		return st.refuse("501 5.5.4 Syntax: MAIL FROM:<address>")
	case st.sender:
		return st.refuse("503 5.5.1 Error: nested MAIL command")
	}
	st.conn.Record("mail_from", trap.Field{Key: "value", Value: from})
	st.from, st.sender = from, true
	return st.say("250 2.1.0 Ok")
}

func (st *state) rcpt(rest string) bool {
	to, ok := address(rest, "TO:")
	switch {
	case !st.sender:
		return st.refuse("503 5.5.1 Error: need MAIL command")
	case !ok || to == "":
		return st.refuse("501 5.5.4 Syntax: RCPT TO:<address>")
	case len(st.to) >= maxRcpt:
		return st.refuse("452 4.5.3 Error: too many recipients")
	}
	if !st.open && !st.local(to) {
		st.conn.Record("rcpt_denied", trap.Field{Key: "value", Value: to})
		if st.mta == "exim" {
			return st.refuse("550 relay not permitted")
		}
		return st.refuse("554 5.7.1 <" + to + ">: Relay access denied")
	}
	st.conn.Record("rcpt_to", trap.Field{Key: "value", Value: to})
	st.to = append(st.to, to)
	return st.say("250 2.1.5 Ok")
}

// local reports whether a server takes mail for an address: for its own name.
func (st *state) local(to string) bool {
	_, domain, found := strings.Cut(to, "@")
	return !found || strings.EqualFold(domain, st.name) || strings.EqualFold(domain, "localhost")
}

// data takes a message into the quarantine, up to the line with a single dot.
func (st *state) data() bool {
	switch {
	case len(st.to) == 0:
		return st.refuse("554 5.5.1 Error: no valid recipients")
	case st.messages >= maxMessages:
		return st.refuse("452 4.3.1 Insufficient system storage")
	}
	if !st.say("354 End data with <CR><LF>.<CR><LF>") {
		return false
	}
	upload := st.conn.Files.Begin()
	size, whole := st.body(upload)
	stored := upload.Done()
	if !whole {
		return false
	}
	id := st.queueID()
	st.messages++
	st.conn.Record("message_accepted", append(stored.Fields(),
		trap.Field{Key: "mail_from", Value: st.from}, trap.Field{Key: "rcpt_to", Value: strings.Join(st.to, ",")},
		trap.Field{Key: "body_bytes", Value: strconv.Itoa(size)}, trap.Field{Key: "msg_id", Value: id})...)
	st.reset()
	if size > maxMessage {
		return st.refuse("552 5.3.4 Error: message file too big")
	}
	if st.mta == "exim" {
		return st.say("250 OK id=" + id)
	}
	return st.say("250 2.0.0 Ok: queued as " + id)
}

// body copies the lines of a message, with the dots of RFC 5321 §4.5.2 undone.
func (st *state) body(upload *trap.Upload) (size int, whole bool) {
	begins := true
	for {
		part, err := st.r.ReadSlice('\n')
		more := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !more {
			return size, false
		}
		line := part
		if begins && !more && bytes.Equal(bytes.TrimRight(part, "\r\n"), []byte(".")) {
			return size, true
		}
		if begins && bytes.HasPrefix(part, []byte(".")) {
			line = part[1:]
		}
		n, _ := upload.Write(line)
		size += n
		begins = !more
	}
}

// queueID is a name of a message as postfix makes it.
func (st *state) queueID() string {
	b := st.conn.Host.Derive("queue "+st.conn.ID+strconv.Itoa(st.messages), 5)
	return strings.ToUpper(hex.EncodeToString(b))
}
