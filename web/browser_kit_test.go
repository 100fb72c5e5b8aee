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
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
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

func newSite(t *testing.T, more ...testutil.Option) *site {
	t.Helper()
	w := testutil.New(t, append(more, testutil.WallClock(), testutil.With(func(o *api.Options) { o.Ingest = sources{} }))...)
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
	e.RawLine, e.Command = string(line), string(line)
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
	poll := chromedp.Poll(condition, nil, chromedp.WithPollingTimeout(patience))
	p.run(condition, chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			// Where a page was just left, the driver may still ask the old one.
			if err := poll.Do(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "Cannot find context") {
				return err
			}
		}
	}))
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
