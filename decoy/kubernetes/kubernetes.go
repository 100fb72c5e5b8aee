// Package kubernetes imitates the API server of a Kubernetes cluster, version
// 1.28, as kubeadm sets it up: on port 6443 with TLS and on 8080 in plain text.
//
// It records every request as an event "request" with method, path, the header
// Authorization as "auth", and body; bearer tokens as "token"; names and passwords
// of basic authentication; commands of pods that somebody wants to create, and
// of exec, as "command". Anonymous clients see what a cluster shows them by
// default (/version, the health checks) and are forbidden the rest; tokens and
// passwords are never right. Objects are those of the API conventions (Status
// with kind, apiVersion, reason and code).
package kubernetes

import (
	"context"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"strings"

	"decnet/decoy/httptrap"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// portPlain is the port without TLS.
const portPlain = 8080

// New makes the service k8s. Its ports are 6443, with TLS, and 8080.
func New(e trap.Env) (trap.Service, error) {
	t, err := tlstrap.New(e, tlstrap.Options{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, Issuer: pkix.Name{CommonName: "kubernetes"},
		DNSNames: []string{
			e.Host.Hostname, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		},
		IPs: []net.IP{{10, 96, 0, 1}}, OwnIP: true, Days: 365,
		ALPN: []string{"http/1.1"}, AskClientCert: true, MinVersion: 0x0303, MaxVersion: 0x0304,
	})
	if err != nil {
		return trap.Service{}, err
	}
	return trap.Service{TCP: &apiServer{
		tls:    t,
		schema: hex.EncodeToString(e.Host.Derive("k8s flow schema", 16)),
		level:  hex.EncodeToString(e.Host.Derive("k8s priority level", 16)),
	}, SourceKey: "remote_addr"}, nil
}

// apiServer is one decky's.
type apiServer struct {
	tls *tlstrap.Terminator
	// schema and level are ids of objects that are named in each answer.
	schema, level string
}

// Serve implements [trap.Server].
func (k *apiServer) Serve(ctx context.Context, s *trap.Session) {
	limits := httptrap.Limits{Body: 3 << 20}
	if s.Port != portPlain {
		over, err := k.tls.Upgrade(ctx, s)
		var plain *tlstrap.PlainError
		switch {
		case errors.As(err, &plain):
			httptrap.Serve(ctx, plain.Session, unencrypted{k}, limits)
			return
		case err != nil:
			return
		}
		defer over.Close() //nolint:errcheck // the client is gone or reads the end
		s = over
	}
	httptrap.Serve(ctx, s, k, limits)
}

// unencrypted is the port for TLS when it is spoken to without.
type unencrypted struct{ *apiServer }

// Answer implements [httptrap.Site].
func (unencrypted) Answer(context.Context, *trap.Session, *httptrap.Request) httptrap.Response {
	return *httptrap.RefuseGolang(&httptrap.Fault{Kind: httptrap.Plain})
}

// Refuse implements [httptrap.Site].
func (k *apiServer) Refuse(_ *trap.Session, f *httptrap.Fault) *httptrap.Response {
	return httptrap.RefuseGolang(f)
}

// Event implements [httptrap.Recorder].
func (k *apiServer) Event(r *httptrap.Request) httptrap.Event {
	return httptrap.Event{Fields: []trap.Field{{Key: "auth", Value: r.Get("Authorization")}}}
}

// Answer implements [httptrap.Site].
func (k *apiServer) Answer(_ context.Context, s *trap.Session, r *httptrap.Request) httptrap.Response {
	recordCommands(s, r)
	headers := []httptrap.Header{
		{Name: "Audit-Id", Value: uuid()},
		{Name: "Cache-Control", Value: "no-cache, private"},
	}
	var code int
	var kind string
	var body []byte
	if r.Get("Authorization") != "" {
		code, kind = http.StatusUnauthorized, "application/json"
		body = encode(r, unauthorized())
	} else {
		headers = append(headers,
			httptrap.Header{Name: "X-Kubernetes-Pf-Flowschema-Uid", Value: dashed(k.schema)},
			httptrap.Header{Name: "X-Kubernetes-Pf-Prioritylevel-Uid", Value: dashed(k.level)},
		)
		code, kind, body = anonymous(r)
		if code == http.StatusForbidden {
			headers = append(headers, httptrap.Header{Name: "X-Content-Type-Options", Value: "nosniff"})
		}
	}
	return httptrap.Golang(r, code, kind, headers, body, s.Now())
}

// anonymous is what somebody without a name is told.
func anonymous(r *httptrap.Request) (code int, kind string, body []byte) {
	switch path := strings.TrimSuffix(r.Path, "/"); path {
	case "/version":
		return http.StatusOK, "application/json", indented(theVersion())
	case "/healthz", "/livez", "/readyz":
		return http.StatusOK, "text/plain; charset=utf-8", []byte("ok")
	default:
		return http.StatusForbidden, "application/json", encode(r, forbidden(r))
	}
}
