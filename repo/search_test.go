package repo_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

func TestParseSearch(t *testing.T) {
	t.Parallel()
	contains := func(s string) repo.Expr { return repo.Contains{Text: s} }
	for in, want := range map[string]repo.Expr{
		"":                nil,
		" \t\n\v\f\r":     nil,
		`""`:              nil,
		"root":            contains("root"),
		"a b":             repo.And{contains("a"), contains("b")},
		"service:ssh":     repo.Equals{Column: repo.ColumnService, Value: "ssh"},
		"decky:":          repo.Equals{Column: repo.ColumnDecky},
		"event:a:b":       repo.Equals{Column: repo.ColumnEvent, Value: "a:b"},
		"attacker:x":      repo.Equals{Column: repo.ColumnAttacker, Value: "x"},
		"attacker-ip:x":   repo.Equals{Column: repo.ColumnAttacker, Value: "x"},
		"attacker_ip:x":   repo.Equals{Column: repo.ColumnAttacker, Value: "x"},
		"Service:ssh":     repo.FieldEquals{Key: "Service", Value: "ssh"},
		"port:443":        repo.FieldEquals{Key: "port", Value: "443"},
		"user-name:x":     repo.FieldEquals{Key: "username", Value: "x"},
		"ü':x":            contains("ü':x"), // unbalanced, and no key is left
		":x":              contains(":x"),
		"$.*:x":           contains("$.*:x"),
		"::1":             contains("::1"),
		"2001:db8::1":     contains("2001:db8::1"),
		"fe80::1%eth0":    contains("fe80::1%eth0"),
		"192.0.2.1":       contains("192.0.2.1"),
		"192.0.2.1:22":    repo.FieldEquals{Key: "192021", Value: "22"},
		`"a b" c`:         repo.And{contains("a b"), contains("c")},
		`user:"a b"`:      repo.FieldEquals{Key: "user", Value: "a b"},
		`'a"b' "c'd"`:     repo.And{contains(`a"b`), contains("c'd")},
		`"a\"b\\c\d"`:     contains(`a"b\c\d`),
		`'a\b'`:           contains(`a\b`),
		`a\ b`:            contains("a b"),
		`a""b''c`:         contains("abc"),
		`"open quote`:     repo.And{contains(`"open`), contains("quote")},
		`it's`:            contains("it's"),
		`trailing\`:       contains(`trailing\`),
		"%_":              contains("%_"),
		"nul\x00 \xff":    repo.And{contains("nul\x00"), contains("\xff")},
		"a service:ssh b": repo.And{contains("a"), repo.Equals{Column: repo.ColumnService, Value: "ssh"}, contains("b")},
	} {
		assert.Equal(t, want, repo.ParseSearch(in), "%q", in)
	}
}

// TestExpr_String prints random expressions and reads them back.
func TestExpr_String(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	letters := []string{"a", "B", ":", "'", `"`, `\`, " ", "\n", "\x00", "\xff", "ü", "%", "\u2028", "1", "."}
	text := func() string {
		var s strings.Builder
		for range 1 + r.IntN(6) {
			s.WriteString(letters[r.IntN(len(letters))])
		}
		return s.String()
	}
	for range 2000 {
		var e repo.Expr
		switch r.IntN(3) {
		case 0:
			e = repo.Equals{Column: repo.ColumnDecky, Value: text()}
		case 1:
			e = repo.FieldEquals{Key: "k_1", Value: text()}
		default:
			e = repo.Contains{Text: text()}
			if _, plain := repo.ParseSearch(e.String()).(repo.Contains); !plain {
				continue // The text has the form key:value, which no plain word can have.
			}
		}
		require.Equal(t, e, repo.ParseSearch(e.String()), "printed as %q", e.String())
		both := repo.And{e, repo.Equals{Column: repo.ColumnService, Value: text()}}
		require.Equal(t, both, repo.ParseSearch(both.String()), "printed as %q", both.String())
	}
}

// TestFieldEquals_String prints fields whose plain form means something else:
// they are named like a column, or are an address together with their value.
func TestFieldEquals_String(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]repo.FieldEquals{
		"de-cky:x":        {Key: "decky", Value: "x"},
		"event.:x":        {Key: "event", Value: "x"},
		"attacker.:x":     {Key: "attacker", Value: "x"},
		"attacker_.ip:x":  {Key: "attacker_ip", Value: "x"},
		"a.::b":           {Key: "a", Value: ":b"},
		"[2001]:db8::1:1": {Key: "2001", Value: "db8::1:1"},
	} {
		e := repo.ParseSearch(in)
		require.Equal(t, repo.Expr(want), e, "%q", in)
		assert.Equal(t, e, repo.ParseSearch(e.String()), "%q printed as %q", in, e.String())
	}
	assert.Equal(t, "port:443", repo.FieldEquals{Key: "port", Value: "443"}.String())
}

func TestExpr_Match(t *testing.T) {
	t.Parallel()
	l := &repo.Log{
		Decky: "web-01", Service: "http", EventType: "request", AttackerIP: "192.0.2.1", RawLine: "GET /Admin%20\x00\xff É",
		Fields: `{"port":443,"host":"Ä\"x","tls":true,"none":null,"list":[1,{"a":"b,]}"}],"big":1e400,"empty":""}`,
	}
	for in, want := range map[string]bool{
		"admin":                   true,
		"ADMIN%":                  true,
		"admin_20":                false,
		"\x00\xff":                true,
		"\xfe":                    false,
		"É":                       true,
		"é":                       false, // Only ASCII letters fold.
		"WEB-01":                  true,
		"HTTP":                    true,
		"0.2.1":                   true,
		"request":                 false, // The event type is no part of a plain word.
		"decky:web-01":            true,
		"decky:WEB-01":            false,
		"event:request":           true,
		"service:http":            true,
		"attacker:192.0.2.1":      true,
		"attacker:192.0.2":        false,
		"port:443":                true,
		"port:44":                 false,
		"Port:443":                false,
		`host:'Ä"x'`:              true,
		`host:'Ä\"x'`:             false,
		"tls:true":                true,
		"none:null":               true,
		`list:'[1,{"a":"b,]}"}]'`: true,
		"big:1e400":               true,
		"empty:":                  true,
		"absent:":                 false,
		"a:b":                     false, // Only keys at the top.
		"admin http port:443":     true,
		"admin ftp":               false,
	} {
		assert.Equal(t, want, repo.ParseSearch(in).Match(l), "%q", in)
	}
	assert.True(t, repo.And{}.Match(l))
	assert.False(t, repo.Equals{Column: "raw_line", Value: l.RawLine}.Match(l), "no column of the language")
}

func TestContainsFold(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	letters := "aAbB@[`{zZ\x00\xff\xe9\xc9"
	text := func(n int) string {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	for range 5000 {
		s, sub := text(12), text(4)
		want := strings.Contains(string(asciiLower([]byte(s))), string(asciiLower([]byte(sub))))
		require.Equal(t, want, repo.ContainsFold(s, sub), "%q in %q", sub, s)
	}
}

func asciiLower(b []byte) []byte {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}
