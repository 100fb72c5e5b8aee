package fleet_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
)

func TestCatchall_ListensWhereItsSettingSays(t *testing.T) {
	t.Parallel()
	o := options(t, "[web]", "services=catchall,http", "[web.catchall]", "ports = 79-81, 8081 ,8081,443, 1900/UDP")
	p := plan(t, o)
	assert.Empty(t, p.Ignored)
	got, err := p.Deckies[0].Listeners()
	require.NoError(t, err)
	assert.Equal(t, []fleet.Listener{
		{"catchall", fleet.Port{"tcp", 79}}, {"catchall", fleet.Port{"tcp", 81}}, {"catchall", fleet.Port{"tcp", 8081}}, {"catchall", fleet.Port{"udp", 1900}},
		{"http", fleet.Port{"tcp", 80}}, {"http", fleet.Port{"tcp", 443}},
	}, got, "what another service has is that one's")

	plain := plan(t, options(t, "[a]", "services=catchall")).Deckies[0]
	got, err = plain.Listeners()
	require.NoError(t, err)
	assert.Contains(t, got, fleet.Listener{"catchall", fleet.Port{"tcp", 5555}})

	// A state file of other tools may have a number, or nonsense.
	plain.ServiceConfig = map[string]map[string]json.RawMessage{"catchall": {"ports": json.RawMessage("81")}}
	got, err = plain.Listeners()
	require.NoError(t, err)
	assert.Equal(t, []fleet.Listener{{"catchall", fleet.Port{"tcp", 81}}}, got)
	plain.ServiceConfig["catchall"]["ports"] = json.RawMessage(`["81"]`)
	_, err = plain.Listeners()
	require.ErrorContains(t, err, "the ports of catchall")
}

func TestCatchall_SettingsThatAreNone(t *testing.T) {
	t.Parallel()
	const none = " is no port or range of ports from 1 to 65535, such as 81, 9000-9010 or 1900/udp"
	for ports, want := range map[string]string{
		"":             "it names no port",
		" , ":          "it names no port",
		"http":         `"http"` + none,
		"0":            `"0"` + none,
		"65536":        `"65536"` + none,
		"-1":           `"-1"` + none,
		"9010-9000":    `"9010-9000"` + none,
		"80-":          `"80-"` + none,
		"1-2-3":        `"1-2-3"` + none,
		"80/sctp":      `"80/sctp"` + none,
		"+80":          `"+80"` + none,
		"81 # web":     `"81 # web" (a comment needs a line of its own)` + none,
		"1-101":        "it names more than 100 ports",
		"1-100,65535":  "it names more than 100 ports",
		"1-99999999":   `"1-99999999"` + none,
		"1-2,1-2,3/ud": `"3/ud"` + none,
	} {
		assert.Equal(t, []string{"[a.catchall] ports: " + want}, faults(t, options(t, "[a]", "services=catchall,ssh", "[a.catchall]", "ports="+ports)))
	}
	full, err := plan(t, options(t, "[a]", "services=catchall", "[a.catchall]", "ports=1-99,65535")).Deckies[0].Listeners()
	require.NoError(t, err)
	assert.Len(t, full, fleet.MaxCatchall)
	// It is only looked at where it is used.
	assert.Equal(t, []string{"[a.catchall] has no effect while the decky has no catchall"},
		plan(t, options(t, "[a]", "services=ssh", "[a.catchall]", "ports=x")).Ignored)
	// All of its ports are others': that is said, as for any service.
	assert.Contains(t, plan(t, options(t, "[a]", "services=ssh,catchall", "[a.catchall]", "ports=22")).Ignored,
		"[a] the service catchall is left out: others have its ports")
}

// The older tools don't know these services: a section with such a name that
// describes a decky is one.
func TestCatchall_ADeckyMayHaveItsName(t *testing.T) {
	t.Parallel()
	i, err := fleet.ParseINIText("[a]\nservices=ssh\n[a.catchall]\nservices=ssh\n[a.memcached]\n[b.catchall]\nports=81\n")
	require.NoError(t, err)
	names := make([]string, len(i.Deckies))
	for k := range i.Deckies {
		names[k] = i.Deckies[k].Name
	}
	assert.Equal(t, []string{"a", "a.catchall", "a.memcached"}, names)
	assert.Equal(t, []string{"[b.catchall] belongs to no decky"}, i.Ignored)
}
