package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goodSecret is what auth.CheckSecret accepts.
const goodSecret = "Zk3vQ9rT1xWmB7nLs5Hd8YcFpGjA2e6U"

// env makes a getenv of a map.
func env(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

// parseServe parses the options of serve and wants them to be right.
func parseServe(t *testing.T, vars map[string]string, args ...string) *config {
	t.Helper()
	c, command, err := parse(append([]string{"serve"}, args...), env(vars), io.Discard, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "serve", command)
	return &c.Serve.config
}

// parseFaults parses and wants faults.
func parseFaults(t *testing.T, vars map[string]string, args ...string) faults {
	t.Helper()
	_, _, err := parse(args, env(vars), io.Discard, io.Discard)
	var bad faults
	require.ErrorAs(t, err, &bad)
	return bad
}

func TestParse_FlagsOverrideVariablesOverrideDefaults(t *testing.T) {
	t.Parallel()
	field := func(name string) func(*config) any {
		return func(c *config) any { return reflect.ValueOf(c).Elem().FieldByName(name).Interface() }
	}
	for _, tt := range []struct {
		field, variable, value, flag string
		byDefault, byVariable, byArg any
	}{
		{"APIHost", "DECNET_API_HOST", "0.0.0.0", "--api-host=::1", "127.0.0.1", "0.0.0.0", "::1"},
		{"APIPort", "DECNET_API_PORT", "9000", "--api-port=0", 8000, 9000, 0},
		{"CORSOrigins", "DECNET_CORS_ORIGINS", "http://a.example,https://b.example:8443", "--cors-origins=https://c.example", []string(nil), []string{"http://a.example", "https://b.example:8443"}, []string{"https://c.example"}},
		{"JWTSecretFile", "DECNET_JWT_SECRET_FILE", "", "--jwt-secret-file=", "", "", ""},
		{"AdminUser", "DECNET_ADMIN_USER", "root", "--admin-user=boss", "admin", "root", "boss"},
		{"DataDir", "DECNET_DATA_DIR", "/var/lib/decnet", "--data-dir=here", "./data", "/var/lib/decnet", "here"},
		{"StateFile", "DECNET_STATE_FILE", "a.json", "--state-file=b.json", "", "a.json", "b.json"},
		{"IngestLogFile", "DECNET_INGEST_LOG_FILE", "a.log", "--ingest-log-file=b.log", "", "a.log", "b.log"},
		{"BatchSize", "DECNET_BATCH_SIZE", "100", "--batch-size=200", 5000, 100, 200},
		{"BatchMaxWaitMS", "DECNET_BATCH_MAX_WAIT_MS", "10", "--batch-max-wait-ms=20", 250, 10, 20},
		{"DBType", "DECNET_DB_TYPE", "sqlite", "--db-type=sqlite", "sqlite", "sqlite", "sqlite"},
		{"DBURL", "DECNET_DB_URL", "sqlite:////srv/a.db", "--db-url=b.db", "", "sqlite:////srv/a.db", "b.db"},
		{"Developer", "DECNET_DEVELOPER", "True", "--developer=false", false, true, false},
		{"LogLevel", "DECNET_LOG_LEVEL", "debug", "--log-level=error", "info", "debug", "error"},
		{"LogFormat", "DECNET_LOG_FORMAT", "json", "--log-format=text", "text", "json", "text"},
	} {
		t.Run(tt.field, func(t *testing.T) {
			t.Parallel()
			get := field(tt.field)
			vars := map[string]string{tt.variable: tt.value}
			assert.Equal(t, tt.byDefault, get(parseServe(t, nil)), "default")
			assert.Equal(t, tt.byVariable, get(parseServe(t, vars)), "variable")
			assert.Equal(t, tt.byArg, get(parseServe(t, vars, tt.flag)), "flag")
		})
	}
}

func TestParse_AnEmptyVariableIsNotSet(t *testing.T) {
	t.Parallel()
	vars := map[string]string{}
	for _, o := range optionTable(reflect.TypeFor[config]()) {
		vars[o.Variable] = ""
	}
	assert.Equal(t, parseServe(t, nil), parseServe(t, vars))
}

func TestParse_IngestMayBeRepeatedAndKeepsCommas(t *testing.T) {
	t.Parallel()
	c := parseServe(t, nil, "--ingest-log-file=live.log", "--ingest", "a,b.jsonl", "--ingest=c.gz", "--ingest=./live.log")
	assert.Equal(t, []string{"live.log", "a,b.jsonl", "c.gz"}, c.sources(), "the log file is read once however often it is named")
}

func TestParse_ReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	bad := parseFaults(t, map[string]string{
		"DECNET_API_HOST":          "nowhere",
		"DECNET_API_PORT":          "70000",
		"DECNET_CORS_ORIGINS":      "https://fine.example,https://bad.example/path",
		"DECNET_JWT_SECRET":        "hunter2hunter2",
		"DECNET_ADMIN_PASSWORD":    "hunter2",
		"DECNET_METRICS_TOKEN":     "hunter2",
		"DECNET_BATCH_SIZE":        "many",
		"DECNET_BATCH_MAX_WAIT_MS": "0",
		"DECNET_DB_TYPE":           "postgres",
		"DECNET_DB_URL":            "postgres://decnet:hunter2@db/decnet",
		"DECNET_DEVELOPER":         "maybe",
		"DECNET_LOG_LEVEL":         "loud",
		"DECNET_LOG_FORMAT":        "xml",
	}, "serve", "--admin-user=", "--ingest=")
	text := bad.Error()
	for _, name := range []string{
		"--api-host (DECNET_API_HOST)", "--api-port (DECNET_API_PORT)", "https://bad.example/path",
		"DECNET_JWT_SECRET", "DECNET_ADMIN_PASSWORD", "DECNET_METRICS_TOKEN", "DECNET_BATCH_SIZE", "DECNET_BATCH_MAX_WAIT_MS",
		"DECNET_DB_TYPE", "DECNET_DB_URL", "DECNET_DEVELOPER", "DECNET_LOG_LEVEL", "DECNET_LOG_FORMAT", "DECNET_ADMIN_USER", "--ingest",
	} {
		assert.Contains(t, text, name)
	}
	assert.Len(t, bad, 15)
	assert.NotContains(t, text, "fine.example")
	assert.NotContains(t, text, "hunter2", "a secret is not repeated")
}

func TestParse_RefusesWhatIsNoCommandOrFlag(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"nonsense"}, {"serve", "--no-such-flag"}, {"serve", "extra"}, {"serve", "--api-port=x"},
		{"serve", "--jwt-secret=" + goodSecret}, {"user"}, {"user", "add"}, {"user", "add", "eve", "--role=god"},
		{"user", "add", strings.Repeat("n", 65)}, {"user", "list", "--db-type=mysql"}, {"user", "reset", "eve", "--db-url=x://y"},
	} {
		assert.Len(t, parseFaults(t, nil, args...), 1, "%q", args)
	}
}

func TestParse_ReadsSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	c := parseServe(t, map[string]string{
		"DECNET_JWT_SECRET_FILE":    file("jwt", goodSecret+"\n"),
		"DECNET_METRICS_TOKEN_FILE": file("token", "0123456789abcdef\r\n"),
	}, "--admin-password-file="+file("password", " a password "))
	assert.Equal(t, goodSecret, string(c.JWTSecret))
	assert.Equal(t, "0123456789abcdef", string(c.MetricsToken))
	assert.Equal(t, " a password ", string(c.AdminPassword), "spaces may be part of a password")

	bad := parseFaults(t, map[string]string{
		"DECNET_JWT_SECRET":          goodSecret,
		"DECNET_JWT_SECRET_FILE":     file("other", goodSecret),
		"DECNET_ADMIN_PASSWORD_FILE": filepath.Join(dir, "missing"),
		"DECNET_METRICS_TOKEN_FILE":  file("empty", "\n"),
	}, "serve")
	require.Len(t, bad, 3)
	assert.Equal(t, "DECNET_JWT_SECRET and DECNET_JWT_SECRET_FILE are both set: keep one.", bad[0])
	assert.Contains(t, bad[1], "DECNET_ADMIN_PASSWORD_FILE")
	assert.Contains(t, bad[2], "is empty")
}

func TestConfig_NeverPrintsASecret(t *testing.T) {
	t.Parallel()
	c := parseServe(t, map[string]string{
		"DECNET_JWT_SECRET": goodSecret, "DECNET_ADMIN_PASSWORD": goodSecret, "DECNET_METRICS_TOKEN": goodSecret,
	})
	require.Equal(t, goodSecret, string(c.JWTSecret))
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&b, nil), slog.NewTextHandler(&b, nil)} {
		slog.New(h).InfoContext(t.Context(), "started", slog.Any("config", c), slog.Any("secret", c.JWTSecret))
	}
	fmt.Fprintf(&b, "%v %+v %#v %s", c, c, c, c.AdminPassword)
	assert.Contains(t, b.String(), "[hidden]")
	assert.NotContains(t, b.String(), goodSecret)
}

func TestHelp_TellsEveryOptionOfTheTableAndNoValue(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, _, err := parse([]string{"serve", "--help"}, env(map[string]string{
		"DECNET_JWT_SECRET": goodSecret, "DECNET_ADMIN_USER": "the-boss",
	}), &out, io.Discard)
	require.ErrorIs(t, err, errHelpShown)
	help := out.String()
	rows := optionTable(reflect.TypeFor[config]())
	require.Greater(t, len(rows), 15)
	for _, o := range rows {
		assert.Contains(t, help, "$"+o.Variable)
		if !o.Secret {
			assert.Regexp(t, `(?m)^ +--`+o.Flag+`(=|$| )`, help)
		}
		if o.Default != "" && o.Default != "false" {
			assert.Contains(t, help, o.Default)
		}
	}
	assert.NotContains(t, help, goodSecret)
	assert.NotContains(t, help, "the-boss")
}

func TestFlagName(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"APIHost": "api-host", "DataDir": "data-dir", "Developer": "developer", "MustChange": "must-change", "DBURL": "dburl", "LogJSON": "log-json",
	} {
		assert.Equal(t, want, flagName(field))
	}
}

func TestDatabasePath(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                      filepath.Join("d", "decnet.db"),
		"other.db":              "other.db",
		"/srv/decnet.db":        "/srv/decnet.db",
		"sqlite:///other.db":    "other.db",
		"sqlite:////srv/d/a.db": "/srv/d/a.db",
	} {
		got, err := (&storeOptions{DataDir: "d", DBURL: url}).databasePath()
		require.NoError(t, err, url)
		assert.Equal(t, want, got)
	}
	for _, url := range []string{"sqlite:///", "mysql://u:p@h/d", "file:x.db", ":memory:", "x.db?mode=ro", "sqlite://host/x"} {
		_, err := (&storeOptions{DataDir: "d", DBURL: url}).databasePath()
		assert.Error(t, err, url)
	}
}

func TestReadme_HoldsTheOptionTable(t *testing.T) {
	t.Parallel()
	const file = "../../README.md"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), tableBegin+"\n")
	require.True(t, found, "README.md has no line %q", tableBegin)
	table, after, found := strings.Cut(rest, tableEnd)
	require.True(t, found, "README.md has no line %q", tableEnd)
	if updating() {
		require.NoError(t, os.WriteFile(file, []byte(before+tableBegin+"\n"+optionMarkdown()+tableEnd+after), 0o644))
		return
	}
	assert.Equal(t, optionMarkdown(), table, "run make docs")
}
