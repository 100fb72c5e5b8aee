package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
	"decnet/testutil"
)

// managed is a manager over a state file and a driver of its own.
type managed struct {
	*fleet.Manager
	driver *testutil.Driver
	state  *fleet.StateFile
	path   string
}

func manage(t *testing.T, change func(o *fleet.Options)) managed {
	t.Helper()
	m := managed{driver: &testutil.Driver{}}
	m.state, m.path = file(t)
	o := fleet.Options{State: m.state, Driver: m.driver, Seed: [32]byte{1}}
	if change != nil {
		change(&o)
	}
	m.Manager = fleet.NewManager(o)
	return m
}

// run lets the manager look after the fleet until the bubble's test ends.
func (m managed) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func (m managed) deploy(t *testing.T, lines ...string) fleet.Plan {
	t.Helper()
	p, err := m.Deploy(t.Context(), want(t, lines...))
	require.NoError(t, err)
	return p
}

// decky returns one of the kept fleet.
func (m managed) decky(t *testing.T, name string) fleet.Decky {
	t.Helper()
	deckies, err := m.Deckies(t.Context())
	require.NoError(t, err)
	i := slices.IndexFunc(deckies, func(d fleet.Decky) bool { return d.Name == name })
	require.NotEqual(t, -1, i, name)
	return deckies[i]
}

func want(t *testing.T, lines ...string) fleet.Deployment {
	t.Helper()
	i, err := fleet.ParseINIText(strings.Join(lines, "\n"))
	require.NoError(t, err)
	return fleet.Deployment{INI: i}
}

// sleep passes time of the bubble, and a little for what is due then.
func sleep(d time.Duration) {
	time.Sleep(d + 1500*time.Millisecond) //nolint:forbidigo // in a bubble
	synctest.Wait()
}

var errPort = errors.New("address already in use")

// refuse fails for fleets with a decky of that name.
func refuse(name string) func([]fleet.Decky) error {
	return func(deckies []fleet.Decky) error {
		if slices.ContainsFunc(deckies, func(d fleet.Decky) bool { return d.Name == name }) {
			return &fleet.DeckyError{Decky: name, Service: "ssh", Err: errPort}
		}
		return nil
	}
}

func TestDeploy_RunsAndKeeps(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	m.deploy(t, "[a]", "services=ssh", "[b]", "archetype=printer")
	m.deploy(t, "[c]", "services=http")
	assert.Equal(t, []string{"a", "b", "c"}, m.driver.Names())
	assert.Equal(t, []string{"a", "b", "c"}, names(t, fleet.NewStateFile(m.path)))
	kept, err := m.Deckies(t.Context())
	require.NoError(t, err)
	assert.Equal(t, kept, m.driver.Running())

	require.NoError(t, m.Remove(t.Context(), "b"))
	require.ErrorIs(t, m.Remove(t.Context(), "b"), fleet.ErrNoDecky)
	assert.Equal(t, []string{"a", "c"}, m.driver.Names())
	assert.Equal(t, []string{"a", "c"}, names(t, m.state))
}

func TestDeploy_ADryRunIsWhatWouldHappenAndHappensNot(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	m.deploy(t, "[a]", "services=ssh")
	d := want(t, "[b]", "amount=5")
	d.DryRun = true
	dry, err := m.Deploy(t.Context(), d)
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, m.driver.Names())
	assert.Equal(t, []string{"a"}, names(t, m.state))
	m.LoginAttempt("a", time.Now()) // what happens all the time changes no plan
	d.DryRun = false
	done, err := m.Deploy(t.Context(), d)
	require.NoError(t, err)
	assert.NotZero(t, done.State.Config.Deckies[0].LastLoginAttempt)
	done.State.Config.Deckies[0].LastLoginAttempt = 0
	assert.Equal(t, dry, done)
}

// TestDeploy_IsAllOrNothing: neither a plan that is refused, nor a decoy that
// cannot start, nor a file that cannot be written leaves a trace.
func TestDeploy_IsAllOrNothing(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	m.deploy(t, "[a]", "services=ssh")
	content, err := os.ReadFile(m.path)
	require.NoError(t, err)
	unchanged := func() {
		t.Helper()
		assert.Equal(t, []string{"a"}, m.driver.Names())
		now, err := os.ReadFile(m.path)
		require.NoError(t, err)
		assert.Equal(t, string(content), string(now))
	}

	_, err = m.Deploy(t.Context(), want(t, "[b]", "services=ssh", "[c]", "services=gopher"))
	var unplanned *fleet.PlanError
	require.ErrorAs(t, err, &unplanned)
	unchanged()

	m.driver.Fail(refuse("c"))
	_, err = m.Deploy(t.Context(), want(t, "[b]", "services=ssh", "[c]", "services=ssh"))
	var decky *fleet.DeckyError
	require.ErrorAs(t, err, &decky)
	assert.Equal(t, "c", decky.Decky)
	require.ErrorIs(t, err, errPort)
	unchanged()
	_, err = m.Health()
	require.NoError(t, err, "the fleet that is kept runs")

	m.driver.Fail(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Deploy(ctx, want(t, "[b]", "services=ssh"))
	require.ErrorIs(t, err, context.Canceled)
	unchanged()
}

func TestDeploy_WhatCannotBeKeptDoesNotRun(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	m.deploy(t, "[a]", "services=ssh")
	content, err := os.ReadFile(m.path)
	require.NoError(t, err)
	m.state.Limit(int64(len(content)) + 50) // as good as a full disk
	applied := m.driver.Applied()
	_, err = m.Deploy(t.Context(), want(t, "[b]", "services=ssh"))
	require.ErrorIs(t, err, fleet.ErrState)
	assert.Equal(t, applied+2, m.driver.Applied(), "there and back")
	assert.Equal(t, []string{"a"}, m.driver.Names())

	m.driver.Fail(func(deckies []fleet.Decky) error { // the way back
		if len(deckies) == 1 {
			return errPort
		}
		return nil
	})
	_, err = m.Deploy(t.Context(), want(t, "[b]", "services=ssh"))
	require.ErrorIs(t, err, fleet.ErrState)
	require.ErrorIs(t, err, errPort, "both are told")
	m.driver.Fail(nil)
	require.NoError(t, m.Start(t.Context()))
	assert.Equal(t, []string{"a"}, m.driver.Names(), "and what is kept is taken up again")

	put(t, m.path, "{")
	_, err = m.Deploy(t.Context(), want(t, "[b]", "services=ssh"))
	require.ErrorIs(t, err, fleet.ErrState)
	require.ErrorIs(t, m.Remove(t.Context(), "a"), fleet.ErrState)
	content, err = os.ReadFile(m.path)
	require.NoError(t, err)
	assert.Equal(t, "{", string(content), "a broken file is the operator's to mend")
	assert.Equal(t, []string{"a"}, m.driver.Names())
}

func TestDeploy_ManyAtOnceAllCount(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	var all sync.WaitGroup
	for i := range 20 {
		d := want(t, fmt.Sprintf("[d%02d]", i), "services=ssh")
		all.Go(func() {
			_, err := m.Deploy(t.Context(), d)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	deckies := m.driver.Running()
	assert.Len(t, deckies, 20)
	addresses := ips(deckies)
	slices.Sort(addresses)
	assert.Len(t, slices.Compact(addresses), 20)
	assert.Len(t, names(t, m.state), 20)
}

// networked is a driver that wants to know the network.
type networked struct {
	testutil.Driver
	got fleet.Config
}

func (n *networked) ApplyConfig(ctx context.Context, c fleet.Config) error {
	n.got = c
	return n.Apply(ctx, c.Deckies)
}

// TestDeploy_TellsTheNetworkToADriverThatWantsIt, also when only that changes.
func TestDeploy_TellsTheNetworkToADriverThatWantsIt(t *testing.T) {
	t.Parallel()
	driver := &networked{}
	m := manage(t, func(o *fleet.Options) {
		o.Driver, o.ComposePath, o.Services = driver, "/srv/compose.yml", []string{"ssh"}
		o.Network = fleet.Network{Subnet: "192.0.2.0/24", Gateway: "192.0.2.1", Interface: "eth1", IPvlan: true}
	})
	m.deploy(t, "[a]", "services=ssh,ftp")
	assert.Equal(t, "192.0.2.0/24", driver.got.Subnet)
	assert.Equal(t, "192.0.2.1", driver.got.Gateway)
	assert.Equal(t, "eth1", driver.got.Interface)
	assert.True(t, driver.got.IPvlan)
	assert.Equal(t, []string{"ssh"}, driver.got.Deckies[0].Services)
	kept, err := m.state.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "/srv/compose.yml", kept.ComposePath)
	kept.Config.Interface = "eth2"
	require.NoError(t, m.state.Write(t.Context(), kept))
	require.NoError(t, m.Start(t.Context()))
	assert.Equal(t, "eth2", driver.got.Interface)
}

func TestMutate_GivesOtherServicesOfItsKind(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 4, 17, 12, 0, 0, 250_000_000, time.UTC)
	m := manage(t, func(o *fleet.Options) { o.Now = func() time.Time { return now } })
	m.deploy(t, "[db]", "archetype=database-server", "[any]", "services=ssh", "[one]", "archetype=deaddeck")
	before := m.decky(t, "db")
	for range 20 {
		d, changed, err := m.Mutate(t.Context(), "db")
		require.NoError(t, err)
		require.True(t, changed)
		assert.NotEqual(t, slices.Sorted(slices.Values(before.Services)), d.Services)
		assert.Subset(t, []string{"mysql", "postgres", "redis"}, d.Services)
		assert.InDelta(t, 1776427200.25, d.LastMutated, 1e-6)
		assert.Equal(t, d, m.decky(t, "db"))
		before.Services, before.LastMutated = d.Services, d.LastMutated
		assert.Equal(t, before, d, "nothing else changes")
	}
	assert.Equal(t, m.decky(t, "db"), m.driver.Running()[0])

	_, changed, err := m.Mutate(t.Context(), "any")
	require.NoError(t, err)
	assert.True(t, changed)
	d, changed, err := m.Mutate(t.Context(), "one")
	require.NoError(t, err)
	assert.False(t, changed, "its archetype has one service only")
	assert.Equal(t, []string{"ssh"}, d.Services)
	assert.Zero(t, d.LastMutated)
	_, _, err = m.Mutate(t.Context(), "ghost")
	require.ErrorIs(t, err, fleet.ErrNoDecky)
}

// TestSchedule_EachDeckyMutatesOnItsInterval: its own, else the fleet's.
func TestSchedule_EachDeckyMutatesOnItsInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var usual atomic.Int64 // minutes
		usual.Store(3)
		m := manage(t, func(o *fleet.Options) {
			o.Interval = func(context.Context) (int64, error) { return usual.Load(), nil }
		})
		m.run(t)
		m.deploy(t, "[often]", "services=ssh", "mutate_interval=1", "[usual]", "services=ssh", "[one]", "archetype=voip-server")
		sleep(50 * time.Second)
		assert.Zero(t, m.decky(t, "often").LastMutated)
		sleep(10 * time.Second)
		first := m.decky(t, "often").LastMutated
		assert.NotZero(t, first)
		assert.Zero(t, m.decky(t, "usual").LastMutated)
		assert.Equal(t, m.decky(t, "often").Services, m.driver.Running()[0].Services)
		sleep(time.Minute)
		assert.Greater(t, m.decky(t, "often").LastMutated, first, "again and again")
		assert.Zero(t, m.decky(t, "usual").LastMutated)
		sleep(time.Minute)
		assert.NotZero(t, m.decky(t, "usual").LastMutated)

		require.NoError(t, m.SetMutateInterval(t.Context(), "often", nil))
		before, applied := m.decky(t, "often").LastMutated, m.driver.Applied()
		sleep(2 * time.Minute)
		assert.InDelta(t, before, m.decky(t, "often").LastMutated, 0, "it has the fleet's interval now")
		assert.Equal(t, applied, m.driver.Applied(), "one that cannot mutate is no reason to touch the others")
		usual.Store(0)
		sleep(10 * time.Minute)
		assert.InDelta(t, before, m.decky(t, "often").LastMutated, 0, "never")
		minutes := int64(1 << 62)
		require.NoError(t, m.SetMutateInterval(t.Context(), "often", &minutes))
		sleep(10 * time.Minute)
		assert.InDelta(t, before, m.decky(t, "often").LastMutated, 0, "longer than a clock can count")
	})
}

func TestSchedule_AMutationThatFailsChangesNothingAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, nil)
		m.run(t)
		m.deploy(t, "[a]", "services=ssh", "mutate_interval=1")
		before := m.decky(t, "a")
		var tries atomic.Int64
		m.driver.Fail(func(deckies []fleet.Decky) error {
			tries.Add(1)
			return refuse("a")(deckies)
		})
		sleep(110 * time.Second)
		assert.EqualValues(t, 1, tries.Load(), "not once a second")
		assert.Equal(t, before, m.decky(t, "a"))
		assert.Equal(t, before, m.driver.Running()[0])
		m.driver.Fail(nil)
		sleep(time.Minute)
		assert.NotEqual(t, before.Services, m.decky(t, "a").Services)
	})
}

func TestRestart_KeepsTheFleet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, nil)
		m.deploy(t, "[a]", "archetype=linux-server", "[b]", "services=ssh", "mutate_interval=2")
		kept := m.driver.Running()
		again := managed{driver: &testutil.Driver{}, state: fleet.NewStateFile(m.path), path: m.path}
		again.Manager = fleet.NewManager(fleet.Options{State: again.state, Driver: again.driver})
		again.driver.Fail(func(deckies []fleet.Decky) error { // another service would do, but it is not what is kept
			if slices.Equal(deckies[1].Services, []string{"ssh"}) {
				return refuse("b")(deckies)
			}
			return nil
		})
		require.ErrorIs(t, again.Start(t.Context()), errPort)
		_, err := again.Health()
		require.ErrorIs(t, err, errPort)
		again.run(t)
		sleep(3 * time.Minute)
		assert.Empty(t, again.driver.Names())
		assert.Zero(t, again.decky(t, "b").LastMutated, "what does not run does not mutate")
		again.driver.Fail(nil)
		sleep(time.Minute)
		assert.Equal(t, kept[0], again.driver.Running()[0], "it is tried until it works")
		assert.Equal(t, "b", again.driver.Running()[1].Name)
		assert.NotZero(t, again.decky(t, "b").LastMutated, "and then goes on as always")
		_, err = again.Health()
		require.NoError(t, err)
	})
}

// TestState_OfAnotherProcessIsTakenUp: the old tools write the same file.
func TestState_OfAnotherProcessIsTakenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, nil)
		m.run(t)
		m.deploy(t, "[a]", "services=ssh")
		put(t, m.path, fleetOf("x", "y"))
		sleep(0)
		assert.Equal(t, []string{"x", "y"}, m.driver.Names())
		applied := m.driver.Applied()
		sleep(time.Minute)
		assert.Equal(t, applied, m.driver.Applied(), "what runs already is left alone")

		put(t, m.path, "{")
		sleep(0)
		assert.Equal(t, []string{"x", "y"}, m.driver.Names(), "a broken file ends nothing")
		m.driver.Fail(refuse("z"))
		put(t, m.path, fleetOf("z"))
		sleep(0)
		assert.Equal(t, []string{"x", "y"}, m.driver.Names())
		_, err := m.Health()
		require.ErrorContains(t, err, `decky "z", service "ssh"`)
		put(t, m.path, fleetOf("w"))
		sleep(0)
		assert.Equal(t, []string{"w"}, m.driver.Names(), "another fleet need not wait")
		_, err = m.Health()
		require.NoError(t, err)
		require.NoError(t, os.Remove(m.path))
		sleep(0)
		assert.Empty(t, m.driver.Names())
	})
}

// TestState_WhatTheDriverLacksIsLeftOut: another tool may run more than we can.
func TestState_WhatTheDriverLacksIsLeftOut(t *testing.T) {
	t.Parallel()
	m := manage(t, func(o *fleet.Options) { o.Services = []string{"ssh", "http"} })
	require.NoError(t, m.state.Write(t.Context(), fleet.State{Config: fleet.Config{Deckies: []fleet.Decky{
		{Name: "a", Services: []string{"conpot", "ssh"}}, {Name: "b", Services: []string{"llmnr"}},
	}}}))
	require.NoError(t, m.Start(t.Context()))
	assert.Equal(t, []string{"a"}, m.driver.Names())
	assert.Equal(t, []string{"ssh"}, m.driver.Running()[0].Services)
	assert.Equal(t, []string{"conpot", "ssh"}, m.decky(t, "a").Services, "the file stays as it is")
}

func TestLoginAttempt_IsKeptAndSurvives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, nil)
		m.run(t)
		m.deploy(t, "[a]", "services=ssh", "[b]", "services=ssh")
		at := time.Date(2026, 4, 17, 12, 0, 0, 500_000_000, time.UTC)
		m.LoginAttempt("a", at)
		m.LoginAttempt("a", at.Add(-time.Hour))
		m.LoginAttempt("ghost", at)
		assert.InDelta(t, 1776427200.5, m.decky(t, "a").LastLoginAttempt, 1e-6, "the newest, at once")
		assert.Zero(t, m.decky(t, "b").LastLoginAttempt)
		applied := m.driver.Applied()
		sleep(10 * time.Second)
		kept, err := fleet.NewStateFile(m.path).Deckies(t.Context())
		require.NoError(t, err)
		assert.InDelta(t, 1776427200.5, kept[0].LastLoginAttempt, 1e-6)
		assert.Equal(t, applied, m.driver.Applied())

		require.NoError(t, m.Remove(t.Context(), "a"))
		m.deploy(t, "[a]", "services=ssh")
		assert.Zero(t, m.decky(t, "a").LastLoginAttempt, "another one of that name")
	})
}

func TestLoginAttempt_IsWrittenAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, nil)
		m.deploy(t, "[a]", "services=ssh")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Run(ctx)
		}()
		m.LoginAttempt("a", time.Now())
		cancel()
		<-done
		kept, err := fleet.NewStateFile(m.path).Deckies(t.Context())
		require.NoError(t, err)
		assert.NotZero(t, kept[0].LastLoginAttempt)
		entries, err := os.ReadDir(filepath.Dir(m.path))
		require.NoError(t, err)
		assert.Len(t, entries, 1)
	})
}
