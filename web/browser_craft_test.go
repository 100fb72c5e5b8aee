//go:build browser

package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/testutil"
)

// write replaces what is in a field and leaves it with Enter.
func write(p *tab, selector, text string) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`(() => { const i = document.querySelector(%q); i.focus(); i.select(); })()`, selector))
	p.run("write "+text, chromedp.SendKeys(selector, "\b"+text+"\r"))
}

// typedRange: a range is typed as people write times, in their zone or in UTC.
func typedRange(t *testing.T, browser context.Context) {
	s := newSite(t)
	e := testutil.Event(1)
	e.Time = time.Date(2025, 3, 9, 7, 30, 0, 0, time.UTC) // half an hour after New York changed its clocks
	s.Commit(e)
	s.Seed(20)
	p := s.open(browser, 1440, 900)
	p.run("New York", emulation.SetTimezoneOverride("America/New_York"))
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	const from, to = `input[aria-label=From]`, `input[aria-label=To]`
	start := `new URLSearchParams(location.search).get('start')`
	for text, want := range map[string]string{
		"2025-03-09T07:00:00Z": "2025-03-09T07:00:00.000Z", "2025-03-09 07:00 UTC": "2025-03-09T07:00:00.000Z", "2025-03-09 09:00:30+02:00": "2025-03-09T07:00:30.000Z",
		"2025-03-09 01:30": "2025-03-09T06:30:00.000Z", "2025-03-09 03:30": "2025-03-09T07:30:00.000Z", "2025-03-09": "2025-03-09T05:00:00.000Z",
	} {
		write(p, from, text)
		p.until(start + ` === '` + want + `'`)
	}
	write(p, from, "2025-03-09T07:00Z")
	write(p, to, "2025-03-09 03:31")
	p.until(`document.querySelector('.count').textContent === '1 event match'`)
	p.settled()
	assert.Equal(t, "2025-03-09 03:00:00", p.eval(`document.querySelector('`+from+`').value`), "it is told in local time")
	assert.Equal(t, "2025-03-09 07:00:00.000 UTC", p.eval(`document.querySelector('`+from+`').title`))
	assert.Equal(t, "2025-03-09 03:30:00", p.eval(`document.querySelector('.rows .row span').textContent`), "a time of another year has its year")
	assert.Contains(t, p.eval(`document.querySelector('.rows .row span').title`), "2025-03-09 07:30:00.000 UTC")
	for _, wrong := range []string{"yesterday", "2025-02-30", "25:00", "2025-13-01 00:00Z", "<b>1</b>"} {
		write(p, from, wrong)
		p.until(`document.querySelector('` + from + `').getAttribute('aria-invalid') === 'true' && !!document.querySelector('#how-times')`)
	}
	p.accessible("a time that is none")
	assert.Equal(t, "2025-03-09T07:00:00.000Z", p.eval(start), "what is no time changes nothing")
	p.run("leave it", chromedp.KeyEvent("\u001b"))
	p.until(`!document.querySelector('#how-times')`)

	// Who is faster than the page keeps what is typed.
	p.eval(`(async () => {
		const i = document.querySelector('` + from + `');
		const type = (text) => {
			Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(i, text);
			i.dispatchEvent(new Event('input', { bubbles: true }));
		};
		i.focus();
		type('2025-03-09T08:00Z');
		await new Promise((done) => setTimeout(done, 50));
		i.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
		type('2025-03-09 0');
	})()`)
	p.until(start + ` === '2025-03-09T08:00:00.000Z'`)
	p.settled()
	assert.Equal(t, "2025-03-09 0", p.eval(`document.querySelector('`+from+`').value`))
	p.eval(`document.querySelector('[aria-label="Clear the range"]').click()`)
	p.until(`document.querySelector('.count').textContent === '21 events'`)
	write(p, from, "-6h")
	p.until(`Math.abs(Date.now() - Date.parse(` + start + `) - 6 * 3600000) < 60000`)
	p.harmless()
}

// oneClick: from an event, and from a row, it is one step to the attacker.
func oneClick(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(30)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	p.eval(`document.querySelector('.rows .row').click()`)
	p.click("Show this attacker")
	p.until(`/^\/attackers\/[0-9a-f-]{36}$/.test(location.pathname) && !!document.querySelector('.trail')`)
	p.run("back", chromedp.NavigateBack())
	p.until(`location.pathname === '/events'`)
	p.visit("/bounty")
	p.run("j, Enter", chromedp.KeyEvent("j"), chromedp.KeyEvent("\r"))
	p.until(`/^\/attackers\/[0-9a-f-]{36}$/.test(location.pathname)`)
	p.visit("/attackers?ip=192.0.2.254")
	p.until(`document.body.innerText.includes('No attacker has the address 192.0.2.254')`)
	p.visit("/health")
	p.run("search from anywhere", input.DispatchKeyEvent(input.KeyDown).WithKey("/").WithText("/"), input.DispatchKeyEvent(input.KeyUp).WithKey("/"))
	p.until(`location.pathname === '/events' && document.activeElement.matches('[data-search]')`)
	assert.Empty(t, p.eval(`document.activeElement.value`), "the key itself is not typed")
	p.harmless()
}

// phone: the tables are dense, and one sees which page it is.
func phone(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(60)
	p := s.open(browser, 390, 844)
	p.signIn(s.AdminUser().Username, testutil.Password)
	for _, path := range allPages(s.World) {
		p.visit(path)
		assert.Equal(t, "true", p.eval(`(() => { const a = document.querySelector('.rail [aria-current]').getBoundingClientRect(); return a.left >= 0 && a.right <= innerWidth; })()`), "%s: the page's name is in sight", path)
		assert.Empty(t, p.eval(`[...document.querySelectorAll('main > .scroll tbody tr')].filter(e => e.offsetHeight > 90).map(e => e.offsetHeight + ': ' + e.innerText.slice(0, 60)).join()`), "%s: rows that waste the screen", path)
	}
	p.harmless()
}

// away: one says that the service does not answer, once, and nobody needs to
// press anything when it is there again.
func away(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(10)
	for _, name := range []string{"Events", "Attackers", "Bounty"} {
		p := s.open(browser, 1440, 900)
		p.signIn(s.ViewerUser().Username, testutil.Password)
		p.settled()
		s.stop()
		p.click(name)
		p.until(`document.querySelectorAll('.failed').length > 0 && !document.querySelector('.skeleton')`)
		assert.Equal(t, "1", p.eval(`document.querySelectorAll('.failed').length`), name)
		assert.Contains(t, p.eval(`document.querySelector('.failed').textContent`), "decnet does not answer")
		s.start()
		p.until(`!document.querySelector('.failed, .skeleton') && !!document.querySelector('.rows .row, tbody tr')`)
		if name == "Events" {
			p.until(`!!document.querySelector('.u-over')`)
		}
	}
}

// apart: names of attackers neither run into each other nor out of their cells.
func apart(t *testing.T, browser context.Context) {
	s := newSite(t)
	for i, text := range []string{strings.Repeat("W", 200), strings.Repeat("\u202e", 60), strings.Repeat("\u202ew", 40), "short", strings.Repeat("m ", 60)} {
		e := testutil.Event(i)
		e.AttackerIP, e.Decky, e.Service, e.EventType = "203.0.113.9", text, text, text
		e.Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: `{"username":"u","password":"` + strings.Repeat("W", 300) + `"}`}}
		s.Commit(e)
	}
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	for _, path := range []string{"/attackers", "/bounty", "/credentials"} {
		p.visit(path)
		assert.Empty(t, p.eval(`[...document.querySelectorAll('tbody td')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 30)).join()`), "%s: out of their cells", path)
	}
	p.visit(attackerPath(s.World))
	p.until(`document.querySelectorAll('.trail text.n').length === 5`)
	assert.Equal(t, "true", p.eval(`(() => {
		const boxes = [...document.querySelectorAll('.trail text[y="72"]')].map(e => e.getBoundingClientRect());
		return boxes.length === 5 && boxes.every((b, i) => !i || boxes[i - 1].right < b.left);
	})()`), "names in the picture of the path")
	p.harmless()
}

// steady: nothing moves under the hand while a page comes.
func steady(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(200)
	for _, size := range [][2]int64{{1440, 900}, {390, 844}} {
		p := s.open(browser, size[0], size[1])
		p.signIn(s.AdminUser().Username, testutil.Password)
		p.run("observe", chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(`window.moved = []; new PerformanceObserver(l => { for (const e of l.getEntries()) if (!e.hadRecentInput) moved.push([e.value, ...e.sources.map(x => x.node && (x.node.className || x.node.nodeName))]); }).observe({ type: 'layout-shift', buffered: true });`).Do(ctx)
			return err
		}), network.SetCacheDisabled(true))
		for _, path := range allPages(s.World) {
			p.visit(path)
			p.eval(`new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))`)
			var shift float64
			p.run("read", chromedp.Evaluate(`moved.reduce((n, m) => n + m[0], 0)`, &shift))
			t.Logf("%s, %d px: layout shift %.4f", path, size[0], shift)
			assert.LessOrEqual(t, shift, 0.01, "%s, %d px: %s", path, size[0], p.eval(`JSON.stringify(moved)`))
		}
		p.harmless()
	}
}

// flood: thousands of rows a second are shown while the page still answers.
func flood(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(1)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events")
	p.until(`!!document.querySelector('.chip.live')`)
	p.eval(`(() => {
		window.tasks = []; new PerformanceObserver(l => l.getEntries().forEach(e => tasks.push(e.duration))).observe({ type: 'longtask' });
	})()`)
	begin := time.Now()
	for range 30 {
		s.Seed(500)
	}
	committed := time.Since(begin)
	p.until(`document.querySelector('.count').textContent === '15,001 events'`)
	shown := time.Since(begin)
	p.run("a key is taken at once", chromedp.KeyEvent("j"), chromedp.KeyEvent("j"))
	p.until(`!!document.querySelector('.rows .row[aria-selected=true]')`)
	var longest, sum float64
	p.run("read", chromedp.Evaluate(`Math.max(0, ...tasks)`, &longest), chromedp.Evaluate(`tasks.reduce((a, b) => a + b, 0)`, &sum))
	t.Logf("15,000 rows were committed in %v and shown after %v (%.0f a second); longest task %.0f ms, all tasks above 50 ms together %.0f ms", committed.Round(time.Millisecond), shown.Round(time.Millisecond), 15000/shown.Seconds(), longest, sum)
	// Other work on the machine is in it; a list that is drawn whole takes seconds.
	assert.Less(t, longest, 1000.0, "milliseconds in which the page did not answer")
	assert.Equal(t, "true", p.eval(`document.querySelectorAll('.rows .row').length < 80`), "rows that nobody looks at are in the page")
	p.harmless()
}

// firstBytes: what a browser fetches that knows nothing yet.
func firstBytes(t *testing.T, browser context.Context) {
	s := newSite(t)
	s.Seed(200)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.run("a cold cache", network.ClearBrowserCache())
	p.visit("/")
	p.until(`!!document.querySelector('.u-over')`)
	var assets, all float64
	p.run("read", chromedp.Evaluate(`performance.getEntriesByType('resource').filter(e => e.name.includes('/assets/')).reduce((n, e) => n + e.transferSize, performance.getEntriesByType('navigation')[0].transferSize)`, &assets),
		chromedp.Evaluate(`performance.getEntriesByType('resource').reduce((n, e) => n + e.transferSize, performance.getEntriesByType('navigation')[0].transferSize)`, &all))
	t.Logf("the first load transfers %.0f bytes of page and assets, %.0f with the data", assets, all)
	require.Positive(t, assets)
	assert.LessOrEqual(t, assets, float64(150<<10))
	p.harmless()
}

// settings: an administrator sets limits, makes users and sensors, and has a line
// explained; a viewer may only look.
func settings(t *testing.T, browser context.Context) {
	s := newSite(t)
	p := s.open(browser, 1440, 900)
	p.signIn(s.AdminUser().Username, testutil.Password)
	p.visit("/settings")
	write(p, `input[type=number][name=v]`, "25")
	p.until(`document.querySelector('.said').textContent.length > 0`)
	p.visit("/settings")
	assert.Equal(t, "25", p.eval(`document.querySelector('input[type=number][name=v]').value`))
	p.click("New sensor")
	p.run("name it", chromedp.SendKeys(`dialog[open] input[name=name]`, "outpost\r"))
	p.until(`document.querySelector('dialog[open] pre')?.textContent.length > 20`)
	p.accessible("the token of a sensor")
	token := p.eval(`document.querySelector('dialog[open] pre').textContent`)
	p.click("Done")
	p.until(`!document.querySelector('dialog[open]') && document.body.innerText.includes('outpost')`)
	assert.NotContains(t, p.eval(`document.documentElement.outerHTML + JSON.stringify(sessionStorage)`), token, "a token is shown once")
	p.click("New user")
	p.run("name it", chromedp.SendKeys(`dialog[open] input[name=username]`, "eve"), chromedp.SendKeys(`dialog[open] input[name=password]`, "first-password\r"))
	p.until(`!document.querySelector('dialog[open]') && document.body.innerText.includes('must be changed')`)
	p.visit("/ingest")
	p.run("a line", chromedp.SendKeys(`form textarea`, "<b>what is this?</b>"))
	p.click("Explain")
	p.until(`document.querySelector('main [role=status] pre')?.textContent.includes('<b>what is this?</b>')`)
	p.accessible("an explained line")
	p.harmless()
	v := s.open(browser, 1440, 900)
	v.signIn(s.ViewerUser().Username, testutil.Password)
	v.visit("/settings")
	assert.Equal(t, "0", v.eval(`document.querySelectorAll('main input, main button').length`), "a viewer changes nothing")
	assert.Contains(t, v.eval(`document.querySelector('main').innerText`), "25")
	v.harmless()
}
