package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
)

// file is a state file in a directory of its own, and its path.
func file(t *testing.T) (f *fleet.StateFile, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "decnet-state.json")
	return fleet.NewStateFile(path), path
}

// put writes the file as a careless tool does: in place.
func put(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// age makes a file look as if it had not been touched for a minute.
func age(t *testing.T, path string) {
	t.Helper()
	long := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(path, long, long))
}

// fleetOf is the text of a state file with deckies of these names.
func fleetOf(names ...string) string {
	deckies := make([]string, len(names))
	for i, name := range names {
		deckies[i] = fmt.Sprintf(`{"name":%q,"ip":"192.0.2.%d","services":["ssh"]}`, name, i+1)
	}
	return `{"config":{"mode":"unihost","deckies":[` + strings.Join(deckies, ",") + `]},"compose_path":"c.yml"}`
}

// names reads the fleet, which must be good.
func names(t *testing.T, f *fleet.StateFile) []string {
	t.Helper()
	deckies, err := f.Deckies(t.Context())
	require.NoError(t, err)
	return namesOf(deckies)
}

func namesOf(deckies []fleet.Decky) []string {
	all := []string{}
	for _, d := range deckies {
		all = append(all, d.Name)
	}
	return all
}

// TestDeckies_ReadsWhatTheOldToolsWrite takes a file with every key, as Python
// writes it, and one key that nobody knows.
func TestDeckies_ReadsWhatTheOldToolsWrite(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	put(t, path, `{
  "config": {
    "mode": "unihost", "interface": "eth0", "subnet": "192.0.2.0/24", "gateway": "192.0.2.1",
    "deckies": [{
      "name": "web-01", "ip": "192.0.2.10", "services": ["http", "ssh"], "distro": "debian",
      "base_image": "debian:bookworm-slim", "build_base": "debian:bookworm-slim", "hostname": "SRV-BRAVO-12",
      "archetype": "web-server", "service_config": {"ssh": {"password": "\u00e9", "n": 3}, "http": null},
      "nmap_os": "linux", "mutate_interval": 30, "last_mutated": 1776153600.25, "last_login_attempt": 0.0,
      "of_a_later_version": {"a": [1]}
    }],
    "log_file": null, "ipvlan": true, "mutate_interval": 60, "swarm_key": "x"
  },
  "compose_path": "/srv/decnet/compose.yml"
}`)
	s, err := f.Load(t.Context())
	require.NoError(t, err)
	archetype, minutes, all := "web-server", int64(30), int64(60)
	assert.Equal(t, fleet.State{
		Config: fleet.Config{
			Mode: "unihost", Interface: "eth0", Subnet: "192.0.2.0/24", Gateway: "192.0.2.1",
			IPvlan: true, MutateInterval: &all,
			Deckies: []fleet.Decky{{
				Name: "web-01", IP: "192.0.2.10", Services: []string{"http", "ssh"}, Distro: "debian",
				BaseImage: "debian:bookworm-slim", BuildBase: "debian:bookworm-slim", Hostname: "SRV-BRAVO-12",
				Archetype: &archetype, NmapOS: "linux", MutateInterval: &minutes, LastMutated: 1776153600.25,
				ServiceConfig: map[string]map[string]json.RawMessage{
					"ssh": {"password": json.RawMessage(`"\u00e9"`), "n": json.RawMessage("3")}, "http": {},
				},
			}},
		},
		ComposePath: "/srv/decnet/compose.yml",
	}, s)
}

func TestDeckies_MissingAndNullKeysBecomeEmptyListsAndMaps(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	put(t, path, `{"config":{"deckies":[{"name":"a"},{"name":"b","services":null,"service_config":null}]}}`)
	deckies, err := f.Deckies(t.Context())
	require.NoError(t, err)
	b, err := json.Marshal(deckies)
	require.NoError(t, err)
	const rest = `"ip":"","services":[],"distro":"","base_image":"","build_base":"","hostname":"","archetype":null,` +
		`"service_config":{},"nmap_os":"","mutate_interval":null,"last_mutated":0,"last_login_attempt":0`
	assert.JSONEq(t, `[{"name":"a",`+rest+`},{"name":"b",`+rest+`}]`, string(b))

	put(t, path, `{"config":{}}`)
	deckies, err = f.Deckies(t.Context())
	require.NoError(t, err)
	assert.NotNil(t, deckies)
	assert.Empty(t, deckies)
}

func TestDeckies_NoFileIsNoFleet(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	deckies, err := f.Deckies(t.Context())
	require.NoError(t, err)
	assert.NotNil(t, deckies)
	assert.Empty(t, deckies)

	put(t, path, fleetOf("a"))
	assert.Equal(t, []string{"a"}, names(t, f))
	require.NoError(t, os.Remove(path))
	assert.Empty(t, names(t, f), "a fleet that was torn down is gone")

	put(t, path, "{")
	deckies, err = f.Deckies(t.Context())
	require.Error(t, err)
	assert.Empty(t, deckies, "and does not come back with a broken file")
}

// TestDeckies_ABrokenFileKeepsTheLastGoodFleet breaks the file in every way and
// mends it again.
func TestDeckies_ABrokenFileKeepsTheLastGoodFleet(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", fleet.MaxName+1)
	const limit = 1_000_000
	for name, c := range map[string]struct{ content, reason string }{
		"empty":            {"", "not valid JSON"},
		"half":             {fleetOf("new")[:60], "not valid JSON"},
		"two documents":    {fleetOf("new") + "{}", "not valid JSON"},
		"no JSON":          {"deckies: []", "not valid JSON"},
		"null":             {"null", `no "config"`},
		"a list":           {"[]", "JSON array, not an object"},
		"a number":         {"7", "JSON number, not an object"},
		"no config":        {`{"compose_path":"x"}`, `no "config"`},
		"null config":      {`{"config": null }`, `no "config"`},
		"config a list":    {`{"config":[]}`, `"config" cannot be a JSON array`},
		"compose path":     {`{"config":{},"compose_path":3}`, `"compose_path" cannot be a JSON number`},
		"deckies a map":    {`{"config":{"deckies":{}}}`, `"config.deckies" cannot be a JSON object`},
		"services a text":  {`{"config":{"deckies":[{"name":"a","services":"ssh"}]}}`, `services" cannot be a JSON string`},
		"time a text":      {`{"config":{"deckies":[{"name":"a","last_mutated":"x"}]}}`, `last_mutated" cannot be a JSON string`},
		"huge number":      {`{"config":{"deckies":[{"name":"a","last_mutated":1e999}]}}`, `last_mutated" cannot be`},
		"no name":          {`{"config":{"deckies":[{"name":"a"},{"ip":"192.0.2.1"}]}}`, "number 2 has no name"},
		"long name":        {fleetOf("a", long), "the name of decky number 2 is longer than 255 bytes"},
		"terminal escapes": {`{"config":{"deckies":[{"name":"a"},{"name":"\u001b[31m"}]}}`, "the name of decky number 2 has a control character"},
		"twice":            {fleetOf("a", "b", "a"), `two deckies are named "a"`},
		"too many": {`{"config":{"deckies":[` + strings.Repeat(`{"name":"a"},`, fleet.MaxDeckies) + `{"name":"b"}]}}`,
			"at most 10000"},
		"too large": {`{"config":{},"x":"` + strings.Repeat("x", limit) + `"}`, "larger than 1000000 bytes"},
		"too deep":  {strings.Repeat(`{"config":`, 20_000), "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, path := file(t)
			f.Limit(limit)
			put(t, path, c.content)
			deckies, err := f.Deckies(t.Context())
			require.Error(t, err)
			assert.NotNil(t, deckies)
			assert.Empty(t, deckies, "there never was a good one")

			put(t, path, fleetOf("one", "two"))
			assert.Equal(t, []string{"one", "two"}, names(t, f))

			put(t, path, c.content)
			for _, aged := range []bool{false, true} {
				if aged {
					age(t, path)
				}
				for range 2 {
					deckies, err = f.Deckies(t.Context())
					require.ErrorContains(t, err, c.reason)
					require.ErrorContains(t, err, path)
					assert.Less(t, len(err.Error()), 400, "a sentence, not the file")
					assert.NotContains(t, err.Error(), "\x1b")
					assert.Equal(t, []string{"one", "two"}, namesOf(deckies))
				}
			}

			put(t, path, fleetOf("three"))
			assert.Equal(t, []string{"three"}, names(t, f))
		})
	}
}

func TestDeckies_WhatIsNoFileIsAnError(t *testing.T) {
	t.Parallel()
	for reason, create := range map[string]func(path string) error{
		"it is a directory":        func(path string) error { return os.Mkdir(path, 0o700) },
		"it is not a regular file": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"too many levels":          func(path string) error { return os.Symlink(path, path) },
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			f, path := file(t)
			put(t, path, fleetOf("one"))
			assert.Equal(t, []string{"one"}, names(t, f))
			require.NoError(t, os.Remove(path))
			require.NoError(t, create(path))
			deckies, err := f.Deckies(t.Context())
			require.ErrorContains(t, err, reason)
			assert.Equal(t, 1, strings.Count(err.Error(), path), "the path is named once: %v", err)
			assert.Equal(t, []string{"one"}, namesOf(deckies))

			require.NoError(t, os.Remove(path))
			assert.Empty(t, names(t, f))
		})
	}
}

func TestDeckies_AnUnreadableFileIsAnErrorUntilItIsReadable(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	put(t, path, fleetOf("one"))
	assert.Equal(t, []string{"one"}, names(t, f))
	put(t, path, fleetOf("two"))
	require.NoError(t, os.Chmod(path, 0))
	if probe, err := os.Open(path); err == nil {
		require.NoError(t, probe.Close())
		t.Skip("this user may read everything")
	}
	deckies, err := f.Deckies(t.Context())
	require.ErrorIs(t, err, os.ErrPermission)
	assert.Equal(t, []string{"one"}, namesOf(deckies))
	require.NoError(t, os.Chmod(path, 0o600))
	assert.Equal(t, []string{"two"}, names(t, f))
}

// TestDeckies_IsNeverStale rewrites the file so that it looks as much as
// possible like the one before.
func TestDeckies_IsNeverStale(t *testing.T) {
	t.Parallel()
	t.Run("at once, in place, same size", func(t *testing.T) {
		t.Parallel()
		f, path := file(t)
		for i := range 200 {
			name := fmt.Sprintf("decky-%03d", i)
			put(t, path, fleetOf(name))
			require.Equal(t, []string{name}, names(t, f))
		}
	})
	t.Run("same size and time of modification", func(t *testing.T) {
		t.Parallel()
		f, path := file(t)
		long := time.Now().Add(-time.Hour)
		for i := range 50 {
			name := fmt.Sprintf("decky-%03d", i)
			put(t, path, fleetOf(name))
			require.NoError(t, os.Chtimes(path, long, long))
			require.Equal(t, []string{name}, names(t, f))
		}
	})
	t.Run("another file in its place", func(t *testing.T) {
		t.Parallel()
		f, path := file(t)
		for i := range 50 {
			name := fmt.Sprintf("decky-%03d", i)
			put(t, path+".new", fleetOf(name))
			age(t, path+".new")
			require.NoError(t, os.Rename(path+".new", path))
			require.Equal(t, []string{name}, names(t, f))
		}
	})
	t.Run("modified in the future", func(t *testing.T) {
		t.Parallel()
		f, path := file(t)
		put(t, path, fleetOf("a"))
		soon := time.Now().Add(time.Hour)
		require.NoError(t, os.Chtimes(path, soon, soon))
		assert.Equal(t, []string{"a"}, names(t, f))
		assert.False(t, f.Cached())
	})
}

// TestDeckies_SparesTheReadOfAnUnchangedFile, and of nothing else.
func TestDeckies_SparesTheReadOfAnUnchangedFile(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	f.Settle(0)
	put(t, path, fleetOf("aaa"))
	assert.Equal(t, []string{"aaa"}, names(t, f))
	require.True(t, f.Cached())

	f.Limit(1) // a read would find more than may be
	assert.Equal(t, []string{"aaa"}, names(t, f))
	f.Limit(fleet.MaxStateSize)

	put(t, path, fleetOf("longer"))
	assert.Equal(t, []string{"longer"}, names(t, f), "another size")

	put(t, path+".new", fleetOf("renamd"))
	require.NoError(t, os.Rename(path+".new", path))
	assert.Equal(t, []string{"renamd"}, names(t, f), "another file")

	put(t, path, "{")
	_, err := f.Deckies(t.Context())
	require.Error(t, err)
	require.True(t, f.Cached())
	_, err = f.Deckies(t.Context())
	require.Error(t, err, "an unchanged broken file is still broken")
	require.NoError(t, os.Remove(path))
	assert.Empty(t, names(t, f))
}

// TestDeckies_SeesAChangeWhoseTraceWasSetBack: size and time of modification are
// as before, but Linux also tells when they were set.
func TestDeckies_SeesAChangeWhoseTraceWasSetBack(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the time of change")
	}
	f, path := file(t)
	f.Settle(0)
	put(t, path, fleetOf("aaa"))
	assert.Equal(t, []string{"aaa"}, names(t, f))
	require.True(t, f.Cached())
	old, err := os.Stat(path)
	require.NoError(t, err)
	now := old
	for tries := 0; fleet.SameFile(old, now) && tries < 100_000; tries++ { // until the clock of the file system ticks
		put(t, path, fleetOf("bbb"))
		require.NoError(t, os.Chtimes(path, old.ModTime(), old.ModTime()))
		now, err = os.Stat(path)
		require.NoError(t, err)
	}
	require.Equal(t, old.ModTime(), now.ModTime())
	assert.Equal(t, []string{"bbb"}, names(t, f))
}

func TestDeckies_CallersDoNotShareTheList(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	put(t, path, fleetOf("a", "b"))
	first, err := f.Deckies(t.Context())
	require.NoError(t, err)
	first[0].Name = "changed"
	assert.Equal(t, []string{"a", "b"}, names(t, f))
}

func TestDeckies_ReadsUpToTheLimit(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	content := fleetOf("a")
	f.Limit(int64(len(content)))
	put(t, path, content)
	assert.Equal(t, []string{"a"}, names(t, f))
	put(t, path, content+" ")
	_, err := f.Deckies(t.Context())
	require.ErrorContains(t, err, "larger than")
}

func TestDeckies_GivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	put(t, path, fleetOf("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	deckies, err := f.Deckies(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.NotNil(t, deckies)
	require.ErrorIs(t, f.Write(ctx, fleet.State{}), context.Canceled)
	assert.Equal(t, []string{"a"}, names(t, f), "a write that was given up changed nothing")
}

// TestDeckies_WhileOthersRewriteTheFile: a reader sees whole fleets only, the
// last good one with an error where it came upon half a file.
func TestDeckies_WhileOthersRewriteTheFile(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	small, large := []string{"a"}, []string{}
	for i := range 50 {
		large = append(large, fmt.Sprintf("b%d", i))
	}
	put(t, path, fleetOf(small...))
	assert.Equal(t, small, names(t, f))

	done := make(chan struct{})
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			content := fleetOf(small...)
			if i%2 == 0 {
				content = fleetOf(large...)
			}
			switch i % 3 {
			case 0: // in place, in two halves
				assert.NoError(t, os.WriteFile(path, []byte(content[:len(content)/2]), 0o600))
				fallthrough
			case 1:
				assert.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			case 2:
				assert.NoError(t, f.Write(t.Context(), fleet.State{Config: fleet.Config{Deckies: []fleet.Decky{{Name: "a"}}}}))
			}
		}
	})
	for range 4 {
		readers.Go(func() {
			for range 300 {
				deckies, err := f.Deckies(t.Context())
				if len(deckies) != len(small) {
					assert.Equal(t, large, namesOf(deckies))
				}
				if err != nil {
					assert.ErrorContains(t, err, path)
				}
			}
		})
	}
	readers.Wait()
	close(done)
	writer.Wait()
	put(t, path, fleetOf("settled"))
	assert.Equal(t, []string{"settled"}, names(t, f))
}

func BenchmarkDeckies(b *testing.B) {
	for _, settled := range []bool{true, false} {
		b.Run(fmt.Sprintf("settled=%t", settled), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "state.json")
			f := fleet.NewStateFile(path)
			var all []string
			for i := range 50 {
				all = append(all, fmt.Sprintf("decky-%d", i))
			}
			if err := os.WriteFile(path, []byte(fleetOf(all...)), 0o600); err != nil {
				b.Fatal(err)
			}
			if settled {
				f.Settle(0)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Deckies(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
