package fleet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
)

func TestWrite_IsReadBackWhole(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	log, minutes, archetype := "/var/log/decnet.log", int64(30), "web-server"
	want := fleet.State{
		Config: fleet.Config{
			Mode: "swarm", Interface: "eth0", Subnet: "192.0.2.0/24", Gateway: "192.0.2.1", LogFile: &log, IPvlan: true,
			MutateInterval: &minutes,
			Deckies: []fleet.Decky{{
				Name: "web-01", IP: "192.0.2.10", Services: []string{"http"}, Distro: "debian", BaseImage: "a",
				BuildBase: "b", Hostname: "h", Archetype: &archetype, NmapOS: "linux", MutateInterval: &minutes,
				LastMutated: 1776153600.123456, LastLoginAttempt: 1,
				ServiceConfig: map[string]map[string]json.RawMessage{"http": {"body": json.RawMessage(`"<b>&"`)}},
			}},
		},
		ComposePath: "/srv/compose.yml",
	}
	require.NoError(t, f.Write(t.Context(), want))
	got, err := f.Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, got)

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), "<b>&", "readable for a person")
	again, err := fleet.NewStateFile(path).Load(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, again)
}

// TestWrite_TheZeroStateHasEveryKey: the old tools demand all of them, and lists.
func TestWrite_TheZeroStateHasEveryKey(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	require.NoError(t, f.Write(t.Context(), fleet.State{}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.JSONEq(t, `{"config":{"mode":"unihost","interface":"","subnet":"","gateway":"","deckies":[],
		"log_file":null,"ipvlan":false,"mutate_interval":null},"compose_path":""}`, string(text))
}

func TestWrite_RefusesWhatCouldNotBeReadBack(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	put(t, path, fleetOf("kept"))
	f.Limit(10_000)
	for reason, deckies := range map[string][]fleet.Decky{
		"has no name":      {{}},
		"two deckies":      {{Name: "a"}, {Name: "a"}},
		"larger than":      {{Name: "a", Hostname: strings.Repeat("x", 10_000)}},
		"error calling Ma": {{Name: "a", ServiceConfig: map[string]map[string]json.RawMessage{"s": {"k": json.RawMessage("{")}}}},
	} {
		require.ErrorContains(t, f.Write(t.Context(), fleet.State{Config: fleet.Config{Deckies: deckies}}), reason)
	}
	assert.Equal(t, []string{"kept"}, names(t, f))
	assertAlone(t, path)
}

func TestWrite_UpToTheLimit(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	state := fleet.State{Config: fleet.Config{Deckies: []fleet.Decky{{Name: "a"}}}}
	require.NoError(t, f.Write(t.Context(), state))
	info, err := os.Stat(path)
	require.NoError(t, err)
	f.Limit(info.Size())
	require.NoError(t, f.Write(t.Context(), state))
	assert.Equal(t, []string{"a"}, names(t, f), "and what was written can be read")
	f.Limit(info.Size() - 1)
	require.ErrorContains(t, f.Write(t.Context(), state), "larger than")

	f.Limit(fleet.MaxStateSize)
	state.Config.Deckies = nil
	for i := range fleet.MaxDeckies {
		state.Config.Deckies = append(state.Config.Deckies, fleet.Decky{Name: fmt.Sprintf("decky-%d", i)})
	}
	require.NoError(t, f.Write(t.Context(), state))
	assert.Len(t, names(t, f), fleet.MaxDeckies)
	state.Config.Deckies = append(state.Config.Deckies, fleet.Decky{Name: "one more"})
	require.ErrorContains(t, f.Write(t.Context(), state), "at most 10000 are possible")
}

// assertAlone checks that no temporary file stayed beside the state file.
func assertAlone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, filepath.Base(path), entries[0].Name())
}

func TestWrite_Permissions(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	require.NoError(t, f.Write(t.Context(), fleet.State{}))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "a new file")

	require.NoError(t, os.Chmod(path, 0o640))
	require.NoError(t, f.Write(t.Context(), fleet.State{}))
	info, err = os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm(), "an existing file")
	assertAlone(t, path)
}

func TestWrite_ThroughASymbolicLink(t *testing.T) {
	t.Parallel()
	_, target := file(t)
	put(t, target, fleetOf("old"))
	link := filepath.Join(t.TempDir(), "link.json")
	require.NoError(t, os.Symlink(target, link))
	f := fleet.NewStateFile(link)
	require.NoError(t, f.Write(t.Context(), fleet.State{Config: fleet.Config{Deckies: []fleet.Decky{{Name: "new"}}}}))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink, "it is still a link")
	assert.Equal(t, []string{"new"}, names(t, fleet.NewStateFile(target)))
}

func TestWrite_WithoutItsDirectoryIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "state.json")
	require.ErrorIs(t, fleet.NewStateFile(path).Write(t.Context(), fleet.State{}), os.ErrNotExist)
}

func TestWrite_AnOldFileStaysWhereTheNewOneCannotBePut(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	require.NoError(t, os.Mkdir(path, 0o700))
	require.Error(t, f.Write(t.Context(), fleet.State{}))
	assertAlone(t, path)
}

func TestWrite_ByManyAtOnceLeavesOneWholeState(t *testing.T) {
	t.Parallel()
	f, path := file(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			s := fleet.State{Config: fleet.Config{Deckies: []fleet.Decky{{Name: fmt.Sprintf("decky-%d", i)}}}}
			for range 5 {
				assert.NoError(t, f.Write(t.Context(), s))
			}
		})
	}
	all.Wait()
	assert.Len(t, names(t, f), 1)
	assertAlone(t, path)
}
