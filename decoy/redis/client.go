package redis

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// maxKeys and maxStored bound what one session can store.
const (
	maxKeys   = 64
	maxStored = 1 << 20
)

// client is one session with a store of its own: what one attacker writes another
// doesn't find, so nobody can tell decoys apart or use one as a drop.
type client struct {
	*server
	conn   *trap.Session
	store  map[string]string
	bytes  int
	config map[string]string
	quit   bool
}

func newClient(s *server, conn *trap.Session) *client {
	return &client{
		server: s, conn: conn, store: map[string]string{},
		config: map[string]string{
			"dir": "/var/lib/redis", "dbfilename": "dump.rdb", "requirepass": "", "save": "3600 1 300 100 60 10000",
			"maxmemory": "0", "appendonly": "no", "port": "6379", "databases": "16", "protected-mode": "no", "bind": "* -::*",
		},
	}
}

// target is the file that a save would write.
func (c *client) target() string { return path.Join(c.config["dir"], c.config["dbfilename"]) }

// handler answers one command; low is the least number of arguments behind its
// name, and high the largest, or -1.
type handler struct {
	low, high int
	answer    func(c *client, args []string) []byte
}

func handlers() map[string]handler {
	ok := func(*client, []string) []byte { return simple("OK") }
	return map[string]handler{
		"PING":      {0, 1, ping},
		"ECHO":      {1, 1, func(_ *client, a []string) []byte { return bulk(a[0]) }},
		"QUIT":      {0, -1, func(c *client, _ []string) []byte { c.quit = true; return simple("OK") }},
		"SELECT":    {1, 1, selectDB},
		"AUTH":      {1, 2, auth},
		"HELLO":     {0, -1, hello},
		"INFO":      {0, -1, func(c *client, a []string) []byte { return bulk(c.info(a)) }},
		"CONFIG":    {1, -1, configure},
		"SET":       {2, -1, set},
		"SETNX":     {2, 2, set},
		"GET":       {1, 1, get},
		"DEL":       {1, -1, del},
		"EXISTS":    {1, -1, func(c *client, a []string) []byte { return integer(c.count(a)) }},
		"KEYS":      {1, 1, keys},
		"SCAN":      {1, -1, func(c *client, _ []string) []byte { return array(bulk("0"), bulks(c.names()...)) }},
		"DBSIZE":    {0, 0, func(c *client, _ []string) []byte { return integer(len(c.store)) }},
		"TYPE":      {1, 1, typeOf},
		"TTL":       {1, 1, func(c *client, a []string) []byte { return integer(c.count(a) - 2) }},
		"FLUSHALL":  {0, 1, flush},
		"FLUSHDB":   {0, 1, flush},
		"SAVE":      {0, 0, ok},
		"BGSAVE":    {0, 1, func(*client, []string) []byte { return simple("Background saving started") }},
		"SLAVEOF":   {2, 2, ok},
		"REPLICAOF": {2, 2, ok},
		"CLIENT":    {1, -1, ok},
		"COMMAND":   {0, -1, func(*client, []string) []byte { return array() }},
		"MODULE":    {1, -1, module},
		"EVAL":      {2, -1, eval},
		"SHUTDOWN":  {0, -1, func(c *client, _ []string) []byte { c.quit = true; return nil }},
	}
}

// answer is the reply to a command.
func (c *client) answer(args []string) []byte {
	name := strings.ToUpper(args[0])
	h, known := handlers()[name]
	switch {
	case !known:
		var with strings.Builder
		for _, a := range args[1:] {
			fmt.Fprintf(&with, "'%s' ", plain(short(a, 128)))
			if with.Len() > 128 {
				break
			}
		}
		return failure("ERR unknown command '" + plain(short(args[0], 128)) + "', with args beginning with: " + with.String())
	case len(args)-1 < h.low || h.high >= 0 && len(args)-1 > h.high:
		return failure("ERR wrong number of arguments for '" + strings.ToLower(name) + "' command")
	}
	return h.answer(c, args[1:])
}

// plain keeps an error on its line.
func plain(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

func ping(_ *client, args []string) []byte {
	if len(args) == 1 {
		return bulk(args[0])
	}
	return simple("PONG")
}

func selectDB(_ *client, args []string) []byte {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return failure("ERR invalid DB index")
	}
	if n < 0 || n > 15 {
		return failure("ERR DB index is out of range")
	}
	return simple("OK")
}

func auth(c *client, args []string) []byte {
	if len(args) == 1 || args[0] == "default" {
		if c.version < "6" {
			return failure("ERR Client sent AUTH, but no password is set")
		}
		return failure("ERR AUTH <password> called without any password configured for the default user. " +
			"Are you sure your configuration is correct?")
	}
	return failure("WRONGPASS invalid username-password pair or user is disabled.")
}

func hello(c *client, args []string) []byte {
	if c.version < "6" {
		return failure("ERR unknown command `HELLO`, with args beginning with: ")
	}
	if len(args) > 0 && args[0] != "2" && args[0] != "3" {
		return failure("NOPROTO unsupported protocol version")
	}
	items := [][]byte{
		bulk("server"), bulk("redis"), bulk("version"), bulk(c.version), bulk("proto"), integer(2), bulk("id"), integer(7),
		bulk("mode"), bulk("standalone"), bulk("role"), bulk("master"), bulk("modules"), array(),
	}
	if len(args) > 0 && args[0] == "3" {
		items[5] = integer(3)
		b := []byte("%" + strconv.Itoa(len(items)/2) + "\r\n")
		return append(b, slices.Concat(items...)...)
	}
	return array(items...)
}

func configure(c *client, args []string) []byte {
	switch strings.ToUpper(args[0]) {
	case "GET":
		if len(args) < 2 {
			return failure("ERR wrong number of arguments for 'config|get' command")
		}
		var found []string
		for _, key := range slices.Sorted(maps.Keys(c.config)) {
			if match, err := path.Match(strings.ToLower(args[1]), key); err == nil && match {
				found = append(found, key, c.config[key])
			}
		}
		return bulks(found...)
	case "SET":
		if len(args) != 3 {
			return failure("ERR wrong number of arguments for 'config|set' command")
		}
		key := strings.ToLower(args[1])
		if _, known := c.config[key]; !known {
			return failure("ERR Unknown option or number of arguments for CONFIG SET - '" + plain(short(args[1], 128)) + "'")
		}
		c.config[key] = short(args[2], 1024)
		return simple("OK")
	case "REWRITE", "RESETSTAT":
		return simple("OK")
	}
	return failure("ERR unknown subcommand '" + plain(short(args[0], 128)) + "'. Try CONFIG HELP.")
}

func set(c *client, args []string) []byte {
	key, value := args[0], args[1]
	old, known := c.store[key]
	size := c.bytes - len(old) + len(value)
	if size > maxStored || !known && (len(c.store) >= maxKeys || len(key) > 4096) {
		return failure("OOM command not allowed when used memory > 'maxmemory'.")
	}
	c.store[key], c.bytes = value, size
	return simple("OK")
}

func get(c *client, args []string) []byte {
	if v, ok := c.store[args[0]]; ok {
		return bulk(v)
	}
	return null()
}

func del(c *client, args []string) []byte {
	n := 0
	for _, key := range args {
		if v, ok := c.store[key]; ok {
			c.bytes -= len(v)
			delete(c.store, key)
			n++
		}
	}
	return integer(n)
}

func (c *client) count(names []string) (n int) {
	for _, key := range names {
		if _, ok := c.store[key]; ok {
			n++
		}
	}
	return n
}

func (c *client) names() []string { return slices.Sorted(maps.Keys(c.store)) }

func keys(c *client, args []string) []byte {
	return bulks(slices.DeleteFunc(c.names(), func(key string) bool {
		match, err := path.Match(args[0], key)
		return err != nil || !match
	})...)
}

func typeOf(c *client, args []string) []byte {
	if c.count(args) == 0 {
		return simple("none")
	}
	return simple("string")
}

func flush(c *client, _ []string) []byte {
	clear(c.store)
	c.bytes = 0
	return simple("OK")
}

// module refuses, as a server does that can't find the file.
func module(_ *client, args []string) []byte {
	switch strings.ToUpper(args[0]) {
	case "LIST":
		return array()
	case "LOAD":
		return failure("ERR Error loading the extension. Please check the server logs.")
	}
	return failure("ERR Error unloading module: no such module with that name")
}

// eval runs nothing: the script fails as it does where the attacks of the last
// years were mended.
func eval(*client, []string) []byte {
	return failure("ERR Error running script (call to f_0000000000000000000000000000000000000000): @user_script:1: Script attempted to access nonexistent global variable 'package'")
}
