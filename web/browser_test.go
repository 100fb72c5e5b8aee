//go:build browser

package web_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
	"decnet/web"
)

// patience bounds each step in the browser; only a failing test takes so long.
const patience = 30 * time.Second

//go:embed testdata/axe.min.js
var axe string

// chromium starts one browser for all tests of a run, or skips them.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("Chromium is missing, so the browser suite is skipped: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(path), chromedp.Flag("lang", "en-US"))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Run(browser), "start Chromium")
	return browser
}

// site is the dashboard before a world of its own, which can be stopped and
// started again on the same port.
type site struct {
	*testutil.World
	t       *testing.T
	handler http.Handler
	address string
	stop    func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	w := testutil.New(t, testutil.With(func(o *api.Options) { o.Ingest = sources{} }))
	handler, err := web.New(w.Server)
	require.NoError(t, err)
	s := &site{World: w, t: t, handler: handler, address: "127.0.0.1:0"}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *site) start() {
	s.t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(s.t.Context(), "tcp", s.address)
	require.NoError(s.t, err)
	s.address = listener.Addr().String()
	server := api.NewHTTPServer(s.handler, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // http.ErrServerClosed
	}()
	s.stop = sync.OnceFunc(func() {
		_ = server.Close()
		<-done
	})
}

// sources tells of one source; what becomes of lines is tested elsewhere.
type sources struct{}

func (sources) Push(context.Context, repo.Push) (repo.Receipt, error) {
	return repo.Receipt{}, &api.PushBusyError{}
}

func (sources) Status() repo.IngestStatus {
	return repo.IngestStatus{Lines: 4, Accepted: 3, Rejected: 1, Sources: []repo.SourceStatus{{
		Name: "/var/log/<img src=x onerror=alert(1)>\x1b[2J", Kind: "file", State: "following", Lines: 4, Accepted: 3, Rejected: 1, RejectedBy: map[string]int64{"not_json": 1},
	}}}
}

func (sources) Explain(line []byte, _ string) repo.Explanation {
	e := testutil.Event(1)
	e.RawLine = string(line)
	return repo.Explanation{Format: "decnet", Events: []repo.Event{e}}
}

// tab is a page of a profile of its own, whose errors are gathered.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site *site
	// profile is what the browser keeps apart from other tabs.
	profile cdp.BrowserContextID

	mu     sync.Mutex
	faults []string
	asked  []string
}

func (s *site) open(browser context.Context, width, height int64) *tab {
	s.t.Helper()
	executor := cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser)
	profile, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(executor)
	require.NoError(s.t, err)
	// Without a window a tab is in the background, where the page sleeps.
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(executor)
	require.NoError(s.t, err)
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithTargetID(id))
	s.t.Cleanup(cancel)
	p := &tab{t: s.t, ctx: ctx, site: s, profile: profile}
	chromedp.ListenTarget(ctx, p.listen)
	p.run("open a tab", cdplog.Enable(), network.Enable(), emulation.SetFocusEmulationEnabled(true), emulation.SetDeviceMetricsOverride(width, height, 1, false))
	return p
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			p.faults = append(p.faults, fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *runtime.EventExceptionThrown:
		p.faults = append(p.faults, "exception: "+e.ExceptionDetails.Error())
	case *cdplog.EventEntryAdded:
		// Security reports, such as those of the content policy, come here too.
		p.faults = append(p.faults, fmt.Sprintf("log: %s %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, e.Request.URL)
	}
}

// run does actions within the test's patience; on failure it tells the page's text.
func (p *tab) run(what string, actions ...chromedp.Action) {
	p.t.Helper()
	if err := p.try(actions...); err != nil {
		var text string
		_ = p.try(chromedp.Evaluate(`document.body.innerText.slice(0, 1500)`, &text))
		p.mu.Lock()
		defer p.mu.Unlock()
		require.NoErrorf(p.t, err, "%s; faults: %v; the page says: %s", what, p.faults, text)
	}
}

func (p *tab) try(actions ...chromedp.Action) error {
	// The first Run of a tab binds it to its context, which must not end early.
	if chromedp.FromContext(p.ctx).Target == nil {
		if err := chromedp.Run(p.ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// until waits for a condition in JavaScript.
func (p *tab) until(condition string) {
	p.t.Helper()
	p.run(condition, chromedp.Poll(condition, nil, chromedp.WithPollingTimeout(patience)))
}

func (p *tab) visit(path string) {
	p.t.Helper()
	p.run("visit "+path, chromedp.Navigate("http://"+p.site.address+path))
	p.settled()
}

// settled waits until what the page asked for is shown.
func (p *tab) settled() {
	p.t.Helper()
	p.until(`!!document.querySelector('main h1') && !document.querySelector('.skeleton')`)
}

func (p *tab) eval(js string) string {
	p.t.Helper()
	var out any
	p.run(js, chromedp.Evaluate(js, &out, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
	text, err := json.Marshal(out)
	require.NoError(p.t, err)
	return strings.Trim(string(text), `"`)
}

func (p *tab) click(text string) {
	p.t.Helper()
	quoted, err := json.Marshal(text)
	require.NoError(p.t, err)
	find := fmt.Sprintf(`[...document.querySelectorAll('dialog[open] button, button, a')].find(b => b.textContent.trim() === %s && !b.disabled && b.offsetParent && (!document.querySelector('dialog[open]') || b.closest('dialog')))`, quoted)
	p.until("!!" + find)
	p.eval(find + ".click()")
}

func (p *tab) signIn(username, password string) {
	p.t.Helper()
	p.run("sign in", chromedp.Navigate("http://"+p.site.address+"/"), chromedp.WaitVisible(`input[name=username]`),
		chromedp.SendKeys(`input[name=username]`, username), chromedp.SendKeys(`input[name=password]`, password+"\r"))
	p.until(`!!document.querySelector('nav.rail, input[name=fresh]')`)
}

// harmless fails if anything went wrong in the page, or a token was in a URL.
func (p *tab) harmless() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	assert.Empty(p.t, p.faults)
	for _, url := range p.asked { // data: the browser draws the icons of its own inputs so
		assert.Truef(p.t, strings.HasPrefix(url, "http://"+p.site.address+"/") || strings.HasPrefix(url, "blob:") || strings.HasPrefix(url, "data:image/svg+xml;base64,"), "the page asked for %s", url)
		assert.NotContains(p.t, url, "token", "a token is in a URL")
	}
	p.faults = nil
}

// accessible fails if axe-core finds something. The page's policy forbids
// scripts of others, so it is run by the debugger.
func (p *tab) accessible(where string) {
	p.t.Helper()
	p.run("load axe", chromedp.Evaluate(axe+"\n;1", nil))
	found := p.eval(`axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
		.then(r => r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ') + ' ' + (n.any[0] ? n.any[0].message : '')).join(' | ')).join('\n'))`)
	assert.Emptyf(p.t, found, "axe-core on %s", where)
}

// fits fails if the page must be scrolled sideways.
func (p *tab) fits(where string) {
	p.t.Helper()
	assert.Equalf(p.t, "true", p.eval(`document.documentElement.scrollWidth <= innerWidth`), "%s is wider than the window", where)
}

func attackerPath(w *testutil.World) string {
	type page struct{ Data []struct{ UUID string } }
	return "/attackers/" + testutil.Decode[page](w.Viewer.Get("/api/v1/attackers?sort_by=active&limit=1").OK()).Data[0].UUID
}

func allPages(w *testutil.World) []string {
	return []string{"/", "/events", "/attackers", attackerPath(w), "/credentials", "/bounty", "/fleet", "/ingest", "/health", "/settings"}
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"EveryPage": everyPage, "LiveTail": liveTail, "Export": export, "DragZoom": dragZoom, "Deploy": deploy,
		"ForcedPasswordChange": forcedPasswordChange, "Reconnect": reconnect, "Hostile": hostile, "Keyboard": keyboard, "ManyRows": manyRows, "OldEventsComeLate": oldEventsComeLate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, browser)
		})
	}
}

// everyPage opens every page in both roles, sizes and themes.
func everyPage(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(60)
	s.Deploy(testutil.Decky(0), testutil.Decky(1))
	for _, u := range []struct {
		name, theme   string
		width, height int64
	}{{s.AdminUser().Username, "dark", 1440, 900}, {s.ViewerUser().Username, "light", 390, 844}, {s.AdminUser().Username, "light", 390, 844}} {
		p := s.open(browser, u.width, u.height)
		p.signIn(u.name, testutil.Password)
		p.eval(`localStorage.setItem('decnet.theme', '` + u.theme + `')`)
		for _, path := range allPages(s.World) {
			p.visit(path)
			where := fmt.Sprintf("%s as %s, %d px, %s", path, u.name, u.width, u.theme)
			p.fits(where)
			if u.theme == "dark" || u.width < 720 && u.name == s.AdminUser().Username { // the viewer's pages are the admin's with less
				p.accessible(where)
			}
			assert.Empty(t, p.eval(`[...document.querySelectorAll('.failed')].map(e => e.textContent).join()`), where)
			p.harmless()
		}
		may := u.name == s.AdminUser().Username
		assert.Equal(t, fmt.Sprint(may), p.eval(`document.body.innerText.includes('New user')`), "who may see users")
		p.visit("/fleet")
		assert.Equal(t, fmt.Sprint(may), p.eval(`[...document.querySelectorAll('button')].some(b => b.textContent === 'Deploy')`), "who may deploy")
		p.click("Sign out")
		p.until(`!!document.querySelector('input[name=username]')`)
		assert.Equal(t, "null", p.eval(`sessionStorage.getItem('decnet.session')`))
		assert.NotContains(t, p.eval(`JSON.stringify(localStorage)`), "eyJ", "a token outlives the session")
		p.accessible("sign-in")
		p.harmless()
	}
}

func liveTail(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(5)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	p.until(`!!document.querySelector('.chip.live')`)
	s.Seed(7)
	p.until(`document.querySelectorAll('.rows .row').length === 12`)
	p.click("Pause")
	s.Seed(3)
	p.click("Resume, 3 new")
	p.until(`document.querySelectorAll('.rows .row').length === 15`)
	assert.Equal(t, "15", p.eval(`new Set([...document.querySelectorAll('.rows .row')].map(r => r.id)).size`), "no row twice")
	assert.Equal(t, "15 events", p.eval(`document.querySelector('.count').textContent`))
	p.visit("/")
	p.until(`!!document.querySelector('.chip.live')`)
	s.Seed(2)
	p.until(`document.querySelector('.counters dd').textContent.startsWith('17')`)
	p.harmless()
}

func manyRows(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(1)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	p.until(`!!document.querySelector('.chip.live')`)
	for range 10 {
		s.Seed(500)
	}
	p.until(`document.querySelector('.count').textContent === '5,001 events'`)
	assert.Equal(t, "true", p.eval(`document.querySelectorAll('.rows .row').length < 80`), "rows that nobody looks at are in the page")
	p.harmless()
}

// oldEventsComeLate: the newest events by time are not the latest committed.
func oldEventsComeLate(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(400)
	for i := range 50 {
		e := testutil.Event(i)
		e.Time = e.Time.Add(-1000 * time.Hour)
		s.Commit(e)
	}
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	p.until(`!!document.querySelector('.chip.live')`)
	s.Seed(1)
	p.until(`document.querySelector('.count').textContent === '451 events'`)
	p.harmless()
}

func export(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(2300)
	e := testutil.Event(1)
	e.Decky, e.RawLine = "=cmd|' /C calc'!A1", "first\n\"second\", third"
	s.Commit(e)
	dir := t.TempDir()
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.run("take downloads", setDownloads(p, dir))
	p.visit("/events")
	rows := exported(t, p, dir, "ndjson")
	type row struct{ ID int }
	lines := strings.Split(strings.TrimSpace(rows), "\n")
	require.Len(t, lines, 2301)
	ids := map[int]bool{}
	for _, line := range lines {
		var r row
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		ids[r.ID] = true
	}
	for offset := 0; offset < 3000; offset += 1000 {
		for _, r := range testutil.Decode[struct{ Data []row }](s.Viewer.Get(fmt.Sprintf("/api/v1/logs?limit=1000&offset=%d", offset)).OK()).Data {
			assert.True(t, ids[r.ID], "the API has row %d, the file has not", r.ID)
		}
	}
	assert.Len(t, ids, 2301)
	p.visit("/events?search=" + "service%3Assh")
	text := exported(t, p, dir, "csv")
	records := readCSV(t, text)
	total := testutil.Decode[struct{ Total int }](s.Viewer.Get("/api/v1/logs?limit=1&search=service%3Assh").OK()).Total
	assert.Len(t, records, total+1)
	p.visit("/events?search=calc")
	records = readCSV(t, exported(t, p, dir, "csv"))
	require.Len(t, records, 2)
	assert.Equal(t, "'=cmd|' /C calc'!A1", records[1][2], "a formula")
	assert.Equal(t, e.RawLine, records[1][8])
	p.harmless()
}

func dragZoom(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(300)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	p.until(`!!document.querySelector('.u-over')`)
	drag(p, ".u-over", 0.3, 0.6)
	p.until(`location.search.includes('start=') && location.search.includes('end=')`)
	p.settled()
	type page struct{ Total int }
	q := p.eval(`(() => { const q = new URLSearchParams(location.search); return 'start_time=' + encodeURIComponent(q.get('start')) + '&end_time=' + encodeURIComponent(q.get('end')); })()`)
	q = strings.ReplaceAll(q, `\u0026`, "&")
	total := testutil.Decode[page](s.Viewer.Get("/api/v1/logs?limit=1&" + q).OK()).Total
	assert.Greater(t, total, 20)
	assert.Less(t, total, 200)
	p.until(fmt.Sprintf(`document.querySelector('.count').textContent.startsWith('%d event')`, total))
	p.run("back", chromedp.NavigateBack())
	p.until(`document.querySelector('.count').textContent === '300 events'`)
	p.harmless()
}

func deploy(t *testing.T, browser context.Context) {
	s := newSite(t)
	p := s.open(browser, 1440, 900)
	p.signIn(s.AdminUser().Username, testutil.Password)
	p.visit("/fleet")
	p.click("Deploy")
	p.until(`!!document.querySelector('dialog[open] textarea')`)
	p.eval(`(() => { const t = document.querySelector('[data-ini]'); t.value = '[general]\nnet = 192.0.2.0/24\n\n[shop]\nservices = ssh,http\n'; t.dispatchEvent(new Event('input', {bubbles: true})); })()`)
	p.click("Dry run")
	p.until(`document.querySelector('dialog[open]').innerText.includes('1 decoy would be deployed')`)
	p.accessible("the deployment dialog")
	assert.Empty(t, testutil.Decode[[]any](s.Viewer.Get("/api/v1/deckies").OK()), "a dry run changes nothing")
	p.click("Deploy")
	p.until(`document.querySelectorAll('.cards .card').length === 1`)
	p.click("Interval")
	p.run("type", chromedp.SendKeys(`dialog[open] input[name=v]`, "7d\r"))
	p.until(`document.querySelector('.card').innerText.includes('7 days')`)
	p.click("Mutate")
	p.until(`!!document.querySelector('dialog[open]')`)
	p.click("Mutate")
	p.until(`!document.querySelector('dialog[open]')`)
	p.click("Remove")
	p.until(`!!document.querySelector('dialog[open]')`)
	p.click("Remove")
	p.until(`!document.querySelector('.card')`)
	p.harmless()
}

func forcedPasswordChange(t *testing.T, browser context.Context) {
	s := newSite(t)
	p := s.open(browser, 390, 844)
	p.signIn(s.MustChangeUser().Username, testutil.Password)
	p.run("visit another page", chromedp.Navigate("http://"+s.address+"/events"), chromedp.WaitVisible(`input[name=fresh]`))
	p.accessible("the change of the password")
	p.run("type", chromedp.SendKeys(`input[name=old]`, testutil.Password), chromedp.SendKeys(`input[name=fresh]`, "another-good-one"), chromedp.SendKeys(`input[name=again]`, "another-good-one\r"))
	p.until(`!!document.querySelector('nav.rail')`)
	p.settled()
	p.harmless()
	s.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": s.MustChangeUser().Username, "password": "another-good-one"}).OK()
}

// reconnect: what came while the service was away is shown, each row once.
func reconnect(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(4)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	p.until(`!!document.querySelector('.chip.live')`)
	s.stop()
	p.until(`!!document.querySelector('.chip.waiting, .chip.connecting')`)
	s.Seed(6)
	s.start()
	p.until(`!!document.querySelector('.chip.live')`)
	p.until(`document.querySelectorAll('.rows .row').length === 10`)
	s.Seed(1)
	p.until(`document.querySelectorAll('.rows .row').length === 11`)
	assert.Equal(t, "11", p.eval(`new Set([...document.querySelectorAll('.rows .row')].map(r => r.id)).size`))
}

func keyboard(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(20)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	p.until(`!!document.querySelector('.rows .row')`)
	p.run("j j k Enter", chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.KeyEvent("\r"))
	p.until(`!!document.querySelector('.detail') && location.search.includes('open=')`)
	p.accessible("an opened event")
	p.run("escape", chromedp.KeyEvent("\u001b"))
	p.until(`!document.querySelector('.detail')`)
	// As a keyboard does it: one key that types only if nobody took it.
	p.run("search", input.DispatchKeyEvent(input.KeyDown).WithKey("/").WithText("/"), input.DispatchKeyEvent(input.KeyUp).WithKey("/"))
	p.until(`document.activeElement.matches('[data-search]')`)
	p.run("type", chromedp.KeyEvent("serv"))
	p.until(`document.querySelector('#offers li')?.textContent === 'service:'`)
	p.accessible("suggestions")
	p.run("complete", chromedp.KeyEvent("ice:ssh\r"))
	p.until(`location.search.includes('service%3Assh')`)
	p.settled()
	p.run("leave, and ask for help", chromedp.KeyEvent("\u001b"), chromedp.KeyEvent("\u001b"))
	p.eval(`document.activeElement.blur()`)
	p.run("help", chromedp.KeyEvent("?"))
	p.until(`!!document.querySelector('dialog[open]')`)
	p.accessible("help")
	p.run("close", chromedp.KeyEvent("\u001b"))
	p.until(`!document.querySelector('dialog[open]')`)
	p.run("go", chromedp.KeyEvent("g"), chromedp.KeyEvent("c"))
	p.until(`location.pathname === '/credentials'`)
	p.settled()
	p.harmless()
}

// screenshots makes the pictures of the documentation, when a folder is named.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	dir, url := os.Getenv("DECNET_SCREENSHOTS"), os.Getenv("DECNET_URL")
	if dir == "" || url == "" {
		t.Skip("make screenshots says where the pictures go")
	}
	browser := chromium(t)
	s := &site{t: t, address: strings.TrimPrefix(url, "http://")}
	shoot := func(p *tab, name string) {
		var picture []byte
		p.until(`document.getAnimations().every(a => a.playState !== 'running') && (!document.querySelector('.histogram') || !!document.querySelector('.u-over'))`)
		p.run("take a picture", chromedp.CaptureScreenshot(&picture))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
	}
	p := s.open(browser, 1440, 900)
	p.signIn("admin", os.Getenv("DECNET_ADMIN_PASSWORD"))
	p.eval(`localStorage.setItem('decnet.theme', 'dark')`)
	for name, path := range map[string]string{"overview": "/", "events": "/events?search=event%3Alogin_failed", "attackers": "/attackers?sort_by=active", "credentials": "/credentials"} {
		p.visit(path)
		if name == "events" {
			p.eval(`document.querySelector('.rows .row:nth-child(3)').click()`)
		}
		shoot(p, name)
	}
	p.visit("/attackers?sort_by=active")
	p.eval(`document.querySelector('tbody a').click()`)
	p.until(`location.pathname.length > 20 && !!document.querySelector('.trail')`)
	shoot(p, "attacker")
	phone := s.open(browser, 390, 844)
	phone.signIn("admin", os.Getenv("DECNET_ADMIN_PASSWORD"))
	phone.eval(`localStorage.setItem('decnet.theme', 'light')`)
	phone.visit("/")
	shoot(phone, "phone")
	p.harmless()
}
