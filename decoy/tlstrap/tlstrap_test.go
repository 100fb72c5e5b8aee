package tlstrap_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

// echo is a service that sends back one line.
type echo struct{ *tlstrap.Terminator }

func (e echo) Serve(ctx context.Context, s *trap.Session) {
	over, err := e.Upgrade(ctx, s)
	var plain *tlstrap.PlainError
	if errors.As(err, &plain) {
		plain.Session.Record("plain", trap.Field{Key: "first", Value: string(plain.First)})
		over, err = plain.Session, nil
	}
	if err != nil {
		s.Record("failed")
		return
	}
	defer over.Close() //nolint:errcheck // the client is gone or reads the end
	line, err := bufio.NewReader(over).ReadString('\n')
	if err == nil {
		_, _ = over.Write([]byte(line))
	}
}

func maker(o tlstrap.Options) trap.Maker {
	return func(e trap.Env) (trap.Service, error) {
		t, err := tlstrap.New(e, o)
		return trap.Service{TCP: echo{t}, SourceKey: "remote_addr"}, err
	}
}

func client(t *testing.T, b *traptest.Bench, c *tls.Config) (*tls.Conn, error) {
	t.Helper()
	c.InsecureSkipVerify = true
	conn := tls.Client(b.Dial(443), c)
	return conn, conn.HandshakeContext(t.Context())
}

func line(t *testing.T, c net.Conn) string {
	t.Helper()
	_, err := c.Write([]byte("hello\n"))
	require.NoError(t, err)
	got, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	return got
}

func TestUpgrade_RecordsTheClientAndSpeaksWithIt(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, maker(tlstrap.Options{ALPN: []string{"http/1.1"}, OwnIP: true}), traptest.Options{Service: "https"})
	c, err := client(t, b, &tls.Config{ServerName: "www.example.org", NextProtos: []string{"http/1.1"}})
	require.NoError(t, err)
	assert.Equal(t, "hello\n", line(t, c))
	state := c.ConnectionState()
	assert.Equal(t, "http/1.1", state.NegotiatedProtocol)
	assert.Equal(t, uint16(tls.VersionTLS13), state.Version)
	assert.Equal(t, tls.X25519, state.CurveID, "the hybrid of Go would betray it")

	event := b.Wait("tls_client_hello")
	assert.Equal(t, "sniffer", event.Service)
	f := traptest.Fields(event)
	assert.Equal(t, "www.example.org", f["sni"])
	assert.Equal(t, "http/1.1", f["alpn"])
	assert.Equal(t, "TLS 1.3", f["tls_version"])
	assert.Equal(t, "443", f["dst_port"])
	assert.Equal(t, "10.0.0.5", f["dst_ip"])
	assert.Equal(t, "127.0.0.1", f["src_ip"], "not remote_addr: the sniffer has its own names")
	assert.NotContains(t, f, "remote_addr")
	assert.Regexp(t, `^[0-9a-f]{32}$`, f["ja3"])
	assert.Regexp(t, `^t13d\d{4}h1_[0-9a-f]{12}_[0-9a-f]{12}$`, f["ja4"])
	assert.Contains(t, f["raw_ciphers"], "4865")
	assert.Contains(t, f["raw_extensions"], "43")
}

func TestUpgrade_TheCertificateIsPlausibleAndStays(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	leaf := func(o tlstrap.Options) *x509.Certificate {
		b := traptest.New(t, maker(o), traptest.Options{Service: "https", Identity: trap.Identity{Keys: keys}})
		c, err := client(t, b, &tls.Config{MinVersion: tls.VersionTLS12})
		require.NoError(t, err)
		got := c.ConnectionState().PeerCertificates
		require.Len(t, got, 1)
		now := b.Env.Now()
		assert.True(t, got[0].NotBefore.Before(now))
		assert.True(t, got[0].NotAfter.After(now))
		return got[0]
	}
	first := leaf(tlstrap.Options{})
	assert.Equal(t, "srv-web-07", first.Subject.CommonName)
	assert.Equal(t, []string{"srv-web-07"}, first.DNSNames)
	assert.Equal(t, first.Subject, first.Issuer)
	require.NoError(t, first.CheckSignature(first.SignatureAlgorithm, first.RawTBSCertificate, first.Signature))
	assert.Equal(t, first.Raw, leaf(tlstrap.Options{}).Raw, "a restart changes nothing")

	other := leaf(tlstrap.Options{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, Issuer: pkix.Name{CommonName: "kubernetes"},
		DNSNames: []string{"kubernetes.default"}, OwnIP: true, Days: 365,
	})
	assert.Equal(t, "CN=kubernetes", other.Issuer.String())
	assert.Equal(t, "10.0.0.5", other.IPAddresses[0].String())
	assert.Equal(t, 365*24*time.Hour, other.NotAfter.Sub(other.NotBefore))
	assert.NotEmpty(t, other.AuthorityKeyId)
	assert.Equal(t, first.Raw, leaf(tlstrap.Options{}).Raw, "other options have other certificates")
}

func TestUpgrade_AShortCertificateIsRenewedInTime(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	now := time.Date(2026, 4, 14, 9, 3, 24, 0, time.UTC)
	different := map[string]bool{}
	for range 10 {
		now = now.AddDate(0, 0, 100)
		b := traptest.New(t, maker(tlstrap.Options{Issuer: pkix.Name{CommonName: "kubernetes"}, Days: 365}),
			traptest.Options{Now: func() time.Time { return now }, Identity: trap.Identity{Keys: keys}})
		c, err := client(t, b, &tls.Config{MinVersion: tls.VersionTLS12})
		require.NoError(t, err)
		leaf := c.ConnectionState().PeerCertificates[0]
		assert.False(t, leaf.NotBefore.After(now))
		assert.True(t, leaf.NotAfter.After(now.AddDate(0, 0, 29)))
		different[leaf.NotBefore.String()] = true
	}
	assert.LessOrEqual(t, len(different), 4, "not more often than need be")
	assert.GreaterOrEqual(t, len(different), 3)
}

func TestUpgrade_FailedHandshakesAreRecorded(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, maker(tlstrap.Options{}), traptest.Options{})
	_, err := client(t, b, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.ErrorContains(t, err, "protocol version")
	f := traptest.Fields(b.Wait("tls_client_hello"))
	assert.Equal(t, "TLS 1.1", f["tls_version"])
	b.Wait("failed")
}

func TestUpgrade_OldDistributionsHaveOldVersions(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, maker(tlstrap.Options{}), traptest.Options{Identity: trap.Identity{Distro: "centos7"}})
	c, err := client(t, b, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
	require.NoError(t, err)
	assert.Equal(t, "hello\n", line(t, c))
	c, err = client(t, b, &tls.Config{MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	assert.Equal(t, uint16(tls.VersionTLS12), c.ConnectionState().Version)
}

func TestUpgrade_AProtocolThatTheServerLacksIsIgnored(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, maker(tlstrap.Options{ALPN: []string{"http/1.1"}}), traptest.Options{})
	c, err := client(t, b, &tls.Config{NextProtos: []string{"imap"}})
	require.NoError(t, err)
	assert.Empty(t, c.ConnectionState().NegotiatedProtocol)
	assert.Equal(t, "hello\n", line(t, c))
}

func TestUpgrade_PlainTextGoesOnWithAllThatWasSent(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, maker(tlstrap.Options{}), traptest.Options{})
	assert.Equal(t, "hello\n", line(t, b.Dial(443)))
	assert.Equal(t, "hello", traptest.Fields(b.Wait("plain"))["first"])
	for _, e := range b.Events() {
		assert.NotEqual(t, "tls_client_hello", e.Type)
	}
}

func TestUpgrade_AHelloInPartsIsRead(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, maker(tlstrap.Options{}), traptest.Options{})
	msg := chrome("h2")
	var wire bytes.Buffer
	for part := range bytes.SplitAfterSeq(msg, []byte{0x13}) {
		wire.Write([]byte{22, 3, 1, byte(len(part) >> 8), byte(len(part))})
		wire.Write(part)
	}
	_, err := b.Dial(443).Write(wire.Bytes())
	require.NoError(t, err)
	assert.Equal(t, "t13d1516h2_8daaf6152771_e5627efa2ab1", traptest.Fields(b.Wait("tls_client_hello"))["ja4"])
}

func TestUpgrade_GarbageEndsWithAnAlert(t *testing.T) {
	t.Parallel()
	for name, wire := range map[string]string{
		"no hello":         "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
		"a broken hello":   "\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",
		"an endless hello": "\x16\x03\x01\x00\x04\x01\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := traptest.New(t, maker(tlstrap.Options{}), traptest.Options{})
			_, err := b.Dial(443).Write([]byte(wire))
			require.NoError(t, err)
			b.Wait("failed")
		})
	}
}

func TestUpgrade_AClientCertificateIsRecorded(t *testing.T) {
	t.Parallel()
	certPEM, keyPEM := selfSigned(t)
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	require.NoError(t, err)
	b := traptest.New(t, maker(tlstrap.Options{AskClientCert: true}), traptest.Options{})
	c, err := client(t, b, &tls.Config{Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	assert.Equal(t, "hello\n", line(t, c))
	f := traptest.Fields(b.Wait("tls_client_certificate"))
	assert.Equal(t, "from the settings", f["subject_cn"])
	assert.Len(t, f["sha256"], 64)
}

func TestNew_TakesACertificateFromTheSettings(t *testing.T) {
	t.Parallel()
	certPEM, keyPEM := selfSigned(t)
	oneLine := strings.ReplaceAll(certPEM, "\n", `\n`)
	b := traptest.New(t, maker(tlstrap.Options{CertPEM: oneLine, KeyPEM: keyPEM}), traptest.Options{})
	c, err := client(t, b, &tls.Config{MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	assert.Equal(t, "from the settings", c.ConnectionState().PeerCertificates[0].Subject.CommonName)

	_, err = tlstrap.New(b.Env, tlstrap.Options{CertPEM: certPEM, KeyPEM: "/etc/ssl/private/key.pem"})
	require.ErrorContains(t, err, "not names of files")
	assert.NotContains(t, err.Error(), "/etc")
}

func TestUpgrade_OpenSSLAgrees(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	b := traptest.New(t, maker(tlstrap.Options{}), traptest.Options{})
	cmd := exec.CommandContext(t.Context(), openssl, "s_client", "-connect", b.Listen(443), "-tls1_2", "-cipher", "AES128-SHA256", "-ign_eof")
	cmd.Stdin = strings.NewReader("hello\n")
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	assert.Contains(t, string(out), "Cipher is AES128-SHA256")
	assert.Contains(t, string(out), "\nhello\n")
	assert.Contains(t, string(out), "subject=CN = srv-web-07")
	f := traptest.Fields(b.Wait("tls_client_hello"))
	assert.Equal(t, "60-255", f["raw_ciphers"])
	assert.Equal(t, "TLS 1.2", f["tls_version"])
}
