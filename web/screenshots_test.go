//go:build browser

package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestScreenshots makes the pictures of the documentation, when a folder is named.
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
