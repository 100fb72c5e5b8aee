package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
	"decnet/decoy/traptest"
	"decnet/decoy/web"
)

func TestWordPress_TellsNamesAndRefusesPasswords(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "wordpress"})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	at := "http://" + b.Listen(80)
	ask := func(method, path, kind, body string) (int, http.Header, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, at+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", kind)
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close() //nolint:errcheck // it was read
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header, string(text)
	}
	t.Cleanup(client.CloseIdleConnections)
	_, _, users := ask("GET", "/wp-json/wp/v2/users", "", "")
	admin := regexp.MustCompile(`"slug":"(\w+)"`).FindStringSubmatch(users)[1]
	login := func(user, password string) string {
		code, headers, text := ask("POST", "/wp-login.php", "application/x-www-form-urlencoded",
			url.Values{"log": {user}, "pwd": {password}, "wp-submit": {"Log In"}}.Encode())
		assert.Equal(t, 200, code)
		assert.Contains(t, headers.Get("Set-Cookie"), "wordpress_test_cookie=")
		return text
	}
	assert.Contains(t, login(admin, "secret"), "The password you entered for the username <strong>"+admin+"</strong> is incorrect.")
	assert.Contains(t, login("<script>", "x"), "The username <strong>&lt;script&gt;</strong> is not registered on this site.")
	code, headers, _ := ask("GET", "/wp-admin/index.php", "", "")
	assert.Equal(t, 302, code)
	assert.Contains(t, headers.Get("Location"), "/wp-login.php?redirect_to=http%3A%2F%2F127.0.0.1")

	var credentials []string
	for _, e := range b.Events() {
		if f := traptest.Fields(e); f["password"] != "" {
			credentials = append(credentials, f["username"]+" "+f["password"])
		}
	}
	assert.Equal(t, []string{admin + " secret", "<script> x"}, credentials)
}

func TestWordPress_BehindNginxIsFramedAsByFastCGI(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		b := traptest.New(t, web.New, traptest.Options{
			Service: "http", Config: trap.Config{"fake_app": "wordpress"}, Identity: trap.Identity{Decky: fmt.Sprint("d", i)},
		})
		got := get(t, b, "/no-such-post/")
		if !strings.HasPrefix(header(t, got, "Server"), "nginx") {
			continue
		}
		assert.Equal(t, "HTTP/1.1 404 Not Found, Server, Date, Content-Type, Transfer-Encoding, Connection, Expires, Cache-Control, Link", head(got))
		assert.True(t, strings.HasSuffix(got, "</html>\n\r\n0\r\n\r\n"))
		silent := raw(t, b, "HEAD /no-such-post/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		assert.Equal(t, "HTTP/1.1 404 Not Found, Server, Date, Content-Type, Connection, Expires, Cache-Control, Link", head(silent))
		old := raw(t, b, "GET /wp-login.php HTTP/1.0\r\n\r\n")
		assert.True(t, strings.HasSuffix(old, "</html>\n"), "HTTP/1.0 knows no chunks")
		assert.NotContains(t, old, "Transfer-Encoding")
		return
	}
	require.Fail(t, "none of 20 hosts has nginx")
}

func TestWordPress_AMulticallIsManyLogins(t *testing.T) {
	t.Parallel()
	b := bench(t, "debian", trap.Config{"fake_app": "wordpress"})
	call := func(user, password string) string {
		return "<value><struct><member><name>methodName</name><value><string>wp.getUsersBlogs</string></value></member><member><name>params</name><value><array><data><value><array><data><value><string>" +
			user + "</string></value><value><string>" + password + "</string></value></data></array></value></data></array></value></member></struct></value>"
	}
	body := "<?xml version=\"1.0\"?><methodCall><methodName>system.multicall</methodName><params><param><value><array><data>" +
		call("admin", "1&amp;2") + call("admin", "") + call("root", "toor") + "</data></array></value></param></params></methodCall>"
	got := raw(t, b, fmt.Sprintf("POST /xmlrpc.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	assert.Equal(t, 3, strings.Count(got, "Incorrect username or password."))
	f := traptest.Fields(b.Wait("request"))
	assert.Equal(t, []string{"admin", "1&2"}, []string{f["username"], f["password"]})
	more := b.WaitN("auth_attempt", 2)
	assert.Empty(t, traptest.Fields(more[0])["password"])
	assert.Equal(t, "toor", traptest.Fields(more[1])["password"])
}

func TestPhpMyAdmin_RefusesAsMySQLDoes(t *testing.T) {
	t.Parallel()
	b := bench(t, "ubuntu20", trap.Config{"fake_app": "phpmyadmin"})
	path := "/phpmyadmin/index.php"
	if strings.Contains(get(t, b, "/"), "<title>phpMyAdmin</title>") {
		path = "/index.php"
	}
	assert.Contains(t, get(t, b, strings.Replace(path, "index", "wp-login", 1)), "404 Not Found")
	form := "pma_username=root&pma_password=&server=1"
	got := raw(t, b, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, len(form), form))
	assert.Contains(t, got, "Access denied for user &#039;root&#039;@&#039;localhost&#039; (using password: NO)")
	f := traptest.Fields(b.WaitN("request", 3)[2])
	assert.Equal(t, "root", f["username"])
	assert.Contains(t, f, "password")
}

func TestRouter_WantsAPasswordForEverything(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, web.New, traptest.Options{Service: "http", Identity: trap.Identity{System: "embedded"}})
	got := get(t, b, "/cgi-bin/luci")
	assert.Regexp(t, `^HTTP/1\.1 401 `, got)
	assert.Regexp(t, `^Basic realm="[^"]+"$`, header(t, got, "WWW-Authenticate"))
	again := raw(t, b, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n\r\n")
	assert.Regexp(t, `^HTTP/1\.1 401 `, again)
	assert.Equal(t, "admin", traptest.Fields(b.WaitN("request", 2)[1])["password"])
	ios := traptest.New(t, web.New, traptest.Options{Service: "http", Identity: trap.Identity{System: "cisco"}})
	assert.Equal(t, "HTTP/1.1 401 Unauthorized, Date, Server, Connection, Accept-Ranges, WWW-Authenticate", head(get(t, ios, "/level/15/exec/-/show")))
}
