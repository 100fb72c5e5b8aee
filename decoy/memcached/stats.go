package memcached

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// stat is one line of what the server tells about itself.
type stat struct{ name, value string }

func (c *client) stats(words []string) {
	topic := ""
	if len(words) > 1 {
		topic = words[1]
	}
	switch topic {
	case "reset":
		c.say("RESET")
		return
	case "cachedump":
		c.dump(words)
		return
	case "detail":
		c.detail(words)
		return
	}
	all, ok := c.about(topic)
	if !ok {
		c.say(sayError)
		return
	}
	for _, s := range all {
		c.say("STAT " + s.name + " " + s.value)
	}
	c.say("END")
}

func (c *client) detail(words []string) {
	switch {
	case len(words) < 3:
		c.say("CLIENT_ERROR usage: stats detail on|off|dump")
	case words[2] == "on", words[2] == "off":
		c.say("OK")
	case words[2] == "dump":
		c.say("END")
	default:
		c.say("CLIENT_ERROR usage: stats detail on|off|dump")
	}
}

// about returns the statistics of a topic; "" is the general one.
func (c *client) about(topic string) ([]stat, bool) {
	switch topic {
	case "":
		return c.general(), true
	case "settings":
		return c.settings(), true
	case "items":
		return c.itemStats(), true
	case "slabs":
		return c.slabStats(), true
	case "sizes":
		return []stat{{"sizes_status", "disabled"}}, !c.old14()
	case "conns":
		peer := "tcp:" + c.conn.Remote.String()
		return []stat{
			{"26:addr", "tcp:0.0.0.0:11211"},
			{"26:state", "conn_listening"},
			{"26:secs_since_last_cmd", strconv.FormatInt(c.uptime(), 10)},
			{"31:addr", peer},
			{"31:listen_addr", "tcp:" + c.conn.Host.Addr.String() + ":11211"},
			{"31:state", "conn_parse_cmd"},
			{"31:secs_since_last_cmd", "0"},
		}, !c.old14()
	case "extstore":
		return nil, !c.old()
	}
	return nil, false
}

func (s *server) old14() bool { return strings.HasPrefix(s.version, "1.4.") }

// uptime is in seconds: the server began some moments after its machine.
func (c *client) uptime() int64 {
	now := c.conn.Now()
	return int64(now.Sub(c.conn.Host.Booted(now)).Seconds()) - 14
}

// general is the answer to "stats". The counters grow with the time, and by what
// this session did.
func (c *client) general() []stat {
	r := c.conn.Host.Rand("memcached stats")
	up := c.uptime()
	pid := 500 + r.IntN(900)
	gets := up/7*int64(1+r.IntN(5)) + int64(c.count["cmd_get"])
	misses := gets / int64(5+r.IntN(20))
	sets := gets/int64(3+r.IntN(5)) + int64(c.count["cmd_set"])
	items := c.store.all()
	total, bytes := 0, 0
	for _, i := range items {
		total++
		bytes += i.size()
	}
	n := func(name string, v int64) stat { return stat{name, strconv.FormatInt(v, 10)} }
	of := func(name string) stat { return n(name, int64(c.count[name])) }
	seconds := func(per float64) string { return fmt.Sprintf("%.6f", float64(up)/per) }
	conns := up/40 + int64(r.IntN(50))
	all := []stat{
		n("pid", int64(pid)), n("uptime", up), n("time", c.conn.Now().Unix()),
		{"version", c.version},
		{"libevent", c.libevent()}, n("pointer_size", 64),
		{"rusage_user", seconds(2100)},
		{"rusage_system", seconds(1300)},
		n("max_connections", 1024), n("curr_connections", int64(2+r.IntN(6))), n("total_connections", conns), n("rejected_connections", 0),
		n("connection_structures", int64(8+r.IntN(5))), n("response_obj_oom", 0), n("response_obj_count", 4), n("response_obj_bytes", 65536),
		n("read_buf_count", 8), n("read_buf_bytes", 131072), n("read_buf_bytes_free", 49152), n("read_buf_oom", 0), n("reserved_fds", 20),
		n("cmd_get", gets), n("cmd_set", sets), of("cmd_flush"), of("cmd_touch"), n("cmd_meta", 0),
		n("get_hits", gets-misses), n("get_misses", misses), n("get_expired", misses/3), n("get_flushed", 0),
		of("delete_misses"), of("delete_hits"), of("incr_misses"), of("incr_hits"), of("decr_misses"), of("decr_hits"),
		n("cas_misses", 0), n("cas_hits", 0), n("cas_badval", 0), of("touch_hits"), of("touch_misses"),
		n("store_too_large", 0), n("store_no_memory", 0), of("auth_cmds"), of("auth_errors"),
		n("bytes_read", sets*412+gets*31), n("bytes_written", gets*377), n("limit_maxbytes", 64<<20), n("accepting_conns", 1),
		n("listen_disabled_num", 0), n("time_in_listen_disabled_us", 0), n("threads", 4), n("conn_yields", 0),
		n("hash_power_level", 16), n("hash_bytes", 524288), n("hash_is_expanding", 0),
		n("slab_reassign_rescues", 0), n("slab_reassign_chunk_rescues", 0), n("slab_reassign_evictions_nomem", 0), n("slab_reassign_inline_reclaim", 0),
		n("slab_reassign_busy_items", 0), n("slab_reassign_busy_deletes", 0), n("slab_reassign_running", 0), n("slabs_moved", 0),
		n("lru_crawler_running", 0), n("lru_crawler_starts", up/60), n("lru_maintainer_juggles", up*2), n("malloc_fails", 0),
		n("log_worker_dropped", 0), n("log_worker_written", 0), n("log_watcher_skipped", 0), n("log_watcher_sent", 0), n("log_watchers", 0),
		n("unexpected_napi_ids", 0), n("round_robin_fallback", 0),
		n("bytes", int64(bytes)), n("curr_items", int64(total)), n("total_items", sets), n("slab_global_page_pool", 0),
		n("expired_unfetched", sets/9), n("evicted_unfetched", 0), n("evicted_active", 0), n("evictions", int64(c.store.evicted)), n("reclaimed", sets/4),
		n("crawler_reclaimed", sets/11), n("crawler_items_checked", sets*3), n("lrutail_reflocked", 0), n("moves_to_cold", sets/2), n("moves_to_warm", sets/20),
		n("moves_within_lru", sets/30), n("direct_reclaims", 0), n("lru_bumps_dropped", 0),
	}
	return c.since(all)
}

func (c *client) libevent() string {
	switch {
	case c.old14():
		return "2.0.21-stable"
	case c.old():
		return "2.1.11-stable"
	}
	return "2.1.12-stable"
}

// since leaves out what came with later versions.
func (c *client) since(all []stat) []stat {
	if !c.old() {
		return all
	}
	kept := all[:0]
	for _, s := range all {
		later := strings.HasPrefix(s.name, "response_obj") || strings.HasPrefix(s.name, "read_buf") || s.name == "cmd_meta" ||
			s.name == "unexpected_napi_ids" || s.name == "round_robin_fallback" || strings.HasPrefix(s.name, "store_")
		if c.old14() {
			for _, word := range []string{
				"max_connections", "rejected_", "get_expired", "get_flushed", "time_in_", "slab", "lru", "log_", "crawler_", "moves_", "direct_", "malloc_", "evicted_active",
			} {
				later = later || strings.HasPrefix(s.name, word)
			}
		}
		if !later {
			kept = append(kept, s)
		}
	}
	return kept
}

func (c *client) settings() []stat {
	all := []stat{
		{"maxbytes", "67108864"},
		{"maxconns", "1024"},
		{"tcpport", "11211"},
		{"udpport", "0"},
		{"inter", "0.0.0.0"},
		{"verbosity", "0"},
		{"oldest", "0"},
		{"evictions", "on"},
		{"domain_socket", "NULL"},
		{"umask", "700"},
	}
	if c.old14() {
		return append(all, stat{"growth_factor", "1.25"}, stat{"chunk_size", "48"}, stat{"num_threads", "4"}, stat{"num_threads_per_udp", "4"},
			stat{"stat_key_prefix", ":"}, stat{"detail_enabled", "no"}, stat{"reqs_per_event", "20"}, stat{"cas_enabled", "yes"}, stat{"tcp_backlog", "1024"},
			stat{"binding_protocol", "auto-negotiate"}, stat{"auth_enabled_sasl", "no"}, stat{"item_size_max", "1048576"}, stat{"maxconns_fast", "no"},
			stat{"hashpower_init", "0"}, stat{"slab_reassign", "no"}, stat{"slab_automove", "0"})
	}
	const later = "shutdown_command no,growth_factor 1.25,chunk_size 48,num_threads 4,num_threads_per_udp 4,stat_key_prefix :,detail_enabled no,reqs_per_event 20," +
		"cas_enabled yes,tcp_backlog 1024,binding_protocol auto-negotiate,auth_enabled_sasl no,auth_enabled_ascii no,item_size_max 1048576,maxconns_fast yes," +
		"hashpower_init 0,slab_reassign yes,slab_automove 1,slab_automove_ratio 0.80,slab_automove_window 30,slab_chunk_max 524288,lru_crawler yes," +
		"lru_crawler_sleep 100,lru_crawler_tocrawl 0,tail_repair_time 0,flush_enabled yes,dump_enabled yes,hash_algorithm murmur3,lru_maintainer_thread yes," +
		"lru_segmented yes,hot_lru_pct 20,warm_lru_pct 40,hot_max_factor 0.20,warm_max_factor 2.00,temp_lru no,temporary_ttl 61,idle_timeout 0," +
		"watcher_logbuf_size 262144,worker_logbuf_size 65536,read_buf_mem_limit 0,track_sizes no,inline_ascii_response no,ext_item_size 512," +
		"ext_item_age 4294967295,ext_low_ttl 0,ext_recache_rate 2000,ext_wbuf_size 4194304,ext_compact_under 0,ext_drop_under 0,ext_max_sleep 1000000," +
		"ext_max_frag 0.80,slab_automove_freeratio 0.010,ext_drop_unread no,ssl_enabled no,ssl_chain_cert (null),ssl_key (null),ssl_verify_mode 0," +
		"ssl_keyformat 1,ssl_ciphers NULL,ssl_ca_cert NULL,ssl_wbuf_size 16384,ssl_session_cache no,ssl_kernel_tls no,ssl_min_version tlsv1.2," +
		"num_napi_ids (null),memory_file (null)"
	for line := range strings.SplitSeq(later, ",") {
		name, value, _ := strings.Cut(line, " ")
		if c.old() && (strings.HasPrefix(name, "ssl_") || name == "read_buf_mem_limit" || name == "num_napi_ids" || name == "memory_file") {
			continue
		}
		all = append(all, stat{name, value})
	}
	return all
}

// chunk is the size of the pieces of a slab class, in bytes: each is a quarter
// larger than the one before it, and the last are half a page.
func chunk(class int) int {
	size := 96.0
	for range class - 1 {
		size *= 1.25
		size = float64((int(size) + 7) / 8 * 8)
	}
	return min(int(size), 524288)
}

// class is that of an item of that size, from 1 to 39.
func class(size int) int {
	n := 1
	for n < 39 && chunk(n) < size {
		n++
	}
	return n
}

// classes groups the items by their slab class.
func (c *client) classes() (classes []int, items map[int][]*item) {
	items = map[int][]*item{}
	for _, i := range c.store.all() {
		n := class(i.size())
		items[n] = append(items[n], i)
	}
	for n := range 40 {
		if len(items[n]) > 0 {
			classes = append(classes, n)
		}
	}
	return classes, items
}

func (c *client) itemStats() []stat {
	var all []stat
	classes, items := c.classes()
	for _, n := range classes {
		oldest, bytes := int64(0), 0
		for _, i := range items[n] {
			oldest = max(oldest, c.idle(i))
			bytes += i.size()
		}
		add := func(name string, v int64) {
			all = append(all, stat{fmt.Sprintf("items:%d:%s", n, name), strconv.FormatInt(v, 10)})
		}
		count := int64(len(items[n]))
		add("number", count)
		if c.old14() {
			add("age", oldest)
		} else {
			add("number_hot", 0)
			add("number_warm", 0)
			add("number_cold", count)
			add("age_hot", 0)
			add("age_warm", 0)
			add("age", oldest)
			add("mem_requested", int64(bytes))
		}
		for _, name := range []string{"evicted", "evicted_nonzero", "evicted_time", "outofmemory", "tailrepairs", "reclaimed", "expired_unfetched", "evicted_unfetched"} {
			add(name, 0)
		}
		if c.old14() {
			continue
		}
		for _, name := range []string{
			"evicted_active", "crawler_reclaimed", "crawler_items_checked", "lrutail_reflocked", "moves_to_cold", "moves_to_warm", "moves_within_lru",
			"direct_reclaims", "hits_to_hot", "hits_to_warm", "hits_to_cold", "hits_to_temp",
		} {
			add(name, 0)
		}
	}
	return all
}

func (c *client) slabStats() []stat {
	var all []stat
	classes, items := c.classes()
	for _, n := range classes {
		add := func(name string, v int) { all = append(all, stat{fmt.Sprintf("%d:%s", n, name), strconv.Itoa(v)}) }
		per := (1 << 20) / chunk(n)
		used := len(items[n])
		pages := (used + per - 1) / per
		add("chunk_size", chunk(n))
		add("chunks_per_page", per)
		add("total_pages", pages)
		add("total_chunks", pages*per)
		add("used_chunks", used)
		add("free_chunks", pages*per-used)
		add("free_chunks_end", 0)
		for _, name := range []string{"get_hits", "cmd_set", "delete_hits", "incr_hits", "decr_hits", "cas_hits", "cas_badval", "touch_hits"} {
			add(name, map[bool]int{true: used}[name == "cmd_set"])
		}
	}
	return append(all, stat{"active_slabs", strconv.Itoa(len(classes))}, stat{"total_malloced", strconv.Itoa(max(len(classes), 0) << 20)})
}

// dump answers "stats cachedump class limit", the way to list keys of old servers.
func (c *client) dump(words []string) {
	if len(words) < 4 {
		c.say("CLIENT_ERROR bad command line")
		return
	}
	n, err := strconv.ParseUint(words[2], 10, 32)
	limit, errLimit := strconv.ParseUint(words[3], 10, 32)
	switch {
	case err != nil || errLimit != nil:
		c.say(sayFormat)
		return
	case n > 63:
		c.say("CLIENT_ERROR Illegal slab id")
		return
	}
	_, items := c.classes()
	of := items[int(n)]
	for at := range of {
		if limit > 0 && uint64(at) >= limit {
			break
		}
		i := of[len(of)-1-at] // the newest first
		expires := int64(0)
		if !i.expires.IsZero() {
			expires = i.expires.Unix()
		}
		c.say(fmt.Sprintf("ITEM %s [%d b; %d s]", i.key, len(i.value), expires))
	}
	c.say("END")
}

// crawler answers lru_crawler, whose metadump lists all keys.
func (c *client) crawler(words []string) {
	switch {
	case words[1] == "metadump" && len(words) > 2 && !c.old14():
		for _, i := range c.store.all() {
			expires := int64(-1)
			if !i.expires.IsZero() {
				expires = i.expires.Unix()
			}
			// Its lines end unlike all others of the protocol.
			_, _ = fmt.Fprintf(c.w, "key=%s exp=%d la=%d cas=%d fetch=%s cls=%d size=%d\n", url.QueryEscape(i.key), expires, i.used.Unix(), i.cas,
				yes(i.fetched), class(i.size()), i.size())
		}
		c.mute = false
		c.say("END")
	case words[1] == "enable":
		c.say("ERROR failed to start lru crawler thread")
	case words[1] == "disable", (words[1] == "crawl" || words[1] == "sleep" || words[1] == "tocrawl") && len(words) > 2:
		c.say("OK")
	default:
		c.say(sayError)
	}
}

func (c *client) slabs(words []string) {
	switch {
	case words[1] == "reassign" && len(words) == 4:
		c.say("NOSPARE source class has no spare pages")
	case words[1] == "automove":
		c.say("OK")
	default:
		c.say(sayError)
	}
}
