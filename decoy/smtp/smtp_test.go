package smtp_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	decoy "decnet/decoy/smtp"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, make trap.Maker, config trap.Config) *traptest.Bench {
	t.Helper()
	return traptest.New(t, make, traptest.Options{Service: "smtp", Config: config})
}

// talk sends lines and returns the reply to each, its first line.
func talk(t *testing.T, c net.Conn, lines ...string) []string {
	t.Helper()
	r := bufio.NewReader(c)
	read := func() string {
		first := ""
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return first + "|" + err.Error()
			}
			if first == "" {
				first = strings.TrimRight(line, "\r\n")
			}
			if len(line) > 3 && line[3] == ' ' {
				return first
			}
		}
	}
	replies := []string{read()}
	for _, line := range lines {
		_, err := io.WriteString(c, line+"\r\n")
		require.NoError(t, err)
		replies = append(replies, read())
	}
	return replies
}

func TestSMTP_RelaysForNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t, decoy.New, nil)
	got := talk(t, b.Dial(25), "MAIL FROM:<a@b>", "EHLO scanner", "RCPT TO:<x@y>", "MAIL FROM:<spam@example.org> SIZE=100",
		"RCPT TO:<victim@example.com>", "RCPT TO:<root@srv-web-07.localdomain>", "VRFY root", "NONSENSE", "DATA", "Subject: hi\r\n\r\n..dot\r\n.", "QUIT")
	assert.Equal(t, []string{
		"220 srv-web-07.localdomain ESMTP Postfix (Debian/GNU)", "503 5.5.1 Error: send HELO/EHLO first", "250-srv-web-07.localdomain",
		"503 5.5.1 Error: need MAIL command", "250 2.1.0 Ok", "554 5.7.1 <victim@example.com>: Relay access denied", "250 2.1.5 Ok",
		"252 2.0.0 root", "502 5.5.2 Error: command not recognized", "354 End data with <CR><LF>.<CR><LF>",
	}, got[:10])
	assert.Regexp(t, `^250 2\.0\.0 Ok: queued as [0-9A-F]{10}$`, got[10])
	assert.Equal(t, "221 2.0.0 Bye", got[11])

	assert.Equal(t, "scanner", traptest.Fields(b.Wait("ehlo"))["domain"])
	assert.Equal(t, "victim@example.com", traptest.Fields(b.Wait("rcpt_denied"))["value"])
	message := traptest.Fields(b.Wait("message_accepted"))
	assert.Equal(t, "spam@example.org root@srv-web-07.localdomain 21", message["mail_from"]+" "+message["rcpt_to"]+" "+message["body_bytes"])
	kept, err := os.ReadFile(filepath.Join(b.QuarantineDir, message["sha256"]))
	require.NoError(t, err)
	assert.Equal(t, "Subject: hi\r\n\r\n.dot\r\n", string(kept))
}

func TestSMTP_ARelayTakesAll(t *testing.T) {
	t.Parallel()
	b := newBench(t, decoy.NewRelay, trap.Config{"mta": "exim", "banner": "mx.example.net ESMTP"})
	// net/smtp is a client that nobody wrote for this test.
	client, err := smtp.NewClient(b.Dial(25), "mx.example.net")
	require.NoError(t, err)
	require.NoError(t, client.StartTLS(&tls.Config{InsecureSkipVerify: true}))
	require.NoError(t, client.Mail("a@example.org"))
	require.NoError(t, client.Rcpt("b@example.com"))
	require.NoError(t, client.Rcpt("c@example.com"))
	w, err := client.Data()
	require.NoError(t, err)
	_, err = io.WriteString(w, "Subject: x\r\n\r\n"+strings.Repeat("long ", 5000)+"\r\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, client.Quit())
	message := traptest.Fields(b.Wait("message_accepted"))
	assert.Equal(t, "b@example.com,c@example.com", message["rcpt_to"])
	assert.Equal(t, "25016", message["size"])
	b.Wait("tls_client_hello")
}

func TestSMTP_PasswordsAreTakenAndRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, decoy.New, nil)
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	got := talk(t, b.Dial(587), "EHLO x", "AUTH PLAIN "+encode("\x00admin\x00p\xffss"), "AUTH LOGIN", encode("bob"), encode("secret"),
		"AUTH PLAIN", encode("\x00carl\x00"), "AUTH PLAIN not-base64!", "AUTH CRAM-MD5")
	for i, want := range []string{"220 ", "250-", "535 5.7.8", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "535 5.7.8", "334 ", "535 5.7.8", "535 5.7.8", "535 5.7.8"} {
		assert.True(t, strings.HasPrefix(got[i], want), "%d: %s", i, got[i])
	}
	var pairs []string
	for _, e := range b.WaitN("auth_attempt", 3) {
		f := traptest.Fields(e)
		pairs = append(pairs, f["username"]+":"+f["password"])
	}
	assert.Equal(t, []string{"admin:p\xffss", "bob:secret", "carl:"}, pairs)
}

func TestSMTP_TakesAProofWhereItIsOffered(t *testing.T) {
	t.Parallel()
	b := newBench(t, decoy.New, trap.Config{"auth": "plain cram-md5"})
	client, err := smtp.NewClient(b.Dial(25), "srv")
	require.NoError(t, err)
	_, offered := client.Extension("AUTH")
	assert.Equal(t, "PLAIN CRAM-MD5", offered)
	err = client.Auth(smtp.CRAMMD5Auth("bob", "secret"))
	require.ErrorContains(t, err, "5.7.8 Error: authentication failed: ")
	auth := traptest.Fields(b.Wait("auth_attempt"))
	assert.Equal(t, "bob", auth["username"])
	assert.NotContains(t, auth, "password")
	parts := strings.Split(auth["hashcat"], "$")
	require.Len(t, parts, 4)
	challenge, err := base64.StdEncoding.DecodeString(parts[2])
	require.NoError(t, err)
	mac := hmac.New(md5.New, []byte("secret"))
	mac.Write(challenge)
	assert.Equal(t, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "bob %x", mac.Sum(nil))), parts[3], "it can be cracked")

	got := talk(t, b.Dial(25), "EHLO x", "AUTH LOGIN", "AUTH CRAM-MD5", "*", "QUIT")
	assert.Equal(t, "535 5.7.8 Error: authentication failed: Invalid authentication mechanism", got[2], "nobody offered it")
	assert.Equal(t, "535 5.7.8 Error: authentication failed: Invalid base64 data in continued response", got[4])
	_, err = decoy.New(trap.Env{Host: b.Env.Host, Now: b.Env.Now, Config: trap.Config{"auth": "gssapi"}})
	require.ErrorContains(t, err, "GSSAPI")
}

func TestSMTP_HangsUpOnWhatIsNoMail(t *testing.T) {
	t.Parallel()
	b := newBench(t, decoy.New, nil)
	c := b.Dial(25)
	talk(t, c, "GET / HTTP/1.1")
	_, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Contains(t, talk(t, b.Dial(25), strings.Repeat("x", 5000))[1], "500 5.5.2 Error: line too long")
	c = b.Dial(25)
	replies := talk(t, c, strings.Split(strings.Repeat("NONSENSE,", 22), ",")[:21]...)
	assert.Contains(t, replies[21], "502 5.5.2")
	rest, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.NotContains(t, string(rest), "502")
	_, err = decoy.New(trap.Env{Host: b.Env.Host, Config: trap.Config{"mta": "qmail"}})
	require.Error(t, err)
}
