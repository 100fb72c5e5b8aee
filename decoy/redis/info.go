package redis

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// info is the text of INFO, whole or of the sections that are asked for.
func (c *client) info(sections []string) string {
	h := c.conn.Host
	now := c.conn.Now()
	up := int64(now.Sub(h.Booted(now)).Seconds())
	r := h.Rand("redis info")
	used := 800_000 + r.IntN(400_000)
	all := []struct{ name, text string }{
		{"Server", fmt.Sprintf("redis_version:%s\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:%s\r\nredis_mode:standalone\r\n"+
			"os:%s\r\narch_bits:64\r\nmultiplexing_api:epoll\r\ngcc_version:12.2.0\r\nprocess_id:%d\r\nrun_id:%s\r\ntcp_port:6379\r\n"+
			"uptime_in_seconds:%d\r\nuptime_in_days:%d\r\nhz:10\r\nconfigured_hz:10\r\nexecutable:/usr/bin/redis-server\r\nconfig_file:/etc/redis/redis.conf\r\n",
			c.version, hex.EncodeToString(h.Derive("redis build", 8)), c.system, 400+r.IntN(900),
			hex.EncodeToString(h.Derive("redis run id", 20)), up, up/86400)},
		{"Clients", "connected_clients:1\r\nblocked_clients:0\r\n"},
		{"Memory", fmt.Sprintf("used_memory:%d\r\nused_memory_human:%.2fK\r\nmaxmemory:0\r\nmaxmemory_human:0B\r\nmaxmemory_policy:noeviction\r\nmem_allocator:jemalloc-5.2.1\r\n",
			used, float64(used)/1024)},
		{"Persistence", "loading:0\r\nrdb_changes_since_last_save:0\r\nrdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\naof_enabled:0\r\n"},
		{"Stats", fmt.Sprintf("total_connections_received:%d\r\ntotal_commands_processed:%d\r\ninstantaneous_ops_per_sec:0\r\nrejected_connections:0\r\n", up/900, up/300)},
		{"Replication", "role:master\r\nconnected_slaves:0\r\nmaster_replid:" + hex.EncodeToString(h.Derive("redis replid", 20)) + "\r\nmaster_repl_offset:0\r\n"},
		{"CPU", fmt.Sprintf("used_cpu_sys:%.6f\r\nused_cpu_user:%.6f\r\n", float64(up)/1400, float64(up)/1700)},
		{"Keyspace", c.keyspace()},
	}
	var parts []string
	for _, s := range all {
		wanted := len(sections) == 0 || slices.ContainsFunc(sections, func(name string) bool {
			return strings.EqualFold(name, s.name) || strings.EqualFold(name, "all") || strings.EqualFold(name, "everything") || strings.EqualFold(name, "default")
		})
		if wanted {
			parts = append(parts, "# "+s.name+"\r\n"+s.text)
		}
	}
	return strings.Join(parts, "\r\n")
}

func (c *client) keyspace() string {
	if len(c.store) == 0 {
		return ""
	}
	return fmt.Sprintf("db0:keys=%d,expires=0,avg_ttl=0\r\n", len(c.store))
}
