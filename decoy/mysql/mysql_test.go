package mysql_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/mysql"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, config trap.Config) *traptest.Bench {
	t.Helper()
	return traptest.New(t, mysql.New, traptest.Options{Service: "mysql", Config: config})
}

func read(t *testing.T, c io.Reader) (seq byte, body []byte) {
	t.Helper()
	head := make([]byte, 4)
	_, err := io.ReadFull(c, head)
	require.NoError(t, err)
	body = make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err = io.ReadFull(c, body)
	require.NoError(t, err)
	return head[3], body
}

func write(t *testing.T, c io.Writer, seq byte, body []byte) {
	t.Helper()
	_, err := c.Write(append([]byte{byte(len(body)), byte(len(body) >> 8), 0, seq}, body...))
	require.NoError(t, err)
}

// greeted is what a client takes from the greeting.
type greeted struct {
	version   string
	challenge []byte
	plugin    string
}

func greeting(t *testing.T, c io.Reader) greeted {
	t.Helper()
	seq, b := read(t, c)
	require.Zero(t, seq)
	require.Equal(t, byte(10), b[0])
	version, rest, _ := strings.Cut(string(b[1:]), "\x00")
	first := rest[4:12]
	second, plugin, _ := strings.Cut(rest[4+8+1+2+1+2+2+1+10:], "\x00")
	return greeted{version, []byte(first + second), strings.TrimSuffix(plugin, "\x00")}
}

// native is the proof of a password as every client computes it.
func native(password string, challenge []byte) []byte {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	mask := sha1.Sum(append(append([]byte(nil), challenge...), twice[:]...))
	for i := range mask {
		mask[i] ^= once[i]
	}
	return mask[:]
}

const capabilities = 1<<0 | 1<<3 | 1<<9 | 1<<15 | 1<<19 | 1<<20

func head(flags uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, flags)
	b = binary.LittleEndian.AppendUint32(b, 1<<24)
	return append(b, append([]byte{45}, make([]byte, 23)...)...)
}

func login(user string, proof []byte, database, plugin string) []byte {
	b := append(head(capabilities), user+"\x00"...)
	b = append(b, byte(len(proof)))
	b = append(b, proof...)
	b = append(b, database+"\x00"+plugin+"\x00"...)
	return append(b, "\x11\x05_pidx\x0212\x01a\x05zz\xffzz"...)
}

func TestMySQL_TakesTheProofOfThePasswordAndRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.Dial(3306)
	g := greeting(t, c)
	assert.Equal(t, "5.5.5-10.11.6-MariaDB-0+deb12u1", g.version)
	assert.Equal(t, "mysql_native_password", g.plugin)
	require.Len(t, g.challenge, 20)
	proof := native("hunter2", g.challenge)
	write(t, c, 1, login("ro\xffot", proof, "shop", "mysql_native_password"))
	seq, answer := read(t, c)
	assert.Equal(t, byte(2), seq)
	assert.Equal(t, byte(0xff), answer[0])
	assert.Equal(t, uint16(1045), binary.LittleEndian.Uint16(answer[1:]))
	assert.Equal(t, "#28000Access denied for user 'ro\xffot'@'127.0.0.1' (using password: YES)", string(answer[3:]))

	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "ro\xffot", auth["username"])
	assert.Equal(t, "shop", auth["database"])
	assert.Equal(t, "$mysqlna$"+hex.EncodeToString(g.challenge)+"*"+hex.EncodeToString(proof), auth["hashcat"])
	assert.NotContains(t, auth, "password", "a proof is no password")
	assert.Contains(t, auth["client_attributes"], "_pidx=12")
}

func TestMySQL_ChallengesDiffer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	first, second := greeting(t, b.Dial(3306)), greeting(t, b.Dial(3306))
	assert.NotEqual(t, first.challenge, second.challenge)
}

func TestMySQL_OtherPluginsAreAskedForTheNativeProof(t *testing.T) {
	t.Parallel()
	for version, plugin := range map[string]string{"5.7.44": "caching_sha2_password", "8.0.36": "dialog", "11.4.2-MariaDB": "client_ed25519"} {
		b := newBench(t, trap.Config{"version": version})
		c := b.Dial(3306)
		g := greeting(t, c)
		assert.Equal(t, version, g.version)
		write(t, c, 1, login("root", make([]byte, 32), "", plugin))
		_, asked := read(t, c)
		assert.Equal(t, "\xfemysql_native_password\x00"+string(g.challenge)+"\x00", string(asked))
		write(t, c, 3, native("secret", g.challenge))
		seq, answer := read(t, c)
		assert.Equal(t, byte(4), seq)
		assert.Contains(t, string(answer), "Access denied")
		assert.Equal(t, "$mysqlna$"+hex.EncodeToString(g.challenge)+"*"+hex.EncodeToString(native("secret", g.challenge)),
			traptest.Fields(b.Wait("auth"))["hashcat"])
	}
}

// cached is the proof of caching_sha2_password.
func cached(password string, challenge []byte) []byte {
	once := sha256.Sum256([]byte(password))
	twice := sha256.Sum256(once[:])
	mask := sha256.Sum256(append(twice[:], challenge...))
	for i := range mask {
		mask[i] ^= once[i]
	}
	return mask[:]
}

// newest is a bench of MySQL 8.
func newest(t *testing.T) *traptest.Bench {
	t.Helper()
	return newBench(t, trap.Config{"version": "8.0.36"})
}

func TestMySQL_EightIsSentThePasswordItself(t *testing.T) {
	t.Parallel()
	b := newest(t)
	c := b.Dial(3306)
	g := greeting(t, c)
	assert.Equal(t, "caching_sha2_password", g.plugin)
	write(t, c, 1, login("root", cached("hunter\xff2", g.challenge), "", g.plugin))
	_, answer := read(t, c)
	require.Equal(t, "\x01\x04", string(answer))
	write(t, c, 3, []byte{2})
	_, answer = read(t, c)
	block, _ := pem.Decode(answer[1:])
	require.NotNil(t, block)
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
	laid := []byte("hunter\xff2\x00")
	for i := range laid {
		laid[i] ^= g.challenge[i]
	}
	encrypted, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public.(*rsa.PublicKey), laid, nil)
	require.NoError(t, err)
	write(t, c, 5, encrypted)
	seq, answer := read(t, c)
	assert.Equal(t, byte(6), seq)
	assert.Contains(t, string(answer), "using password: YES")
	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "hunter\xff2", auth["password"])
	assert.NotContains(t, auth, "response")

	// Over TLS it needs no key.
	c = b.Dial(3306)
	g = greeting(t, c)
	write(t, c, 1, head(capabilities|1<<11))
	secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, secure.HandshakeContext(t.Context()))
	write(t, secure, 2, login("admin", cached("pw", g.challenge), "", g.plugin))
	_, answer = read(t, secure)
	require.Equal(t, "\x01\x04", string(answer))
	write(t, secure, 4, []byte("pw\x00"))
	_, answer = read(t, secure)
	assert.Contains(t, string(answer), "Access denied for user 'admin'")
	assert.Equal(t, "pw", traptest.Fields(b.WaitN("auth", 2)[1])["password"])
}

func TestMySQL_EightKeepsTheProofOfWhoWontSendMore(t *testing.T) {
	t.Parallel()
	b := newest(t)
	c := b.Dial(3306)
	g := greeting(t, c)
	proof := cached("x", g.challenge)
	write(t, c, 1, login("root", proof, "", g.plugin))
	read(t, c)
	require.NoError(t, c.Close())
	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, hex.EncodeToString(proof), auth["response"])
	assert.Equal(t, hex.EncodeToString(g.challenge), auth["challenge"])
	assert.NotContains(t, auth, "password")

	c = b.Dial(3306)
	g = greeting(t, c)
	write(t, c, 1, login("root", proof, "", g.plugin))
	read(t, c)
	write(t, c, 3, make([]byte, 300)) // neither a password nor a question
	_, answer := read(t, c)
	assert.Contains(t, string(answer), "Access denied")
	auth = traptest.Fields(b.WaitN("auth", 2)[1])
	assert.NotContains(t, auth, "password")
	assert.Equal(t, strings.Repeat("00", 64), auth["data"])

	c = b.Dial(3306)
	g = greeting(t, c)
	write(t, c, 1, login("root", nil, "", g.plugin))
	_, answer = read(t, c)
	assert.Contains(t, string(answer), "using password: NO")
	password, there := traptest.Fields(b.WaitN("auth", 3)[2])["password"]
	assert.True(t, there && password == "")
}

// What Go's driver, which bots are written with, concludes of each version, and
// what it gives away: it asks for the key by itself.
func TestMySQL_Driver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ version, tls, password string }{
		"MySQL 8":          {"8.0.36", "false", "hunter2"},
		"MySQL 8 with TLS": {"8.0.36", "skip-verify", "hunter2"},
		"MariaDB":          {"5.5.5-10.11.6-MariaDB", "false", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, trap.Config{"version": test.version})
			db, err := sql.Open("mysql", "root:hunter2@tcp("+b.Listen(3306)+")/shop?tls="+test.tls)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, db.Close()) })
			var refused *driver.MySQLError
			require.ErrorAs(t, db.PingContext(t.Context()), &refused)
			assert.Equal(t, uint16(1045), refused.Number)
			assert.Equal(t, "Access denied for user 'root'@'127.0.0.1' (using password: YES)", refused.Message)
			auth := traptest.Fields(b.Wait("auth"))
			assert.Equal(t, "root shop "+test.password, auth["username"]+" "+auth["database"]+" "+auth["password"])
			assert.Equal(t, test.password == "", auth["hashcat"] != "")
		})
	}
}

// A client whose library is in wide use concludes what it would of a real server.
func TestMySQL_RealClient(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("mysql")
	if err != nil {
		t.Skip("the client mysql is not installed")
	}
	b := newest(t)
	host, port, err := net.SplitHostPort(b.Listen(3306))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), path, "-h", host, "-P", port, "-u", "root", "-phunter2", "--protocol=tcp").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "Access denied for user 'root'@")
	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "root", auth["username"])
	assert.Equal(t, "hunter2", auth["password"])
}

func TestMySQL_PasswordsInClearTextAndEmptyOnes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.Dial(3306)
	greeting(t, c)
	write(t, c, 1, login("root", []byte("clear\x00"), "", "mysql_clear_password"))
	_, answer := read(t, c)
	assert.Contains(t, string(answer), "(using password: YES)")
	assert.Equal(t, "clear", traptest.Fields(b.Wait("auth"))["password"])

	c = b.Dial(3306)
	greeting(t, c)
	write(t, c, 1, login("root", nil, "", "mysql_native_password"))
	_, answer = read(t, c)
	assert.Contains(t, string(answer), "(using password: NO)")
	second := traptest.Fields(b.WaitN("auth", 2)[1])
	password, there := second["password"]
	assert.True(t, there && password == "", "an empty password is one, too")
}

func TestMySQL_OverTLS(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.Dial(3306)
	g := greeting(t, c)
	write(t, c, 1, head(capabilities|1<<11))
	secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, secure.HandshakeContext(t.Context()))
	write(t, secure, 2, login("root", native("x", g.challenge), "", "mysql_native_password"))
	seq, answer := read(t, secure)
	assert.Equal(t, byte(3), seq)
	assert.Contains(t, string(answer), "Access denied")
	b.Wait("tls_client_hello")
}

func TestMySQL_WhatIsNoLogin(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, body := range [][]byte{{}, {1}, make([]byte, 33), append(head(capabilities), "no end"...)} {
		c := b.Dial(3306)
		greeting(t, c)
		write(t, c, 1, body)
		_, answer := read(t, c)
		assert.Equal(t, "#08S01Bad handshake", string(answer[3:]))
	}
	b.WaitN("protocol_error", 4)
	c := b.Dial(3306)
	greeting(t, c)
	_, err := c.Write([]byte{0xff, 0xff, 0xff, 1})
	require.NoError(t, err)
	_, err = io.ReadAll(c)
	assert.NotErrorIs(t, err, net.ErrClosed, "it hangs up without waiting for 16 MB")
}
