//go:build browser

package web_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy"
	"decnet/testutil"
)

// deepLink: an address of an event opens it, wherever it is.
func deepLink(t *testing.T, browser context.Context) {
	s := newSite(t)
	rows := s.Seed(700)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	oldest := fmt.Sprint(rows[0].ID)
	p.visit("/events?open=" + oldest)
	p.until(`document.querySelector('.detail h2')?.textContent === 'Event ` + oldest + `'`)
	assert.Equal(t, "false", p.eval(`!!document.getElementById('event-`+oldest+`')`), "it is far down the list")
	p.accessible("an event that is not in the list")
	p.run("close", chromedp.Click(`.detail header button`))
	p.until(`!document.querySelector('.detail') && !location.search.includes('open')`)
	p.visit("/events?search=service%3Anone&open=" + oldest)
	p.until(`!!document.querySelector('.detail') && document.body.innerText.includes('Nothing matches')`)
	p.harmless()
	for _, nowhere := range []string{"999999", "x%2F..%2F1"} {
		p.visit("/events?open=" + nowhere)
		p.until(`document.querySelector('.failed')?.textContent.includes('There is no event')`)
	}
}

// columns: what somebody chose is there again after a reload, and nothing else is kept.
func columns(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(30)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	heads := `[...document.querySelectorAll('.row.head span')].map(x => x.textContent).join()`
	assert.Equal(t, "Time,Attacker,Decoy,Service,Event,What", p.eval(heads))
	p.click("Columns")
	p.accessible("the choice of columns")
	toggle := func(name string) {
		p.eval(`[...document.querySelectorAll('.columns label')].find(l => l.textContent === '` + name + `').querySelector('input').click()`)
	}
	toggle("Decoy")
	toggle("Raw line")
	toggle("Number")
	p.run("add a field", chromedp.SendKeys(`.columns form input`, "username\r"))
	want := "Number,Time,Attacker,Service,Event,What,Raw line,username"
	p.until(heads + ` === '` + want + `'`)
	p.fits("eight columns")
	p.visit("/events")
	assert.Equal(t, want, p.eval(heads))
	assert.Equal(t, "true", p.eval(`[...document.querySelectorAll('.rows .row > :last-child')].some(x => /^user[0-9]$/.test(x.textContent))`), "the field's values")
	assert.NotContains(t, p.eval(`JSON.stringify(localStorage)`), "eyJ", "a token")
	p.eval(`localStorage.setItem('decnet.columns', '["nonsense", 7, "field:<img src=x>"]')`)
	p.visit("/events")
	assert.Equal(t, "Time,Attacker,Decoy,Service,Event,What", p.eval(heads), "what is broken is not believed")
	p.harmless()
}

// ports takes free ports of the loopback interface for decoys, whatever place they
// would have had.
type ports struct {
	mu    sync.Mutex
	taken []net.Addr
}

func (l *ports) listen(ctx context.Context, network, _ string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, network, "127.0.0.1:0")
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.taken = append(l.taken, listener.Addr())
	}
	return listener, err
}

func (l *ports) listenPacket(ctx context.Context, network, _ string) (net.PacketConn, error) {
	var config net.ListenConfig
	return config.ListenPacket(ctx, network, "127.0.0.1:0")
}

func (l *ports) addresses() []net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]net.Addr(nil), l.taken...)
}

// runningFleet: decoys that really run are deployed, visited, mutated and removed.
func runningFleet(t *testing.T, browser context.Context) {
	places := &ports{}
	driver, err := decoy.New(decoy.Options{Dir: t.TempDir(), Makers: decoy.Makers(), Listen: places.listen, ListenPacket: places.listenPacket})
	require.NoError(t, err)
	s := newSite(t, testutil.Decoys(driver))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		assert.NoError(t, driver.Close(ctx))
	})
	p := s.open(browser, 1440, 900)
	p.signIn(s.AdminUser().Username, testutil.Password)
	p.visit("/fleet")
	p.click("Deploy")
	p.until(`!!document.querySelector('dialog[open] textarea')`)
	p.eval(`(() => { const t = document.querySelector('[data-ini]'); t.value = '[general]\nnet = 192.0.2.0/24\n\n[shop]\nservices = ssh\n'; t.dispatchEvent(new Event('input', {bubbles: true})); })()`)
	p.click("Dry run")
	p.until(`document.querySelector('dialog[open]').innerText.includes('1 decoy would be deployed')`)
	assert.Empty(t, places.addresses(), "a dry run listens nowhere")
	p.click("Deploy")
	p.until(`!!document.querySelector('.card .tag.up')`)
	require.Len(t, places.addresses(), 1)
	visit := func() (string, error) {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", places.addresses()[0].String())
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close() }()
		banner, err := bufio.NewReader(conn).ReadString('\n')
		return banner, err
	}
	banner, err := visit()
	require.NoError(t, err)
	assert.Contains(t, banner, "SSH-2.0-", "the decoy answers")
	p.until(`document.querySelector('.card').innerText.includes('1 ever')`)
	assert.Equal(t, "false", p.eval(`document.body.innerText.includes('runs no decoys itself')`))
	p.accessible("a fleet that runs")
	p.click("Mutate")
	p.until(`!!document.querySelector('dialog[open]')`)
	p.click("Mutate")
	p.until(`!document.querySelector('dialog[open]') && document.querySelector('.said').textContent.length > 0`)
	p.until(`!!document.querySelector('.card .tag.up') && !document.querySelector('.card .tag.down')`)
	services := testutil.Decode[[]struct{ Services []string }](s.Viewer.Get("/api/v1/deckies").OK())[0].Services
	for _, service := range services {
		p.until(`document.querySelector('.card').innerText.includes('` + service + `')`)
	}
	p.click("Remove")
	p.until(`!!document.querySelector('dialog[open]')`)
	p.click("Remove")
	p.until(`!document.querySelector('.card')`)
	_, err = visit()
	require.Error(t, err, "nothing answers any more")
	p.harmless()
}

// hiddenTab: a tab that nobody looks at asks for nothing, and catches up when
// somebody does.
func hiddenTab(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(5)
	executor := cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser)
	var tabs []*tab
	for _, path := range []string{"/events", "/", "/fleet", "/ingest", "/health"} {
		p := s.open(browser, 1200, 800)
		p.signIn(s.ViewerUser().Username, testutil.Password)
		p.visit(path)
		if len(tabs) < 2 {
			p.until(`!!document.querySelector('.chip.live')`)
		}
		// Another tab comes before it in its window.
		p.run("focus as it is", emulation.SetFocusEmulationEnabled(false))
		_, err := target.CreateTarget("about:blank").WithBrowserContextID(p.profile).Do(executor)
		require.NoError(t, err)
		p.until(`document.hidden`)
		tabs = append(tabs, p)
	}
	asked := func(p *tab) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.asked)
	}
	before := make([]int, len(tabs))
	for i, p := range tabs {
		before[i] = asked(p)
	}
	s.Seed(7)
	// Longer than any page waits before it asks again.
	tabs[0].eval(`new Promise(r => setTimeout(r, 16000))`)
	for i, p := range tabs {
		assert.Equal(t, before[i], asked(p), "requests of a tab in the background: %v", p.asked[before[i]:])
	}
	p := tabs[0]
	require.NoError(t, target.ActivateTarget(chromedp.FromContext(p.ctx).Target.TargetID).Do(executor))
	p.until(`!document.hidden && !!document.querySelector('.chip.live')`)
	p.until(`document.querySelectorAll('.rows .row').length === 12`)
	p.harmless()
}

// onPaper: pages are printed whole, without what one can only click.
func onPaper(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(60)
	s.Deploy(testutil.Decky(0))
	p := s.open(browser, 794, 1123) // A4
	p.signIn(s.AdminUser().Username, testutil.Password)
	p.eval(`localStorage.setItem('decnet.theme', 'dark')`)
	for _, path := range allPages(s.World) {
		p.visit(path)
		p.run("print", emulation.SetEmulatedMedia().WithMedia("print"))
		p.fits(path + " on paper")
		assert.Equal(t, "0", p.eval(`[...document.querySelectorAll('.rail, .actions, .toolbar, .copy')].filter(e => e.offsetParent).length`), "%s: what one clicks", path)
		assert.Equal(t, `rgb(255, 255, 255)`, p.eval(`getComputedStyle(document.documentElement).backgroundColor`), path)
		assert.Equal(t, "0", p.eval(`[...document.querySelectorAll('.scroll, .commands')].filter(e => e.scrollHeight > e.clientHeight + 1).length`), "%s: cut tables", path)
		var paper []byte
		p.run("to PDF", chromedp.ActionFunc(func(ctx context.Context) (err error) {
			paper, _, err = page.PrintToPDF().WithPrintBackground(true).Do(ctx)
			return err
		}))
		assert.True(t, strings.HasPrefix(string(paper), "%PDF-"))
		p.run("screen", emulation.SetEmulatedMedia().WithMedia(""))
	}
	p.harmless()
}

// wide: on a large screen nothing is cut, and texts are larger.
func wide(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(200)
	s.Deploy(testutil.Decky(0), testutil.Decky(1))
	p := s.open(browser, 3840, 2160)
	p.signIn(s.AdminUser().Username, testutil.Password)
	for _, path := range allPages(s.World) {
		p.visit(path)
		p.fits(path + ", 3840 px")
		assert.Equal(t, "true", p.eval(`parseFloat(getComputedStyle(document.documentElement).fontSize) >= 20`), path)
		// A line of text needs its height; where it has less its letters are cut.
		assert.Empty(t, p.eval(`[...document.querySelectorAll('main .row > *, main li a > *, main td, main dd, main h2, main button')]
			.filter(e => e.offsetParent && e.textContent && e.clientHeight > 0 && e.clientHeight < parseFloat(getComputedStyle(e).fontSize)).map(e => e.className + ': ' + e.textContent.slice(0, 40)).join()`), path)
		assert.Empty(t, p.eval(`[...document.querySelectorAll('.rows .row')].filter(e => [...e.children].some(c => c.getBoundingClientRect().bottom > e.getBoundingClientRect().bottom + 1)).map(e => e.textContent.slice(0, 40)).join()`), path)
		p.accessible(path + ", 3840 px")
	}
	p.harmless()
}

// interactive tells how long a browser takes that knows nothing yet, on this
// processor and on one that is four times slower. It is a number to look at: other
// work on the machine is in it.
func interactive(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(500)
	for i := range 4 {
		path, slower := []string{"/", "/events"}[i%2], float64(1+i/2*3)
		p := s.open(browser, 1440, 900)
		p.signIn(s.ViewerUser().Username, testutil.Password)
		p.run("a slow laptop, a cold cache", emulation.SetCPUThrottlingRate(slower), chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(`new MutationObserver((_, o) => {
				if (!document.querySelector('main h1') || document.querySelector('.skeleton') || !document.querySelector('.rows .row, .feed li')) return;
				o.disconnect();
				// When the browser has time again, a click would be taken.
				requestAnimationFrame(() => setTimeout(() => { window.ready = performance.now(); }));
			}).observe(document, { childList: true, subtree: true });`).Do(ctx)
			return err
		}), network.ClearBrowserCache())
		p.visit(path)
		p.until(`window.ready > 0`)
		var ms float64
		p.run("read", chromedp.Evaluate(`window.ready`, &ms))
		assert.Positive(t, ms)
		t.Logf("interactive on %s, processor slowed down %v times: after %v", path, slower, time.Duration(ms*float64(time.Millisecond)).Round(time.Millisecond))
		p.harmless()
	}
}
