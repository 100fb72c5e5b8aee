package memcached

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
)

// metaCommands are those that came with version 1.6.
func metaCommands() map[string]func(*client, []string) {
	return map[string]func(*client, []string){
		"mn": func(c *client, _ []string) { c.meta("MN") },
		"mg": (*client).metaGet,
		"ms": (*client).metaSet,
		"md": (*client).metaDelete,
		"ma": (*client).metaArithmetic,
		"me": (*client).metaDebug,
	}
}

// meta answers, whatever the last word of the command was.
func (c *client) meta(line string) {
	c.mute = false
	c.say(line)
}

// flags is what a meta command asks for.
type flags struct {
	key    string
	words  []string // in the order of the command
	tokens map[byte]string
	number map[byte]int64
	cas    uint64
	delta  uint64
	first  uint64 // what a counter begins with
}

func (f *flags) has(flag byte) bool { _, ok := f.tokens[flag]; return ok }

// mode is the token of M, or 0.
func (f *flags) mode() byte {
	if m := f.tokens['M']; m != "" {
		return m[0]
	}
	return 0
}

// parseFlags reads the key and what stands behind it. The second result is the
// answer to what can't be read, or "".
func parseFlags(key string, words []string) (f *flags, refusal string) {
	f = &flags{key: key, words: words, tokens: map[byte]string{}, number: map[byte]int64{}, delta: 1}
	for _, w := range words {
		if f.has(w[0]) {
			return f, "CLIENT_ERROR duplicate flag"
		}
		f.tokens[w[0]] = w[1:]
		if refusal = f.take(w[0], w[1:]); refusal != "" {
			return f, refusal
		}
	}
	if f.has('b') {
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			return f, "CLIENT_ERROR error decoding key"
		}
		f.key = string(raw)
	}
	return f, ""
}

// take reads one flag and its token.
func (f *flags) take(flag byte, token string) (refusal string) {
	const badToken = "CLIENT_ERROR bad token in command line format"
	var err error
	switch flag {
	case 'b', 'c', 'f', 'h', 'I', 'k', 'l', 'O', 'q', 's', 't', 'v':
	case 'N', 'R', 'T':
		if f.number[flag], err = strconv.ParseInt(token, 10, 32); err != nil {
			return badToken
		}
	case 'F':
		n, err := strconv.ParseUint(token, 10, 32)
		if err != nil {
			return sayFormat
		}
		f.number[flag] = int64(n)
	case 'C':
		if f.cas, err = strconv.ParseUint(token, 10, 64); err != nil {
			return badToken
		}
	case 'D':
		if f.delta, err = strconv.ParseUint(token, 10, 64); err != nil {
			return "CLIENT_ERROR invalid or duplicate flag"
		}
	case 'J':
		if f.first, err = strconv.ParseUint(token, 10, 64); err != nil {
			return "CLIENT_ERROR invalid or duplicate flag"
		}
	case 'M':
		if len(token) != 1 {
			return "CLIENT_ERROR incorrect length for M token"
		}
	default:
		return "CLIENT_ERROR invalid flag"
	}
	return ""
}

// metaKey reads the key of a command, and its flags from the given word on. It
// answers what can't be read, and returns nil then.
func (c *client) metaKey(words []string, from int) *flags {
	c.mute = false
	switch {
	case len(words) < 2:
		c.say(sayError)
		return nil
	case len(words[1]) > maxKey:
		c.say(sayFormat)
		return nil
	}
	f, refusal := parseFlags(words[1], words[from:])
	if refusal != "" {
		c.say(refusal)
		return nil
	}
	return f
}

// echo is what an answer repeats of the command, and what it tells of the item,
// which may be nil.
func (c *client) echo(f *flags, i *item) string {
	var b []byte
	add := func(flag byte, text string) { b = append(append(b, ' ', flag), text...) }
	for _, w := range f.words {
		flag := w[0]
		switch {
		case flag == 'O':
			add(flag, w[1:])
		case flag == 'k' && (f.has('b') || i != nil && i.encoded):
			add(flag, base64.StdEncoding.EncodeToString([]byte(f.key))+" b")
		case flag == 'k':
			add(flag, f.key)
		case i == nil:
		case flag == 'c':
			add(flag, strconv.FormatUint(i.cas, 10))
		case flag == 'f':
			add(flag, strconv.FormatUint(uint64(i.flags), 10))
		case flag == 's':
			add(flag, number(len(i.value)))
		case flag == 't':
			add(flag, number(c.left(i)))
		case flag == 'h':
			add(flag, map[bool]string{false: "0", true: "1"}[i.fetched])
		case flag == 'l':
			add(flag, number(c.idle(i)))
		}
	}
	return string(b)
}

// left is how many seconds an item has to live, -1 if it lives for ever.
func (c *client) left(i *item) int64 {
	if i.expires.IsZero() {
		return -1
	}
	return int64(i.expires.Sub(c.store.now()).Seconds())
}

// idle is for how many seconds nobody asked for an item.
func (c *client) idle(i *item) int64 { return int64(c.store.now().Sub(i.used).Seconds()) }

func (c *client) metaGet(words []string) {
	f := c.metaKey(words, 2)
	if f == nil {
		return
	}
	c.count["cmd_get"]++
	i, won := c.store.get(f.key), false
	if i == nil {
		c.count["get_misses"]++
		if !f.has('N') {
			if !f.has('q') {
				c.say("EN" + c.echo(f, nil))
			}
			return
		}
		i, won = &item{key: f.key, expires: c.store.until(f.number['N']), encoded: f.has('b')}, true
		c.store.put(i)
	} else {
		c.count["get_hits"]++
	}
	if f.has('T') {
		i.expires = c.store.until(f.number['T'])
	}
	// Who asks first for what is stale, or soon will be, is to renew it.
	soon := f.has('R') && !i.expires.IsZero() && i.expires.Sub(c.store.now()) < time.Duration(f.number['R'])*time.Second
	won = won || (i.stale || soon) && !i.won
	tail := c.echo(f, i)
	if i.won {
		tail += " Z"
	}
	if i.stale {
		tail += " X"
	}
	if won {
		tail += " W"
	}
	i.won = i.won || won
	i.fetched, i.used = true, c.store.now()
	c.found(f, i, tail)
}

// found answers with the value where it is asked for.
func (c *client) found(f *flags, i *item, tail string) {
	if !f.has('v') {
		c.say("HD" + tail)
		return
	}
	c.say("VA " + number(len(i.value)) + tail)
	c.say(i.value)
}

func (c *client) metaSet(words []string) {
	c.mute = false
	if len(words) < 3 {
		c.record(words, nil)
		c.say(map[bool]string{true: sayError, false: sayFormat}[len(words) < 2])
		return
	}
	size, ok := integer(words[2])
	if !ok || size < 0 || len(words[1]) > maxKey {
		c.record(words, nil)
		c.say(sayFormat)
		return
	}
	f, refusal := parseFlags(words[1], words[3:])
	how, known := metaVerb(f.mode())
	if refusal == "" && !known {
		refusal = "CLIENT_ERROR invalid mode for ms M token"
	}
	if size > maxValue {
		c.record(words, nil)
		c.refuseLarge(f.key, int(size))
		return
	}
	value, broken, alive := c.data(int(size))
	c.record(words, &stored{key: f.key, data: value})
	if !alive {
		c.quit = true
		return
	}
	if refusal == "" {
		refusal = broken
	}
	if refusal != "" {
		c.say(refusal)
		return
	}
	cas := f.cas
	if f.has('C') && cas == 0 {
		cas = math.MaxUint64
	}
	c.count["cmd_set"]++
	i := &item{key: f.key, value: value, flags: uint32(f.number['F']), expires: c.store.until(f.number['T']), encoded: f.has('b')}
	switch c.store.keep(how, i, cas) {
	case done:
		if !f.has('q') {
			c.say("HD" + c.echo(f, i))
		}
	case notStored:
		c.say("NS" + c.echo(f, nil))
	case exists:
		c.say("EX" + c.echo(f, nil))
	case notFound:
		c.say("NF" + c.echo(f, nil))
	}
}

func metaVerb(mode byte) (verb, bool) {
	switch mode {
	case 0, 'S', 's':
		return verbSet, true
	case 'E', 'e':
		return verbAdd, true
	case 'A', 'a':
		return verbAppend, true
	case 'P', 'p':
		return verbPrepend, true
	case 'R', 'r':
		return verbReplace, true
	}
	return verbSet, false
}

func (c *client) metaDelete(words []string) {
	f := c.metaKey(words, 2)
	if f == nil {
		return
	}
	i := c.store.get(f.key)
	switch {
	case i == nil:
		c.count["delete_misses"]++
		c.say("NF" + c.echo(f, nil))
		return
	case f.has('C') && i.cas != f.cas:
		c.say("EX" + c.echo(f, nil))
		return
	case f.has('I'): // it stays, marked
		i.stale, i.won = true, false
		if f.has('T') {
			i.expires = c.store.until(f.number['T'])
		}
		c.store.change(i, i.value)
	default:
		c.count["delete_hits"]++
		c.store.remove(i)
	}
	if !f.has('q') {
		c.say("HD" + c.echo(f, nil))
	}
}

func (c *client) metaArithmetic(words []string) {
	f := c.metaKey(words, 2)
	if f == nil {
		return
	}
	down := false
	switch f.mode() {
	case 0, 'I', 'i', '+':
	case 'D', 'd', '-':
		down = true
	default:
		c.say("CLIENT_ERROR invalid mode for ma M token")
		return
	}
	i := c.store.get(f.key)
	switch {
	case i == nil && !f.has('N'):
		c.say("NF" + c.echo(f, nil))
		return
	case i == nil:
		i = &item{key: f.key, value: strconv.FormatUint(f.first, 10), expires: c.store.until(f.number['N']), encoded: f.has('b')}
		c.store.put(i)
	case f.has('C') && i.cas != f.cas:
		c.say("EX" + c.echo(f, nil))
		return
	default:
		if _, ok := c.store.add(i, f.delta, down); !ok {
			c.say(sayNoNumber)
			return
		}
		if f.has('T') {
			i.expires = c.store.until(f.number['T'])
		}
	}
	if f.has('q') && !f.has('v') {
		return
	}
	c.found(f, i, c.echo(f, i))
}

func (c *client) metaDebug(words []string) {
	c.mute = false
	if len(words) < 2 || len(words[1]) > maxKey {
		c.say(sayFormat)
		return
	}
	key := words[1]
	if len(words) > 2 && words[2] == "b" {
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			c.say(sayFormat)
			return
		}
		key = string(raw)
	}
	i := c.store.get(key)
	if i == nil {
		c.say("EN")
		return
	}
	c.say("ME " + words[1] + " exp=" + number(c.left(i)) + " la=" + number(c.idle(i)) + " cas=" + strconv.FormatUint(i.cas, 10) +
		" fetch=" + yes(i.fetched) + " cls=" + number(class(i.size())) + " size=" + number(i.size()))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
