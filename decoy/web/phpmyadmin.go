package web

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"strings"
	"time"

	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
)

// phpMyAdmin imitates the page to log in of phpMyAdmin, at / and at
// /phpmyadmin/.
type phpMyAdmin struct {
	version string
	welcome *welcome
	// root says that the application is at / itself.
	root bool
}

func newPhpMyAdmin(h *trap.Host) *phpMyAdmin {
	version := map[string]string{"ubuntu22": "5.1.1deb5ubuntu1", "ubuntu20": "4.9.5deb2", "debian": "5.2.1deb1", "kali": "5.2.1deb3"}[h.Distro]
	if version == "" {
		version = "5.2.1"
	}
	return &phpMyAdmin{
		version: version, welcome: &welcome{file: apacheWelcome(h)},
		root: h.Rand("phpmyadmin").IntN(3) == 0,
	}
}

func (m *phpMyAdmin) answer(a *ask, s server) page {
	base := "/phpmyadmin"
	if m.root {
		base = ""
	}
	path, inside := strings.CutPrefix(a.Path, base)
	if p, ok := s.(*apache); ok && inside && path == "" {
		return p.redirect(a, 301, a.origin()+a.Path+"/")
	}
	switch {
	case !inside:
		return m.welcome.answer(a, s)
	case a.Method != "GET" && a.Method != "HEAD" && a.Method != "POST":
		return s.missing(a)
	case path == "/" || path == "/index.php":
		return m.login(a)
	default:
		return s.missing(a)
	}
}

// token is a new random value of n bytes, as hexadecimal digits.
func token(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32()) //nolint:gosec // it guards nothing
	}
	return hex.EncodeToString(b)
}

func (m *phpMyAdmin) login(a *ask) page {
	message, user := "", a.Field("pma_username")
	if a.Method == "POST" && user != "" {
		using := "YES"
		if a.Field("pma_password") == "" {
			using = "NO"
		}
		message = fmt.Sprintf(`<div class="alert alert-danger" role="alert"><img src="themes/dot.gif" title="" alt="" class="icon ic_s_error"> Cannot log in to the MySQL server</div>`+
			"\n"+`<div class="alert alert-danger" role="alert"><img src="themes/dot.gif" title="" alt="" class="icon ic_s_error"> mysqli::real_connect(): (HY000/1045): Access denied for user &#039;%s&#039;@&#039;localhost&#039; (using password: %s)</div>`+"\n",
			html.EscapeString(user), using)
	}
	tok := token(16)
	body := fmt.Sprintf(`<!doctype html>
<html lang="en" dir="ltr">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="referrer" content="no-referrer">
  <meta name="robots" content="noindex,nofollow,notranslate">
  <meta name="google" content="notranslate">
  <link rel="icon" href="favicon.ico" type="image/x-icon">
  <link rel="stylesheet" type="text/css" href="./themes/pmahomme/css/theme.css?v=%[1]s">
  <title>phpMyAdmin</title>
</head>
<body id="loginform">
<div id="page_content">
<div class="container">
  <a href="https://www.phpmyadmin.net/" target="_blank" rel="noopener noreferrer" class="logo">
    <img src="./themes/pmahomme/img/logo_right.png" id="imLogo" name="imLogo" alt="phpMyAdmin" border="0">
  </a>
  <h1>Welcome to <bdo dir="ltr" lang="en">phpMyAdmin</bdo></h1>
%[2]s  <form method="post" id="login_form" action="index.php?route=/" name="login_form" class="disableAjax hide js-show">
    <div class="card mb-4"><div class="card-header">Log in</div><div class="card-body">
      <input type="hidden" name="set_session" value="%[3]s">
      <label for="input_username">Username:</label>
      <input type="text" name="pma_username" id="input_username" value="%[4]s" class="form-control" autocomplete="username" spellcheck="false">
      <label for="input_password">Password:</label>
      <input type="password" name="pma_password" id="input_password" value="" class="form-control" autocomplete="current-password" spellcheck="false">
      <input type="hidden" name="server" value="1">
    </div><div class="card-footer">
      <input class="btn btn-primary" value="Log in" type="submit" id="input_go">
      <input type="hidden" name="token" value="%[5]s">
    </div></div>
  </form>
</div>
</div>
</body>
</html>
`, m.version, message, token(13), html.EscapeString(user), tok)
	p := page{status: 200, kind: "text/html; charset=utf-8", body: []byte(body), headers: m.headers(a)}
	if message != "" {
		p.delay = 100 * time.Millisecond
	}
	return p
}

// headers are what phpMyAdmin sends along with each page.
func (m *phpMyAdmin) headers(a *ask) []httptrap.Header {
	path := a.Path[:strings.LastIndexByte(a.Path, '/')+1]
	secure := ""
	if a.tls {
		secure = " secure;"
	}
	policy := "default-src 'self' ;script-src 'self' 'unsafe-inline' 'unsafe-eval' ;style-src 'self' 'unsafe-inline' ;img-src 'self' data:  *.tile.openstreetmap.org;object-src 'none';"
	headers := []httptrap.Header{
		{Name: "Set-Cookie", Value: "phpMyAdmin=" + token(13) + "; path=" + path + ";" + secure + " HttpOnly; SameSite=Strict"},
		{Name: "Set-Cookie", Value: fmt.Sprintf("pma_lang=en; expires=%s; Max-Age=2592000; path=%s;%s HttpOnly; SameSite=Strict",
			httptrap.Date(a.now.AddDate(0, 0, 30)), path, secure)},
		{Name: "X-ob_mode", Value: "1"},
		{Name: "X-Frame-Options", Value: "DENY"},
		{Name: "Referrer-Policy", Value: "no-referrer"},
		{Name: "Content-Security-Policy", Value: policy},
		{Name: "X-XSS-Protection", Value: "1; mode=block"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
		{Name: "X-Permitted-Cross-Domain-Policies", Value: "none"},
		{Name: "X-Robots-Tag", Value: "noindex, nofollow"},
		{Name: "Expires", Value: httptrap.Date(a.now)},
		{Name: "Cache-Control", Value: "no-store, no-cache, must-revalidate,  pre-check=0, post-check=0, max-age=0"},
		{Name: "Pragma", Value: "no-cache"},
		{Name: "Last-Modified", Value: httptrap.Date(a.now)},
	}
	return headers
}

// jsonText is s as it stands inside a JSON string.
func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(b[1 : len(b)-1])
}
