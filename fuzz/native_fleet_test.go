//go:build fuzz

package fuzz

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"decnet/fleet"
)

// FuzzINI reads any text as a deployment, and wants that what is read holds to
// its bounds, that reading a file is only stricter than reading a text, and that
// what can be planned can be kept.
func FuzzINI(f *testing.F) {
	paths, err := filepath.Glob("../fleet/testdata/ini/*.ini")
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(string(content))
	}
	for _, text := range []string{
		"[a]\nk=%(k)s", "[DEFAULT]\na=%%(b)s\nb=%(a)s%(a)s\n[x.ssh]", "[a]\r[b]\r\n[c]", "[[a]]x\n k=v", "[a]\n\x1c x=1", "[a.ssh.http]\n[a.ssh]", "[-]\namount=+1_0", "[custom-]\nports=1,,2",
		"[general]\nnet=0.0.0.0/0\n[a]\namount=3", "[general]\nnet=255.255.255.255/32\n[a]", "[a]\nip=127.10.0.1\n[b]", "[.http]\nx=1\n[-a]", "[a]\nmutate_interval=9223372036854775807",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ini, err := fleet.ParseINIText(text)
		if err != nil {
			requireSentence(t, err)
		}
		file, fileErr := fleet.ParseINIFile([]byte(text))
		if fileErr == nil && err == nil {
			require.Equal(t, file, ini)
		}
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(ini.Deckies), fleet.MaxDeckies)
		seen := map[string]bool{}
		for _, d := range ini.Deckies {
			require.False(t, seen[d.Name])
			seen[d.Name] = true
			require.NotContains(t, d.Name, "\n")
			for service := range d.ServiceConfig {
				_, known := fleet.ServiceNamed(service)
				require.True(t, known, service)
			}
		}
		planned(t, ini)
	})
}

// planned plans a fleet, and checks what holds for every plan.
func planned(t *testing.T, ini fleet.INI) {
	t.Helper()
	current := fleet.State{Config: fleet.Config{Subnet: "127.10.0.0/16", Deckies: []fleet.Decky{{Name: "a", IP: "127.10.0.1", Hostname: "h"}, {Name: "old", IP: "127.10.0.2"}}}}
	options := fleet.PlanOptions{INI: ini, Current: current, Random: rand.New(rand.NewPCG(1, 2))}
	plan, err := fleet.NewPlan(options)
	if err != nil {
		requireSentence(t, err)
		return
	}
	options.Random = rand.New(rand.NewPCG(1, 2))
	again, err := fleet.NewPlan(options)
	require.NoError(t, err)
	require.Equal(t, plan, again)
	require.Len(t, plan.Deckies, len(ini.Deckies))
	addresses := map[string]string{}
	for _, d := range plan.State.Config.Deckies {
		require.Empty(t, addresses[d.IP], "%s and %s have %s", d.Name, addresses[d.IP], d.IP)
		addresses[d.IP] = d.Name
	}
	for _, d := range plan.Deckies {
		addr, err := netip.ParseAddr(d.IP)
		require.NoError(t, err)
		require.True(t, addr.Is4() && !addr.IsUnspecified() && !addr.IsMulticast())
		require.NotEmpty(t, d.Services)
		require.Contains(t, fleet.OSFamilies(), d.NmapOS)
		listeners := fleet.Listeners(d.Services)
		for _, name := range d.Services {
			require.True(t, slices.ContainsFunc(listeners, func(l fleet.Listener) bool { return l.Service == name }), "%s listens nowhere", name)
		}
	}
	_, err = json.Marshal(plan.State)
	require.NoError(t, err)
}

// requireSentence wants that an error can be shown: one line, without anything
// that a terminal would take for more than text.
func requireSentence(t *testing.T, err error) {
	t.Helper()
	for _, r := range err.Error() {
		require.True(t, r == ' ' || !strings.ContainsRune("\r\n\t\x1b\u202e", r) && r >= ' ', "%q", err.Error())
	}
}
