package contract_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/contract"
)

func BenchmarkLoad(b *testing.B) {
	spec := decnet.OpenAPI()
	for b.Loop() {
		if _, err := contract.Load(spec); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParams(b *testing.B) {
	c := load(b)
	for name, bb := range map[string]struct {
		path  string
		query url.Values
	}{
		"NoQuery": {"/api/v1/logs", nil},
		"Page":    {"/api/v1/logs", url.Values{"limit": {"50"}, "offset": {"0"}}},
		"Filter":  {"/api/v1/logs", url.Values{"search": {"service:ssh root"}, "start_time": {"2026-04-17"}, "end_time": {"2026-04-17 19:30:11"}}},
		"Path":    {"/api/v1/attackers/{uuid}", nil},
	} {
		b.Run(name, func(b *testing.B) {
			op, ok := c.Operation("GET", bb.path)
			require.True(b, ok)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := op.Params(bb.query, func(string) string { return "7c1d5a86-27b4-5a3a-9f0f-1c8d9b1f0e21" }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBody(b *testing.B) {
	op := operation(b, "POST", "/api/v1/auth/login")
	body := []byte(`{"username":"admin","password":"correct horse battery staple"}`)
	var into struct{ Username, Password string }
	b.ReportAllocs()
	for b.Loop() {
		if err := op.Body("application/json", body, &into); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	c := load(b)
	for b.Loop() {
		if _, err := contract.Page(c); err != nil {
			b.Fatal(err)
		}
	}
}
