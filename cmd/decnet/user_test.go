package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUser_AddResetAndListBesideARunningServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir, withAdmin())

	code, stdout, stderr := command(t, "first password\n", "user", "add", "eve", "--role=admin", "--data-dir", dir)
	require.Equal(t, exitOK, code, stderr)
	assert.Empty(t, stdout)
	assert.NotContains(t, stderr, "first password")
	eve := p.client(t)
	eventually(t, "the new account is known", func() bool {
		code, _ := eve.status(t, http.MethodPost, "/api/v1/auth/login", map[string]string{"username": "eve", "password": "first password"})
		return code == http.StatusOK
	})
	assert.False(t, eve.login(t, "eve", "first password").MustChangePassword)
	code, text := eve.status(t, http.MethodPut, "/api/v1/config/deployment-limit", map[string]int{"deployment_limit": 20})
	require.Equal(t, http.StatusOK, code, text)

	code, stdout, stderr = command(t, "", "user", "reset", "eve", "--generate", "--data-dir", dir)
	require.Equal(t, exitOK, code, stderr)
	password := strings.TrimSuffix(stdout, "\n")
	assert.Regexp(t, `^[A-Z2-7]{26}$`, password, "alone on standard output, for scripts")
	eventually(t, "the old token is dead", func() bool {
		code, _ := eve.status(t, http.MethodGet, "/api/v1/stats", nil)
		return code == http.StatusUnauthorized
	})
	code, _ = eve.status(t, http.MethodPost, "/api/v1/auth/login", map[string]string{"username": "eve", "password": "first password"})
	assert.Equal(t, http.StatusUnauthorized, code)
	assert.True(t, eve.login(t, "eve", password).MustChangePassword, "a generated password was on a screen")

	code, stdout, _ = command(t, "", "user", "list", "--data-dir", dir)
	require.Equal(t, exitOK, code)
	assert.Regexp(t, `(?m)^admin +admin +no `, stdout)
	assert.Regexp(t, `(?m)^eve +admin +yes `, stdout)
}

func TestUser_TypedPasswordsMayBeOnceOnlyToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir, withAdmin())
	code, _, stderr := command(t, "first password", "user", "add", "joe", "--must-change", "--data-dir", dir)
	require.Equal(t, exitOK, code, stderr)
	joe := p.client(t)
	eventually(t, "the new account is known", func() bool {
		code, _ := joe.status(t, http.MethodPost, "/api/v1/auth/login", map[string]string{"username": "joe", "password": "first password"})
		return code == http.StatusOK
	})
	assert.True(t, joe.login(t, "joe", "first password").MustChangePassword)
	joe.token = ""
	code, stdout, _ := command(t, "", "user", "list", "--data-dir", dir)
	require.Equal(t, exitOK, code)
	assert.Regexp(t, `(?m)^joe +viewer +yes `, stdout, "a viewer unless said otherwise")
}

func TestUser_RefusesWhatWouldNotWork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.Equal(t, exitOK, launch(t, dir, withAdmin()).end(t))
	for _, tt := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"another password", []string{"add", "admin"}, "already an account named admin"},
		{"short", []string{"add", "eve"}, "8 to 72 bytes"},
		{strings.Repeat("x", 73), []string{"add", "eve"}, "8 to 72 bytes"},
		{"", []string{"reset", "admin"}, "8 to 72 bytes"},
		{"a fine password", []string{"reset", "no\x1b[2Jbody"}, `no account named no\u001b[2Jbody`},
	} {
		args := append([]string{"user"}, tt.args...)
		code, stdout, stderr := command(t, tt.stdin, append(args, "--data-dir", dir)...)
		assert.Equal(t, exitFailed, code, "%q", tt.args)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, tt.want)
	}
	code, stdout, _ := command(t, "", "user", "list", "--data-dir", dir)
	require.Equal(t, exitOK, code)
	assert.Equal(t, 2, strings.Count(stdout, "\n"), "nothing was added: %s", stdout)
}

func TestUser_ListIsHarmlessToATerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.Equal(t, exitOK, launch(t, dir, withAdmin()).end(t))
	code, _, stderr := command(t, "a fine password", "user", "add", "x\x1b]0;owned\x07", "--data-dir", dir)
	require.Equal(t, exitOK, code, stderr)
	assert.NotContains(t, stderr, "\x1b")
	_, stdout, _ := command(t, "", "user", "list", "--data-dir", dir)
	assert.Contains(t, stdout, `x\u001b]0;owned\u0007`)
	assert.NotContains(t, stdout, "\x1b")
}

func TestUser_DoesNotMakeADatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{{"list"}, {"add", "eve", "--generate"}, {"reset", "admin", "--generate"}} {
		code, stdout, stderr := command(t, "", append(append([]string{"user"}, args...), "--data-dir", dir)...)
		assert.Equal(t, exitFailed, code)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "there is no database")
		assert.Contains(t, stderr, "--data-dir")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, _ := command(t, "", "version")
	assert.Equal(t, exitOK, code)
	assert.Regexp(t, `^decnet \S+\ncommit \S+.*\nbuilt with go1\.`, stdout)
}
