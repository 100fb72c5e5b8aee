package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestServe_TakesARenewedCertificate: a renewal writes one file after the other,
// and senders connect in between.
func TestServe_TakesARenewedCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	oldCert, oldKey := pemPair(t, 1)
	newCert, newKey := pemPair(t, 2)
	replace(t, cert, oldCert)
	replace(t, key, oldKey)
	p := launch(t, t.TempDir(), withAdmin(), "--syslog=127.0.0.1:0", "--syslog-tls-cert", cert, "--syslog-tls-key", key)
	m := regexp.MustCompile(`taking syslog over TCP" address=(\S+)`).FindStringSubmatch(p.stderr.String())
	require.NotNil(t, m, p.stderr.String())
	assert.EqualValues(t, 1, servedBy(t, m[1]))

	replace(t, cert, newCert)
	assert.EqualValues(t, 1, servedBy(t, m[1]), "half a pair is none")
	replace(t, key, newKey)
	assert.EqualValues(t, 2, servedBy(t, m[1]))
	require.NoError(t, os.Remove(key))
	assert.EqualValues(t, 2, servedBy(t, m[1]), "what was read last is good enough")
	assert.Equal(t, exitOK, p.end(t))
	assert.Contains(t, p.stderr.String(), "going on with the old one")
	assert.Contains(t, p.stderr.String(), "took the new certificate")
}

func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", data, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// servedBy connects, and returns the number of the certificate that is shown.
func servedBy(t *testing.T, address string) int64 {
	t.Helper()
	var number int64
	d := tls.Dialer{Config: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // the number is all that is of interest
		VerifyConnection: func(s tls.ConnectionState) error {
			number = s.PeerCertificates[0].SerialNumber.Int64()
			return nil
		},
	}}
	conn, err := d.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	return number
}

// pemPair makes a certificate with a number, and its key.
func pemPair(t *testing.T, number int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}
