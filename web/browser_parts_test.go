//go:build browser

package web_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/testutil"
)

// setDownloads lets the tab save files into a folder.
func setDownloads(p *tab, dir string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		c := chromedp.FromContext(ctx)
		return browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir).WithBrowserContextID(p.profile).
			WithEventsEnabled(true).Do(cdp.WithExecutor(ctx, c.Browser))
	})
}

// exported presses Export and returns the file that was saved.
func exported(t *testing.T, p *tab, dir, form string) string {
	t.Helper()
	saved := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	chromedp.ListenBrowser(ctx, func(event any) {
		if e, ok := event.(*browser.EventDownloadProgress); ok && e.State == browser.DownloadProgressStateCompleted {
			select {
			case saved <- struct{}{}:
			default:
			}
		}
	})
	p.click("Export")
	p.eval(`document.querySelector('[data-export=` + form + `]').click()`)
	p.until(`document.querySelector('.export')?.textContent.includes('saved')`)
	select {
	case <-saved:
	case <-t.Context().Done():
		t.Fatal("no file was saved")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*."+form))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.NoError(t, os.Remove(files[0]))
	return string(data)
}

func readCSV(t *testing.T, text string) [][]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	require.NoError(t, err)
	return records
}

// drag moves the pressed mouse over an element, from and to given in parts of its width.
func drag(p *tab, selector string, from, to float64) {
	p.t.Helper()
	var box []float64
	p.run("measure", chromedp.Evaluate(fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()`, selector), &box))
	x := func(part float64) float64 { return box[0] + part*box[2] }
	y := box[1] + box[3]/2
	mouse := func(kind input.MouseType, at float64) chromedp.Action {
		return input.DispatchMouseEvent(kind, x(at), y).WithButton(input.Left).WithButtons(1).WithClickCount(1)
	}
	p.run("drag", input.DispatchMouseEvent(input.MouseMoved, x(from), y), mouse(input.MousePressed, from), mouse(input.MouseMoved, (from+to)/2), mouse(input.MouseMoved, to), mouse(input.MouseReleased, to))
}

// nasty are texts that attackers would like to be something else than text.
func nasty() map[string]string {
	return map[string]string{
		"script": `<script>document.title='owned'</script>`, "image": `"><img src=x onerror="document.title='owned'">`, "svg": `<svg/onload=alert(1)>`,
		"template": "${alert(1)}{{constructor.constructor('alert(1)')()}}", "vnode": `{"type":"img","props":{"src":"x","onerror":"alert(1)"},"constructor":null}`,
		"link": "javascript:alert(document.domain)", "rtl": "admin\u202egnp.exe\u2066\u2067x", "invisible": "ro\u200bot\u2060\ufeff", "ansi": "\x1b[2J\x1b]0;owned\x07\x1b[31mred", "nul": "a\x00b",
		"formula": "=HYPERLINK(\"http://192.0.2.66\",\"x\")", "combining": "Z" + strings.Repeat("\u0353\u0300\u0489", 200), "lines": strings.Repeat("x\r\n", 500),
		"proto": "__proto__", "long": strings.Repeat("W", 1<<20), "unbroken": strings.Repeat("\u202e<b>", 2000),
	}
}

// hostile commits every such text in every place and opens every page.
func hostile(t *testing.T, b context.Context) {
	s := newSite(t)
	i := 0
	for _, text := range nasty() {
		e := testutil.Event(i)
		i++
		fields, err := json.Marshal(map[string]any{"username": text, "password": text, "command": text, "user_agent": text, "filename": text, "url": "http://192.0.2.66/" + text, "n": i, "deep": map[string]string{"x": text}})
		require.NoError(t, err)
		credential, err := json.Marshal(map[string]string{"username": text, "password": text})
		require.NoError(t, err)
		payload, err := json.Marshal(map[string]any{"url": "http://192.0.2.66/" + text, "filename": text, "sha256": text, "size": i})
		require.NoError(t, err)
		print, err := json.Marshal(map[string]string{"fingerprint_type": "http_useragent", "value": text})
		require.NoError(t, err)
		e.Fields, e.RawLine, e.Command, e.AttackerIP = string(fields), text, text, "203.0.113.9"
		e.EventType, e.Decky, e.Service = cut(text), cut(text), cut(text)
		e.Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: string(credential)}, {Type: repo.BountyPayload, Payload: string(payload)}, {Type: repo.BountyFingerprint, Payload: string(print)}}
		s.Commit(e)
	}
	for _, size := range [][2]int64{{1440, 900}, {390, 844}} {
		p := s.open(b, size[0], size[1])
		p.signIn(s.AdminUser().Username, testutil.Password)
		for _, path := range allPages(s.World) {
			p.visit(path)
			where := fmt.Sprintf("%s, %d px", path, size[0])
			p.fits(where)
			p.unowned(where)
		}
		p.visit("/events")
		for n := range min(len(nasty()), 12) {
			p.eval(fmt.Sprintf(`document.querySelectorAll('.rows .row')[%d].click()`, n))
			p.until(`!!document.querySelector('.detail')`)
			p.fits("an event")
			p.unowned("an event")
			if size[0] < 1000 {
				p.eval(`document.querySelector('.detail header button').click()`)
			}
		}
		p.harmless()
	}
}

// cut keeps what a name may be in a column.
func cut(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "")
	}
	return s
}

// unowned fails if a text became an element, a link, or invisible.
func (p *tab) unowned(where string) {
	p.t.Helper()
	assert.Equalf(p.t, "0", p.eval(`document.querySelectorAll('#app script, #app img, #app iframe, #app [onerror], #app [onload], #app b > b, a[href^="javascript"], a[href^="http://192"]').length`), "markup of an attacker on %s", where)
	assert.NotContainsf(p.t, p.eval(`document.title`), "owned", "%s", where)
	assert.Equalf(p.t, "false", p.eval(`/[\u200b\u202a-\u202e\u2066-\u2069\u001b\u0000\ufeff]/.test(document.getElementById('app').textContent)`), "something invisible on %s", where)
	assert.Equalf(p.t, "true", p.eval(`document.getElementById('app').textContent.length < 600000`), "%s shows a megabyte", where)
}
