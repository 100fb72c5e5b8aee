package fleet_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// count is how many lines say it.
func (j *journal) count(message string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), "msg="+message)
}

// TestRun_TriesLessAndLessOften: 2 s after the first failure, then twice as long
// each time, a minute at most. Each reason is logged once.
func TestRun_TriesLessAndLessOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log journal
		m := manage(t, func(o *fleet.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		put(t, m.path, fleetOf("a"))
		var tries atomic.Int64
		m.driver.Fail(func(deckies []fleet.Decky) error {
			tries.Add(1)
			return refuse("a")(deckies)
		})
		require.Error(t, m.Start(t.Context()))
		m.run(t)
		began := time.Now()
		at := func(seconds int) int64 {
			time.Sleep(time.Until(began.Add(time.Duration(seconds)*time.Second + time.Second/2))) //nolint:forbidigo // in a bubble
			synctest.Wait()
			return tries.Load()
		}
		for _, c := range []struct {
			second int
			want   int64
		}{
			{1, 1}, {2, 2}, {5, 2}, {6, 3}, {13, 3}, {14, 4}, {29, 4}, {30, 5}, {61, 5}, {62, 6}, {121, 6}, {122, 7}, {181, 7}, {182, 8},
		} {
			assert.Equal(t, c.want, at(c.second), "after %d s", c.second)
		}
		assert.Equal(t, 1, log.count(`"the fleet cannot be run as it is kept; trying again"`))
		m.driver.Fail(func([]fleet.Decky) error { return errPort })
		at(243)
		assert.Equal(t, 2, log.count(`"the fleet cannot be run as it is kept; trying again"`), "another reason is another line")
		m.driver.Fail(nil)
		at(303)
		assert.Equal(t, 1, log.count(`"the fleet runs as it is kept"`))
	})
}

// TestRun_MutatesToTheSecond: as soon as the interval has passed, not a tick later.
func TestRun_MutatesToTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, nil)
		m.run(t)
		m.deploy(t, "[a]", "services=ssh", "mutate_interval=1")
		sleep(57 * time.Second)
		assert.Zero(t, m.decky(t, "a").LastMutated, "58.5 s")
		sleep(500 * time.Millisecond)
		assert.NotZero(t, m.decky(t, "a").LastMutated, "60.5 s")
	})
}

// TestRun_WritesLoginAttemptsEveryTenSeconds: the first at once, and then what
// came meanwhile together.
func TestRun_WritesLoginAttemptsEveryTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, nil)
		m.deploy(t, "[a]", "services=ssh")
		at := time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)
		written := func() int64 {
			kept, err := fleet.NewStateFile(m.path).Deckies(t.Context())
			require.NoError(t, err)
			return int64(kept[0].LastLoginAttempt)
		}
		m.LoginAttempt("a", at)
		m.run(t)
		sleep(0)
		assert.Equal(t, at.Unix(), written())
		m.LoginAttempt("a", at.Add(time.Minute))
		sleep(7500 * time.Millisecond)
		assert.Equal(t, at.Unix(), written(), "9.5 s after the first was written")
		sleep(-time.Second / 2)
		assert.Equal(t, at.Unix()+60, written(), "10.5 s after it")
		before, err := os.Stat(m.path)
		require.NoError(t, err)
		m.LoginAttempt("a", at.Add(time.Minute))
		sleep(time.Minute)
		after, err := os.Stat(m.path)
		require.NoError(t, err)
		assert.True(t, fleet.SameFile(before, after), "what is known already is not written again")
	})
}

// TestRun_WithoutADriverTheFleetIsAnothers: whoever runs it mutates it.
func TestRun_WithoutADriverTheFleetIsAnothers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := manage(t, func(o *fleet.Options) { o.Driver = nil })
		m.deploy(t, "[a]", "services=ssh", "mutate_interval=1")
		content, err := os.ReadFile(m.path)
		require.NoError(t, err)
		m.run(t)
		m.LoginAttempt("a", time.Now())
		sleep(5 * time.Minute)
		now, err := os.ReadFile(m.path)
		require.NoError(t, err)
		assert.Equal(t, string(content), string(now))
		assert.NotZero(t, m.decky(t, "a").LastLoginAttempt, "but it is known here")
		assert.Nil(t, m.Status())
	})
}

// TestRun_LogsWhatItDid, and not what it didn't.
func TestRun_LogsWhatItDid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log journal
		m := manage(t, func(o *fleet.Options) {
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			o.Interval = func(context.Context) (int64, error) { return 0, nil }
		})
		m.run(t)
		m.deploy(t, "[a]", "services=ssh", "mutate_interval=1", "[b]", "services=ssh")
		require.ErrorIs(t, m.Remove(t.Context(), "ghost"), fleet.ErrNoDecky)
		assert.Zero(t, log.count(`"removed a decky"`))
		require.NoError(t, m.Remove(t.Context(), "b"))
		assert.Equal(t, 1, log.count(`"removed a decky" decky=b`))
		assert.Zero(t, log.count(`"deckies mutated"`))
		m.LoginAttempt("a", time.Now())
		sleep(time.Minute)
		assert.Equal(t, 1, log.count(`"deckies mutated" deckies=[a]`))
		assert.Zero(t, log.count(`"login attempts were not written down"`))
		assert.Zero(t, log.count(`"deckies could not mutate; trying again"`))
		m.LoginAttempt("a", time.Now())
		put(t, m.path, "{")
		sleep(0)
		assert.Equal(t, 1, log.count(`"login attempts were not written down"`))
	})
}

// TestStart_TakesUpEachChangeOfTheNetwork, but none where nothing stands in it.
func TestStart_TakesUpEachChangeOfTheNetwork(t *testing.T) {
	t.Parallel()
	driver := &networked{}
	m := manage(t, func(o *fleet.Options) { o.Driver = driver })
	require.NoError(t, m.state.Write(t.Context(), fleet.State{Config: fleet.Config{Subnet: "203.0.113.0/24"}}))
	require.NoError(t, m.Start(t.Context()))
	assert.Zero(t, driver.Applied(), "a network without deckies")

	m.deploy(t, "[general]", "net=192.0.2.0/24", "interface=eth1", "[a]", "services=ssh")
	for name, change := range map[string]func(c *fleet.Config){
		"subnet":    func(c *fleet.Config) { c.Subnet = "192.0.0.0/16" },
		"gateway":   func(c *fleet.Config) { c.Gateway = "192.0.2.254" },
		"interface": func(c *fleet.Config) { c.Interface = "eth2" },
		"ipvlan":    func(c *fleet.Config) { c.IPvlan = true },
	} {
		kept, err := m.state.Load(t.Context())
		require.NoError(t, err)
		change(&kept.Config)
		require.NoError(t, m.state.Write(t.Context(), kept))
		applied := driver.Applied()
		require.NoError(t, m.Start(t.Context()))
		assert.Equal(t, applied+1, driver.Applied(), name)
		assert.Equal(t, kept.Config.Subnet+kept.Config.Gateway+kept.Config.Interface, driver.got.Subnet+driver.got.Gateway+driver.got.Interface, name)
		require.NoError(t, m.Start(t.Context()))
		assert.Equal(t, applied+1, driver.Applied(), "%s: once", name)
	}
}

// TestDeploy_LeavesTheComposeFileOfOtherToolsNamed: we have none of our own.
func TestDeploy_LeavesTheComposeFileOfOtherToolsNamed(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	put(t, m.path, fleetOf("a"))
	m.deploy(t, "[b]", "services=ssh")
	kept, err := m.state.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "c.yml", kept.ComposePath)
}

// TestDeploy_NobodyForeseesTheChoices: they are the same for one seed, which is a
// secret where none is given.
func TestDeploy_NobodyForeseesTheChoices(t *testing.T) {
	t.Parallel()
	hosts := func(seed [32]byte) []string {
		m := manage(t, func(o *fleet.Options) { o.Seed = seed })
		var all []string
		for _, d := range m.deploy(t, "[a]", "amount=20").Deckies {
			all = append(all, d.Hostname)
		}
		return all
	}
	chosen, drawn := hosts([32]byte{1}), hosts([32]byte{})
	assert.Equal(t, chosen, hosts([32]byte{1}))
	assert.NotEqual(t, chosen, hosts([32]byte{2}))
	assert.NotEqual(t, drawn, hosts([32]byte{}))
}
