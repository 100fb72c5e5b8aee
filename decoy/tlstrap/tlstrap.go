package tlstrap

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"decnet/decoy/trap"
)

// Options say what a service's TLS looks like.
type Options struct {
	// Subject is that of the certificate; without a common name it is the host's
	// name. Issuer is a private authority; the certificate is self-signed where it
	// is empty.
	Subject, Issuer pkix.Name
	// DNSNames and IPs are the subject's alternative names. Where both are empty it
	// is the common name, as Debian's make-ssl-cert has it.
	DNSNames []string
	IPs      []net.IP
	// OwnIP adds the address of the host to IPs.
	OwnIP bool
	// Days is how long the certificate is valid, 0 for ten years.
	Days int
	// ALPN is what the server speaks. A client that offers none of it is not turned
	// away; it goes on without.
	ALPN []string
	// MinVersion and MaxVersion are constants of crypto/tls, 0 for what the OpenSSL
	// of the host's distribution allows.
	MinVersion, MaxVersion uint16
	// AskClientCert asks for a certificate, takes any and records it.
	AskClientCert bool
	// CertPEM and KeyPEM are texts from the settings; with them the certificate is
	// not made. Line ends may be written as \n.
	CertPEM, KeyPEM string
}

// Terminator speaks TLS for a service. It is safe for concurrent use.
type Terminator struct {
	env     trap.Env
	options Options

	mu sync.Mutex
	// with has ALPN and bare has none; both are nil until the first client comes.
	with, bare *tls.Config
}

// New makes a terminator. It reports PEM texts that don't fit together. A
// certificate that is to be made is made when the first client comes: a key takes
// up to a second, and a fleet has many services that nobody ever speaks TLS with.
func New(e trap.Env, o Options) (*Terminator, error) {
	o.setDefaults(e.Host)
	t := &Terminator{env: e, options: o}
	if o.given() {
		if _, err := t.config(nil); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// config returns what a client that offers these protocols is spoken to with.
func (t *Terminator) config(offered []string) (*tls.Config, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.with == nil {
		c, err := certificate(t.env, &t.options)
		if err != nil {
			return nil, err
		}
		t.with = t.build(c)
		t.bare = t.build(c)
		t.bare.NextProtos = nil
	}
	if !slices.ContainsFunc(offered, func(p string) bool { return slices.Contains(t.options.ALPN, p) }) {
		return t.bare, nil
	}
	return t.with, nil
}

func (t *Terminator) build(c tls.Certificate) *tls.Config {
	config := &tls.Config{
		Certificates: []tls.Certificate{c}, Time: t.env.Now, NextProtos: t.options.ALPN,
		MinVersion: t.options.MinVersion, MaxVersion: t.options.MaxVersion,
		CipherSuites: suites(t.options.MinVersion), CurvePreferences: curves(t.env.Host),
	}
	if t.options.AskClientCert {
		config.ClientAuth = tls.RequestClientCert
	}
	return config
}

// given says that the settings have a certificate.
func (o *Options) given() bool { return o.CertPEM != "" || o.KeyPEM != "" }

func (o *Options) setDefaults(h *trap.Host) {
	if o.Subject.CommonName == "" {
		o.Subject.CommonName = h.Hostname
	}
	if o.OwnIP {
		o.IPs = append(slices.Clone(o.IPs), ips(h)...)
	}
	if len(o.DNSNames) == 0 && len(o.IPs) == 0 {
		o.DNSNames = []string{o.Subject.CommonName}
	}
	if o.Days == 0 {
		o.Days = 3650
	}
	lowest, highest := versions(h)
	if o.MinVersion == 0 {
		o.MinVersion = lowest
	}
	if o.MaxVersion == 0 {
		o.MaxVersion = max(highest, o.MinVersion)
	}
}

// versions are those that the OpenSSL of a distribution allows by default.
func versions(h *trap.Host) (lowest, highest uint16) {
	switch {
	case h.Distro == "centos7", h.System == "embedded", h.System == "cisco":
		return tls.VersionTLS10, tls.VersionTLS12
	default:
		return tls.VersionTLS12, tls.VersionTLS13
	}
}

// suites are those of OpenSSL's default list that crypto/tls has, too.
func suites(lowest uint16) []uint16 {
	var ids []uint16
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	for _, s := range tls.InsecureCipherSuites() {
		old := strings.Contains(s.Name, "RC4") || strings.Contains(s.Name, "3DES") && lowest >= tls.VersionTLS12
		if !old && !slices.Contains(ids, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// curves leaves out what the OpenSSL of the distributions does not have, above
// all the hybrid that would say at once that this is Go.
func curves(h *trap.Host) []tls.CurveID {
	old := []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521}
	if h.Distro == "centos7" {
		return old
	}
	return append([]tls.CurveID{tls.X25519}, old...)
}

// Upgrade begins TLS on a session. It records the client hello, and then makes
// the handshake; the session that it returns is in plain text, and closing it
// says good-bye before it closes the one below. Where the client doesn't begin
// with TLS the error is a *[PlainError], and nothing is recorded.
func (t *Terminator) Upgrade(ctx context.Context, s *trap.Session) (*trap.Session, error) {
	msg, read, err := readHello(s)
	over := s.Over(&rewound{Conn: s.Conn, head: read})
	var offered []string
	if err != nil {
		if len(read) > 0 && read[0] != recordHandshake {
			return nil, &PlainError{Session: over, First: read[:min(len(read), recordHeader)]}
		}
		if !errors.Is(err, errHello) {
			return nil, err
		}
	} else if h, err := ParseHello(msg); err == nil {
		record(s, h)
		offered = h.ALPN
	}
	config, err := t.config(offered)
	if err != nil {
		t.env.Log.Error("a decoy cannot speak TLS", slog.String("service", t.env.Service), slog.Any("error", err))
		return nil, err
	}
	c := tls.Server(over.Conn, config) // what is broken gets its alert
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	recordCertificate(s, c.ConnectionState())
	return s.Over(c), nil
}

// Observe records the client hello in bytes that came where no TLS is spoken, if
// they hold a whole one.
func Observe(s *trap.Session, wire []byte) {
	msg, _, err := readHello(bytes.NewReader(wire))
	if err != nil {
		return
	}
	if h, err := ParseHello(msg); err == nil {
		record(s, h)
	}
}

// watcher is the session as the sniffer, which names addresses its own way, sees
// it.
func watcher(s *trap.Session) *trap.Peer {
	p := s.Peer
	p.SourceKey = "src_ip"
	return &p
}

const sniffer = "sniffer"

func record(s *trap.Session, h *Hello) {
	fields := []trap.Field{
		{Key: "dst_ip", Value: s.Host.Addr.String()},
		{Key: "ja3", Value: h.JA3()},
		{Key: "ja4", Value: h.JA4()},
		{Key: "tls_version", Value: versionName(h.Highest())},
		{Key: "sni", Value: h.SNI},
		{Key: "alpn", Value: strings.Join(h.ALPN, ",")},
		{Key: "raw_ciphers", Value: dashed(h.Ciphers)},
		{Key: "raw_extensions", Value: dashed(h.Extensions)},
	}
	if r := h.resumption(); r != "" {
		fields = append(fields, trap.Field{Key: "resumption", Value: r})
	}
	watcher(s).RecordAs(sniffer, "tls_client_hello", fields...)
}

// resumption names the ways in which the client goes on with an old session. In
// TLS 1.3 an id means nothing.
func (h *Hello) resumption() string {
	var by []string
	if h.Ticket {
		by = append(by, "session_ticket")
	}
	if h.PSK {
		by = append(by, "psk")
	}
	if h.SessionID && h.Highest() < tls.VersionTLS13 {
		by = append(by, "session_id")
	}
	return strings.Join(by, ",")
}

// recordCertificate records the certificate of a client that has one.
func recordCertificate(s *trap.Session, state tls.ConnectionState) {
	if len(state.PeerCertificates) == 0 {
		return
	}
	c := state.PeerCertificates[0]
	sum := sha256.Sum256(c.Raw)
	watcher(s).RecordAs(sniffer, "tls_client_certificate",
		trap.Field{Key: "subject_cn", Value: c.Subject.CommonName},
		trap.Field{Key: "subject", Value: c.Subject.String()},
		trap.Field{Key: "issuer", Value: c.Issuer.String()},
		trap.Field{Key: "not_before", Value: c.NotBefore.UTC().Format(time.RFC3339)},
		trap.Field{Key: "not_after", Value: c.NotAfter.UTC().Format(time.RFC3339)},
		trap.Field{Key: "sans", Value: strings.Join(c.DNSNames, ",")},
		trap.Field{Key: "sha256", Value: hex.EncodeToString(sum[:])},
	)
}
