package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/fleet"
)

func TestParse_DecoysMayStandAloneOrHaveAFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		variable string
		args     []string
		want     decoysFlag
	}{
		{"", nil, decoysFlag{}},
		{"", []string{"--decoys"}, decoysFlag{on: true}},
		{"", []string{"--decoys", "--developer"}, decoysFlag{on: true}},
		{"", []string{"--decoys=fleet.ini"}, decoysFlag{on: true, file: "fleet.ini"}},
		{"true", nil, decoysFlag{on: true}},
		{"fleet.ini", nil, decoysFlag{on: true, file: "fleet.ini"}},
		{"false", nil, decoysFlag{}},
		{"fleet.ini", []string{"--decoys=no"}, decoysFlag{}},
		{"fleet.ini", []string{"--decoys"}, decoysFlag{on: true}},
	} {
		got := parseServe(t, map[string]string{"DECNET_DECOYS": c.variable}, c.args...)
		assert.Equal(t, c.want, got.Decoys, "%v", c)
	}
	bad := parseFaults(t, nil, "serve", "--decoy-port-offset=65000", "--decoy-mapped=localhost")
	assert.Len(t, bad, 2)
}

// TestServe_DeploysWithoutDecoysForOthersToRun, and the old tools read the file.
func TestServe_DeploysWithoutDecoysForOthersToRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir, withAdmin())
	c := p.admin(t)
	code, text := c.status(t, http.MethodPost, "/api/v1/deckies/deploy", map[string]string{"ini_content": "[web]\nservices=http\n"})
	require.Equal(t, http.StatusOK, code, text)
	assert.Contains(t, text, "this service runs no decoys itself")
	var kept struct {
		Config struct {
			Mode    string
			Deckies []struct{ Name string }
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "decnet-state.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &kept))
	assert.Equal(t, "unihost", kept.Config.Mode)
	require.Len(t, kept.Config.Deckies, 1)
	assert.Equal(t, "web", kept.Config.Deckies[0].Name)
}

// TestServe_LoginsOfReadLogsShowOnTheirDecky: also when others run the decoys.
func TestServe_LoginsOfReadLogsShowOnTheirDecky(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "pot.json")
	p := launch(t, dir, withAdmin(), "--ingest-log-file", log)
	c := p.admin(t)
	code, text := c.status(t, http.MethodPost, "/api/v1/deckies/deploy", map[string]string{"ini_content": "[decoy-01]\nservices=ssh\n[decoy-02]\nservices=ssh\n"})
	require.Equal(t, http.StatusOK, code, text)
	appendLine(t, log, `{"timestamp":"2026-04-17T19:30:11Z","decky":"decoy-01","service":"ssh","event_type":"login_attempt","attacker_ip":"203.0.113.9","fields":{"username":"root","password":"x"},"msg":"","raw_line":"l"}`)
	var deckies []fleet.Decky
	eventually(t, "the login shows", func() bool {
		require.NoError(t, c.deckies(t, &deckies))
		return deckies[0].LastLoginAttempt > 0
	})
	assert.InDelta(t, 1776454211, deckies[0].LastLoginAttempt, 0)
	assert.Zero(t, deckies[1].LastLoginAttempt)
}

// deckies reads the fleet.
func (c *client) deckies(t *testing.T, into *[]fleet.Decky) error {
	t.Helper()
	code, text := c.status(t, http.MethodGet, "/api/v1/deckies", nil)
	require.Equal(t, http.StatusOK, code)
	return json.Unmarshal([]byte(text), into)
}

func TestServe_AFileThatCannotBeDeployedStopsTheStart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[a]\nservices=gopher\n": `there is no service "gopher"`,
		"[a]\nflag\n":            "line 2: neither = nor : is there",
		"[a]\n[a]\nservices=ssh": "line 2: the section [a] is there twice",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "fleet.ini")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		p := begin(t, filepath.Join(dir, "data"), withAdmin(), "--decoys="+path)
		assert.Equal(t, exitFailed, p.wait(t))
		assert.Contains(t, p.stderr.String(), path+": ")
		assert.Contains(t, p.stderr.String(), want)
		assert.NoFileExists(t, filepath.Join(dir, "data", "decnet-state.json"))
	}
	p := begin(t, filepath.Join(t.TempDir(), "data"), withAdmin(), "--decoys=/nowhere/fleet.ini")
	assert.Equal(t, exitFailed, p.wait(t))
	assert.Contains(t, p.stderr.String(), "/nowhere/fleet.ini")
}

func TestDefaultRoute_IsReadFromTheKernelsTable(t *testing.T) {
	t.Parallel()
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	device, gateway, ok := defaultRoute(strings.NewReader(head +
		"eth1\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n" +
		"tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n" +
		"eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"))
	assert.True(t, ok)
	assert.Equal(t, "eth0", device)
	assert.Equal(t, "192.168.2.1", gateway.String())
	for _, table := range []string{"", head, head + "eth0\t00000000\txyz\n", head + "eth0 00000000\n"} {
		_, _, ok := defaultRoute(strings.NewReader(table))
		assert.False(t, ok)
	}
}

func TestFleetPlan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "fleet.ini")
	require.NoError(t, os.WriteFile(path, []byte("[web]\nip=127.10.9.9\nservices=http\ndistro=arch\n[office]\narchetype=printer\n"), 0o600))
	code, out, errs := command(t, "", "fleet", "plan", path, "--data-dir", dir)
	require.Equal(t, exitOK, code, errs)
	lines := strings.Split(out, "\n")
	assert.Regexp(t, `^NAME +ADDRESS +SERVICES +ARCHETYPE +DISTRO +HOST NAME +SYSTEM$`, lines[0])
	assert.Regexp(t, `^web +127\.10\.9\.9 +http +- `, lines[1])
	assert.Regexp(t, `^office +127\.10\.0\.1 +snmp,ftp +printer .* embedded$`, lines[2])
	assert.Equal(t, "note: [web] distro has no effect", lines[3])
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing was deployed")

	require.NoError(t, os.WriteFile(path, []byte("[web]\nservices=gopher\n"), 0o600))
	code, _, errs = command(t, "", "fleet", "plan", path, "--data-dir", dir)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, `[web] there is no service "gopher"`)
}

func TestExampleFleet_CanBeDeployedByAnybody(t *testing.T) {
	t.Parallel()
	ini, err := fleet.ParseINIFile(decnet.ExampleFleet())
	require.NoError(t, err)
	assert.Empty(t, ini.Ignored)
	state := fleet.NewStateFile(filepath.Join(t.TempDir(), "state.json"))
	// The limit of the API, before anybody raised it.
	plan, err := fleet.NewManager(fleet.Options{State: state}).Deploy(t.Context(), fleet.Deployment{INI: ini, Limit: 10})
	require.NoError(t, err)
	assert.Empty(t, plan.Ignored)
	for _, d := range plan.Deckies {
		assert.True(t, strings.HasPrefix(d.IP, "127."), d.IP)
	}
}
