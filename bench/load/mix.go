package load

import "strconv"

// kind is how an endpoint is used.
type kind int

const (
	kindGet kind = iota
	kindLogin
	kindStream
)

// endpoint is one of the things that dashboards ask for.
type endpoint struct {
	// name is what the report calls it.
	name   string
	weight int
	kind   kind
	path   string
	// offsets is the number of offsets of which one is chosen and put behind path, 0
	// for none.
	offsets int
	// check looks at a whole body.
	check func(c *checker, body []byte) error
}

const (
	defaultLimit = 50
	searchLimit  = 100
)

// mix is the traffic of dashboards, by weight.
func mix() []endpoint {
	const api = "/api/v1/"
	logs := func(limit int, term string) func(*checker, []byte) error {
		return func(c *checker, body []byte) error { return c.logs(body, limit, term) }
	}
	return []endpoint{
		{name: "stats", weight: 10, path: api + "stats", check: (*checker).stats},
		{name: "logs", weight: 8, path: api + "logs", check: logs(defaultLimit, "")},
		{name: "attackers", weight: 8, path: api + "attackers", check: func(c *checker, b []byte) error { return c.attackers(b, "") }},
		{name: "deckies", weight: 7, path: api + "deckies", check: (*checker).deckies},
		{name: "bounty", weight: 6, path: api + "bounty", check: (*checker).bounty},
		{name: "histogram", weight: 5, path: api + "logs/histogram", check: (*checker).histogram},
		{name: "logs?search=ssh", weight: 5, path: api + "logs?search=ssh&limit=100", check: logs(searchLimit, "ssh")},
		{name: "attackers?search=brute", weight: 4, path: api + "attackers?search=brute", check: func(c *checker, b []byte) error { return c.attackers(b, "brute") }},
		{name: "logs?offset=random", weight: 4, path: api + "logs?limit=100&offset=", offsets: 1001, check: logs(searchLimit, "")},
		{name: "health", weight: 3, path: api + "health", check: (*checker).health},
		{name: "config", weight: 3, path: api + "config", check: (*checker).config},
		{name: "login", weight: 2, path: api + "auth/login", kind: kindLogin, check: (*checker).login},
		{name: "stream", weight: 1, path: api + "stream", kind: kindStream},
	}
}

// requests are the endpoints' requests, rendered: all of them but an offset.
type requests struct {
	list  []endpoint
	head  [][]byte
	tail  []byte
	total int
	// whole are requests that have no offset.
	whole [][]byte
}

// render writes the requests that a user with the token sends to a host.
func render(list []endpoint, host, token string, login []byte) *requests {
	r := &requests{list: list}
	fields := " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: decnet-bench\r\n"
	r.tail = []byte(fields + "Authorization: Bearer " + token + "\r\n\r\n")
	for i := range list {
		e := &list[i]
		r.total += e.weight
		r.head = append(r.head, []byte("GET "+e.path))
		whole := append([]byte("GET "+e.path), r.tail...)
		if e.kind == kindLogin {
			whole = []byte("POST " + e.path + fields + "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(login)) + "\r\n\r\n")
			whole = append(whole, login...)
		}
		r.whole = append(r.whole, whole)
	}
	return r
}

// choose returns the endpoint at a place from 0 to below total.
func (r *requests) choose(at int) int {
	for i := range r.list {
		if at -= r.list[i].weight; at < 0 {
			return i
		}
	}
	return len(r.list) - 1
}

// appendTo appends the request of an endpoint.
func (r *requests) appendTo(dst []byte, i, offset int) []byte {
	if r.list[i].offsets == 0 {
		return append(dst, r.whole[i]...)
	}
	return append(strconv.AppendInt(append(dst, r.head[i]...), int64(offset), 10), r.tail...)
}
