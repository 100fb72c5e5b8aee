//go:build fuzz

package elastic_test

import (
	"encoding/json"
	"strings"
	"testing"

	"decnet/decoy/elastic"
	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func FuzzAnswer(f *testing.F) {
	f.Add("GET", "/_cat/indices/x", "format=json&v", "")
	f.Add("POST", "/a/_search", "pretty", `{"script":"x.exec(\"id\")"}`)
	f.Add("PUT", "/%zz/_doc/1", "", "{}")
	f.Add("\"", "/", "", "")
	b := traptest.New(f, elastic.New, traptest.Options{Service: "elasticsearch"})
	site, ok := b.Service.TCP.(httptrap.Site)
	if !ok {
		f.Fatal("it is no site")
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		s := &trap.Session{Peer: trap.Peer{Env: b.Env, Recorder: silent{}}}
		a := site.Answer(t.Context(), s, &httptrap.Request{
			Method: method, Path: path, Query: query, Body: []byte(body), BodySize: int64(len(body)), Minor: 1,
		})
		for _, h := range a.Headers {
			if h.Name == "content-type" && strings.Contains(h.Value, "json") && !json.Valid(a.Body) {
				t.Fatalf("no JSON: %q", a.Body)
			}
		}
	})
}

type silent struct{}

func (silent) Record(trap.Event) {}
