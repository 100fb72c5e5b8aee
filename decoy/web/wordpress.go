package web

import (
	"fmt"
	"html"
	"net/url"
	"strings"
	"time"

	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
)

// wordpress imitates a small blog.
type wordpress struct {
	version, title, admin string
	installed             time.Time
}

// readme and license are the begins of two files that tell scanners what this is.
const (
	readme = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n\t<meta name=\"viewport\" content=\"width=device-width\" />\n" +
		"\t<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\" />\n\t<title>WordPress &#8250; ReadMe</title>\n" +
		"\t<link rel=\"stylesheet\" href=\"wp-admin/css/install.css?ver=20100228\" type=\"text/css\" />\n</head>\n<body>\n" +
		"<h1 id=\"logo\">\n\t<a href=\"https://wordpress.org/\"><img alt=\"WordPress\" src=\"wp-admin/images/wordpress-logo.png\" /></a>\n</h1>\n" +
		"<p style=\"text-align: center\">Semantic Personal Publishing Platform</p>\n</body>\n</html>\n"
	license = "WordPress - Web publishing software\n\nThis program is free software; you can redistribute it and/or modify\n" +
		"it under the terms of the GNU General Public License as published by\nthe Free Software Foundation; either version 2 of the License, or\n" +
		"(at your option) any later version.\n"
)

func newWordPress(h *trap.Host) *wordpress {
	r := h.Rand("wordpress")
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	return &wordpress{
		version:   pick("6.4.3", "6.4.5", "6.5.5", "6.6.2"),
		title:     pick("Company News", "Our Blog", "Team Updates", "Welcome", "Intranet"),
		admin:     pick("admin", "admin", "webmaster", "editor"),
		installed: installed(h).Add(time.Hour).Truncate(time.Second),
	}
}

const htmlUTF8 = "text/html; charset=UTF-8"

// noCache are the headers of pages that must not be kept.
func noCache() []httptrap.Header {
	return []httptrap.Header{
		{Name: "Expires", Value: "Wed, 11 Jan 1984 05:00:00 GMT"},
		{Name: "Cache-Control", Value: "no-cache, must-revalidate, max-age=0"},
	}
}

func (w *wordpress) answer(a *ask, s server) page {
	if a.Method != "GET" && a.Method != "HEAD" && a.Method != "POST" {
		return s.missing(a)
	}
	switch path := strings.ReplaceAll(a.Path, "//", "/"); {
	case path == "/xmlrpc.php":
		return w.xmlrpc(a)
	case path == "/wp-login.php":
		return w.login(a)
	case path == "/wp-admin", strings.HasPrefix(path, "/wp-admin/"):
		return w.admins(a, path)
	case path == "/", path == "/index.php":
		return w.home(a)
	case path == "/wp-json", strings.HasPrefix(path, "/wp-json/"), strings.Contains(a.Query, "rest_route="):
		return w.rest(a, path)
	case path == "/robots.txt":
		return page{status: 200, kind: "text/plain; charset=utf-8", headers: []httptrap.Header{w.link(a)}, body: []byte(
			"User-agent: *\nDisallow: /wp-admin/\nAllow: /wp-admin/admin-ajax.php\n\nSitemap: " + a.origin() + "/wp-sitemap.xml\n")}
	case path == "/readme.html":
		return s.file(a, file{kind: "text/html", body: []byte(readme), modified: w.installed})
	case path == "/license.txt":
		return s.file(a, file{kind: "text/plain", body: []byte(license), modified: w.installed})
	case path == "/wp-includes/":
		return page{status: 403}
	case path == "/wp-cron.php", path == "/wp-content/", path == "/wp-content/plugins/", path == "/wp-content/themes/":
		return page{status: 200, kind: htmlUTF8, body: []byte{}} // "silence is golden"
	case strings.HasPrefix(path, "/wp-content/"), strings.HasPrefix(path, "/wp-includes/"), strings.Contains(path, "."):
		return s.missing(a)
	case path == "/author/"+w.admin+"/":
		return w.document(a, 200, w.admin+" &#8211; "+w.title, "Author: "+w.admin)
	default:
		return w.lost(a)
	}
}

// link announces the REST interface.
func (w *wordpress) link(a *ask) httptrap.Header {
	return httptrap.Header{Name: "Link", Value: "<" + a.origin() + `/wp-json/>; rel="https://api.w.org/"`}
}

// document is a page in the blog's theme.
func (w *wordpress) document(a *ask, status int, title, text string) page {
	base := html.EscapeString(a.origin())
	body := fmt.Sprintf(`<!DOCTYPE html>
<html lang="en-US">
<head>
	<meta charset="UTF-8" />
	<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name='robots' content='max-image-preview:large' />
<title>%[1]s</title>
<link rel="alternate" type="application/rss+xml" title="%[2]s &raquo; Feed" href="%[3]s/feed/" />
<link rel='stylesheet' id='wp-block-library-css' href='%[3]s/wp-includes/css/dist/block-library/style.min.css?ver=%[4]s' media='all' />
<link rel="https://api.w.org/" href="%[3]s/wp-json/" /><link rel="EditURI" type="application/rsd+xml" title="RSD" href="%[3]s/xmlrpc.php?rsd" />
<meta name="generator" content="WordPress %[4]s" />
</head>
<body class="home blog wp-embed-responsive">
<div class="wp-site-blocks">
<header class="wp-block-template-part"><p class="wp-block-site-title"><a href="%[3]s" rel="home">%[2]s</a></p></header>
<main class="wp-block-group">
%[5]s
</main>
<footer class="wp-block-template-part"><p>Designed with <a href="https://wordpress.org" rel="nofollow">WordPress</a></p></footer>
</div>
</body>
</html>
`, title, w.title, base, w.version, text)
	return page{status: status, kind: htmlUTF8, body: []byte(body), headers: []httptrap.Header{w.link(a)}}
}

func (w *wordpress) home(a *ask) page {
	if strings.HasPrefix(a.Query, "author=1") {
		return page{status: 301, kind: htmlUTF8, body: []byte{}, headers: []httptrap.Header{
			{Name: "X-Redirect-By", Value: "WordPress"}, {Name: "Location", Value: a.origin() + "/author/" + w.admin + "/"},
		}}
	}
	return w.document(a, 200, w.title, `<h2 class="wp-block-post-title"><a href="`+html.EscapeString(a.origin())+
		`/hello-world/">Hello world!</a></h2><div class="wp-block-post-excerpt"><p>Welcome to WordPress. This is your first post. Edit or delete it, then start writing!</p></div>`)
}

func (w *wordpress) lost(a *ask) page {
	p := w.document(a, 404, "Page not found &#8211; "+w.title, `<h1>404</h1><p>This page could not be found.</p>`)
	p.headers = append(noCache(), p.headers...)
	return p
}

func (w *wordpress) admins(a *ask, path string) page {
	if path == "/wp-admin" {
		return page{status: 301, headers: []httptrap.Header{{Name: "Location", Value: a.origin() + "/wp-admin/"}}}
	}
	if path == "/wp-admin/admin-ajax.php" {
		return page{status: 400, kind: htmlUTF8, headers: noCache(), body: []byte("0")}
	}
	to := a.origin() + "/wp-login.php?redirect_to=" + url.QueryEscape(a.origin()+a.Target) + "&reauth=1"
	return page{status: 302, kind: htmlUTF8, body: []byte{}, headers: append(noCache(),
		httptrap.Header{Name: "X-Redirect-By", Value: "WordPress"}, httptrap.Header{Name: "Location", Value: to})}
}

// wrong says what is wrong with a login: the name or the password, as WordPress
// does.
func (w *wordpress) wrong(a *ask, user string) string {
	shown := html.EscapeString(user)
	switch {
	case user == "":
		return "<strong>Error:</strong> The username field is empty."
	case a.Field("pwd") == "":
		return "<strong>Error:</strong> The password field is empty."
	case strings.EqualFold(user, w.admin):
		return "<strong>Error:</strong> The password you entered for the username <strong>" + shown +
			"</strong> is incorrect. <a href=\"" + html.EscapeString(a.origin()) + "/wp-login.php?action=lostpassword\">Lost your password?</a>"
	case strings.Contains(user, "@"):
		return "Unknown email address. Check again or try your username."
	default:
		return "<strong>Error:</strong> The username <strong>" + shown +
			"</strong> is not registered on this site. If you are unsure of your username, try your email address instead."
	}
}

// login is wp-login.php.
func (w *wordpress) login(a *ask) page {
	message, user := "", ""
	if a.Method == "POST" {
		user = a.Field("log")
		message = "<div id=\"login_error\" class=\"notice notice-error\"><p>" + w.wrong(a, user) + "</p></div>\n"
	}
	base := html.EscapeString(a.origin())
	body := fmt.Sprintf(`<!DOCTYPE html>
	<html lang="en-US">
	<head>
	<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
	<title>Log In &lsaquo; %[1]s &#8212; WordPress</title>
	<meta name='robots' content='max-image-preview:large, noindex, noarchive' />
<link rel='stylesheet' id='login-css' href='%[2]s/wp-admin/css/login.min.css?ver=%[3]s' media='all' />
	<meta name='referrer' content='strict-origin-when-cross-origin' />
		<meta name="viewport" content="width=device-width" />
		</head>
	<body class="login no-js login-action-login wp-core-ui  locale-en-us">
	<div id="login">
		<h1><a href="https://wordpress.org/">Powered by WordPress</a></h1>
	%[4]s
		<form name="loginform" id="loginform" action="%[2]s/wp-login.php" method="post">
			<p>
				<label for="user_login">Username or Email Address</label>
				<input type="text" name="log" id="user_login" class="input" value="%[5]s" size="20" autocapitalize="off" autocomplete="username" required="required" />
			</p>
			<div class="user-pass-wrap">
				<label for="user_pass">Password</label>
				<div class="wp-pwd">
					<input type="password" name="pwd" id="user_pass" class="input password-input" value="" size="20" autocomplete="current-password" spellcheck="false" required="required" />
				</div>
			</div>
			<p class="forgetmenot"><input name="rememberme" type="checkbox" id="rememberme" value="forever"  /> <label for="rememberme">Remember Me</label></p>
			<p class="submit">
				<input type="submit" name="wp-submit" id="wp-submit" class="button button-primary button-large" value="Log In" />
				<input type="hidden" name="redirect_to" value="%[2]s/wp-admin/" />
				<input type="hidden" name="testcookie" value="1" />
			</p>
		</form>
		<p id="nav"><a class="wp-login-lost-password" href="%[2]s/wp-login.php?action=lostpassword">Lost your password?</a></p>
		<p id="backtoblog"><a href="%[2]s/">&larr; Go to %[1]s</a></p>
	</div>
	</body>
	</html>
`, w.title, base, w.version, message, html.EscapeString(user))
	p := page{status: 200, kind: htmlUTF8, body: []byte(body), headers: append(noCache(),
		httptrap.Header{Name: "Set-Cookie", Value: "wordpress_test_cookie=WP%20Cookie%20check; path=/"},
		httptrap.Header{Name: "X-Frame-Options", Value: "SAMEORIGIN"})}
	if a.Method == "POST" {
		p.delay = 250 * time.Millisecond // hashing takes a time
	}
	return p
}

// xmlrpc is the older interface, which tools prefer for guessing.
func (w *wordpress) xmlrpc(a *ask) page {
	if a.Method != "POST" {
		return page{
			status: 405, kind: "text/plain;charset=UTF-8", body: []byte("XML-RPC server accepts POST requests only."),
			headers: []httptrap.Header{{Name: "Allow", Value: "POST"}},
		}
	}
	answer, delay := called(string(a.Body), a.HasLogin)
	return page{
		status: 200, kind: "text/xml; charset=UTF-8", delay: delay,
		body: []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>\n" + answer + "</methodResponse>\n"),
	}
}

// fault is an error in XML-RPC.
func fault(code int, words string) string {
	return fmt.Sprintf("<struct>\n        <member>\n          <name>faultCode</name>\n          <value><int>%d</int></value>\n        </member>\n"+
		"        <member>\n          <name>faultString</name>\n          <value><string>%s</string></value>\n        </member>\n      </struct>", code, words)
}

const wrongPassword = "Incorrect username or password."

// called is the answer to a call, and how long it takes.
func called(text string, login bool) (string, time.Duration) {
	failed := func(code int, words string) string {
		return "  <fault>\n    <value>\n      " + fault(code, words) + "\n    </value>\n  </fault>\n"
	}
	switch {
	case strings.Contains(text, "system.listMethods"):
		return array(
			"system.multicall", "system.listMethods", "system.getCapabilities", "demo.addTwoNumbers", "demo.sayHello", "pingback.ping",
			"metaWeblog.getPost", "metaWeblog.newPost", "blogger.getUsersBlogs", "wp.getUsersBlogs", "wp.getUsers", "wp.getPosts", "wp.uploadFile",
		), 0
	case strings.Contains(text, "system.multicall"):
		values := make([]string, min(max(strings.Count(text, "methodName</name>"), 1), 50))
		for i := range values {
			values[i] = fault(403, wrongPassword)
		}
		return array(values...), 300 * time.Millisecond
	case login:
		return failed(403, wrongPassword), 200 * time.Millisecond
	case strings.Contains(text, "pingback.ping"):
		return failed(0, ""), 0
	case strings.Contains(text, "<methodName>"):
		return failed(-32601, "server error. requested method does not exist."), 0
	default:
		return failed(-32700, "parse error. not well formed"), 0
	}
}

// array is a list in XML-RPC, of objects and of strings.
func array(values ...string) string {
	var b strings.Builder
	b.WriteString("  <params>\n    <param>\n      <value>\n      <array><data>\n")
	for _, v := range values {
		if !strings.HasPrefix(v, "<") {
			v = "<string>" + v + "</string>"
		}
		b.WriteString("  <value>" + v + "</value>\n")
	}
	b.WriteString("</data></array>\n      </value>\n    </param>\n  </params>\n")
	return b.String()
}

// rest is the newer interface.
func (w *wordpress) rest(a *ask, path string) page {
	headers := []httptrap.Header{
		{Name: "X-Robots-Tag", Value: "noindex"}, w.link(a), {Name: "X-Content-Type-Options", Value: "nosniff"},
		{Name: "Access-Control-Expose-Headers", Value: "X-WP-Total, X-WP-TotalPages, Link"},
		{Name: "Access-Control-Allow-Headers", Value: "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type"},
	}
	p := page{status: 200, kind: "application/json; charset=UTF-8", headers: headers}
	base := strings.ReplaceAll(jsonText(a.origin()), "/", `\/`)
	switch route := strings.TrimSuffix(path, "/"); {
	case strings.HasSuffix(route, "/wp/v2/users"), strings.Contains(a.Query, "wp/v2/users"):
		p.body = fmt.Appendf(nil, `[{"id":1,"name":"%[1]s","url":"%[2]s","description":"","link":"%[2]s\/author\/%[1]s\/","slug":"%[1]s","meta":[]}]`, w.admin, base)
	case route == "/wp-json":
		p.body = fmt.Appendf(nil, `{"name":"%s","description":"","url":"%[2]s","home":"%[2]s","gmt_offset":"0","timezone_string":"","namespaces":["oembed\/1.0","wp\/v2","wp-site-health\/v1","wp-block-editor\/v1"],"authentication":{},"routes":{}}`, w.title, base)
	default:
		p.status = 404
		p.body = []byte(`{"code":"rest_no_route","message":"No route was found matching the URL and request method.","data":{"status":404}}`)
	}
	return p
}
