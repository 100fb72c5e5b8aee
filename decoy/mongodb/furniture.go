package mongodb

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"decnet/decoy/trap"
)

// borrowed is a copy of databases that can be changed, of which only the documents
// are shared.
func borrowed(all map[string]map[string][]doc) map[string]map[string][]doc {
	own := make(map[string]map[string][]doc, len(all))
	for name, collections := range all {
		own[name] = maps.Clone(collections)
	}
	return own
}

// maker invents documents. The same machine always has the same.
type maker struct {
	r   *rand.Rand
	now time.Time
	n   uint32
}

// id is an ObjectId as a driver makes them, of a time in the past.
func (m *maker) id(at time.Time) objectID {
	var id objectID
	binary.BigEndian.PutUint32(id[:], uint32(at.Unix()))
	binary.BigEndian.PutUint64(id[4:], m.r.Uint64())
	m.n++
	binary.BigEndian.PutUint32(id[8:], binary.BigEndian.Uint32(id[8:])&0xff000000|m.n)
	return id
}

func (m *maker) past(days int) time.Time {
	return m.now.Add(-time.Duration(1+m.r.IntN(days*86400)) * time.Second)
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// furniture is what the server has: its own databases and those of an application.
func furniture(h *trap.Host, compatible string, now time.Time) map[string]map[string][]doc {
	// What was long ago stays where it was for a quarter.
	m := &maker{r: h.Rand("mongodb data"), now: h.Booted(now)}
	started := h.Booted(now).Add(21 * time.Second)
	all := map[string]map[string][]doc{
		"admin":  {"system.version": {doc{el("_id", "featureCompatibilityVersion"), el("version", compatible)}}},
		"config": {"system.sessions": {}},
		"local": {"startup_log": {doc{
			el("_id", fmt.Sprintf("%s-%d", h.Hostname, started.UnixMilli())), el("hostname", h.Hostname), el("startTime", started),
			el("startTimeLocal", started.Format("Mon Jan _2 15:04:05.000")),
		}}},
	}
	name := pick(m.r, "shop", "production", "crm", "webapp", "portal", "backend")
	app := map[string][]doc{"users": m.users(18 + m.r.IntN(30)), "sessions": m.sessions(6 + m.r.IntN(12))}
	if name == "shop" || m.r.IntN(2) == 0 {
		app["orders"], app["products"] = m.orders(30+m.r.IntN(60)), m.products(12+m.r.IntN(20))
	} else {
		app["customers"], app["invoices"] = m.users(20+m.r.IntN(30)), m.orders(25+m.r.IntN(40))
	}
	all[name] = app
	if m.r.IntN(2) == 0 {
		all[pick(m.r, "analytics", "logs", "backup")] = map[string][]doc{"events": m.events(20 + m.r.IntN(60))}
	}
	return all
}

func (m *maker) users(n int) []doc {
	all := make([]doc, n)
	for i := range all {
		first := pick(m.r, "james", "maria", "wei", "fatima", "olga", "david", "anna", "lucas", "emma", "raj", "sofia", "tom")
		last := pick(m.r, "smith", "garcia", "chen", "kumar", "ivanova", "mueller", "rossi", "dubois", "silva", "novak", "brown", "jensen")
		at := m.past(500)
		crypt := make([]byte, 53)
		for j := range crypt {
			crypt[j] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[m.r.IntN(64)]
		}
		all[i] = doc{
			el("_id", m.id(at)), el("username", first+itoa(m.r.IntN(90)+10)), el("email", first+"."+last+"@"+pick(m.r, "gmail.com", "outlook.com", "yahoo.com", "proton.me")),
			el("password", "$2b$10$"+string(crypt)), el("role", pick(m.r, "user", "user", "user", "editor", "admin")),
			el("createdAt", at), el("active", m.r.IntN(9) > 0),
		}
	}
	return all
}

func (m *maker) sessions(n int) []doc {
	all := make([]doc, n)
	for i := range all {
		token := make([]byte, 16)
		binary.BigEndian.PutUint64(token, m.r.Uint64())
		binary.BigEndian.PutUint64(token[8:], m.r.Uint64())
		at := m.past(10)
		all[i] = doc{
			el("_id", hex.EncodeToString(token)), el("expires", at.Add(14*24*time.Hour)),
			el("session", fmt.Sprintf(`{"cookie":{"originalMaxAge":1209600000,"httpOnly":true,"path":"/"},"userId":%d}`, 1+m.r.IntN(40))),
		}
	}
	return all
}

func (m *maker) orders(n int) []doc {
	all := make([]doc, n)
	for i := range all {
		at := m.past(300)
		quantity, price := 1+m.r.IntN(4), float64(399+m.r.IntN(20000))/100
		all[i] = doc{
			el("_id", m.id(at)), el("number", int32(10240+i)), el("customer", pick(m.r, "James Smith", "Maria Garcia", "Wei Chen", "Anna Novak", "Raj Kumar", "Tom Jensen")),
			el("items", list{doc{el("sku", fmt.Sprintf("SKU-%04d", m.r.IntN(9000)+1000)), el("qty", int32(quantity)), el("price", price)}}),
			el("total", float64(quantity)*price), el("status", pick(m.r, "paid", "shipped", "delivered", "refunded")), el("createdAt", at),
		}
	}
	return all
}

func (m *maker) products(n int) []doc {
	all := make([]doc, n)
	for i := range all {
		at := m.past(600)
		all[i] = doc{
			el("_id", m.id(at)), el("sku", fmt.Sprintf("SKU-%04d", 1000+i*37)), el("name", pick(m.r, "Desk lamp", "Office chair", "USB-C hub", "Backpack", "Water bottle", "Keyboard", "Monitor arm")),
			el("price", float64(399+m.r.IntN(20000))/100), el("stock", int32(m.r.IntN(400))),
		}
	}
	return all
}

func (m *maker) events(n int) []doc {
	all := make([]doc, n)
	for i := range all {
		at := m.past(20)
		all[i] = doc{
			el("_id", m.id(at)), el("ts", at), el("level", pick(m.r, "info", "info", "warn", "error")), el("service", pick(m.r, "api", "worker", "mailer")),
			el("msg", pick(m.r, "job finished", "request timed out", "user login", "cache miss", "mail queued")), el("ms", int32(m.r.IntN(900))),
		}
	}
	return all
}
