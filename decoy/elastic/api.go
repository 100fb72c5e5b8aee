package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"decnet/decoy/httptrap"
)

// call is one request to the API.
type call struct {
	*httptrap.Request
	query url.Values
	part  []string
	now   time.Time
}

// indent writes JSON on lines as the node does, with a line end.
func indent(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return strings.ReplaceAll(b.String(), `": `, `" : `) + "\n"
}

// route finds what the path asks for.
func (n *node) route(c *call) answer {
	last := c.part[len(c.part)-1]
	switch first := c.part[0]; {
	case first == "":
		return n.root(c)
	case first == "favicon.ico":
		return answer{status: http.StatusOK, kind: "image/x-icon"}
	case first == "_cat":
		return n.cat(c)
	case first == "_cluster" && last == "health":
		return n.health(c)
	case first == "_cluster":
		return object(c, http.StatusOK, fmt.Sprintf(`{"cluster_name":%s,"cluster_uuid":%s,"version":%d,"state_uuid":%s,"master_node":%s}`,
			quote(n.cluster), quote(n.clusterID), len(n.indices)*7, quote(id22(n.host, "state")), quote(n.id)))
	case first == "_nodes":
		return n.nodes(c)
	case first == "_security" || first == "_xpack" && len(c.part) > 1 && c.part[1] == "security":
		return object(c, http.StatusInternalServerError, `{"error":{"root_cause":[{"type":"security_exception","reason":"Security must be explicitly enabled when using a [basic] license. Enable security by setting [xpack.security.enabled] to [true] in the elasticsearch.yml file and restart the node."}],"type":"security_exception","reason":"Security must be explicitly enabled when using a [basic] license. Enable security by setting [xpack.security.enabled] to [true] in the elasticsearch.yml file and restart the node."},"status":500}`)
	case first == "_bulk" || last == "_bulk":
		return object(c, http.StatusOK, fmt.Sprintf(`{"took":%d,"errors":false,"items":[]}`, 3+rand.IntN(40))) //nolint:gosec // a time that it took
	case last == "_search" || last == "_count" || last == "_msearch":
		return n.search(c, last)
	case first == "_aliases" || first == "_alias" || first == "_all" || first == "_mapping" || first == "_settings":
		return n.aliases(c)
	case strings.HasPrefix(first, "_"):
		return problem(http.StatusBadRequest, "illegal_argument_exception", "request ["+c.Path+"] contains unrecognized parameter")
	default:
		return n.index(c)
	}
}

func (n *node) root(c *call) answer {
	if c.Method != "GET" && c.Method != "HEAD" {
		a := object(c, http.StatusMethodNotAllowed, fmt.Sprintf(`{"error":%s,"status":405}`,
			quote("Incorrect HTTP method for uri [/] and method ["+c.Method+"], allowed: [GET, HEAD]")))
		a.allow = "GET,HEAD"
		return a
	}
	return answer{status: http.StatusOK, kind: jsonText, body: []byte(indent(fmt.Sprintf(
		`{"name":%s,"cluster_name":%s,"cluster_uuid":%s,"version":{"number":"%s","build_flavor":"default","build_type":"deb",`+
			`"build_hash":"747e1cc71def077253878a59143c1f785afa92b9","build_date":"2021-01-13T00:42:12.435326Z","build_snapshot":false,`+
			`"lucene_version":"8.7.0","minimum_wire_compatibility_version":"6.8.0","minimum_index_compatibility_version":"6.0.0-beta1"},`+
			`"tagline":"You Know, for Search"}`, quote(n.name), quote(n.cluster), quote(n.clusterID), release)))}
}

func (n *node) health(c *call) answer {
	shards := len(n.indices)
	return object(c, http.StatusOK, fmt.Sprintf(`{"cluster_name":%s,"status":"yellow","timed_out":false,"number_of_nodes":1,"number_of_data_nodes":1,`+
		`"active_primary_shards":%[2]d,"active_shards":%[2]d,"relocating_shards":0,"initializing_shards":0,"unassigned_shards":%d,"delayed_unassigned_shards":0,`+
		`"number_of_pending_tasks":0,"number_of_in_flight_fetch":0,"task_max_waiting_in_queue_millis":0,"active_shards_percent_as_number":%.1f}`,
		quote(n.cluster), shards, shards-1, 100*float64(shards)/float64(2*shards-1)))
}

func (n *node) nodes(c *call) answer {
	address := n.host.Addr.String()
	return object(c, http.StatusOK, fmt.Sprintf(`{"_nodes":{"total":1,"successful":1,"failed":0},"cluster_name":%s,"nodes":{%s:{"name":%s,`+
		`"transport_address":"%[4]s:9300","host":"%[4]s","ip":"%[4]s","version":"%[5]s","build_flavor":"default","build_type":"deb",`+
		`"build_hash":"747e1cc71def077253878a59143c1f785afa92b9","roles":["data","data_cold","data_content","data_hot","data_warm","ingest","master","ml","remote_cluster_client","transform"],`+
		`"os":{"name":"Linux","arch":"amd64","available_processors":4,"allocated_processors":4},"jvm":{"version":"15.0.1","vm_name":"OpenJDK 64-Bit Server VM","vm_vendor":"AdoptOpenJDK"},`+
		`"http":{"publish_address":"%[4]s:9200"}}}}`, quote(n.cluster), quote(n.id), quote(n.name), address, release))
}

// size writes bytes as the tables have them.
func size(b int64) string {
	switch {
	case b >= 1<<30:
		return fmt.Sprintf("%.1fgb", float64(b)/(1<<30))
	case b >= 1<<20:
		return fmt.Sprintf("%.1fmb", float64(b)/(1<<20))
	default:
		return fmt.Sprintf("%.1fkb", float64(b)/(1<<10))
	}
}

// cat answers with tables for people.
func (n *node) cat(c *call) answer {
	if len(c.part) == 1 {
		return answer{status: http.StatusOK, kind: plainText, body: []byte("=^.^=\n/_cat/allocation\n/_cat/shards\n/_cat/shards/{index}\n/_cat/master\n/_cat/nodes\n/_cat/tasks\n" +
			"/_cat/indices\n/_cat/indices/{index}\n/_cat/segments\n/_cat/segments/{index}\n/_cat/count\n/_cat/count/{index}\n/_cat/recovery\n/_cat/recovery/{index}\n" +
			"/_cat/health\n/_cat/pending_tasks\n/_cat/aliases\n/_cat/aliases/{alias}\n/_cat/thread_pool\n/_cat/thread_pool/{thread_pools}\n/_cat/plugins\n" +
			"/_cat/fielddata\n/_cat/fielddata/{fields}\n/_cat/nodeattrs\n/_cat/repositories\n/_cat/snapshots/{repository}\n/_cat/templates\n")}
	}
	var rows [][]string
	switch c.part[1] {
	case "indices":
		rows = [][]string{{"health", "status", "index", "uuid", "pri", "rep", "docs.count", "docs.deleted", "store.size", "pri.store.size"}}
		for _, i := range n.indices {
			health, replicas := "yellow", "1"
			if strings.HasPrefix(i.name, ".") {
				health, replicas = "green", "0"
			}
			rows = append(rows, []string{health, "open", i.name, i.uuid, "1", replicas, fmt.Sprint(i.docs), "0", size(i.bytes), size(i.bytes)})
		}
	case "nodes":
		rows = [][]string{
			{"ip", "heap.percent", "ram.percent", "cpu", "load_1m", "load_5m", "load_15m", "node.role", "master", "name"},
			{n.host.Addr.String(), "43", "91", "2", "0.08", "0.12", "0.10", "cdhilmrstw", "*", n.name},
		}
	case "master":
		rows = [][]string{{"id", "host", "ip", "node"}, {n.id, n.host.Addr.String(), n.host.Addr.String(), n.name}}
	case "health":
		rows = [][]string{
			{"epoch", "timestamp", "cluster", "status", "node.total", "node.data", "shards", "pri", "relo", "init", "unassign"},
			{fmt.Sprint(c.now.Unix()), c.now.UTC().Format("15:04:05"), n.cluster, "yellow", "1", "1", fmt.Sprint(len(n.indices)), fmt.Sprint(len(n.indices)), "0", "0", fmt.Sprint(len(n.indices) - 1)},
		}
	case "count":
		total := 0
		for _, i := range n.indices {
			total += i.docs
		}
		rows = [][]string{{"epoch", "timestamp", "count"}, {fmt.Sprint(c.now.Unix()), c.now.UTC().Format("15:04:05"), fmt.Sprint(total)}}
	default:
		return answer{status: http.StatusOK, kind: plainText}
	}
	return table(c, rows)
}

// table writes rows, of which the first is the heading, as the client likes it.
func table(c *call, rows [][]string) answer {
	if strings.Contains(c.query.Get("format"), "json") || strings.Contains(c.Get("Accept"), "application/json") {
		objects := make([]string, 0, len(rows))
		for _, row := range rows[1:] {
			pairs := make([]string, len(row))
			for i, value := range row {
				pairs[i] = quote(rows[0][i]) + ":" + quote(value)
			}
			objects = append(objects, "{"+strings.Join(pairs, ",")+"}")
		}
		return object(c, http.StatusOK, "["+strings.Join(objects, ",")+"]")
	}
	right := map[int]bool{}
	for i, name := range rows[0] {
		right[i] = !slices.Contains([]string{
			"health", "status", "index", "uuid", "ip", "node.role", "master", "name", "id", "host", "node", "epoch", "timestamp", "cluster", "count",
		}, name)
	}
	if !c.query.Has("v") {
		rows = rows[1:]
	}
	width := map[int]int{}
	for _, row := range rows {
		for i, value := range row {
			width[i] = max(width[i], len(value))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, value := range row {
			if i > 0 {
				b.WriteByte(' ')
			}
			switch {
			case right[i]:
				fmt.Fprintf(&b, "%*s", width[i], value)
			case i == len(row)-1:
				b.WriteString(value)
			default:
				fmt.Fprintf(&b, "%-*s", width[i], value)
			}
		}
		b.WriteByte('\n')
	}
	return answer{status: http.StatusOK, kind: plainText, body: []byte(b.String())}
}

// known returns the indices that a name or pattern means; ok is false if it is a
// name that isn't there.
func (n *node) known(name string) (list []index, ok bool) {
	if name == "_all" || name == "*" || strings.HasPrefix(name, "_") {
		return n.indices, true
	}
	prefix, pattern := strings.CutSuffix(name, "*")
	for _, i := range n.indices {
		if i.name == name || pattern && strings.HasPrefix(i.name, prefix) {
			list = append(list, i)
		}
	}
	return list, pattern || len(list) > 0
}

func (n *node) missing(c *call, name string) answer {
	one := fmt.Sprintf(`"type":"index_not_found_exception","reason":%s,"resource.type":"index_or_alias","resource.id":%[2]s,"index_uuid":"_na_","index":%[2]s`,
		quote("no such index ["+name+"]"), quote(name))
	return object(c, http.StatusNotFound, fmt.Sprintf(`{"error":{"root_cause":[{%s}],%s},"status":404}`, one, one))
}

// search finds documents, none of which is shown: their fields would have to be
// believable, too.
func (n *node) search(c *call, what string) answer {
	name, _ := url.PathUnescape(c.part[0]) // a name that can't be unescaped isn't there
	list, ok := n.known(name)
	if !ok {
		return n.missing(c, name)
	}
	total := 0
	for _, i := range list {
		total += i.docs
	}
	shards := fmt.Sprintf(`{"total":%[1]d,"successful":%[1]d,"skipped":0,"failed":0}`, len(list))
	if what == "_count" {
		return object(c, http.StatusOK, fmt.Sprintf(`{"count":%d,"_shards":%s}`, total, shards))
	}
	relation := "eq"
	if total > 10000 {
		total, relation = 10000, "gte"
	}
	if c.BodySize > 0 || c.query.Has("q") {
		total, relation = 0, "eq" // nothing has what was asked for
	}
	return object(c, http.StatusOK, fmt.Sprintf(`{"took":%d,"timed_out":false,"_shards":%s,"hits":{"total":{"value":%d,"relation":"%s"},"max_score":null,"hits":[]}}`,
		1+rand.IntN(12), shards, total, relation)) //nolint:gosec // a time that it took
}

func (n *node) aliases(c *call) answer {
	if c.Method == "DELETE" {
		return object(c, http.StatusOK, `{"acknowledged":true}`)
	}
	list := make([]string, len(n.indices))
	for i, x := range n.indices {
		list[i] = quote(x.name) + `:{"aliases":{}}`
	}
	return object(c, http.StatusOK, "{"+strings.Join(list, ",")+"}")
}

// index answers what is below the name of an index.
func (n *node) index(c *call) answer {
	name, _ := url.PathUnescape(c.part[0])
	list, ok := n.known(name)
	document := len(c.part) > 1 && slices.Contains([]string{"_doc", "_create"}, c.part[1]) || len(c.part) == 2 && !strings.HasPrefix(c.part[1], "_")
	switch {
	case (c.Method == "PUT" || c.Method == "POST") && len(c.part) > 1 && document:
		id := c.part[len(c.part)-1]
		if len(c.part) == 2 {
			id = newID()
		}
		return object(c, http.StatusCreated, fmt.Sprintf(`{"_index":%s,"_type":"_doc","_id":%s,"_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1}`, quote(name), quote(id)))
	case c.Method == "PUT" && len(c.part) == 1 && ok:
		return problem(http.StatusBadRequest, "resource_already_exists_exception", "index ["+name+"/"+list[0].uuid+"] already exists")
	case c.Method == "PUT" && len(c.part) == 1 && strings.ToLower(name) != name:
		return problem(http.StatusBadRequest, "invalid_index_name_exception", "Invalid index name ["+name+"], must be lowercase")
	case c.Method == "PUT" && len(c.part) == 1:
		return object(c, http.StatusOK, fmt.Sprintf(`{"acknowledged":true,"shards_acknowledged":true,"index":%s}`, quote(name)))
	case !ok:
		return n.missing(c, name)
	case c.Method == "DELETE" || c.Method == "PUT":
		return object(c, http.StatusOK, `{"acknowledged":true}`)
	case len(list) == 0:
		return object(c, http.StatusOK, `{}`)
	case document:
		return object(c, http.StatusNotFound, fmt.Sprintf(`{"_index":%s,"_type":"_doc","_id":%s,"found":false}`, quote(list[0].name), quote(c.part[len(c.part)-1])))
	default:
		i := list[0]
		return object(c, http.StatusOK, fmt.Sprintf(`{%[1]s:{"aliases":{},"mappings":{"properties":{}},"settings":{"index":{"number_of_shards":"1","provided_name":%[1]s,"number_of_replicas":"1","uuid":%s,"version":{"created":"7100299"}}}}}`,
			quote(i.name), quote(i.uuid)))
	}
}

// newID is an id of a document.
func newID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 20)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))] //nolint:gosec // it guards nothing
	}
	return string(b)
}
