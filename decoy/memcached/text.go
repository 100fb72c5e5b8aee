package memcached

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// The bounds of a line. A real server hangs up over the first, except while keys
// are listed.
const (
	maxLine = 2048
	maxKeys = 16 << 10
)

// command answers one line, of whose words there are least and at most most,
// counting its name.
type command struct {
	least, most int
	run         func(c *client, words []string)
}

// commands are those of the text protocol.
func commands() map[string]command {
	all := map[string]command{
		"get":            {2, math.MaxInt, (*client).get},
		"gets":           {2, math.MaxInt, (*client).get},
		"gat":            {2, math.MaxInt, (*client).get},
		"gats":           {2, math.MaxInt, (*client).get},
		"set":            {5, 6, func(c *client, w []string) { c.set(w, verbSet) }},
		"add":            {5, 6, func(c *client, w []string) { c.set(w, verbAdd) }},
		"replace":        {5, 6, func(c *client, w []string) { c.set(w, verbReplace) }},
		"append":         {5, 6, func(c *client, w []string) { c.set(w, verbAppend) }},
		"prepend":        {5, 6, func(c *client, w []string) { c.set(w, verbPrepend) }},
		"cas":            {6, 7, func(c *client, w []string) { c.set(w, verbSet) }},
		"incr":           {3, 4, (*client).arithmetic},
		"decr":           {3, 4, (*client).arithmetic},
		"touch":          {3, 4, (*client).touch},
		"delete":         {2, 4, (*client).remove},
		"flush_all":      {1, 3, (*client).flush},
		"stats":          {1, 4, (*client).stats},
		"version":        {1, 4, func(c *client, _ []string) { c.say("VERSION " + c.version) }},
		"verbosity":      {2, 4, (*client).verbosity},
		"quit":           {1, math.MaxInt, func(c *client, _ []string) { c.quit = true }},
		"shutdown":       {1, 2, func(c *client, _ []string) { c.say("ERROR: shutdown not enabled") }},
		"lru_crawler":    {2, 4, (*client).crawler},
		"slabs":          {3, 4, (*client).slabs},
		"lru":            {2, 5, func(c *client, _ []string) { c.say("OK") }},
		"cache_memlimit": {2, 3, func(c *client, _ []string) { c.say("OK") }},
		"watch":          {1, math.MaxInt, func(c *client, _ []string) { c.say("OK") }},
		"refresh_certs":  {1, 1, func(c *client, _ []string) { c.say("Error TLS not enabled") }},
	}
	for name, run := range metaCommands() {
		all[name] = command{1, math.MaxInt, run}
	}
	return all
}

// What the server says when it can't read a command.
const (
	sayError     = "ERROR"
	sayFormat    = "CLIENT_ERROR bad command line format"
	sayExpiry    = "CLIENT_ERROR invalid exptime argument"
	sayChunk     = "CLIENT_ERROR bad data chunk"
	sayTooLarge  = "SERVER_ERROR object too large for cache"
	sayNoMemory  = "SERVER_ERROR out of memory storing object"
	sayNoNumber  = "CLIENT_ERROR cannot increment or decrement non-numeric value"
	sayBadDelta  = "CLIENT_ERROR invalid numeric delta argument"
	sayBadDelete = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]"
)

// say answers a line, unless no answer is wanted.
func (c *client) say(line string) {
	if !c.mute {
		_, _ = c.w.WriteString(line) // the error comes again with Flush
		_, _ = c.w.WriteString("\r\n")
	}
}

// nextLine answers one line of the text protocol. It reports whether there may be
// more.
func (c *client) nextLine() bool {
	limit := maxLine
	if begin, _ := c.r.Peek(min(max(c.r.Buffered(), 1), 5)); strings.HasPrefix(string(begin), "get") || strings.HasPrefix(string(begin), "gat") {
		limit = maxKeys
	}
	line, err := readLine(c.r, limit)
	if err != nil {
		if errors.Is(err, trap.ErrLineTooLong) {
			c.malformed("the line is too long", line)
		}
		return false
	}
	words := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' })
	c.mute = len(words) > 1 && words[len(words)-1] == "noreply" && takesNoReply(words[0])
	if len(words) == 0 {
		c.say(sayError)
		return true
	}
	known, ok := c.commands[words[0]]
	if !ok || len(words) < known.least || len(words) > known.most {
		c.unknown(words, line)
		return !c.quit
	}
	if !stores(words[0]) { // those record when they have the data
		c.record(words, nil)
	}
	known.run(c, words)
	return !c.quit
}

// takesNoReply reports whether the answer to that command can be declined. With the
// others the word has no meaning of its own: it may well be a key.
func takesNoReply(name string) bool {
	switch name {
	case "incr", "decr", "touch", "delete", "flush_all", "verbosity":
		return true
	}
	return stores(name) && name != "ms"
}

// stores reports whether data follow the line of that command.
func stores(name string) bool {
	switch name {
	case "set", "add", "replace", "append", "prepend", "cas", "ms":
		return true
	}
	return false
}

// readLine reads up to a line feed. Unlike [trap.ReadLine] it gives up as soon as
// more than limit bytes are there, even if the sender waits then.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	for {
		line, _ := r.Peek(r.Buffered())
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = bytes.Clone(line[:end])
			_, err := r.Discard(end + 1)
			return bytes.TrimSuffix(line, []byte{'\r'}), err
		}
		if len(line) > limit {
			return line, trap.ErrLineTooLong
		}
		if _, err := r.Peek(len(line) + 1); err != nil {
			return line, err
		}
	}
}

// unknown answers what is no command: words that somebody typed, HTTP, or the
// probe of a scanner for something else.
func (c *client) unknown(words []string, line []byte) {
	c.mute = false
	if strings.ContainsFunc(string(line), func(r rune) bool { return r < ' ' && r != '\t' || r == '\uFFFD' }) {
		c.malformed("not a command", line)
	} else {
		c.record(words, nil)
	}
	if last := words[len(words)-1]; len(words) > 1 && strings.HasPrefix(last, "HTTP/") && !strings.HasPrefix(c.version, "1.4.") {
		c.quit = true // so that browsers can't be used to speak to it
		return
	}
	c.say(sayError)
}

// get also answers gets, gat and gats.
func (c *client) get(words []string) {
	keys, withCAS := words[1:], strings.HasSuffix(words[0], "s")
	var seconds int64
	touches := strings.HasPrefix(words[0], "gat")
	if touches {
		var ok bool
		if seconds, ok = integer(words[1]); !ok {
			c.say(sayExpiry)
			return
		}
		keys = words[2:]
	}
	for _, key := range keys {
		if len(key) > maxKey {
			c.say(sayFormat)
			return
		}
		i := c.find(key)
		if i == nil {
			continue
		}
		if touches {
			i.expires = c.store.until(seconds)
		}
		head := "VALUE " + i.key + " " + strconv.FormatUint(uint64(i.flags), 10) + " " + number(len(i.value))
		if withCAS {
			head += " " + strconv.FormatUint(i.cas, 10)
		}
		c.say(head)
		c.say(i.value)
	}
	c.say("END")
}

// find fetches, and counts it.
func (c *client) find(key string) *item {
	c.count["cmd_get"]++
	i := c.store.fetch(key)
	if i == nil {
		c.count["get_misses"]++
	} else {
		c.count["get_hits"]++
	}
	return i
}

func integer(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return n, err == nil
}

// data reads the value behind a line, of that size, which is at most maxValue. It
// reports the answer to give when there is no value, or "".
func (c *client) data(size int) (value, refusal string, alive bool) {
	value, refusal, alive = c.blob(size)
	if !alive {
		return "", "", false
	}
	var end [2]byte
	if _, err := io.ReadFull(c.r, end[:]); err != nil {
		return "", "", false
	}
	if string(end[:]) != "\r\n" && refusal == "" {
		refusal = sayChunk
	}
	return value, refusal, true
}

// blob reads so many bytes. It takes from the budget as they come, so that a length
// alone takes no memory, and passes over them where the budget is used up.
func (c *client) blob(size int) (value, refusal string, alive bool) {
	var b strings.Builder
	for b.Len() < size {
		n := min(size-b.Len(), 16<<10)
		if !c.memory.take(n) {
			return "", sayNoMemory, c.pass(int64(size - b.Len()))
		}
		c.held += n
		if _, err := io.CopyN(&b, c.r, int64(n)); err != nil {
			return "", "", false
		}
	}
	return b.String(), "", true
}

// set answers all commands of the form "set key flags expiry size".
func (c *client) set(words []string, how verb) {
	key := words[1]
	// The flags of real servers have 32 bits, and what is above them is cut off.
	flags, err := strconv.ParseUint(words[2], 10, 64)
	seconds, ok := integer(words[3])
	size, okSize := integer(words[4])
	var cas uint64
	var errCAS error
	if words[0] == "cas" {
		cas, errCAS = strconv.ParseUint(words[5], 10, 64)
	}
	if len(key) > maxKey || err != nil || !ok || !okSize || size < 0 || errCAS != nil {
		c.record(words, nil)
		c.say(sayFormat)
		return
	}
	if size > maxValue {
		c.record(words, nil)
		c.refuseLarge(key, int(size))
		return
	}
	value, refusal, alive := c.data(int(size))
	c.record(words, &stored{key: key, data: value})
	if !alive {
		c.quit = true
		return
	}
	if refusal != "" {
		c.say(refusal)
		return
	}
	c.count["cmd_set"]++
	if words[0] == "cas" && cas == 0 {
		cas = math.MaxUint64 // 0 stands for none; no item has either
	}
	switch c.store.keep(how, &item{key: key, value: value, flags: uint32(flags), expires: c.store.until(seconds)}, cas) {
	case done:
		c.say("STORED")
	case notStored:
		c.say("NOT_STORED")
	case exists:
		c.say("EXISTS")
	case notFound:
		c.say("NOT_FOUND")
	}
}

// refuseLarge passes over data that are too large. What was there before is gone
// then, because it is out of date.
func (c *client) refuseLarge(key string, size int) {
	if i := c.store.get(key); i != nil {
		c.store.remove(i)
	}
	c.say(sayTooLarge)
	if _, err := io.CopyN(io.Discard, c.r, int64(size)+2); err != nil {
		c.quit = true
	}
}

func (c *client) arithmetic(words []string) {
	if len(words[1]) > maxKey {
		c.say(sayFormat)
		return
	}
	delta, err := strconv.ParseUint(words[2], 10, 64)
	if err != nil {
		c.say(sayBadDelta)
		return
	}
	i := c.store.get(words[1])
	if i == nil {
		c.count[words[0]+"_misses"]++
		c.say("NOT_FOUND")
		return
	}
	n, ok := c.store.add(i, delta, words[0] == "decr")
	if !ok {
		c.say(sayNoNumber)
		return
	}
	c.count[words[0]+"_hits"]++
	c.say(strconv.FormatUint(n, 10))
}

func (c *client) touch(words []string) {
	if len(words[1]) > maxKey {
		c.say(sayFormat)
		return
	}
	seconds, ok := integer(words[2])
	if !ok {
		c.say(sayExpiry)
		return
	}
	c.count["cmd_touch"]++
	if i := c.store.get(words[1]); i != nil {
		i.expires, i.used = c.store.until(seconds), c.store.now()
		c.count["touch_hits"]++
		c.say("TOUCHED")
		return
	}
	c.count["touch_misses"]++
	c.say("NOT_FOUND")
}

func (c *client) remove(words []string) {
	if len(words) > 2 && !(words[2] == "0" && (len(words) == 3 || c.mute)) && !(c.mute && len(words) == 3) {
		c.say(sayBadDelete)
		return
	}
	if len(words[1]) > maxKey {
		c.say(sayFormat)
		return
	}
	if i := c.store.get(words[1]); i != nil {
		c.store.remove(i)
		c.count["delete_hits"]++
		c.say("DELETED")
		return
	}
	c.count["delete_misses"]++
	c.say("NOT_FOUND")
}

func (c *client) flush(words []string) {
	var seconds int64
	if len(words) > 1 && words[1] != "noreply" {
		var ok bool
		if seconds, ok = integer(words[1]); !ok {
			c.say(sayExpiry)
			return
		}
	}
	c.count["cmd_flush"]++
	c.flushIn(seconds)
	c.say("OK")
}

func (c *client) flushIn(seconds int64) {
	if seconds <= 0 {
		c.store.clear()
		return
	}
	c.store.flushAt = c.store.until(seconds)
}

func (c *client) verbosity(words []string) {
	if _, err := strconv.ParseUint(words[1], 10, 32); err != nil && !c.mute {
		c.say(sayFormat)
		return
	}
	c.say("OK")
}
