// Package dockerapi imitates the Docker Engine's API (version 1.43, as dockerd
// 24 speaks it) with no authentication: on port 2375 in plain text and on 2376
// with TLS.
//
// It records every request as an event "request" with method, path and body;
// what somebody wants to run, in a container or by exec, as "command" with the
// image, the mounts and whether it is privileged; images to pull as
// "file_download"; and images or archives that are sent as "file_upload". It
// runs and fetches nothing: containers are names in a list that is bounded and
// forgotten with the process.
package dockerapi

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"decnet/decoy/httptrap"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// portTLS is the port with TLS.
const portTLS = 2376

const (
	apiVersion    = "1.43"
	engineVersion = "24.0.7"
)

// New makes the service docker_api. Its ports are 2375 and, with TLS, 2376.
func New(e trap.Env) (trap.Service, error) {
	t, err := tlstrap.New(e, tlstrap.Options{
		Subject: pkix.Name{CommonName: e.Host.Hostname}, Issuer: pkix.Name{CommonName: "docker-ca"},
		DNSNames: []string{e.Host.Hostname, "localhost"}, OwnIP: true, Days: 1825,
		ALPN: []string{"http/1.1"}, AskClientCert: true, MinVersion: 0x0303, MaxVersion: 0x0304,
	})
	if err != nil {
		return trap.Service{}, err
	}
	return trap.Service{TCP: &daemon{tls: t, state: newState(e)}, SourceKey: "remote_addr"}, nil
}

// daemon is one decky's dockerd.
type daemon struct {
	tls   *tlstrap.Terminator
	state *state
}

// Serve implements [trap.Server].
func (d *daemon) Serve(ctx context.Context, s *trap.Session) {
	limits := httptrap.Limits{Body: 48 << 20}
	if s.Port == portTLS {
		over, err := d.tls.Upgrade(ctx, s)
		var plain *tlstrap.PlainError
		switch {
		case errors.As(err, &plain):
			httptrap.Serve(ctx, plain.Session, unencrypted{d}, limits)
			return
		case err != nil:
			return
		}
		defer over.Close() //nolint:errcheck // the client is gone or reads the end
		s = over
	}
	httptrap.Serve(ctx, s, d, limits)
}

// unencrypted is the port for TLS when it is spoken to without.
type unencrypted struct{ *daemon }

// Answer implements [httptrap.Site].
func (unencrypted) Answer(context.Context, *trap.Session, *httptrap.Request) httptrap.Response {
	return *httptrap.RefuseGolang(&httptrap.Fault{Kind: httptrap.Plain})
}

// Refuse implements [httptrap.Site].
func (d *daemon) Refuse(_ *trap.Session, f *httptrap.Fault) *httptrap.Response {
	return httptrap.RefuseGolang(f)
}

// call is one request to the API.
type call struct {
	s *trap.Session
	r *httptrap.Request
	// path is that of the request without the version.
	path string
	now  time.Time
}

// answer is what the daemon says.
type answer struct {
	status  int
	kind    string
	body    []byte
	headers []httptrap.Header
	// reason and raw are for connections that stop being HTTP.
	reason string
	raw    bool
}

var versioned = regexp.MustCompile(`^/v(\d+)\.(\d+)(/|$)`)

// Answer implements [httptrap.Site].
func (d *daemon) Answer(_ context.Context, s *trap.Session, r *httptrap.Request) httptrap.Response {
	c := &call{s: s, r: r, path: r.Path, now: s.Now()}
	var a answer
	if m := versioned.FindStringSubmatch(r.Path); m != nil {
		c.path = "/" + r.Path[len(m[0]):]
		if tooNew(m[1], m[2]) {
			a = problem(http.StatusBadRequest, "client version "+m[1]+"."+m[2]+" is too new. Maximum supported API version is "+apiVersion)
		}
	}
	if a.status == 0 {
		a = d.route(c)
	}
	if a.raw {
		return httptrap.Response{Status: a.status, Reason: a.reason, Headers: a.headers, Close: true}
	}
	headers := append(a.headers,
		httptrap.Header{Name: "Api-Version", Value: apiVersion},
		httptrap.Header{Name: "Docker-Experimental", Value: "false"},
		httptrap.Header{Name: "Ostype", Value: "linux"},
		httptrap.Header{Name: "Server", Value: "Docker/" + engineVersion + " (linux)"},
	)
	return httptrap.Golang(r, a.status, a.kind, headers, a.body, c.now)
}

func tooNew(major, minor string) bool {
	return major != "1" || len(minor) > 2 || len(minor) == 2 && minor > "43"
}

// problem is how the API tells errors.
func problem(status int, message string) answer { return object(status, fields{{"message", message}}) }

// route finds what the path asks for.
func (d *daemon) route(c *call) answer {
	part := strings.Split(strings.Trim(c.path, "/"), "/")
	get := c.r.Method == "GET" || c.r.Method == "HEAD"
	post := c.r.Method == "POST"
	switch {
	case get && c.path == "/_ping":
		return ping()
	case get && c.path == "/version":
		return d.version()
	case get && c.path == "/info":
		return d.info(c)
	case get && c.path == "/containers/json":
		return d.list(c)
	case get && c.path == "/images/json":
		return d.images(c)
	case get && c.path == "/networks":
		return list(d.network())
	case get && c.path == "/volumes":
		return object(http.StatusOK, fields{{"Volumes", []any{}}, {"Warnings", nil}})
	case part[0] == "containers" && len(part) > 1:
		return d.container(c, part[1:])
	case post && c.path == "/images/create":
		return d.pull(c)
	case part[0] == "images" && len(part) > 1:
		return d.image(c, part[1:])
	case part[0] == "exec" && len(part) == 3:
		return d.exec(c, part[1], part[2])
	case post && c.path == "/build":
		return streamed(`{"stream":"Step 1/1 : FROM scratch\n"}`, `{"errorDetail":{"message":"dockerfile parse error line 1: unknown instruction"},"error":"dockerfile parse error line 1: unknown instruction"}`)
	case post && c.path == "/auth":
		return problem(http.StatusUnauthorized, "Get \"https://registry-1.docker.io/v2/\": unauthorized: incorrect username or password")
	case part[0] == "swarm" || part[0] == "services" || part[0] == "nodes":
		return problem(http.StatusServiceUnavailable, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.")
	default:
		return problem(http.StatusNotFound, "page not found")
	}
}

func ping() answer {
	return answer{status: http.StatusOK, kind: "text/plain; charset=utf-8", body: []byte("OK"), headers: []httptrap.Header{
		{Name: "Builder-Version", Value: "2"}, {Name: "Cache-Control", Value: "no-cache, no-store, must-revalidate"},
		{Name: "Pragma", Value: "no-cache"}, {Name: "Swarm", Value: "inactive"},
	}}
}
