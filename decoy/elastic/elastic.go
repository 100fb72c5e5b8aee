// Package elastic imitates a node of Elasticsearch 7.10 without security on port
// 9200.
//
// It records requests as DECNET does: root_probe, cat_api, cluster_recon,
// nodes_recon and security_probe for what is asked with GET, post_request and
// put_request with the begin of the body as body_preview, delete_request,
// head_request, and "request" for the rest; commands in scripts of the two old
// holes (CVE-2014-3120, CVE-2015-1427) as "command". The indices, their sizes and
// the node's name follow from the host. Writes are acknowledged and forgotten.
package elastic

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
)

const release = "7.10.2"

// New makes the service elasticsearch. Its port is 9200.
func New(e trap.Env) (trap.Service, error) { return trap.Service{TCP: newNode(e)}, nil }

// index is one that the node has.
type index struct {
	name, uuid string
	docs       int
	bytes      int64
}

// node is one decky's. It never changes.
type node struct {
	host                         *trap.Host
	cluster, name, id, clusterID string
	indices                      []index
}

// id22 is an id as Elasticsearch makes them.
func id22(h *trap.Host, of string) string {
	return base64.RawURLEncoding.EncodeToString(h.Derive("elastic "+of, 16))
}

func newNode(e trap.Env) *node {
	h := e.Host
	r := h.Rand("elastic")
	names := []string{"customers", "orders", "products", "users", "logs-app", "audit", "payments", "sessions", "events", "inventory"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	n := &node{
		host: h, name: h.Hostname, id: id22(h, "node"), clusterID: id22(h, "cluster"),
		cluster: []string{"elasticsearch", "elasticsearch", "docker-cluster", "production", "es-logs"}[r.IntN(5)],
	}
	for _, name := range append(names[:2+r.IntN(4)], ".kibana_1") {
		docs := 200 + r.IntN(400000)
		if strings.HasPrefix(name, ".") {
			docs %= 90 // what people have saved
		}
		n.indices = append(n.indices, index{name: name, uuid: id22(h, "index "+name), docs: docs, bytes: int64(docs) * int64(300+r.IntN(1500))})
	}
	return n
}

// Serve implements [trap.Server].
func (n *node) Serve(ctx context.Context, s *trap.Session) {
	httptrap.Serve(ctx, s, n, httptrap.Limits{Body: 32 << 20, Idle: 10 * time.Minute})
}

// Event implements [httptrap.Recorder].
func (n *node) Event(r *httptrap.Request) httptrap.Event {
	e := httptrap.Event{Type: eventType(r), Short: true}
	if r.BodySize > 0 {
		e.Fields = append(e.Fields, trap.Field{Key: "body_preview", Value: r.Shown()})
	}
	return e
}

func eventType(r *httptrap.Request) string {
	switch r.Method {
	case "POST":
		return "post_request"
	case "PUT":
		return "put_request"
	case "DELETE":
		return "delete_request"
	case "HEAD":
		return "head_request"
	case "GET":
	default:
		return "request"
	}
	for _, probe := range []struct{ prefix, kind string }{
		{"/_cat", "cat_api"}, {"/_cluster", "cluster_recon"}, {"/_nodes", "nodes_recon"}, {"/_security", "security_probe"}, {"/_xpack", "security_probe"},
	} {
		if strings.HasPrefix(r.Path, probe.prefix) {
			return probe.kind
		}
	}
	if r.Path == "/" || r.Path == "" {
		return "root_probe"
	}
	return "request"
}

// executed finds the command in a script, whose quotes may be escaped.
var executed = regexp.MustCompile(`\.exec\(\s*\\?["']((?:[^"'\\]|\\[^"'])*)\\?["']`)

// Answer implements [httptrap.Site].
func (n *node) Answer(_ context.Context, s *trap.Session, r *httptrap.Request) httptrap.Response {
	text := string(r.Body)
	if q, err := url.QueryUnescape(r.Query); err == nil && strings.Contains(q, "exec") {
		text += q
	}
	for _, m := range executed.FindAllStringSubmatch(text, 5) {
		s.Record("command", trap.Field{Key: "command", Value: m[1]}, trap.Field{Key: "how", Value: "script"})
	}
	q, _ := url.ParseQuery(r.Query) // what of it can be read
	a := n.route(&call{Request: r, query: q, now: s.Now(), part: strings.Split(strings.Trim(r.Path, "/"), "/")})
	return frame(r, &a)
}

// frame writes headers as the node does: in lower case.
func frame(r *httptrap.Request, a *answer) httptrap.Response {
	resp := httptrap.Response{Status: a.status, Reason: http.StatusText(a.status), Body: a.body, Old: r.Minor < 1}
	add := func(name, value string) {
		resp.Headers = append(resp.Headers, httptrap.Header{Name: name, Value: value})
	}
	if a.allow != "" {
		add("Allow", a.allow)
	}
	add("content-type", a.kind)
	add("content-length", strconv.Itoa(len(a.body)))
	if r.Minor >= 1 && !r.Keep {
		add("connection", "close")
	}
	return resp
}

// Refuse implements [httptrap.Site].
func (n *node) Refuse(_ *trap.Session, f *httptrap.Fault) *httptrap.Response {
	a := problem(http.StatusBadRequest, "illegal_argument_exception", "invalid version format: "+strings.ToUpper(printable(f.Data)))
	switch f.Kind {
	case httptrap.TLS:
		return nil // it closes without a word
	case httptrap.LongTarget, httptrap.LongHeader:
		a = problem(http.StatusBadRequest, "too_long_frame_exception", "An HTTP line is larger than 4096 bytes.")
	case httptrap.LongBody:
		a = answer{status: http.StatusRequestEntityTooLarge, kind: plainText}
	case httptrap.BadHost:
		return n.hostless(f)
	case httptrap.BadRequest, httptrap.BadVersion, httptrap.BadCoding, httptrap.Plain:
	}
	resp := frame(f.Request, &a)
	resp.Close = true
	return &resp
}

// hostless answers a request without a host, which the node doesn't need.
func (n *node) hostless(f *httptrap.Fault) *httptrap.Response {
	f.Request.Keep = false
	a := n.route(&call{Request: f.Request, query: url.Values{}, part: strings.Split(strings.Trim(f.Request.Path, "/"), "/")})
	resp := frame(f.Request, &a)
	return &resp
}

// printable is the last word of a line, as far as it is text.
func printable(line []byte) string {
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return ""
	}
	last := words[len(words)-1]
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, last[:min(len(last), 100)])
}

const (
	jsonText  = "application/json; charset=UTF-8"
	plainText = "text/plain; charset=UTF-8"
)

// answer is what the node says.
type answer struct {
	status int
	kind   string
	allow  string
	body   []byte
}

// object is an answer in JSON, indented where the client asks for it.
func object(c *call, status int, text string) answer {
	if _, pretty := c.query["pretty"]; pretty {
		text = indent(text)
	}
	return answer{status: status, kind: jsonText, body: []byte(text)}
}

// quote writes a string in JSON.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

// problem is how the node tells errors.
func problem(status int, kind, reason string) answer {
	one := fmt.Sprintf(`"type":%s,"reason":%s`, quote(kind), quote(reason))
	return answer{status: status, kind: jsonText, body: []byte(fmt.Sprintf(`{"error":{"root_cause":[{%s}],%s},"status":%d}`, one, one, status))}
}
