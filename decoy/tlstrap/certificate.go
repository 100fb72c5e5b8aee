package tlstrap

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// certificate returns what the settings give, or one that was made by the
// options once.
func certificate(e trap.Env, o *Options) (tls.Certificate, error) {
	if o.given() {
		return fromSettings(o)
	}
	b, err := e.Host.Key(keyName(e, o), func() ([]byte, error) { return create(e, o) })
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the TLS certificate: %w", err)
	}
	c, err := tls.X509KeyPair(b, b)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the TLS certificate that was kept: %w", err)
	}
	return c, nil
}

// errPEM is for whoever wrote the settings.
var errPEM = errors.New("tls_cert and tls_key are the text of a certificate and of its key in PEM, not names of files")

func fromSettings(o *Options) (tls.Certificate, error) {
	c, err := tls.X509KeyPair([]byte(lines(o.CertPEM)), []byte(lines(o.KeyPEM)))
	if err != nil {
		return c, errPEM // the cause could quote the key
	}
	return c, nil
}

// lines undoes what it takes to write a PEM text in one line of a file.
func lines(s string) string { return strings.ReplaceAll(s, `\n`, "\n") }

// keyName differs where the certificate would, so that a changed setting gives a
// new one and the old setting the old one again.
func keyName(e trap.Env, o *Options) string {
	id := fmt.Appendf(nil, "%s|%s|%q|%v|%d", o.Subject.String(), o.Issuer.String(), o.DNSNames, o.IPs, o.Days)
	if o.renewed() {
		id = fmt.Appendf(id, "|%d", issued(e, o).Unix())
	}
	sum := sha256.Sum256(id)
	return "tls_" + hex.EncodeToString(sum[:6]) + ".pem"
}

// keyBits is what openssl makes by default.
const keyBits = 2048

// create makes a key and a certificate for it.
func create(e trap.Env, o *Options) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	from := issued(e, o)
	leaf := &x509.Certificate{
		SerialNumber: serial(e, "leaf"), Subject: o.Subject, DNSNames: o.DNSNames, IPAddresses: o.IPs,
		NotBefore: from, NotAfter: from.AddDate(0, 0, o.Days), BasicConstraintsValid: true,
	}
	parent, signer := leaf, crypto.Signer(key)
	if o.Issuer.String() != "" {
		leaf.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
		leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if parent, signer, err = authority(e, o.Issuer, from); err != nil {
			return nil, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a key: %w", err)
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...), nil
}

// authority is a private one, which nobody has but the signature tells of. Its
// key is forgotten.
func authority(e trap.Env, name pkix.Name, from time.Time) (*x509.Certificate, crypto.Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, nil, fmt.Errorf("make the key of an authority: %w", err)
	}
	id := sha256.Sum256(key.N.Bytes())
	return &x509.Certificate{
		SerialNumber: serial(e, "authority"), Subject: name, SubjectKeyId: id[:20],
		NotBefore: from, NotAfter: from.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, key, nil
}

// renewed says that somebody renews the certificate before it ends; those that
// are made for many years are forgotten.
func (o *Options) renewed() bool { return o.Days < 730 }

// issued is when the certificate was made: with the machine, between a month and a
// year before it is first needed, or when it was last renewed, a month before the
// end of the one before.
func issued(e trap.Env, o *Options) time.Time {
	const day = 24 * time.Hour
	r := e.Host.Rand("tls issued")
	now := e.Now().UTC().Truncate(time.Second)
	if !o.renewed() {
		return now.AddDate(0, 0, -30-r.IntN(330)).Add(-time.Duration(r.IntN(int(day/time.Second))) * time.Second)
	}
	period := int64(max(o.Days-30, 1)) * int64(day/time.Second)
	return now.Add(-time.Duration((now.Unix()+r.Int64N(period))%period) * time.Second)
}

func serial(e trap.Env, of string) *big.Int {
	b := e.Host.Derive("tls serial "+e.Service+" "+of, 20)
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// ips turns an address of the host into the list that a certificate has.
func ips(h *trap.Host) []net.IP {
	if !h.Addr.IsValid() {
		return nil
	}
	return []net.IP{h.Addr.AsSlice()}
}
