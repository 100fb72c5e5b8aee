//go:build browser

package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

func TestBrowser(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"EveryPage": everyPage, "LiveTail": liveTail, "Export": export, "DragZoom": dragZoom, "Deploy": deploy,
		"ForcedPasswordChange": forcedPasswordChange, "Reconnect": reconnect, "Hostile": hostile, "Keyboard": keyboard, "ManyRows": manyRows, "Rankings": rankings, "CredentialsOfRange": credentialsOfRange,
		"DeepLink": deepLink, "Columns": columns, "RunningFleet": runningFleet, "HiddenTab": hiddenTab, "OnPaper": onPaper, "Wide": wide, "Interactive": interactive, "OldEventsComeLate": oldEventsComeLate,
		"LongTotal": longTotal, "TypedRange": typedRange, "OneClick": oneClick, "Phone": phone, "Away": away, "Apart": apart, "Steady": steady, "Flood": flood, "FirstBytes": firstBytes, "Settings": settings,
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
			p.accessible(where)
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

// rankings: what leads in a range is counted over all of its events.
func rankings(t *testing.T, browser context.Context) {
	s := newSite(t)
	at := s.Clock.Now()
	var events []repo.Event
	for i := range 1500 {
		e := testutil.Event(1)
		e.Time, e.Service, e.Decky, e.AttackerIP = at.Add(-time.Hour-time.Duration(i)*time.Second), "ssh", "old", "203.0.113.250"
		if i < 1100 {
			e.Time, e.Service, e.Decky, e.AttackerIP = at.Add(-time.Duration(i)*time.Second), "ftp", "new", fmt.Sprintf("198.51.100.%d", i%100)
		}
		events = append(events, e)
	}
	s.Commit(events...)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/?range=day")
	bars := func(title string) string {
		return p.eval(`[...document.querySelectorAll('.panel')].find(x => x.querySelector('h2').textContent === '` + title + `').querySelector('.bars').innerText.replace(/\s+/g, ' ')`)
	}
	p.until(`!!document.querySelector('.bars')`)
	assert.Equal(t, "ftp 1,100 ssh 400", bars("Services"))
	assert.Equal(t, "new 1,100 old 400", bars("Decoys"))
	assert.Contains(t, bars("Top attackers"), "203.0.113.250 400 198.51.100.0 11")
	assert.Contains(t, p.eval(`document.querySelector('.counters').innerText`), "101", "attackers in the range")
	p.click("Hour")
	p.until(`!document.body.innerText.includes('203.0.113.250')`)
	assert.Equal(t, "ftp 1,100", bars("Services"))
	p.harmless()
}

// credentialsOfRange: what was tried most long ago does not lead the last hour.
func credentialsOfRange(t *testing.T, browser context.Context) {
	s := newSite(t)
	var events []repo.Event
	for i, tried := range []struct {
		before time.Duration
		times  int
	}{{20 * 24 * time.Hour, 900}, {3 * 24 * time.Hour, 9}, {2 * time.Hour, 3}, {time.Minute, 2}} {
		for range tried.times {
			e := testutil.Event(0)
			e.Time = s.Clock.Now().Add(-tried.before)
			e.Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: fmt.Sprintf(`{"password":"p%d","username":"u"}`, i)}}
			events = append(events, e)
		}
	}
	s.Commit(events...)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/?range=hour")
	const panel = `[...document.querySelectorAll('.panel')].find(x => x.querySelector('h2').textContent === 'Credentials tried')`
	for _, want := range []struct{ name, bars string }{
		{"Hour", "u : p3 2"}, {"Day", "u : p2 3 u : p3 2"}, {"Week", "u : p1 9 u : p2 3 u : p3 2"}, {"All", "u : p0 900 u : p1 9 u : p2 3 u : p3 2"},
	} {
		p.click(want.name)
		p.until(panel + `?.querySelector('.bars')?.innerText.replace(/\s+/g, ' ') === '` + want.bars + `'`)
	}
	assert.Equal(t, "Credentials tried All", p.eval(panel+`.firstElementChild.innerText.replace(/\s+/g, ' ')`))
	p.eval(panel + `.querySelector('a[href="/credentials"]').click()`)
	p.until(`location.pathname === '/credentials' && document.body.innerText.includes('p0')`)
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

// slowCount is a store that needs long to count a search.
type slowCount struct {
	api.Store

	done atomic.Bool
}

// CountLogs implements [api.LogReader].
func (s *slowCount) CountLogs(ctx context.Context, f repo.LogFilter) (int64, error) {
	n, err := s.Store.CountLogs(ctx, f)
	if err == nil && f.Search != nil && !s.done.Load() {
		return n - 1, repo.ErrTooBroad
	}
	return n, err
}

// longTotal: a total that is only a lower bound says so, until it was counted.
func longTotal(t *testing.T, browser context.Context) {
	store := &slowCount{}
	s := newSite(t, testutil.With(func(o *api.Options) {
		store.Store = o.Store
		o.Store = store
	}))
	s.Seed(30)
	p := s.open(browser, 1440, 900)
	p.signIn(s.ViewerUser().Username, testutil.Password)
	p.visit("/events?search=ssh")
	p.until(`document.querySelector('.count').textContent.startsWith('At least ')`)
	store.done.Store(true)
	p.until(`/^[0-9]+ events match$/.test(document.querySelector('.count').textContent)`)
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
