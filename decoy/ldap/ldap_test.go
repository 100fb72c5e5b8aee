package ldap_test

import (
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/ber"
	"decnet/decoy/ldap"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func bench(t *testing.T, system string, config trap.Config) *traptest.Bench {
	t.Helper()
	return traptest.New(t, ldap.New, traptest.Options{Service: "ldap", Config: config, Identity: trap.Identity{System: system, Hostname: "dc01.corp.example"}})
}

func message(id int64, op []byte) []byte {
	return ber.Wrap(ber.Sequence, ber.Int(ber.Integer, id), op)
}

func simple(dn, password string) []byte {
	return ber.Wrap(0x60, ber.Int(ber.Integer, 3), ber.Text(ber.Octets, dn), ber.Text(0x80, password))
}

func search(base string, scope int64, filter []byte, attributes ...string) []byte {
	var list [][]byte
	for _, a := range attributes {
		list = append(list, ber.Text(ber.Octets, a))
	}
	return ber.Wrap(0x63, ber.Text(ber.Octets, base), ber.Int(ber.Enumerated, scope), ber.Int(ber.Enumerated, 0), ber.Int(ber.Integer, 0),
		ber.Int(ber.Integer, 0), ber.Wrap(ber.Bool, []byte{0}), filter, ber.Wrap(ber.Sequence, list...))
}

// ask sends an operation and returns the next answer's tag, code and text.
func ask(t *testing.T, c net.Conn, op []byte) (tag byte, code int64, text string) {
	t.Helper()
	_, err := c.Write(message(7, op))
	require.NoError(t, err)
	b, err := ber.Read(c, 1<<16)
	require.NoError(t, err)
	m, err := ldap.Parse(b)
	require.NoError(t, err)
	assert.EqualValues(t, 7, m.ID)
	parts, err := m.Op.Children(9)
	require.NoError(t, err)
	if m.Op.Tag == 0x64 {
		return m.Op.Tag, 0, string(m.Op.Value)
	}
	code, err = parts[0].Int()
	require.NoError(t, err)
	return m.Op.Tag, code, string(parts[2].Value)
}

func TestLDAP_SimpleBindIsACredential(t *testing.T) {
	t.Parallel()
	for system, want := range map[string]string{
		"windows": "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 52e, v3839\x00", "linux": "",
	} {
		b := bench(t, system, trap.Config{"password": "right"})
		c := b.Dial(389)
		_, code, text := ask(t, c, simple("cn=admin,dc=corp,dc=example", "hunter2\xff"))
		assert.EqualValues(t, 49, code)
		assert.Equal(t, want, text)
		_, code, _ = ask(t, c, simple("cn=admin,dc=corp,dc=example", "right"))
		assert.Zero(t, code)
		f := traptest.Fields(b.Wait("bind"))
		assert.Equal(t, "cn=admin,dc=corp,dc=example", f["username"])
		assert.Equal(t, f["username"], f["dn"])
		assert.Equal(t, "hunter2\xff", f["password"])
		assert.Equal(t, "failed", f["status"])
	}
}

func TestLDAP_AnswersNobodyAsTheRealOne(t *testing.T) {
	t.Parallel()
	everything := ber.Text(0x87, "objectClass")
	ad, slapd := bench(t, "windows", nil).Dial(389), bench(t, "linux", nil).Dial(389)
	_, code, text := ask(t, ad, search("DC=corp,DC=example", 2, everything))
	assert.EqualValues(t, 1, code)
	assert.Contains(t, text, "a successful bind must be completed")
	_, code, _ = ask(t, slapd, search("dc=other", 2, everything))
	assert.EqualValues(t, 32, code)
	_, code, text = ask(t, slapd, simple("cn=x", ""))
	assert.EqualValues(t, 53, code)
	assert.Equal(t, "unauthenticated bind (DN with no password) disallowed", text)
	tag, code, text := ask(t, slapd, ber.Text(0x4a, "dc=corp"))
	assert.Equal(t, byte(0x6b), tag)
	assert.EqualValues(t, 8, code)
	assert.Equal(t, "modifications require authentication", text)
	tag, _, text = ask(t, ad, search("", 0, everything, "dnsHostName"))
	assert.Equal(t, byte(0x64), tag)
	assert.Contains(t, text, "dc01.corp.example")
	assert.NotContains(t, text, "domainFunctionality", "only what was asked for")
}

func TestLDAP_StartTLSAndLDAPS(t *testing.T) {
	t.Parallel()
	b := bench(t, "linux", nil)
	c := b.Dial(389)
	_, code, _ := ask(t, c, ber.Wrap(0x77, ber.Text(0x80, "1.3.6.1.4.1.1466.20037")))
	assert.Zero(t, code)
	for i, conn := range []net.Conn{c, b.Dial(636)} {
		over := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		_, code, _ = ask(t, over, simple("cn=a", "b"))
		assert.EqualValues(t, 49, code)
		b.WaitN("bind", i+1)
		b.WaitN("tls_client_hello", i+1)
	}
}

func TestFilter_IsWrittenAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	equal := ber.Wrap(0xa3, ber.Text(ber.Octets, "uid"), ber.Text(ber.Octets, "bob"))
	sub := ber.Wrap(0xa4, ber.Text(ber.Octets, "cn"), ber.Wrap(ber.Sequence, ber.Text(0x80, "a"), ber.Text(0x81, "b"), ber.Text(0x82, "c")))
	rule := ber.Wrap(0xa9, ber.Text(0x81, "1.2.840.113556.1.4.803"), ber.Text(0x82, "userAccountControl"), ber.Text(0x83, "2"))
	e, _, err := ber.Parse(ber.Wrap(0xa0, equal, ber.Wrap(0xa2, sub), rule, ber.Text(0x87, "mail")))
	require.NoError(t, err)
	assert.Equal(t, "(&(uid=bob)(!(cn=a*b*c))(userAccountControl:1.2.840.113556.1.4.803:=2)(mail=*))", ldap.Filter(e))
	deep := equal
	for range 1000 {
		deep = ber.Wrap(0xa2, deep)
	}
	e, _, err = ber.Parse(deep)
	require.NoError(t, err)
	assert.Less(t, len(ldap.Filter(e)), 300)
}

func TestLDAP_MalformedEndsTheSession(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"GET / HTTP/1.1\r\n\r\n", "\x30\x84\x7f\xff\xff\xff", "\x30\x03\x04\x01\x00", "\x30\x80"} {
		b := bench(t, "linux", nil)
		c := b.Dial(389)
		_, err := io.WriteString(c, in)
		require.NoError(t, err)
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		_, err = c.Read(make([]byte, 1))
		require.Error(t, err)
		assert.NotEmpty(t, traptest.Fields(b.Wait("malformed"))["data"])
	}
}

func TestLdapsearch(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ldapsearch"); err != nil {
		t.Skip("ldapsearch is not installed")
	}
	run := func(b *traptest.Bench, args ...string) string {
		out, _ := exec.CommandContext(t.Context(), "ldapsearch", append([]string{"-x", "-H", "ldap://" + b.Listen(389)}, args...)...).CombinedOutput() // 49 is an exit code too
		return string(out)
	}
	b := bench(t, "linux", nil)
	assert.Contains(t, run(b, "-s", "base", "-b", "", "+"), "namingContexts: dc=corp,dc=example\n")
	assert.Contains(t, run(b, "-b", "dc=corp,dc=example"), "o: corp.example\n")
	assert.Contains(t, run(b, "-D", "cn=admin", "-w", "x", "-b", "dc=x"), "Invalid credentials (49)")
	assert.Contains(t, run(bench(t, "windows", nil), "-s", "base", "-b", ""), "defaultNamingContext: DC=corp,DC=example\n")
}
