package repo_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"decnet/repo"
)

func TestAttackerAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1":               "192.0.2.1",
		"::ffff:192.0.2.1":        "192.0.2.1",
		"::FFFF:C000:0201":        "192.0.2.1",
		"2001:DB8:0:0:0:0:0:1":    "2001:db8::1",
		"fe80::1%eth0":            "fe80::1",
		"::ffff:192.0.2.1%eth0":   "192.0.2.1",
		"::":                      "::",
		"0.0.0.0":                 "0.0.0.0",
		"":                        repo.UnknownAttacker,
		"Unknown":                 repo.UnknownAttacker,
		"localhost":               repo.UnknownAttacker,
		"192.0.2.1:22":            repo.UnknownAttacker,
		"[2001:db8::1]":           repo.UnknownAttacker,
		"192.0.2.001":             repo.UnknownAttacker,
		"192.0.2":                 repo.UnknownAttacker,
		" 192.0.2.1":              repo.UnknownAttacker,
		"192.0.2.1\x00":           repo.UnknownAttacker,
		"'; DROP TABLE logs; --":  repo.UnknownAttacker,
		"fe80::1%<script>\x1b[2J": "fe80::1",
	} {
		got := repo.AttackerAddress(in)
		assert.Equal(t, want, got, "%q", in)
		assert.Equal(t, got, repo.AttackerAddress(got), "the form is stable")
	}
}

func TestAttackerUUID(t *testing.T) {
	t.Parallel()
	// Made with another program's UUID library: links must outlive every release
	// and agree with other engines.
	assert.Equal(t, "13fda406-1596-5aba-b644-65137a61b105", repo.AttackerUUID("192.0.2.1"))
	assert.NotEqual(t, repo.AttackerUUID("192.0.2.1"), repo.AttackerUUID("192.0.2.10"))
}

func TestValidTime(t *testing.T) {
	t.Parallel()
	for at, want := range map[time.Time]bool{
		{}:                               false,
		time.Unix(0, -1):                 false,
		time.Unix(0, 0):                  true,
		time.Unix(0, repo.MaxUnixNano):   true,
		time.Unix(0, repo.MaxUnixNano+1): false,
		time.Date(2026, 4, 17, 0, 0, 0, 0, time.FixedZone("", -3600)): true,
		time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC):                   false,
	} {
		assert.Equal(t, want, repo.ValidTime(at), at)
	}
	last := time.Unix(0, repo.MaxUnixNano).UTC()
	assert.Equal(t, time.Date(2261, 12, 31, 23, 59, 59, 999999999, time.UTC), last)
}

func TestLogFilter_Match(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)
	l := &repo.Log{Time: at, Service: "ssh"}
	for _, tc := range []struct {
		name string
		f    repo.LogFilter
		want bool
	}{
		{"all", repo.LogFilter{}, true},
		{"the bounds are part of it", repo.LogFilter{Start: at, End: at}, true},
		{"after the start", repo.LogFilter{Start: at.Add(1)}, false},
		{"before the end", repo.LogFilter{End: at.Add(-1)}, false},
		{"another zone", repo.LogFilter{Start: at.In(time.FixedZone("", 7200))}, true},
		{"search", repo.LogFilter{Search: repo.ParseSearch("service:ssh"), Start: at}, true},
		{"search without a match", repo.LogFilter{Search: repo.ParseSearch("service:ftp"), Start: at}, false},
	} {
		assert.Equal(t, tc.want, tc.f.Match(l), tc.name)
	}
}

func TestFilters_IsZero(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	assert.True(t, repo.LogFilter{}.IsZero())
	assert.False(t, repo.LogFilter{Start: at}.IsZero())
	assert.False(t, repo.LogFilter{End: at}.IsZero())
	assert.False(t, repo.LogFilter{Search: repo.And{}}.IsZero())
	assert.True(t, repo.BountyFilter{}.IsZero())
	assert.False(t, repo.BountyFilter{Type: "x"}.IsZero())
	assert.False(t, repo.BountyFilter{Search: "x"}.IsZero())
	assert.True(t, repo.AttackerFilter{}.IsZero())
	assert.False(t, repo.AttackerFilter{Service: "x"}.IsZero())
	assert.False(t, repo.AttackerFilter{Search: "x"}.IsZero())
	one, two := repo.Attacker{Deckies: []string{"a"}}, repo.Attacker{Deckies: []string{"a", "b"}}
	assert.False(t, one.IsTraversal())
	assert.True(t, two.IsTraversal())
}

func TestAddressScope(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"203.0.113.7": "public", "8.8.8.8": "public", "2001:db8::1": "public",
		"10.0.0.1": "private", "172.16.0.1": "private", "172.32.0.1": "public", "192.168.1.1": "private", "fd00::1": "private",
		"127.0.0.1": "loopback", "::1": "loopback", "169.254.1.1": "link_local", "fe80::1": "link_local",
		"0.0.0.0": "unspecified", "::": "unspecified", "": "unspecified", "224.0.0.1": "multicast", "ff02::1": "multicast",
	} {
		assert.Equal(t, want, repo.AddressScope(ip), ip)
	}
}
