package memcached

import (
	"encoding/hex"
	"fmt"
	"time"

	"decnet/decoy/trap"
)

// furniture is what an application has left in the cache. The same machine always
// has the same; the sessions in it are of the last hours.
func furniture(h *trap.Host, now time.Time) []*item {
	r := h.Rand("memcached items")
	hour := now.Truncate(time.Hour)
	var all []*item
	put := func(key, value string, flags uint32, lives time.Duration) {
		i := &item{key: key, value: value, flags: flags, used: hour.Add(-time.Duration(r.IntN(3000)) * time.Second), fetched: r.IntN(3) > 0}
		if lives > 0 {
			i.expires = hour.Add(time.Hour + lives)
		}
		all = append(all, i)
	}
	site := []string{"shop", "intranet", "portal", "wiki", "crm"}[r.IntN(5)]
	users := []string{"admin", "jsmith", "mgarcia", "support", "akumar", "lchen", "webmaster", "editor"}
	put(site+":settings", fmt.Sprintf(`{"site_name":"%s","maintenance":false,"mail_from":"noreply@%s.local","session_lifetime":7200}`, site, h.Hostname), 0, 0)
	put(site+":routes:version", number(100+r.IntN(900)), 0, 0)
	for n := range 3 + r.IntN(5) {
		user := users[r.IntN(len(users))]
		id := hex.EncodeToString(h.Derive(fmt.Sprint("memcached session ", n), 16))
		put("sess_"+id, fmt.Sprintf(`user_id|i:%d;login|s:%d:"%s";csrf|s:32:"%s";last_seen|i:%d;`, 1+r.IntN(400), len(user), user,
			hex.EncodeToString(h.Derive(fmt.Sprint("memcached csrf ", n), 16)), hour.Unix()-int64(r.IntN(3000))), 4, time.Duration(600+r.IntN(6600))*time.Second)
	}
	for range 4 + r.IntN(8) {
		id := 1 + r.IntN(400)
		user := users[r.IntN(len(users))]
		put(fmt.Sprintf("%s:user:%d:profile", site, id), fmt.Sprintf(`{"id":%d,"login":"%s","email":"%s@%s.local","role":"%s","locale":"en_US"}`,
			id, user, user, site, []string{"user", "user", "staff"}[r.IntN(3)]), 0, time.Duration(r.IntN(86400))*time.Second)
	}
	for range 2 + r.IntN(4) {
		put(fmt.Sprintf("%s:ratelimit:10.0.%d.%d", site, r.IntN(8), 2+r.IntN(250)), number(1+r.IntN(60)), 0, time.Duration(60+r.IntN(600))*time.Second)
	}
	return all
}
