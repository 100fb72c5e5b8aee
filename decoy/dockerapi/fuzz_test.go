//go:build fuzz

package dockerapi_test

import (
	"testing"

	"decnet/decoy/dockerapi"
	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func FuzzAnswer(f *testing.F) {
	f.Add("POST", "/v1.43/containers/create", "name=x", `{"Image":"alpine","Cmd":["a"],"HostConfig":{"Mounts":[{"Source":"/"}]}}`)
	f.Add("POST", "/images/create", "fromImage=alpine&tag=x", "")
	f.Add("POST", "/containers/registry/exec", "", `{"Cmd":"id"}`)
	f.Add("GET", "/containers/json", "all=1", "")
	f.Add("DELETE", "/images/a/b", "", "")
	b := traptest.New(f, dockerapi.New, traptest.Options{Service: "docker_api"})
	site, ok := b.Service.TCP.(httptrap.Site)
	if !ok {
		f.Fatal("it is no site")
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		s := &trap.Session{Peer: trap.Peer{Env: b.Env, Recorder: silent{}}}
		a := site.Answer(t.Context(), s, &httptrap.Request{Method: method, Path: path, Query: query, Body: []byte(body), Minor: 1})
		if a.Status < 100 || len(a.Body) > 1<<20 {
			t.Fatalf("%d with %d bytes", a.Status, len(a.Body))
		}
	})
}

type silent struct{}

func (silent) Record(trap.Event) {}
