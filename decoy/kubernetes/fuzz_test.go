//go:build fuzz

package kubernetes_test

import (
	"testing"

	"decnet/decoy/httptrap"
	"decnet/decoy/kubernetes"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func FuzzAnswer(f *testing.F) {
	f.Add("POST", "/apis/batch/v1/namespaces/default/jobs", "", `{"kind":"Job","spec":{"template":{"spec":{"containers":[{"image":"a"}]}}}}`)
	f.Add("POST", "/api/v1/namespaces/a/pods/b/exec", "command=id", "")
	f.Add("GET", "/api/v1/pods", "", "")
	b := traptest.New(f, kubernetes.New, traptest.Options{Service: "k8s"})
	site, ok := b.Service.TCP.(httptrap.Site)
	if !ok {
		f.Fatal("it is no site")
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		s := &trap.Session{Peer: trap.Peer{Env: b.Env, Recorder: silent{}}}
		a := site.Answer(t.Context(), s, &httptrap.Request{Method: method, Path: path, Query: query, Body: []byte(body), Minor: 1})
		if a.Status < 200 || len(a.Body) == 0 {
			t.Fatalf("%d with %d bytes", a.Status, len(a.Body))
		}
	})
}

type silent struct{}

func (silent) Record(trap.Event) {}
