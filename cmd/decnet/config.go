package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"decnet/auth"
)

// secret is a string that prints as a placeholder, so that a configuration can
// be logged or end up in a failing test's message without giving it away.
type secret string

// String hides the value.
func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "[hidden]"
}

// GoString hides the value from %#v.
func (s secret) GoString() string { return s.String() }

// LogValue hides the value from log/slog.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from encoders.
func (s secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// storeOptions say where the data lies. Every command that opens the database
// has them. The tags of the option structs are the one table from which parsing,
// --help and the README section come: a flag (its name made from the field's
// unless given), a variable, a default, and a sentence. A field tagged secret has
// no flag, since arguments can be read by every user of the machine.
type storeOptions struct {
	DataDir string `variable:"DECNET_DATA_DIR" default:"./data" help:"Directory of the database, the signing secret and the fleet's state file; made with mode 0700."`
	DBType  string `name:"db-type" variable:"DECNET_DB_TYPE" default:"sqlite" help:"Database engine. Only sqlite, which is built in."`
	DBURL   string `name:"db-url" variable:"DECNET_DB_URL" placeholder:"FILE" help:"Database file, as a path or as sqlite:///path; decnet.db in the data directory when not given."`
}

// logOptions say what goes to standard error.
type logOptions struct {
	LogLevel  string `variable:"DECNET_LOG_LEVEL" default:"info" help:"Least severe messages to log: debug, info, warn or error."`
	LogFormat string `variable:"DECNET_LOG_FORMAT" default:"text" help:"How to write the log: text for people, json for collectors."`
}

// config is all that serve can be told.
type config struct {
	APIHost     string   `name:"api-host" variable:"DECNET_API_HOST" default:"127.0.0.1" help:"Address to listen on. Only this machine by default, because the service itself speaks plain HTTP."`
	APIPort     int      `name:"api-port" variable:"DECNET_API_PORT" default:"8000" help:"Port to listen on; 0 takes a free one."`
	CORSOrigins []string `name:"cors-origins" variable:"DECNET_CORS_ORIGINS" placeholder:"ORIGIN" help:"Origins whose pages may call the API from a browser, separated by commas, or * for any; none when not given."`

	JWTSecret         secret `kong:"-" secret:"" variable:"DECNET_JWT_SECRET" help:"Key that signs access tokens, at least 32 characters. When not given, one is made and kept in the data directory with mode 0600."`
	JWTSecretFile     string `name:"jwt-secret-file" variable:"DECNET_JWT_SECRET_FILE" placeholder:"FILE" help:"File to read the signing key from, instead of DECNET_JWT_SECRET."`
	AdminUser         string `variable:"DECNET_ADMIN_USER" default:"admin" help:"Name of the first administrator, made when there is none."`
	AdminPassword     secret `kong:"-" secret:"" variable:"DECNET_ADMIN_PASSWORD" help:"Password of the first administrator, 8 to 72 bytes. When not given, a random one is printed once and must be changed at the first login. Without effect once there is an administrator."`
	AdminPasswordFile string `variable:"DECNET_ADMIN_PASSWORD_FILE" placeholder:"FILE" help:"File to read the first administrator's password from, instead of DECNET_ADMIN_PASSWORD."`
	MetricsToken      secret `kong:"-" secret:"" variable:"DECNET_METRICS_TOKEN" help:"Bearer token that opens /metrics to a collector, at least 16 characters. When not given, /metrics is open to whoever reaches the port."`
	MetricsTokenFile  string `variable:"DECNET_METRICS_TOKEN_FILE" placeholder:"FILE" help:"File to read the token of /metrics from, instead of DECNET_METRICS_TOKEN."`

	storeOptions
	StateFile string `variable:"DECNET_STATE_FILE" placeholder:"FILE" help:"The fleet's state file, read whenever it changes; decnet-state.json in the data directory when not given."`

	IngestLogFile string   `variable:"DECNET_INGEST_LOG_FILE" placeholder:"FILE" help:"Log file to read and to keep following; it may appear later, be rotated or be cut."`
	Ingest        []string `name:"ingest" sep:"none" placeholder:"PATH" help:"Another file to read and follow, a directory, a pattern such as '/data/*/log/*.json' (quoted), or - for standard input; may be repeated. PATH=FORMAT names the format. A .gz file is read once."`
	NoFollow      bool     `help:"Read once what is there; else files are followed, and new ones noticed in directories and for patterns."`
	lineOptions

	Syslog               string `name:"syslog" variable:"DECNET_SYSLOG" placeholder:"ADDRESS" help:"Take syslog over TCP (RFC 5424 and 6587) on this address, such as :6514; off when not given."`
	SyslogTLSCert        string `name:"syslog-tls-cert" variable:"DECNET_SYSLOG_TLS_CERT" placeholder:"FILE" help:"Certificate with which syslog is taken over TLS (RFC 5425), in PEM; read anew when it has changed."`
	SyslogTLSKey         string `name:"syslog-tls-key" variable:"DECNET_SYSLOG_TLS_KEY" placeholder:"FILE" help:"Key of that certificate, in PEM."`
	SyslogMaxConnections int    `name:"syslog-max-connections" variable:"DECNET_SYSLOG_MAX_CONNECTIONS" default:"100" help:"Most syslog connections at once; further ones are closed."`

	decoyOptions

	RetainDays int    `name:"retain-days" variable:"DECNET_RETAIN_DAYS" default:"0" help:"Remove events older than so many days; attackers, bounties and credentials stay. 0 keeps all."`
	RetainSize string `name:"retain-size" variable:"DECNET_RETAIN_SIZE" placeholder:"SIZE" help:"Remove the oldest events while the database is larger, such as 20GB; no limit when not given."`

	BatchSize      int `variable:"DECNET_BATCH_SIZE" default:"5000" help:"Most events to commit at once; larger batches are faster, smaller ones hold the database for less long."`
	BatchMaxWaitMS int `name:"batch-max-wait-ms" variable:"DECNET_BATCH_MAX_WAIT_MS" default:"250" help:"Longest time in milliseconds that a read event waits for its batch to fill."`

	DebugListen string `variable:"DECNET_DEBUG_LISTEN" placeholder:"ADDRESS" help:"Serve profiles of the program itself (net/http/pprof) on this address of this machine, such as 127.0.0.1:6060; off when not given."`

	Developer bool `variable:"DECNET_DEVELOPER" default:"false" help:"Developer mode: allows DELETE /config/reinit, which empties the database. Never where data matters."`
	logOptions
}

// The bounds of the wire contract and of bcrypt, in bytes.
const (
	minPassword     = 8
	maxPassword     = 72
	maxUsername     = 64
	minMetricsToken = 16
	maxBatchSize    = 100_000
	maxBatchWait    = time.Minute
	maxSecretFile   = 64 << 10
	maxRetainDays   = 36500
	// Each connection takes some 100 KiB.
	maxSyslogConnections = 1000
)

// faults are everything that is wrong with a command's options, so that a person
// mends them in one go.
type faults []string

// Error puts each fault on a line of its own.
func (f faults) Error() string {
	if len(f) == 1 {
		return f[0]
	}
	return fmt.Sprintf("%d options are wrong:\n  - %s", len(f), strings.Join(f, "\n  - "))
}

// orNil is needed because a nil slice inside an error interface is not nil.
func (f faults) orNil() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func (f *faults) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

// readSecretFiles fills in the secrets that are given as files.
func (c *config) readSecretFiles() error {
	var bad faults
	read := func(value *secret, variable, path string) {
		if path == "" {
			return
		}
		if *value != "" {
			bad = append(bad, fmt.Sprintf("%s and %s_FILE are both set: keep one.", variable, variable))
			return
		}
		text, err := readSecretFile(path)
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s_FILE: %v.", variable, err))
			return
		}
		*value = secret(text)
	}
	read(&c.JWTSecret, "DECNET_JWT_SECRET", c.JWTSecretFile)
	read(&c.AdminPassword, "DECNET_ADMIN_PASSWORD", c.AdminPasswordFile)
	read(&c.MetricsToken, "DECNET_METRICS_TOKEN", c.MetricsTokenFile)
	return bad.orNil()
}

// readSecretFile returns a file's text without its last line break.
func readSecretFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretFile {
		return "", fmt.Errorf("%s is not a small regular file", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return text, nil
}

// validate reports all faults at once. It reads no file and opens nothing.
func (c *config) validate() error {
	var bad faults
	_, hostErr := netip.ParseAddr(c.APIHost)
	bad.check(hostErr == nil || c.APIHost == "localhost",
		"--api-host (DECNET_API_HOST) %q is not an IP address or localhost.", c.APIHost)
	bad.check(c.APIPort >= 0 && c.APIPort <= 65535,
		"--api-port (DECNET_API_PORT) must be from 0 to 65535, not %d.", c.APIPort)
	for _, o := range c.CORSOrigins {
		bad.check(o == "*" || isOrigin(o),
			"--cors-origins (DECNET_CORS_ORIGINS) %q is neither an origin such as https://dashboard.example nor *.", o)
	}
	bad.check(c.AdminUser != "" && len(c.AdminUser) <= maxUsername,
		"--admin-user (DECNET_ADMIN_USER) must have 1 to %d bytes.", maxUsername)
	if c.JWTSecret != "" {
		err := auth.CheckSecret([]byte(c.JWTSecret))
		bad.check(err == nil, "DECNET_JWT_SECRET: %v.", err)
	}
	if c.AdminPassword != "" {
		bad.check(validPassword(string(c.AdminPassword)) == nil,
			"DECNET_ADMIN_PASSWORD must have %d to %d bytes.", minPassword, maxPassword)
	}
	if c.MetricsToken != "" {
		bad.check(len(c.MetricsToken) >= minMetricsToken,
			"DECNET_METRICS_TOKEN must have at least %d characters.", minMetricsToken)
	}
	bad.check(c.BatchSize >= 1 && c.BatchSize <= maxBatchSize,
		"--batch-size (DECNET_BATCH_SIZE) must be from 1 to %d, not %d.", maxBatchSize, c.BatchSize)
	bad.check(c.BatchMaxWaitMS >= 1 && c.BatchMaxWaitMS <= int(maxBatchWait.Milliseconds()),
		"--batch-max-wait-ms (DECNET_BATCH_MAX_WAIT_MS) must be from 1 to %d, not %d.", maxBatchWait.Milliseconds(), c.BatchMaxWaitMS)
	for _, path := range c.Ingest {
		bad.check(path != "", "--ingest needs the name of a file.")
	}
	c.validateSyslog(&bad)
	bad.check(c.RetainDays >= 0 && c.RetainDays <= maxRetainDays,
		"--retain-days (DECNET_RETAIN_DAYS) must be from 0 to %d, not %d.", maxRetainDays, c.RetainDays)
	_, err := parseSize(c.RetainSize)
	bad.check(err == nil, "--retain-size (DECNET_RETAIN_SIZE) %v.", err)
	c.lineOptions.validate(&bad)
	c.decoyOptions.validate(&bad)
	c.storeOptions.validate(&bad)
	c.logOptions.validate(&bad)
	return bad.orNil()
}

func (c *config) validateSyslog(bad *faults) {
	if c.Syslog != "" {
		_, port, err := net.SplitHostPort(c.Syslog)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		bad.check(err == nil, "--syslog (DECNET_SYSLOG) %q is not an address with a port, such as :6514 or 127.0.0.1:6514.", c.Syslog)
	}
	bad.check((c.SyslogTLSCert == "") == (c.SyslogTLSKey == ""), "--syslog-tls-cert and --syslog-tls-key need each other.")
	bad.check(c.SyslogTLSCert == "" || c.Syslog != "", "--syslog-tls-cert needs --syslog.")
	bad.check(c.DebugListen == "" || isLoopback(c.DebugListen),
		"--debug-listen (DECNET_DEBUG_LISTEN) must be a port of this machine only, such as 127.0.0.1:6060, not %q.", c.DebugListen)
	bad.check(c.SyslogMaxConnections >= 1 && c.SyslogMaxConnections <= maxSyslogConnections,
		"--syslog-max-connections (DECNET_SYSLOG_MAX_CONNECTIONS) must be from 1 to %d, not %d.", maxSyslogConnections, c.SyslogMaxConnections)
}

func (o *storeOptions) validate(bad *faults) {
	bad.check(o.DataDir != "", "--data-dir (DECNET_DATA_DIR) needs the name of a directory.")
	bad.check(o.DBType == "sqlite",
		"--db-type (DECNET_DB_TYPE) %q is not supported: this version has only the built-in sqlite.", o.DBType)
	_, err := o.databasePath()
	// The value is not repeated, since a URL may hold a password.
	bad.check(err == nil, "--db-url (DECNET_DB_URL) %v.", err)
}

// databasePath returns the database file.
func (o *storeOptions) databasePath() (string, error) {
	const prefix = "sqlite:///"
	path := strings.TrimPrefix(o.DBURL, prefix)
	switch {
	case o.DBURL == "":
		return filepath.Join(o.DataDir, "decnet.db"), nil
	case path == "":
		return "", errors.New("names no file")
	case strings.Contains(path, "://"), strings.ContainsAny(path, "?#\x00"), strings.HasPrefix(path, "file:"), strings.HasPrefix(path, ":memory:"):
		return "", errors.New("must be the path of a file, or sqlite:///path")
	}
	return filepath.Clean(path), nil
}

func (o *logOptions) validate(bad *faults) {
	_, err := parseLevel(o.LogLevel)
	bad.check(err == nil, "--log-level (DECNET_LOG_LEVEL) %q is not debug, info, warn or error.", o.LogLevel)
	bad.check(o.LogFormat == "text" || o.LogFormat == "json",
		"--log-format (DECNET_LOG_FORMAT) %q is not text or json.", o.LogFormat)
}

func parseLevel(name string) (slog.Level, error) {
	switch name {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("unknown level %q", name)
}

// isOrigin reports whether s is what a browser sends as its Origin header.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Scheme+"://"+u.Host == s
}

// validPassword checks the bounds of the wire contract.
func validPassword(p string) error {
	if len(p) < minPassword || len(p) > maxPassword {
		return fmt.Errorf("a password must have %d to %d bytes", minPassword, maxPassword)
	}
	return nil
}

// statePath returns the fleet's state file.
func (c *config) statePath() string {
	if c.StateFile != "" {
		return c.StateFile
	}
	return filepath.Join(c.DataDir, "decnet-state.json")
}

// sources are the files to read, each once, the followed log file first.
func (c *config) sources() []string {
	var out []string
	seen := map[string]bool{}
	for _, path := range append([]string{c.IngestLogFile}, c.Ingest...) {
		if path != "" && !seen[filepath.Clean(path)] {
			seen[filepath.Clean(path)] = true
			out = append(out, path)
		}
	}
	return out
}
