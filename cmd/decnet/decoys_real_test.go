package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"decnet/decoy"
)

// attack is a visit of a client: lines are sent, one after each answer.
func attack(t *testing.T, address string, lines ...string) {
	t.Helper()
	dialer := net.Dialer{Timeout: patience}
	c, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer c.Close() //nolint:errcheck // the visit is over
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	r := bufio.NewReader(c)
	for _, line := range lines {
		if rest, waits := strings.CutPrefix(line, "<"); waits { // first wait for a byte
			_, err := r.ReadByte()
			require.NoError(t, err, address)
			line = rest
		}
		_, err := io.WriteString(c, line)
		require.NoError(t, err, address)
	}
	_, _ = io.Copy(io.Discard, r) // until the decoy has answered, and hangs up or waits in vain
}

// TestDecoys_RealOnesTellWhatIsTried starts the shipped fleet as a new user does,
// tries a password at each of its services, and finds them all in the API with
// what was typed.
func TestDecoys_RealOnesTellWhatIsTried(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	network := onLoopback(t, 4)
	shipped, err := os.ReadFile(filepath.Join("..", "..", "examples", "fleet.ini"))
	require.NoError(t, err)
	file := filepath.Join(dir, "fleet.ini")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(shipped), "127.10.0.", network)), 0o600))
	p := beginWith(t, decoy.Makers(), filepath.Join(dir, "data"), withAdmin(), "--decoys="+file, "--decoy-port-offset=20000")
	require.NotEmptyf(t, p.url, "decnet did not start: %s", p.stderr.String())
	c := p.admin(t)

	web, bastion, db, mail := network+"10", network+"20", network+"30", network+"40"
	startup := "\x00\x03\x00\x00user\x00pguser\x00\x00"
	password := "pgpass\x00"
	attack(t, db+":25432", string(binary.BigEndian.AppendUint32(nil, uint32(len(startup)+4)))+startup,
		"<p"+string(binary.BigEndian.AppendUint32(nil, uint32(len(password)+4)))+password)
	attack(t, db+":26379", "AUTH redispass\r\n", "<QUIT\r\n")
	attack(t, web+":20021", "<USER ftpuser\r\n", "<PASS ftppass\r\n", "<QUIT\r\n")
	attack(t, mail+":20025", "<EHLO x\r\n", "<AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00smtpuser\x00smtppass"))+"\r\n", "<QUIT\r\n")
	attack(t, mail+":20110", "<USER popuser\r\n", "<PASS poppass\r\n", "<QUIT\r\n")
	attack(t, mail+":20143", "<a LOGIN imapuser imappass\r\n", "<b LOGOUT\r\n")
	attackHTTP(t, "http://"+web+":20080/admin")
	attackSSH(t, bastion+":20022")

	want := []string{
		"default:redispass:redis", "ftpuser:ftppass:ftp", "httpuser:httppass:http", "imapuser:imappass:imap", "pguser:pgpass:postgres",
		"popuser:poppass:pop3", "smtpuser:smtppass:smtp", "sshuser:sshpass:ssh",
	}
	var got []string
	eventually(t, "all passwords are known", func() bool {
		var page struct {
			Data []struct {
				Username, Password string
				Services           []string
			}
		}
		c.get(t, "/api/v1/credentials?limit=100", &page)
		got = got[:0]
		for _, pair := range page.Data {
			got = append(got, pair.Username+":"+pair.Password+":"+strings.Join(pair.Services, "+"))
		}
		slices.Sort(got)
		return len(got) >= len(want)
	})
	assert.Equal(t, want, got)

	var attackers struct {
		Data []struct {
			Deckies     []string
			IsTraversal bool `json:"is_traversal"`
		}
	}
	c.get(t, "/api/v1/attackers", &attackers)
	require.Len(t, attackers.Data, 1)
	assert.True(t, attackers.Data[0].IsTraversal, "one attacker went from decoy to decoy")
	assert.Len(t, attackers.Data[0].Deckies, 4)
}

func attackHTTP(t *testing.T, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	r.SetBasicAuth("httpuser", "httppass")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
}

func attackSSH(t *testing.T, address string) {
	t.Helper()
	_, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
		User: "sshuser", Auth: []ssh.AuthMethod{ssh.Password("sshpass")}, Timeout: patience,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	require.ErrorContains(t, err, "unable to authenticate")
}
