package trap_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
)

func host(t *testing.T, decky, secret, keys string) *trap.Host {
	t.Helper()
	h, err := trap.NewHost(trap.Identity{Decky: decky, Secret: []byte(secret), Keys: keys})
	require.NoError(t, err)
	return h
}

func TestHost_InventsTheSameAfterARestartAndOtherThingsForOthers(t *testing.T) {
	t.Parallel()
	const secret = "a secret of sixteen bytes or more"
	a := host(t, "a", secret, "")
	assert.Equal(t, a.Derive("id", 40), host(t, "a", secret, "").Derive("id", 40))
	assert.Equal(t, a.Rand("x").Uint64(), host(t, "a", secret, "").Rand("x").Uint64())
	for _, other := range []*trap.Host{host(t, "b", secret, ""), host(t, "a", secret+"!", "")} {
		assert.NotEqual(t, a.Derive("id", 40), other.Derive("id", 40))
	}
	assert.NotEqual(t, a.Derive("id", 40), a.Derive("id2", 40))
	_, err := trap.NewHost(trap.Identity{Decky: "a", Secret: []byte("short")})
	require.Error(t, err)
}

func TestHost_UptimeIsPlausibleForYears(t *testing.T) {
	t.Parallel()
	h := host(t, "a", "a secret of sixteen bytes or more", "")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	boots := map[time.Time]bool{}
	for range 1000 {
		now = now.Add(26 * time.Hour)
		up := now.Sub(h.Booted(now))
		require.GreaterOrEqual(t, up, 24*time.Hour)
		require.LessOrEqual(t, up, 92*24*time.Hour)
		boots[h.Booted(now)] = true
	}
	assert.Less(t, len(boots), 20, "it does not move with the clock")
}

func TestHost_KeyIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	made := 0
	create := func() ([]byte, error) {
		made++
		return []byte("the key"), nil
	}
	for range 2 {
		b, err := host(t, "a", "a secret of sixteen bytes or more", dir).Key("../ssh", create)
		require.NoError(t, err)
		assert.Equal(t, "the key", string(b))
	}
	assert.Equal(t, 1, made)
	info, err := os.Stat(filepath.Join(dir, "ssh"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = host(t, "a", "a secret of sixteen bytes or more", dir).Key("other", func() ([]byte, error) { return nil, errors.New("no") })
	require.Error(t, err)
}

func TestQuarantine_KeepsByHashWithinItsBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q, err := trap.OpenQuarantine(dir, 10, 15)
	require.NoError(t, err)
	sum := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return hex.EncodeToString(h[:])
	}
	assert.Equal(t, trap.Stored{SHA256: sum("malware"), Size: 7, Kept: true}, q.Save([]byte("malware")))
	assert.Equal(t, trap.Stored{SHA256: sum("malware"), Size: 7, Kept: true}, q.Save([]byte("malware")), "the second is no other file")
	assert.Equal(t, trap.Stored{SHA256: sum("larger than ten"), Size: 15}, q.Save([]byte("larger than ten")))
	assert.True(t, q.Save([]byte("12345678")).Kept, "what wasn't kept takes no room")
	assert.False(t, q.Save([]byte("one more")).Kept, "over the total")

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "nobody can execute it")
	}
	// What is there counts after a restart; what a crash left half written does not.
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".upload-1"), make([]byte, 100), 0o600))
	q, err = trap.OpenQuarantine(dir, 10, 15)
	require.NoError(t, err)
	assert.False(t, q.Save([]byte("another")).Kept)
	q, err = trap.OpenQuarantine(dir, 10, 22)
	require.NoError(t, err)
	assert.True(t, q.Save([]byte("another")).Kept)
}

func TestQuarantine_UploadInParts(t *testing.T) {
	t.Parallel()
	q, err := trap.OpenQuarantine(t.TempDir(), 1<<20, 1<<20)
	require.NoError(t, err)
	u := q.Begin()
	for range 1000 {
		_, err := u.Write([]byte("0123456789"))
		require.NoError(t, err)
	}
	got := u.Done()
	h := sha256.Sum256(bytes.Repeat([]byte("0123456789"), 1000))
	assert.Equal(t, trap.Stored{SHA256: hex.EncodeToString(h[:]), Size: 10000, Kept: true}, got)
	assert.Equal(t, []trap.Field{{Key: "sha256", Value: got.SHA256}, {Key: "size", Value: "10000"}, {Key: "kept", Value: "true"}}, got.Fields())
}

func TestReadLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100)
	for name, test := range map[string]struct {
		in   string
		want []string
		end  error
	}{
		"both ends":                        {"a\r\nb\n\r\n\n", []string{"a", "b", "", ""}, io.EOF},
		"a carriage return is kept inside": {"a\rb\n", []string{"a\rb"}, io.EOF},
		"the last has no end":              {"a\nb", []string{"a"}, io.EOF},
		"at the bound":                     {strings.Repeat("y", 40) + "\r\n", []string{strings.Repeat("y", 40)}, io.EOF},
		"over the bound":                   {long + "\n", nil, trap.ErrLineTooLong},
		"one over":                         {strings.Repeat("y", 41) + "\n", nil, trap.ErrLineTooLong},
		"endless":                          {strings.Repeat(long, 10), nil, trap.ErrLineTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := bufio.NewReaderSize(strings.NewReader(test.in), 16)
			var got []string
			for {
				line, err := trap.ReadLine(r, 40)
				require.LessOrEqual(t, len(line), 40)
				if err != nil {
					require.ErrorIs(t, err, test.end)
					break
				}
				got = append(got, string(line))
			}
			assert.Equal(t, test.want, got)
		})
	}
}
