package web_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
	"decnet/decoy/traptest"
	"decnet/decoy/web"
)

// bench makes the service http of a host with that distribution.
func bench(t *testing.T, distro string, config trap.Config) *traptest.Bench {
	t.Helper()
	return traptest.New(t, web.New, traptest.Options{Service: "http", Config: config, Identity: trap.Identity{Distro: distro}})
}

// raw sends bytes and returns all that comes until the server closes.
func raw(t *testing.T, b *traptest.Bench, text string) string {
	t.Helper()
	c := b.Dial(80)
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	return string(got)
}

// get asks for a path, once.
func get(t *testing.T, b *traptest.Bench, path string) string {
	t.Helper()
	return raw(t, b, "GET "+path+" HTTP/1.1\r\nHost: www.example.org\r\nConnection: close\r\n\r\n")
}

// head is the status line and the names of the headers in their order.
func head(answer string) string {
	text, _, _ := strings.Cut(answer, "\r\n\r\n")
	lines := strings.Split(text, "\r\n")
	for i, l := range lines[1:] {
		lines[i+1], _, _ = strings.Cut(l, ":")
	}
	return strings.Join(lines, ", ")
}

func header(t *testing.T, answer, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `: (.*)\r$`).FindStringSubmatch(answer)
	require.NotNilf(t, m, "%s in %s", name, answer)
	return m[1]
}

func TestNginx_AnswersAsTheRealOne(t *testing.T) {
	t.Parallel()
	b := bench(t, "ubuntu22", trap.Config{"fake_app": "nginx_default"})
	page := get(t, b, "/")
	assert.Equal(t, "HTTP/1.1 200 OK, Server, Date, Content-Type, Content-Length, Last-Modified, Connection, ETag, Accept-Ranges", head(page))
	assert.Equal(t, "nginx/1.18.0 (Ubuntu)", header(t, page, "Server"))
	assert.Equal(t, "Tue, 14 Apr 2026 09:03:24 GMT", header(t, page, "Date"))
	assert.Equal(t, "612", header(t, page, "Content-Length"), "the size that scanners know")
	etag := header(t, page, "ETag")
	assert.Regexp(t, `^"[0-9a-f]{8}-264"$`, etag)

	cached := raw(t, b, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nIf-None-Match: "+etag+"\r\n\r\n")
	assert.Equal(t, "HTTP/1.1 304 Not Modified, Server, Date, Last-Modified, Connection, ETag", head(cached))

	for path, want := range map[string]string{
		"GET /nothing":   "404 Not Found",
		"POST /":         "405 Not Allowed",
		"OPTIONS /":      "405 Not Allowed",
		"CONNECT h:443":  "405 Not Allowed",
		"PROPFIND /a":    "405 Not Allowed",
		"GET http://e/a": "404 Not Found",
	} {
		got := raw(t, b, path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		assert.Equal(t, "HTTP/1.1 "+want+", Server, Date, Content-Type, Content-Length, Connection", head(got), path)
		assert.Contains(t, got, "<center><h1>"+want+"</h1></center>\r\n<hr><center>nginx/1.18.0 (Ubuntu)</center>\r\n</body>\r\n</html>\r\n", path)
	}
	chrome := raw(t, b, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUser-Agent: Mozilla/5.0 Chrome/120.0\r\n\r\n")
	assert.Equal(t, 6, strings.Count(chrome, "a padding to disable MSIE and Chrome friendly error page"))
}

func TestNginx_RefusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, want string }{
		"garbage":            {"\x00\x01\x02\x03\r\n\r\n", "400 Bad Request"},
		"one word":           {"HELP\r\n\r\n", "400 Bad Request"},
		"TLS":                {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 Bad Request"},
		"no host":            {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request"},
		"two hosts":          {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"},
		"a space in a name":  {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400 Bad Request"},
		"a bare CR":          {"GET / HTTP/1.1\r\nHost: a\rX-Injected: 1\r\n\r\n", "400 Bad Request"},
		"a NUL":              {"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n", "400 Bad Request"},
		"HTTP/2":             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported"},
		"a long target":      {"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n", "414 Request-URI Too Large"},
		"a long header":      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 9000) + "\r\n\r\n", "400 Bad Request"},
		"smuggling":          {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", "400 Bad Request"},
		"two lengths":        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\n", "400 Bad Request"},
		"a signed length":    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "400 Bad Request"},
		"an odd coding":      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "501 Not Implemented"},
		"a body over 1 MiB":  {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", "413 Request Entity Too Large"},
		"a chunk of letters": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400 Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bench(t, "debian", trap.Config{"fake_app": "nginx"})
			got := raw(t, b, test.in)
			assert.Equal(t, "HTTP/1.1 "+test.want+", Server, Date, Content-Type, Content-Length, Connection", head(got))
			assert.Equal(t, "close", header(t, got, "Connection"))
			f := traptest.Fields(b.Wait("protocol_error"))
			assert.NotEmpty(t, f["error"])
			assert.NotEmpty(t, f["data"])
		})
	}
}

func TestApache_AnswersAsTheRealOne(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "apache_default"})
	page := get(t, b, "/")
	assert.Equal(t, "HTTP/1.1 200 OK, Date, Server, Last-Modified, ETag, Accept-Ranges, Content-Length, Vary, Connection, Content-Type", head(page))
	product := header(t, page, "Server")
	assert.Regexp(t, `^Apache/2\.4\.\d\d \(Debian\)$`, product)
	assert.Contains(t, page, "<title>Apache2 Debian Default Page: It works</title>")

	missing := get(t, b, "/nothing")
	assert.Equal(t, "HTTP/1.1 404 Not Found, Date, Server, Content-Length, Connection, Content-Type", head(missing))
	assert.Equal(t, "text/html; charset=iso-8859-1", header(t, missing, "Content-Type"))
	assert.Contains(t, missing, "<address>"+product+" Server at www.example.org Port 80</address>")

	odd := raw(t, b, "FROB / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	assert.Equal(t, "HTTP/1.1 501 Not Implemented, Date, Server, Allow, Content-Length, Connection, Content-Type", head(odd))
	options := raw(t, b, "OPTIONS / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	assert.Equal(t, "HTTP/1.1 200 OK, Date, Server, Allow, Content-Length, Connection, Content-Type", head(options))
	assert.Contains(t, raw(t, b, "GET /<b> HTTP/1.1\r\n\r\n"), "<title>400 Bad Request</title>")

	// Apache says keep-alive to those only who said it first.
	kept := raw(t, b, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\nHEAD /x HTTP/1.0\r\n\r\n")
	answers := strings.SplitAfter(kept, "\r\n\r\n")
	require.Len(t, answers, 4, "three answers without bodies, and nothing")
	assert.NotContains(t, answers[0], "Connection")
	assert.Equal(t, "timeout=5, max=99", header(t, answers[1], "Keep-Alive"))
	assert.Contains(t, answers[2], "HTTP/1.1 404 Not Found\r\n")
	assert.Contains(t, answers[2], "Connection: close\r\n")
}

func TestApache_OfRedHatShowsItsTestPageAsAnError(t *testing.T) {
	t.Parallel()
	b := bench(t, "rocky9", trap.Config{"fake_app": "apache"})
	page := get(t, b, "/")
	assert.Contains(t, page, "HTTP/1.1 403 Forbidden\r\n")
	assert.Contains(t, page, "HTTP Server Test Page powered by: Rocky Linux")
	assert.NotContains(t, get(t, b, "/x"), "<address>", "it has no signature")
	old := bench(t, "centos7", trap.Config{"fake_app": "apache"})
	assert.Contains(t, get(t, old, "/<x>"), "The requested URL /&lt;x&gt; was not found on this server.")
}

func TestIIS_OfWindows(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, web.New, traptest.Options{Service: "http", Identity: trap.Identity{System: "windows"}})
	page := get(t, b, "/")
	assert.Equal(t, "HTTP/1.1 200 OK, Content-Type, Last-Modified, Accept-Ranges, ETag, Server, Date, Connection, Content-Length", head(page))
	assert.Equal(t, "Microsoft-IIS/10.0", header(t, page, "Server"))
	bad := raw(t, b, "GET / HTTP/1.1\r\n\r\n")
	assert.Contains(t, bad, "Bad Request - Invalid Hostname")
	assert.Equal(t, "Microsoft-HTTPAPI/2.0", header(t, bad, "Server"))
	assert.Empty(t, raw(t, b, "\x16\x03\x01\x00\x05"), "it closes without a word")
}

func TestRequest_IsRecordedAsItCame(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "nginx"})
	raw(t, b, "POST /a%20b?x=1&y=\xff HTTP/1.1\r\nhOST: h\r\nX-Two: 1\r\nUser-Agent: a\"\\\x1b[31m\r\nx-two: 2\r\nConnection: close\r\nContent-Length: 8\r\n\r\nb=\x00\xfe</x>")
	event := b.Wait("request")
	assert.Equal(t, "http", event.Service)
	f := traptest.Fields(event)
	assert.Equal(t, "POST", f["method"])
	assert.Equal(t, "/a%20b", f["path"])
	assert.Equal(t, "x=1&y=\xff", f["query_string"])
	assert.Equal(t, "b=\x00\xfe</x>", f["body"])
	assert.Equal(t, "8", f["body_bytes"])
	assert.Equal(t, "127.0.0.1", f["remote_addr"])
	const headers = `{"hOST": "h", "X-Two": ["1", "2"], "User-Agent": "a\"\\\u001b[31m", "Connection": "close", "Content-Length": "8"}`
	assert.Equal(t, headers, f["headers"]) //nolint:testifylint // the order and the spaces are part of it
}

func TestRequest_ProxiesAreRecordedAndNeverRelayed(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "nginx"})
	raw(t, b, "GET http://198.51.100.1/ip?x HTTP/1.1\r\nHost: 198.51.100.1\r\nConnection: close\r\n\r\n")
	f := traptest.Fields(b.Wait("request"))
	assert.Equal(t, "/ip", f["path"])
	assert.Equal(t, "http://198.51.100.1/ip?x", f["proxy_target"])
	raw(t, b, "CONNECT 198.51.100.1:25 HTTP/1.1\r\nHost: 198.51.100.1:25\r\nConnection: close\r\n\r\nEHLO x\r\n")
	assert.Equal(t, "198.51.100.1:25", traptest.Fields(b.WaitN("request", 2)[1])["proxy_target"])
}

func TestRequest_OldVersionsPipelinesAndChunks(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "nginx"})
	assert.Regexp(t, `^<!DOCTYPE html>`, raw(t, b, "GET /\r\n"), "HTTP/0.9 has no headers")
	old := raw(t, b, "GET / HTTP/1.0\r\n\r\n")
	assert.Contains(t, old, "HTTP/1.1 200 OK\r\n")
	assert.Contains(t, old, "Connection: close\r\n")

	many := raw(t, b, "POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"+
		"\r\nHEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	assert.Equal(t, 3, strings.Count(many, "HTTP/1.1 "))
	events := b.WaitN("request", 5)
	assert.Equal(t, "abcde", traptest.Fields(events[2])["body"])
	assert.Equal(t, "/3", traptest.Fields(events[4])["path"])
}

func TestLogins_AreFoundWhereverTheyAre(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte("admin:pa:ss"))
	for name, test := range map[string]struct{ request, user, password string }{
		"basic": {"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic " + basic + "\r\nConnection: close\r\n\r\n", "admin", "pa:ss"},
		"form": {
			"POST /login HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 30\r\n\r\nusername=r%40x&password=a%2Bb+",
			"r@x", "a+b ",
		},
		"JSON": {
			"POST /login HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"user\":\"root\",\"password\":\"x\"}\n",
			"root", "x",
		},
		"target": {"GET /goform?username=u&psw=p HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "u", "p"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bench(t, "debian", trap.Config{"fake_app": "nginx"})
			raw(t, b, test.request)
			f := traptest.Fields(b.Wait("request"))
			assert.Equal(t, test.user, f["username"])
			assert.Equal(t, test.password, f["password"])
		})
	}
}

func TestLogins_ADigestIsNoPassword(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "router"})
	raw(t, b, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Digest username=\"adm,in\", realm=\"r\", nonce=\"n\", uri=\"/\", nc=00000001, response=\"abc\"\r\n\r\n")
	f := traptest.Fields(b.Wait("request"))
	assert.Equal(t, "adm,in", f["username"])
	assert.Equal(t, "abc", f["digest_response"])
	assert.Equal(t, "00000001", f["digest_nc"])
	assert.NotContains(t, f, "password")
}

func TestUploads_GoToTheQuarantine(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "apache"})
	put := raw(t, b, "PUT /up/shell.jsp HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 7\r\n\r\nmalware")
	assert.Contains(t, put, "405 Method Not Allowed")
	f := traptest.Fields(b.Wait("file_upload"))
	assert.Equal(t, "shell.jsp", f["filename"])
	assert.Equal(t, "7", f["size"])
	assert.Equal(t, "true", f["kept"])

	form := "--B\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\nupload\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../../x.php\"\r\nContent-Type: image/png\r\n\r\n<?php ?>\r\n--B--\r\n"
	raw(t, b, fmt.Sprintf("POST /u HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n%s", len(form), form))
	f = traptest.Fields(b.WaitN("file_upload", 2)[1])
	assert.Equal(t, "../../x.php", f["filename"])
	assert.Equal(t, "8", f["size"])

	large := strings.Repeat("A", 300000)
	raw(t, b, fmt.Sprintf("POST /u HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(large), large))
	f = traptest.Fields(b.WaitN("file_upload", 3)[2])
	assert.Equal(t, "300000", f["size"])
	request := traptest.Fields(b.WaitN("request", 3)[2])
	assert.Len(t, request["body"], 4096, "the event shows the begin")
	assert.Equal(t, "300000", request["body_bytes"])
}

func TestUploads_ABodyThatBreaksOffIsRecorded(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "nginx"})
	c := b.Dial(80)
	_, err := io.WriteString(c, "PUT /a.sh HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nonly this")
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	f := traptest.Fields(b.Wait("request"))
	assert.Equal(t, "the body is not whole", f["error"])
	assert.Equal(t, "9", traptest.Fields(b.Wait("file_upload"))["size"])
}

func TestSettings_ChangeWhatIsSaid(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{
		"fake_app": "nginx", "server_header": "Acme/1.0", "response_code": "403",
		"extra_headers": `{"X-B": "1", "X-A": 2}`, "files": `{"/robots.txt": "User-agent: *\n"}`,
	})
	got := get(t, b, "/any")
	assert.Equal(t, "HTTP/1.1 403 Forbidden, Server, Date, Content-Type, Content-Length, Connection, X-B, X-A", head(got))
	assert.Equal(t, "Acme/1.0", header(t, got, "Server"))
	assert.Contains(t, get(t, b, "/robots.txt"), "HTTP/1.1 200 OK\r\n")
	b = bench(t, "debian", trap.Config{"custom_body": "hello <b>"})
	assert.True(t, strings.HasSuffix(strings.TrimSuffix(get(t, b, "/any"), "\r\n0\r\n\r\n"), "hello <b>"))
}

func TestSettings_ThatCannotBeHonouredAreErrors(t *testing.T) {
	t.Parallel()
	env := bench(t, "debian", nil).Env
	for key, value := range map[string]string{
		"fake_app": "sharepoint", "response_code": "20", "extra_headers": "[1]", "tls_cert": "/etc/ssl/x.pem",
	} {
		env.Config = trap.Config{key: value}
		_, err := web.New(env)
		require.Errorf(t, err, "%s = %s", key, value)
	}
	env.Config = trap.Config{"files": "/srv/www"}
	_, err := web.New(env)
	require.NoError(t, err, "the files of the older tools are accepted")
}

func TestPersona_StaysAndIsTheSameForBothServices(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for i := range 40 {
		host, err := trap.NewHost(trap.Identity{Decky: fmt.Sprint("d", i), Secret: []byte("0123456789abcdef"), Keys: t.TempDir(), Distro: "debian"})
		require.NoError(t, err)
		one, two := web.Describe(host), web.Describe(host)
		assert.Equal(t, one, two)
		kinds[one] = true
	}
	assert.GreaterOrEqual(t, len(kinds), 4, "a fleet is not of one kind")
}

func TestHTTPS_SpeaksTLSAndKnowsPlainText(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, web.NewTLS, traptest.Options{Service: "https", Config: trap.Config{"fake_app": "nginx", "tls_cn": "shop.example.org"}})
	conn := tls.Client(b.Dial(443), &tls.Config{InsecureSkipVerify: true, ServerName: "shop.example.org", NextProtos: []string{"h2", "http/1.1"}})
	require.NoError(t, conn.HandshakeContext(t.Context()))
	assert.Equal(t, "shop.example.org", conn.ConnectionState().PeerCertificates[0].Subject.CommonName)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.example.org\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	got, err := io.ReadAll(conn)
	require.NoError(t, err, "the end is a proper one")
	assert.Contains(t, string(got), "Welcome to nginx!")
	assert.Equal(t, "https", b.Wait("request").Service)
	assert.Equal(t, "h2,http/1.1", traptest.Fields(b.Wait("tls_client_hello"))["alpn"])

	c := b.Dial(443)
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	require.NoError(t, err)
	plain, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Contains(t, string(plain), "The plain HTTP request was sent to HTTPS port")
	b.WaitN("request", 2)
}

func TestHTTP_AClientThatSpeaksTLSLeavesItsFingerprint(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "nginx"})
	c := tls.Client(b.Dial(80), &tls.Config{InsecureSkipVerify: true, ServerName: "x.example.org"})
	require.ErrorContains(t, c.HandshakeContext(t.Context()), "first record does not look like a TLS handshake")
	f := traptest.Fields(b.Wait("tls_client_hello"))
	assert.Equal(t, "x.example.org", f["sni"])
	assert.Equal(t, "80", f["dst_port"])
	assert.Equal(t, "TLS on a plain port: a handshake", traptest.Fields(b.Wait("protocol_error"))["error"])
}

func TestCurl_Agrees(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	b := bench(t, "debian", trap.Config{"fake_app": "wordpress"})
	run := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out, err := exec.CommandContext(ctx, curl, append([]string{"-sSk", "--max-time", "10", "-w", "%{http_code} %{http_version} %{num_connects}\n"}, args...)...).CombinedOutput()
		require.NoErrorf(t, err, "%s", out)
		return string(out)
	}
	at := b.Listen(80)
	assert.Contains(t, run("-o", "/dev/null", "-o", "/dev/null", "http://"+at+"/", "http://"+at+"/wp-login.php"), "200 1.1 1\n200 1.1 0\n")
	assert.Contains(t, run("-I", "-u", "root:toor", "http://"+at+"/x.php"), "404 1.1")
	assert.Contains(t, run("-d", "log=admin&pwd=123", "http://"+at+"/wp-login.php"), "login_error")
	assert.Contains(t, run("https://"+b.Listen(443)+"/"), "200 1.1")
	assert.Contains(t, run("-T", "/etc/hostname", "http://"+at+"/up/"), "40")
	assert.Equal(t, "hostname", traptest.Fields(b.Wait("file_upload"))["filename"])
}
