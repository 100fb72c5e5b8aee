// Package mssql imitates Microsoft SQL Server, by [MS-TDS]: PRELOGIN with its
// negotiation of encryption, TLS inside of PRELOGIN packets or, for TDS 8.0,
// around everything, and the login with a password or with NTLM.
//
// It records what clients tell before the login (prelogin), their client hello
// (through tlstrap), the login with the password, which LOGIN7 only obfuscates
// (auth; for NTLM the answer to a random challenge as hashcat cracks it), and what
// is none of these (unknown_packet). Everybody gets error 18456, unless the
// settings have a password: then statements are recorded (query), the commands in
// them (command), what they would fetch (file_download) and what they bring
// (file_upload), and answered as a server does on which nothing was changed yet.
//
// What it promises: at most 64 kB of a message are held, the rest streams into the
// quarantine; no length that a client sends is believed; nothing is executed.
package mssql

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"strings"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// server is the service of one decky.
type server struct {
	release release
	// name is what the server calls itself.
	name               string
	linux              bool
	username, password string
	database           string
	// wrapped speaks TLS inside of packets, strict around them; strict is nil where
	// the release has no TDS 8.0.
	wrapped, strict *tlstrap.Terminator
	ntlm            ntlmtrap.Server
}

// New makes the service. Of its settings it knows "version" (such as 15.0.2000.5),
// and "password", which lets in "username", or every name without it.
func New(e trap.Env) (trap.Service, error) {
	h := e.Host
	s := &server{
		linux: h.System != "windows", username: e.Config["username"], password: e.Config["password"],
		name: ntlmtrap.NetBIOSName(h.Hostname),
	}
	var err error
	if s.release, err = releaseOf(h, e.Config["version"]); err != nil {
		return trap.Service{}, err
	}
	if s.linux {
		s.name, _, _ = strings.Cut(h.Hostname, ".")
	}
	if s.release.edition == express && !s.linux {
		s.name += `\SQLEXPRESS`
	}
	names := []string{"CRM", "ERP", "Inventory", "Payroll", "Orders", "WebShop", "Intranet", "Reports"}
	s.database = names[h.Rand("mssql database").IntN(len(names))]
	o := tlstrap.Options{
		Subject: pkix.Name{CommonName: "SSL_Self_Signed_Fallback"}, Days: 10957, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12,
	}
	if s.release.major >= 16 {
		o.MinVersion = tls.VersionTLS12
	}
	if s.wrapped, err = tlstrap.New(e, o); err != nil {
		return trap.Service{}, fmt.Errorf("TLS of mssql: %w", err)
	}
	if s.release.major >= 16 {
		o.ALPN, o.MaxVersion = []string{"tds/8.0"}, tls.VersionTLS13
		if s.strict, err = tlstrap.New(e, o); err != nil {
			return trap.Service{}, fmt.Errorf("TLS of mssql: %w", err)
		}
	}
	netbios := ntlmtrap.NetBIOSName(h.Hostname)
	s.ntlm = ntlmtrap.Server{NetBIOS: netbios, Domain: netbios, DNS: h.Hostname, DNSDomain: h.Hostname, Major: 10, Build: s.release.windows}
	return trap.Service{TCP: s}, nil
}
