package mailbox_test

import (
	"bufio"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/mailbox"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, service string, make trap.Maker) *traptest.Bench {
	t.Helper()
	return traptest.New(t, make, traptest.Options{Service: service})
}

// lines sends text and returns so many lines of what comes back.
func lines(t *testing.T, c io.ReadWriter, r *bufio.Reader, text string, n int) []string {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
	var got []string
	for range n {
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		got = append(got, strings.TrimRight(line, "\r\n"))
	}
	return got
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func pairs(b *traptest.Bench, n int) []string {
	var all []string
	for _, e := range b.WaitN("auth", n) {
		f := traptest.Fields(e)
		all = append(all, f["username"]+":"+f["password"]+":"+f["status"])
	}
	return all
}

func TestPOP3_TakesPasswordsAndRefusesThem(t *testing.T) {
	t.Parallel()
	b := newBench(t, "pop3", mailbox.NewPOP3)
	c := b.Dial(110)
	r := bufio.NewReader(c)
	assert.Equal(t, []string{"+OK Dovecot (Debian) ready."}, lines(t, c, r, "", 1))
	assert.Equal(t, []string{"-ERR No username given."}, lines(t, c, r, "PASS x\r\n", 1))
	assert.Equal(t, []string{"+OK", "-ERR [AUTH] Authentication failed."}, lines(t, c, r, "USER root\r\nPASS two words\xff\r\n", 2))
	assert.Equal(t, []string{"-ERR [AUTH] Authentication failed."}, lines(t, c, r, "AUTH PLAIN "+encoded("\x00bob\x00pw")+"\r\n", 1))
	assert.Equal(t, []string{"+ ", "-ERR [AUTH] Authentication failed."}, lines(t, c, r, "AUTH PLAIN\r\n"+encoded("\x00carl\x00pw")+"\r\n", 2))
	assert.Equal(t, []string{"-ERR Unknown command."}, lines(t, c, r, "RETR 1\r\n", 1))
	assert.Equal(t, []string{"+OK Logging out"}, lines(t, c, r, "QUIT\r\n", 1))
	_, err := r.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, []string{"root:two words\xff:failed", "bob:pw:failed", "carl:pw:failed"}, pairs(b, 3))
}

func TestIMAP_TakesPasswordsAndRefusesThem(t *testing.T) {
	t.Parallel()
	b := newBench(t, "imap", mailbox.NewIMAP)
	c := b.Dial(143)
	r := bufio.NewReader(c)
	hello := lines(t, c, r, "", 1)[0]
	assert.Equal(t, "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS AUTH=PLAIN] Dovecot (Debian) ready.", hello)
	refused := "a NO [AUTHENTICATIONFAILED] Authentication failed."
	assert.Equal(t, []string{refused}, lines(t, c, r, "a LOGIN root \"p \\\"w\\\"\"\r\n", 1))
	assert.Equal(t, []string{refused}, lines(t, c, r, "a AUTHENTICATE PLAIN "+encoded("\x00bob\x00pw")+"\r\n", 1))
	assert.Equal(t, []string{"+ OK", "+ OK", refused}, lines(t, c, r, "a LOGIN {4}\r\ncarl {5}\r\np\r\n\"w\r\n", 3), "literals")
	assert.Equal(t, []string{refused}, lines(t, c, r, "a LOGIN {4+}\r\ndora {2+}\r\npw\r\n", 1), "literals nobody waits with")
	assert.Equal(t, []string{"a BAD Error in IMAP command LOGIN: Invalid arguments."}, lines(t, c, r, "a LOGIN x\r\n", 1))
	assert.Equal(t, []string{"b BAD Error in IMAP command received by server."}, lines(t, c, r, "b SELECT INBOX\r\n", 1))
	assert.Equal(t, []string{"* BYE Logging out", "c OK Logout completed."}, lines(t, c, r, "c LOGOUT\r\n", 2))
	assert.Equal(t, []string{`root:p "w":failed`, "bob:pw:failed", "carl:p\r\n\"w:failed", "dora:pw:failed"}, pairs(b, 4))
}

// proofs are the proofs of n attempts, of which none has a password.
func proofs(t *testing.T, b *traptest.Bench, n int) []string {
	t.Helper()
	var all []string
	for _, e := range b.WaitN("auth", n) {
		f := traptest.Fields(e)
		assert.NotContains(t, f, "password")
		assert.Equal(t, "failed", f["status"])
		all = append(all, f["username"]+" "+f["method"]+" "+f["hashcat"])
	}
	return all
}

func TestPOP3_TakesProofsWhereTheyAreOffered(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, mailbox.NewPOP3, traptest.Options{Service: "pop3", Config: trap.Config{"auth": "plain cram-md5 apop"}})
	c := b.Dial(110)
	r := bufio.NewReader(c)
	_, stamp, found := strings.Cut(lines(t, c, r, "", 1)[0], "+OK Dovecot (Debian) ready. ")
	require.True(t, found)
	sum := fmt.Sprintf("%x", md5.Sum([]byte(stamp+"tanstaaf")))
	assert.Equal(t, []string{"-ERR [AUTH] Authentication failed."}, lines(t, c, r, "APOP mrose "+sum+"\r\n", 1))
	challenge := strings.TrimPrefix(lines(t, c, r, "AUTH CRAM-MD5\r\n", 1)[0], "+ ")
	answer := encoded("tim b913a602c7eda7a495b4e6e7334d3890")
	assert.Equal(t, []string{"-ERR [AUTH] Authentication failed."}, lines(t, c, r, answer+"\r\n", 1))
	assert.Equal(t, []string{"mrose APOP " + sum + ":" + stamp, "tim CRAM-MD5 $cram_md5$" + challenge + "$" + answer}, proofs(t, b, 2))
	assert.Equal(t, []string{"-ERR [AUTH] Invalid base64 data in continued response"}, lines(t, c, r, "AUTH CRAM-MD5\r\n*\r\n", 2)[1:])
	assert.Equal(t, []string{"+OK", "PLAIN", "CRAM-MD5", "."}, lines(t, c, r, "AUTH\r\n", 4))
}

func TestIMAP_TakesAProofWhereItIsOffered(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, mailbox.NewIMAP, traptest.Options{Service: "imap", Config: trap.Config{"auth": "CRAM-MD5"}})
	c := b.Dial(143)
	r := bufio.NewReader(c)
	assert.Contains(t, lines(t, c, r, "", 1)[0], " AUTH=CRAM-MD5]")
	challenge := strings.TrimPrefix(lines(t, c, r, "a AUTHENTICATE CRAM-MD5\r\n", 1)[0], "+ ")
	answer := encoded("tim b913a602c7eda7a495b4e6e7334d3890")
	assert.Equal(t, []string{"a NO [AUTHENTICATIONFAILED] Authentication failed."}, lines(t, c, r, answer+"\r\n", 1))
	assert.Equal(t, []string{"tim CRAM-MD5 $cram_md5$" + challenge + "$" + answer}, proofs(t, b, 1))
	assert.Equal(t, []string{"a NO Unsupported authentication mechanism."}, lines(t, c, r, "a AUTHENTICATE PLAIN\r\n", 1))
}

func TestMailbox_OffersWhatItKnows(t *testing.T) {
	t.Parallel()
	env := newBench(t, "imap", mailbox.NewIMAP).Env
	env.Config = trap.Config{"auth": "apop"}
	_, err := mailbox.NewIMAP(env)
	require.ErrorContains(t, err, "APOP")
}

// Each has TLS on a port of its own, and on request on the other.
func TestMailbox_TLS(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		make          trap.Maker
		plain, secure int
		start, begun  string
		login, answer string
	}{
		"pop3": {mailbox.NewPOP3, 110, 995, "STLS\r\n", "+OK Begin TLS negotiation now.", "USER x\r\n", "+OK"},
		"imap": {mailbox.NewIMAP, 143, 993, "a STARTTLS\r\n", "a OK Begin TLS negotiation now.", "a NOOP\r\n", "a OK NOOP completed."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, name, test.make)
			secured := func(c net.Conn) (*tls.Conn, *bufio.Reader) {
				s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
				require.NoError(t, s.HandshakeContext(t.Context()))
				return s, bufio.NewReader(s)
			}
			c, r := secured(b.Dial(test.secure))
			assert.NotContains(t, lines(t, c, r, "", 1)[0], "STARTTLS")
			assert.Equal(t, test.answer, lines(t, c, r, test.login, 1)[0])

			plain := b.Dial(test.plain)
			assert.Equal(t, test.begun, lines(t, plain, bufio.NewReader(plain), test.start, 2)[1])
			c, r = secured(plain)
			assert.Equal(t, test.answer, lines(t, c, r, test.login, 1)[0])
			b.WaitN("tls_client_hello", 2)
		})
	}
}

func TestMailbox_IsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, "imap", mailbox.NewIMAP)
	c := b.Dial(143)
	r := bufio.NewReader(c)
	lines(t, c, r, "", 1)
	assert.Contains(t, lines(t, c, r, "a LOGIN {999999999}\r\n", 1)[0], "BAD", "a length alone takes no memory")
	for i := range 300 {
		if _, err := fmt.Fprintf(c, "a%d NOOP\r\n", i); err != nil {
			break
		}
	}
	rest, _ := io.ReadAll(r) // it may be reset, with commands that nobody read
	assert.Less(t, strings.Count(string(rest), "\n"), 200)
}
