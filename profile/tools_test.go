package profile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"decnet/profile"
	"decnet/repo"
)

func TestTools_FromTheBeat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		mean, cv float64
		want     []string
	}{
		{"cobalt strike", 60, 0.20, []string{"cobalt_strike"}},
		{"cobalt strike, least mean", 52, 0.20, []string{"cobalt_strike"}},
		{"cobalt strike, most mean", 68, 0.20, []string{"cobalt_strike"}},
		{"mean too low", 51.999, 0.20, []string{}},
		{"mean too high", 68.001, 0.20, []string{}},
		{"cobalt strike, least cv", 60, 0.15, []string{"cobalt_strike"}},
		{"cv too low", 60, 0.1499, []string{}},
		{"both, most cv", 60, 0.25, []string{"cobalt_strike", "sliver"}},
		{"both, least cv", 60, 0.22, []string{"cobalt_strike", "sliver"}},
		{"sliver", 60, 0.30, []string{"sliver"}},
		{"sliver, bounds", 70, 0.38, []string{"sliver"}},
		{"sliver, beyond", 70.001, 0.38, []string{}},
		{"sliver, cv beyond", 70, 0.3801, []string{}},
		{"havoc", 45, 0.10, []string{"havoc"}},
		{"havoc, bounds", 37, 0.07, []string{"havoc"}},
		{"havoc, beyond", 36.999, 0.07, []string{}},
		{"havoc, cv beyond", 45, 0.1301, []string{}},
		{"mythic", 30, 0.15, []string{"mythic"}},
		{"mythic, bounds", 24, 0.12, []string{"mythic"}},
		{"mythic, beyond", 23.999, 0.12, []string{}},
		{"mythic, cv beyond", 30, 0.1801, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, profile.BeatTools(c.mean, c.cv))
		})
	}
}

func TestTools_FromHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		agent, mailer string
		want          []string
	}{
		{"Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "", []string{"nmap"}},
		{"", "gophish", []string{"gophish"}},
		{"gophish", "", []string{}},
		{"Mozilla/5.00 (Nikto/2.1.6) (Evasions:None)", "", []string{"nikto"}},
		{"sqlmap/1.7.2#stable (https://sqlmap.org)", "", []string{"sqlmap"}},
		{"Nuclei - Open-source project (github.com/projectdiscovery/nuclei)", "", []string{"nuclei"}},
		{"masscan/1.3 (https://github.com/robertdavidgraham/masscan)", "", []string{"masscan"}},
		{"Mozilla/5.0 zgrab/0.x", "", []string{"zgrab"}},
		{"Metasploit RSPEC", "", []string{"metasploit"}},
		{"CURL/7.68.0", "", []string{"curl"}},
		{"PycURL/7.43 libcurl/7.47", "", []string{}},
		{"python-requests/2.31.0", "", []string{"python_requests"}},
		{"gobuster/3.6", "", []string{"gobuster"}},
		{"DirBuster-1.0-RC1 (http://www.owasp.org)", "", []string{"dirbuster"}},
		{"Mozilla/4.0 (Hydra)", "", []string{"hydra"}},
		{"Wfuzz/2.4", "", []string{"wfuzz"}},
		{"Mozilla/5.0 (X11; Linux x86_64) Firefox/125.0", "", []string{}},
		{"nikto over sqlmap", "GoPhish", []string{"gophish", "nikto", "sqlmap"}},
		{strings.Repeat("A", 1<<20) + "sqlmap", "", []string{}},
	} {
		t.Run(c.agent[:min(20, len(c.agent))]+c.mailer, func(t *testing.T) {
			t.Parallel()
			e := at(0, "http")
			e.Traits = repo.Traits{UserAgent: c.agent, Mailer: c.mailer}
			assert.Equal(t, c.want, stored(t, fold(e)).Attacker().Behavior.Tools)
		})
	}
}

func TestTools_AreCollectedOverEventsAndSorted(t *testing.T) {
	t.Parallel()
	events := gapsOf("https", repeat(6, 48*time.Second, 72*time.Second)...)
	events[0].Traits.UserAgent = "sqlmap/1.7"
	events[1].Traits.UserAgent = "curl/8.0"
	events[2].Traits.UserAgent = "curl/8.0"
	assert.Equal(t, []string{"cobalt_strike", "curl", "sqlmap"}, fold(events...).Attacker().Behavior.Tools)
}
