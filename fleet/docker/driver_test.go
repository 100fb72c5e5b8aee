package docker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
	"decnet/fleet/docker"
)

func makeDecky(name, ip string, services ...string) fleet.Decky {
	return fleet.Decky{Name: name, IP: ip, Services: services, Hostname: "SRV-" + strings.ToUpper(name), NmapOS: "linux", Distro: "debian"}
}

func fleetOf(deckies ...fleet.Decky) fleet.Config {
	return fleet.Config{Subnet: "192.0.2.0/24", Gateway: "192.0.2.1", Interface: "eth0", Deckies: deckies}
}

// deckies is a driver of an engine that is imitated.
func newDriver(t *testing.T, e *engine, change func(o *docker.Options)) *docker.Driver {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "decnet")
	require.NoError(t, os.WriteFile(binary, []byte("the program"), 0o600))
	o := docker.Options{
		Host: e.address, Fleet: "fleet-1", Dir: filepath.Join(dir, "decoys"), Binary: binary,
		Compose: filepath.Join(dir, "compose.yml"), User: "1000:1000",
	}
	if change != nil {
		change(&o)
	}
	d, err := docker.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.Close(context.WithoutCancel(t.Context()))) })
	e.dir = o.Dir
	return d
}

func TestApply_MakesImageNetworkAndContainers(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "1.41")
	d := newDriver(t, e, nil)
	a := makeDecky("a_1", "192.0.2.9", "ssh", "snmp")
	a.NmapOS = "windows"
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)))
	require.Equal(t, []string{"a_1"}, e.running())
	assert.Equal(t, map[string]string{"decnet": "the program"}, e.image("decnet-decoy:"+hash12("the program")))

	c := e.container("a_1")
	assert.True(t, strings.HasPrefix(c.name, "decnet-a-1-"), c.name)
	assert.Equal(t, "SRV-A_1", c.spec.Hostname)
	assert.Equal(t, "1000:1000", c.spec.User)
	assert.True(t, c.spec.HostConfig.ReadonlyRootfs)
	assert.Equal(t, []string{"ALL"}, c.spec.HostConfig.CapDrop)
	assert.Equal(t, []string{"no-new-privileges"}, c.spec.HostConfig.SecurityOpt)
	assert.Equal(t, "128", c.spec.HostConfig.Sysctls["net.ipv4.ip_default_ttl"], "as Windows begins")
	assert.Equal(t, "0", c.spec.HostConfig.Sysctls["net.ipv4.tcp_timestamps"])
	assert.True(t, strings.HasPrefix(c.spec.MacAddress, "00:50:56:"), "not one that says Docker: %s", c.spec.MacAddress)
	place := c.spec.NetworkingConfig.EndpointsConfig[c.spec.HostConfig.NetworkMode]
	assert.Equal(t, "192.0.2.9", place.IPAMConfig.IPv4Address)
	n := e.network(c.spec.HostConfig.NetworkMode)
	assert.Equal(t, "macvlan", n.Driver)
	assert.Equal(t, "eth0", n.Options["parent"])
	assert.Equal(t, "192.0.2.1", n.IPAM.Config[0].Gateway)

	statuses := d.Status()
	require.Len(t, statuses, 2)
	assert.Equal(t, "192.0.2.9:22", statuses[0].Address)
	assert.Equal(t, fleet.Running, statuses[0].State)
	var inside fleet.Decky
	raw, err := os.ReadFile(filepath.Join(e.dir, "d-a_1", strings.TrimPrefix(c.spec.Cmd[1], "--config=/decoy/")))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &inside))
	assert.Equal(t, a.Services, inside.Services)
	assert.Equal(t, a.IP, inside.IP)
	compose, err := os.ReadFile(filepath.Join(filepath.Dir(e.dir), "compose.yml"))
	require.NoError(t, err)
	for _, line := range []string{"ipv4_address: 192.0.2.9", "read_only: true", "parent: eth0", "driver: macvlan", "container_name: " + c.name} {
		assert.Contains(t, string(compose), line)
	}
}

func TestApply_TouchesOnlyWhatChanges(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "1.51")
	d := newDriver(t, e, nil)
	e.add("somebody-elses", map[string]string{"decnet.fleet": "fleet-2", "decnet.decky": "other"})
	a, b := makeDecky("a", "192.0.2.9", "ssh"), makeDecky("b", "192.0.2.10", "http")
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a, b)))
	kept := e.container("a").id
	assert.Empty(t, e.container("a").spec.MacAddress)
	assert.NotEmpty(t, e.container("a").spec.NetworkingConfig.EndpointsConfig[e.container("a").spec.HostConfig.NetworkMode].MacAddress)
	minutes := int64(5)
	a.LastMutated, a.LastLoginAttempt, a.MutateInterval = 5, 6, &minutes
	b.Services = []string{"ftp"}
	replaced := e.container("b").id
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a, b, makeDecky("c", "192.0.2.11", "ssh"))))
	assert.Equal(t, kept, e.container("a").id, "nothing about it changed that it could know")
	assert.NotEqual(t, replaced, e.container("b").id)
	assert.Equal(t, []string{"a", "b", "c", "other"}, e.running())
	assert.Equal(t, 1, e.calls("POST /images/create"), "the image is made once")
	assert.Equal(t, 1, e.calls("POST /networks/create"))

	e.set("a", "exited")
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a, b)))
	assert.Equal(t, []string{"a", "b", "other"}, e.running(), "one that ended is made anew")
	assert.NotEqual(t, kept, e.container("a").id)
	kept = e.container("a").id

	again := newDriver(t, e, func(o *docker.Options) { o.Dir = e.dir }) // as after a kill
	require.NoError(t, again.ApplyConfig(t.Context(), fleetOf(a, b)))
	assert.Equal(t, kept, e.container("a").id)
	assert.Equal(t, []string{"a", "b", "other"}, e.running())
	require.NoError(t, again.ApplyConfig(t.Context(), fleetOf()))
	assert.Equal(t, []string{"other"}, e.running())
	assert.Equal(t, 1, e.boxes(), "nor are they there, stopped")
	assert.Empty(t, e.networks())
	assert.Empty(t, again.Status())
}

// TestApply_OfNothingNeedsNoNetwork, and tells where it fails.
func TestApply_OfNothingNeedsNoNetwork(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "1.41")
	d := newDriver(t, e, nil)
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(makeDecky("a", "192.0.2.9", "ssh"))))
	e.fail("POST /containers/stop a")
	require.ErrorContains(t, d.Apply(t.Context(), nil), "it does not want to")
	assert.Equal(t, []string{"a"}, e.running())
	assert.Len(t, d.Status(), 1, "it is still told of")
	e.fail("")
	require.NoError(t, d.Apply(t.Context(), nil))
	assert.Zero(t, e.boxes())
	assert.Empty(t, d.Status())
}

// TestApply_WhatWasRemovedByHandIsMadeAnew: the network, the containers, or both.
func TestApply_WhatWasRemovedByHandIsMadeAnew(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "1.41")
	d := newDriver(t, e, nil)
	a := makeDecky("a", "192.0.2.9", "ssh")
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)))
	e.forget(false, true)
	moved := fleetOf(a)
	moved.Gateway = "192.0.2.254"
	require.NoError(t, d.ApplyConfig(t.Context(), moved), "another network, where there is none")
	require.Len(t, e.networks(), 1)
	assert.Equal(t, "192.0.2.254", e.network(e.networks()[0]).IPAM.Config[0].Gateway)
	e.forget(true, false)
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)), "another network, in which nothing stands")
	require.Len(t, e.networks(), 1)
	assert.Equal(t, "192.0.2.1", e.network(e.networks()[0]).IPAM.Config[0].Gateway)
	assert.Equal(t, []string{"a"}, e.running())
}

// TestApply_ARefusalIsOne, from the smallest status on, and where only the end of
// an answer tells.
func TestApply_ARefusalIsOne(t *testing.T) {
	t.Parallel()
	a := makeDecky("a", "192.0.2.9", "ssh")
	for call, want := range map[string]string{
		"the image":                 "the image of the decoys: the Docker engine says: no space left on device",
		"POST /images/create":       "the image of the decoys: the Docker engine says: it does not want to",
		"POST /networks/create":     "the network 192.0.2.0/24 cannot be made: the Docker engine says: it does not want to",
		"GET /networks":             "list the networks: the Docker engine says: it does not want to",
		"POST /containers/create a": `decky "a": the Docker engine says: it does not want to`,
	} {
		e := newEngine(t, "1.41")
		d := newDriver(t, e, nil)
		e.failWith(call, http.StatusBadRequest)
		require.EqualError(t, d.ApplyConfig(t.Context(), fleetOf(a)), want)
		assert.Zero(t, e.boxes())
		assert.Empty(t, d.Status())
		e.fail("")
		require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)), "and then it works")
	}
}

// TestApply_WhatCannotBeRemovedIsRemovedLater: the new decoys run meanwhile.
func TestApply_WhatCannotBeRemovedIsRemovedLater(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := newEngine(t, "1.41")
	d := newDriver(t, e, func(o *docker.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	a := makeDecky("a", "192.0.2.9", "ssh")
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)))
	a.Services = []string{"ftp"}
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)))
	assert.NotContains(t, log.String(), "level=WARN")
	a.Services = []string{"http"}
	e.fail("DELETE /containers a")
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)))
	assert.Contains(t, log.String(), "a container that was stopped is still there")
	assert.Equal(t, 2, e.boxes())
	e.fail("")
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)))
	assert.Equal(t, 1, e.boxes())
	assert.Equal(t, []string{"a"}, e.running())
}

// TestApply_TheAddressOfTheCardStandsWhereTheEngineReadsIt: since version 1.44 of
// its API that is the endpoint. The compose file has it always.
func TestApply_TheAddressOfTheCardStandsWhereTheEngineReadsIt(t *testing.T) {
	t.Parallel()
	for version, endpoint := range map[string]bool{"1.43": false, "1.44": true, "1.51": true} {
		e := newEngine(t, version)
		d := newDriver(t, e, nil)
		require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(makeDecky("a", "192.0.2.9", "ssh"))))
		spec := e.container("a").spec
		atEndpoint := spec.NetworkingConfig.EndpointsConfig[spec.HostConfig.NetworkMode].MacAddress
		assert.Equal(t, endpoint, atEndpoint != "", version)
		assert.Equal(t, endpoint, spec.MacAddress == "", version)
		compose, err := os.ReadFile(filepath.Join(filepath.Dir(e.dir), "compose.yml"))
		require.NoError(t, err)
		assert.Contains(t, string(compose), "mac_address: "+atEndpoint+spec.MacAddress+"\n", version)
	}
}

func TestClose_LeavesNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "1.41")
	d := newDriver(t, e, nil)
	a := makeDecky("a", "192.0.2.9", "ssh")
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)))
	require.NoError(t, d.Close(t.Context()))
	assert.Zero(t, e.boxes())
	assert.Empty(t, e.networks())
	require.ErrorContains(t, d.ApplyConfig(t.Context(), fleetOf(a)), "closed")
	require.NoError(t, d.Close(t.Context()), "once more")
}

// TestApply_IsAllOrNothing lets each call fail in turn.
func TestApply_IsAllOrNothing(t *testing.T) {
	t.Parallel()
	for call, decky := range map[string]string{
		"GET /containers/json":      "",
		"POST /containers/create c": "c",
		"POST /containers/start c":  "c",
		"POST /containers/stop b":   "b",
		"report c":                  "c",
		"GET /networks":             "",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, "1.41")
			d := newDriver(t, e, nil)
			a, b := makeDecky("a", "192.0.2.9", "ssh"), makeDecky("b", "192.0.2.10", "http")
			require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a, b)))
			compose, err := os.ReadFile(filepath.Join(filepath.Dir(e.dir), "compose.yml"))
			require.NoError(t, err)
			before, id := d.Status(), e.container("b").id
			e.fail(call)
			b.Services = []string{"ftp"}
			err = d.ApplyConfig(t.Context(), fleetOf(a, b, makeDecky("c", "192.0.2.11", "ssh")))
			require.Error(t, err)
			var at *fleet.DeckyError
			if decky != "" && assert.ErrorAs(t, err, &at) {
				assert.Equal(t, decky, at.Decky)
			}
			e.fail("")
			assert.Equal(t, []string{"a", "b"}, e.running())
			assert.Equal(t, id, e.container("b").id)
			assert.Equal(t, before, d.Status())
			now, err := os.ReadFile(filepath.Join(filepath.Dir(e.dir), "compose.yml"))
			require.NoError(t, err)
			assert.Equal(t, string(compose), string(now))
			assert.NoFileExists(t, filepath.Join(filepath.Dir(e.dir), "compose.yml.new"))
			require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a, b, makeDecky("c", "192.0.2.11", "ssh"))), "and then it works")
			assert.Equal(t, []string{"a", "b", "c"}, e.running())
		})
	}
}

func TestApply_WhatTheContainerSaysIsTheReason(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "1.41")
	d := newDriver(t, e, nil)
	e.fail("report a")
	err := d.ApplyConfig(t.Context(), fleetOf(makeDecky("a", "192.0.2.9", "ssh")))
	require.EqualError(t, err, `decky "a", service "ssh": it does not want to`)
	assert.Empty(t, e.running())
}

func TestApply_NeedsANetworkThatContainersCanHave(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "1.41")
	d := newDriver(t, e, nil)
	a := makeDecky("a", "192.0.2.9", "ssh")
	for want, c := range map[string]fleet.Config{
		"containers need a network: give [general] net=":                                     {Deckies: []fleet.Decky{a}},
		"containers cannot stand on the loopback network 127.10.0.0/16: give [general] net=": {Subnet: "127.10.0.0/16", Deckies: []fleet.Decky{a}},
		"containers need an interface of the host: give [general] interface=":                {Subnet: "192.0.2.0/24", Deckies: []fleet.Decky{a}},
	} {
		var plan *fleet.PlanError
		err := d.ApplyConfig(t.Context(), c)
		require.ErrorAs(t, err, &plan)
		require.EqualError(t, err, want)
	}
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(a)))
	moved := fleetOf(a)
	moved.Gateway = "192.0.2.254"
	require.ErrorContains(t, d.ApplyConfig(t.Context(), moved), "the network of containers cannot change while they run")
	assert.Equal(t, []string{"a"}, e.running())
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf()))
	require.NoError(t, d.ApplyConfig(t.Context(), moved))
	require.Error(t, d.Apply(t.Context(), []fleet.Decky{a}), "Apply knows no network")
}

func TestApply_SaysThatTheEngineIsNotThere(t *testing.T) {
	t.Parallel()
	d, err := docker.New(docker.Options{Host: "unix:///nowhere/docker.sock", Fleet: "f", Dir: t.TempDir(), Binary: "x"})
	require.NoError(t, err)
	require.ErrorContains(t, d.ApplyConfig(t.Context(), fleetOf()), "the Docker engine does not answer")
	require.ErrorContains(t, d.Ping(t.Context()), "the Docker engine does not answer")
	require.Error(t, d.Close(t.Context()))
	for _, host := range []string{"", "unix://", "ssh://host", "/var/run/docker.sock"} {
		_, err := docker.New(docker.Options{Host: host, Fleet: "f", Dir: t.TempDir(), Binary: "x"})
		assert.Error(t, err, host)
	}
	_, err = docker.New(docker.Options{Host: "unix:///x", Dir: "relative"})
	require.ErrorContains(t, err, "Fleet is missing")
	require.ErrorContains(t, err, "absolute")
}

// TestStatus_FollowsTheContainers, and takes numbers from inside but no state
// that the engine knows better.
func TestStatus_FollowsTheContainers(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "1.41")
	d := newDriver(t, e, nil)
	require.NoError(t, d.ApplyConfig(t.Context(), fleetOf(makeDecky("a", "192.0.2.9", "ssh"))))
	c := e.container("a")
	file := strings.TrimPrefix(c.spec.Cmd[1], "--config=/decoy/")
	report := func(l fleet.Status) {
		require.NoError(t, docker.WriteReport(filepath.Join(e.dir, "d-a"), docker.Report{Config: file, Listeners: []fleet.Status{l}}))
	}
	good := fleet.Status{Decky: "forged", Service: "ssh", Network: "tcp", Port: 22, State: fleet.Running, Address: "forged", Open: 2, Total: 7, Shed: -1}
	report(good)
	pass := func() { d.Refresh(t.Context()) }
	pass()
	assert.Equal(t, []fleet.Status{{
		Decky: "a", Service: "ssh", Network: "tcp", Port: 22, Address: "192.0.2.9:22", State: fleet.Running, Open: 2, Total: 7,
	}}, d.Status())
	// What is wrong inside a container that runs only the process there knows.
	for _, state := range []fleet.RunState{fleet.BackingOff, fleet.Failed} {
		report(fleet.Status{Service: "ssh", Network: "tcp", Port: 22, State: state, Error: "why"})
		pass()
		assert.Equal(t, state, d.Status()[0].State)
		assert.Equal(t, "why", d.Status()[0].Error)
	}
	e.set("a", "restarting")
	pass()
	assert.Equal(t, "its container ended", d.Status()[0].Error)
	report(good)
	assert.Equal(t, fleet.BackingOff, d.Status()[0].State)
	e.set("a", "exited")
	pass()
	assert.Equal(t, fleet.Failed, d.Status()[0].State)
	e.fail("GET /containers/json")
	pass()
	assert.Equal(t, "list the containers: the Docker engine says: it does not want to", d.Status()[0].Error)
	e.fail("")
	e.set("a", "running")
	pass()
	assert.Equal(t, fleet.Running, d.Status()[0].State)
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "d-a", docker.StatusFile), []byte("{"), 0o600))
	pass()
	assert.Zero(t, d.Status()[0].Total, "what is no report is none")
}

var errUnknown = errors.New("no such call")

// read is a body as text.
func read(r *http.Request) string {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Sprintf("broken: %v", err)
	}
	return string(b)
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
