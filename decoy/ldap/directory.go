package ldap

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"decnet/decoy/ber"
	"decnet/decoy/ntlmtrap"
	"decnet/decoy/trap"
)

// directory is what the service pretends to hold.
type directory struct {
	ad       bool
	suffix   string
	domain   string
	password string
	machine  ntlmtrap.Server
	host     *trap.Host
}

func newDirectory(e trap.Env) *directory {
	h := e.Host
	d := &directory{ad: h.System == "windows" || h.Archetype == "domain-controller", password: e.Config["password"], host: h}
	_, d.domain, _ = strings.Cut(h.Hostname, ".")
	if v := e.Config["domain"]; v != "" {
		d.domain = v
	}
	if d.domain == "" {
		d.domain = "nodomain" // what slapd's package asks for and is given
		if d.ad {
			d.domain = "corp.local"
		}
	}
	d.suffix = "dc=" + strings.ReplaceAll(d.domain, ".", ",dc=")
	if d.ad {
		d.suffix = "DC=" + strings.ReplaceAll(d.domain, ".", ",DC=")
	}
	name, _, _ := strings.Cut(h.Hostname, ".")
	d.machine = ntlmtrap.Server{
		NetBIOS: ntlmtrap.NetBIOSName(name), Domain: ntlmtrap.NetBIOSName(d.domain),
		DNS: strings.ToLower(name) + "." + d.domain, DNSDomain: d.domain, Joined: true, Major: 10, Build: 14393,
	}
	return d
}

// unbound is what Active Directory says to who isn't logged in.
func (d *directory) unbound() string {
	return "000004DC: LdapErr: DSID-0C090A22, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v3839\x00"
}

type attribute struct {
	name   string
	values []string
}

// entry makes a SearchResultEntry with those attributes that are asked for. Of
// the operational ones, only what is asked for, or all by "+", is told.
func entry(dn string, user, operational []attribute, asked []string) []byte {
	want := func(a attribute, group string) bool {
		for _, n := range asked {
			if n == group || strings.EqualFold(n, a.name) {
				return true
			}
		}
		return len(asked) == 0 && group == "*"
	}
	var list [][]byte
	add := func(all []attribute, group string) {
		for _, a := range all {
			if !want(a, group) {
				continue
			}
			var values [][]byte
			for _, v := range a.values {
				values = append(values, ber.Text(ber.Octets, v))
			}
			list = append(list, ber.Wrap(ber.Sequence, ber.Text(ber.Octets, a.name), ber.Wrap(ber.Set, values...)))
		}
	}
	add(user, "*")
	add(operational, "+")
	return ber.Wrap(reEntry, ber.Text(ber.Octets, dn), ber.Wrap(ber.Sequence, list...))
}

// rootDSE returns the attributes of the root.
func (c *session) rootDSE() (user, operational []attribute) {
	d := c.directory
	if !d.ad {
		return []attribute{{"objectClass", []string{"top", "OpenLDAProotDSE"}}}, []attribute{
			{"structuralObjectClass", []string{"OpenLDAProotDSE"}},
			{"configContext", []string{"cn=config"}},
			{"namingContexts", []string{d.suffix}},
			{"supportedControl", []string{
				"2.16.840.1.113730.3.4.18", "2.16.840.1.113730.3.4.2", "1.3.6.1.4.1.4203.1.10.1", "1.3.6.1.1.22",
				"1.2.840.113556.1.4.319", "1.2.826.0.1.3344810.2.3", "1.3.6.1.1.13.2", "1.3.6.1.1.13.1", "1.3.6.1.1.12",
			}},
			{"supportedExtension", []string{oidStartTLS, "1.3.6.1.4.1.4203.1.11.1", oidWhoAmI, "1.3.6.1.1.8"}},
			{"supportedFeatures", []string{
				"1.3.6.1.1.14", "1.3.6.1.4.1.4203.1.5.1", "1.3.6.1.4.1.4203.1.5.2", "1.3.6.1.4.1.4203.1.5.3",
				"1.3.6.1.4.1.4203.1.5.4", "1.3.6.1.4.1.4203.1.5.5",
			}},
			{"supportedLDAPVersion", []string{"3"}},
			{"entryDN", []string{""}},
			{"subschemaSubentry", []string{"cn=Subschema"}},
		}
	}
	name := strings.ToUpper(d.machine.NetBIOS)
	config := "CN=Configuration," + d.suffix
	server := "CN=" + name + ",CN=Servers,CN=Default-First-Site-Name,CN=Sites," + config
	usn := 12000 + d.host.Rand("ldap usn").IntN(200000)
	return []attribute{
		{"domainFunctionality", []string{"7"}},
		{"forestFunctionality", []string{"7"}},
		{"domainControllerFunctionality", []string{"7"}},
		{"rootDomainNamingContext", []string{d.suffix}},
		{"ldapServiceName", []string{d.domain + ":" + strings.ToLower(name) + "$@" + strings.ToUpper(d.domain)}},
		{"isGlobalCatalogReady", []string{"TRUE"}},
		{"supportedSASLMechanisms", []string{"GSSAPI", "GSS-SPNEGO", "EXTERNAL", "DIGEST-MD5"}},
		{"supportedLDAPVersion", []string{"3", "2"}},
		{"supportedLDAPPolicies", []string{"MaxPoolThreads", "MaxPercentDirSyncRequests", "MaxDatagramRecv", "MaxReceiveBuffer", "InitRecvTimeout", "MaxConnections", "MaxConnIdleTime", "MaxPageSize"}},
		{"supportedControl", []string{"1.2.840.113556.1.4.319", "1.2.840.113556.1.4.801", "1.2.840.113556.1.4.473", "1.2.840.113556.1.4.528", "1.2.840.113556.1.4.417", "1.2.840.113556.1.4.619", "1.2.840.113556.1.4.841"}},
		{"supportedCapabilities", []string{"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670", "1.2.840.113556.1.4.1791", "1.2.840.113556.1.4.1935", "1.2.840.113556.1.4.2080", "1.2.840.113556.1.4.2237"}},
		{"subschemaSubentry", []string{"CN=Aggregate,CN=Schema," + config}},
		{"serverName", []string{server}},
		{"schemaNamingContext", []string{"CN=Schema," + config}},
		{"namingContexts", []string{d.suffix, config, "CN=Schema," + config, "DC=DomainDnsZones," + d.suffix, "DC=ForestDnsZones," + d.suffix}},
		{"isSynchronized", []string{"TRUE"}},
		{"highestCommittedUSN", []string{strconv.Itoa(usn)}},
		{"dsServiceName", []string{"CN=NTDS Settings," + server}},
		{"dnsHostName", []string{d.machine.DNS}},
		{"defaultNamingContext", []string{d.suffix}},
		{"currentTime", []string{c.Now().UTC().Format("20060102150405.0Z")}},
		{"configurationNamingContext", []string{config}},
	}, nil
}

func (c *session) search(m *Message) bool {
	parts, err := m.Op.Children(8)
	if err != nil || len(parts) != 8 {
		c.malformed(m.Op.Value)
		return c.send(m.ID, result(reSearchDone, resProtocol, "decoding error"))
	}
	base := string(parts[0].Value)
	scope, err := parts[1].Int()
	if err != nil || scope < 0 || scope > 3 {
		c.malformed(m.Op.Value)
		return c.send(m.ID, result(reSearchDone, resProtocol, "decoding error"))
	}
	var asked []string
	names, err := parts[7].Children(64)
	if err != nil {
		c.malformed(m.Op.Value)
		return c.send(m.ID, result(reSearchDone, resProtocol, "decoding error"))
	}
	for _, a := range names {
		asked = append(asked, string(a.Value))
	}
	c.Record("search", trap.Field{Key: "base", Value: base}, trap.Field{Key: "scope", Value: [...]string{"base", "one", "sub", "children"}[scope]},
		trap.Field{Key: "filter", Value: Filter(parts[6])}, trap.Field{Key: "attributes", Value: strings.Join(asked, " ")})
	return c.find(m.ID, base, scope, asked)
}

// find answers a search.
func (c *session) find(id int64, base string, scope int64, asked []string) bool {
	done := func(code int64, text string) []byte { return result(reSearchDone, code, text) }
	switch {
	case base == "" && scope == 0:
		user, operational := c.rootDSE()
		return c.send(id, entry("", user, operational, asked), done(resOK, ""))
	case c.ad && !c.bound:
		return c.send(id, done(resOperations, c.unbound()))
	case c.ad:
		return c.send(id, done(resNoSuchObject, "0000208D: NameErr: DSID-03100245, problem 2001 (NO_OBJECT), data 0, best match of:\n\t''\n\x00"))
	case strings.EqualFold(strings.ReplaceAll(base, " ", ""), c.suffix) && (scope == 0 || scope == 2):
		label, _, _ := strings.Cut(c.domain, ".")
		return c.send(id, entry(c.suffix, []attribute{
			{"objectClass", []string{"top", "dcObject", "organization"}}, {"o", []string{c.domain}}, {"dc", []string{label}},
		}, nil, asked), done(resOK, ""))
	case strings.EqualFold(strings.ReplaceAll(base, " ", ""), c.suffix):
		return c.send(id, done(resOK, ""))
	}
	return c.send(id, done(resNoSuchObject, ""))
}

// maxDepth bounds how deep a filter is shown.
const maxDepth = 12

// Filter writes a filter as RFC 4515 does, as deep as twelve levels; what it
// can't read is in hexadecimal digits.
func Filter(e ber.Element) string {
	var b strings.Builder
	writeFilter(&b, e, 0)
	return b.String()
}

func writeFilter(b *strings.Builder, e ber.Element, depth int) {
	unknown := func() { fmt.Fprintf(b, "(#%s)", hex.EncodeToString(e.Value[:min(len(e.Value), 64)])) }
	if depth > maxDepth || b.Len() > 8<<10 {
		unknown()
		return
	}
	if e.Tag == 0x87 {
		b.WriteString("(" + string(e.Value) + "=*)")
		return
	}
	parts, err := e.Children(64)
	if err != nil {
		unknown()
		return
	}
	switch e.Tag {
	case 0xa0, 0xa1, 0xa2:
		b.WriteString("(" + string("&|!"[e.Tag-0xa0]))
		for _, p := range parts {
			writeFilter(b, p, depth+1)
		}
		b.WriteByte(')')
	case 0xa3, 0xa5, 0xa6, 0xa8:
		if len(parts) != 2 {
			unknown()
			return
		}
		sign := map[byte]string{0xa3: "=", 0xa5: ">=", 0xa6: "<=", 0xa8: "~="}[e.Tag]
		b.WriteString("(" + string(parts[0].Value) + sign + string(parts[1].Value) + ")")
	case 0xa4:
		writeSubstrings(b, parts, unknown)
	case 0xa9:
		writeExtensible(b, parts)
	default:
		unknown()
	}
}

func writeSubstrings(b *strings.Builder, parts []ber.Element, unknown func()) {
	if len(parts) != 2 {
		unknown()
		return
	}
	pieces, err := parts[1].Children(64)
	if err != nil {
		unknown()
		return
	}
	b.WriteString("(" + string(parts[0].Value) + "=")
	for i, p := range pieces {
		if p.Tag != 0x80 && (i == 0 || p.Tag == 0x81 || p.Tag == 0x82) {
			b.WriteByte('*')
		}
		b.Write(p.Value)
	}
	if n := len(pieces); n > 0 && pieces[n-1].Tag != 0x82 {
		b.WriteByte('*')
	}
	b.WriteByte(')')
}

func writeExtensible(b *strings.Builder, parts []ber.Element) {
	var rule, kind, value, dn string
	for _, p := range parts {
		switch p.Tag {
		case 0x81:
			rule = ":" + string(p.Value)
		case 0x82:
			kind = string(p.Value)
		case 0x83:
			value = string(p.Value)
		case 0x84:
			dn = ":dn"
		}
	}
	b.WriteString("(" + kind + dn + rule + ":=" + value + ")")
}
