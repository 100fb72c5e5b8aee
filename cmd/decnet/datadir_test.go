package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func TestMakeDataDir(t *testing.T) {
	t.Parallel()
	var warnings bytes.Buffer
	log := slog.New(slog.NewTextHandler(&warnings, nil))
	dir := filepath.Join(t.TempDir(), "deep", "data")

	require.NoError(t, makeDataDir(dir, log))
	assert.Equal(t, os.FileMode(0o700), mode(t, dir))
	require.NoError(t, makeDataDir(dir, log), "one that exists is reused")
	assert.Empty(t, warnings.String())

	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, makeDataDir(dir, log))
	assert.Contains(t, warnings.String(), "chmod 700")
	assert.Equal(t, os.FileMode(0o755), mode(t, dir), "the operator's choice is left alone")

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, makeDataDir(file, log), "not a directory")
}

func TestSigningSecret_IsMadeOnceAndKeptPrivate(t *testing.T) {
	t.Parallel()
	c := &config{storeOptions: storeOptions{DataDir: t.TempDir()}}
	first, err := signingSecret(c, discard())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(first), 32)
	assert.Equal(t, os.FileMode(0o600), mode(t, filepath.Join(c.DataDir, secretFileName)))
	again, err := signingSecret(c, discard())
	require.NoError(t, err)
	assert.Equal(t, first, again, "tokens must outlive a restart")
	entries, err := os.ReadDir(c.DataDir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file is left")

	c.JWTSecret = goodSecret
	given, err := signingSecret(c, discard())
	require.NoError(t, err)
	assert.Equal(t, goodSecret, string(given))
}

func TestSigningSecret_RefusesAFileThatOthersCouldReadOrIsWeak(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"group":  {goodSecret, 0o640, "other users"},
		"world":  {goodSecret, 0o604, "other users"},
		"weak":   {"secretsecretsecretsecretsecretsecret", 0o600, "weak"},
		"short":  {"x", 0o600, "weak"},
		"empty":  {"", 0o600, "empty"},
		"padded": {goodSecret + "\n", 0o600, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &config{storeOptions: storeOptions{DataDir: t.TempDir()}}
			path := filepath.Join(c.DataDir, secretFileName)
			require.NoError(t, os.WriteFile(path, []byte(tt.text), 0o600))
			require.NoError(t, os.Chmod(path, tt.mode))
			_, err := signingSecret(c, discard())
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), goodSecret)
		})
	}
}

func TestLockDatabase_IsHeldByOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "decnet.db")
	release, err := lockDatabase(path)
	require.NoError(t, err)
	_, err = lockDatabase(path)
	require.ErrorContains(t, err, "another decnet serves the database "+path)
	require.NoError(t, release())
	release, err = lockDatabase(path)
	require.NoError(t, err, "the lock ends with its holder, not with the file")
	require.NoError(t, release())
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"admin":         "admin",
		"Zoë 東京":        "Zoë 東京",
		"\x1b[2J\x07x":  `\u001b[2J\u0007x`,
		"a\nb\tc":       `a\u000ab\u0009c`,
		"\u202egnp.exe": `\u202egnp.exe`,
		"c1\u009b31m":   `c1\u009b31m`,
		"bad\xff":       `bad\ufffd`,
	} {
		assert.Equal(t, want, printable(in))
	}
}
