package web

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"time"

	"decnet/decoy/httptrap"
	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// page is what an application says, before the server frames it.
type page struct {
	status int
	// kind is the media type; body nil with an error status is the server's own page.
	kind string
	body []byte
	// modified is when a file was written; zero for what a program made.
	modified time.Time
	// headers are those of the application, in its order.
	headers []httptrap.Header
	// reason is the text after the status, where it isn't the usual one.
	reason string
	// close ends the connection.
	close bool
	delay time.Duration
}

// ask is a request and what it takes to answer it.
type ask struct {
	*httptrap.Request
	port int
	tls  bool
	now  time.Time
}

// scheme is what URLs to this server begin with.
func (a *ask) scheme() string {
	if a.tls {
		return "https"
	}
	return "http"
}

// origin is what absolute URLs to this server begin with.
func (a *ask) origin() string { return a.scheme() + "://" + a.Get("Host") }

// server frames pages as one kind of web server does.
type server interface {
	// frame adds the headers of the server.
	frame(a *ask, p *page) httptrap.Response
	// own is the server's page for a status.
	own(a *ask, status int) page
	// file answers a request for a file that is there.
	file(a *ask, f file) page
	// missing answers a request for one that isn't.
	missing(a *ask) page
	// refuse is the page for what is no request; ok is false if there is none.
	refuse(a *ask, k httptrap.Kind) (p page, ok bool)
	limits() httptrap.Limits
}

// file is a file of the server.
type file struct {
	kind string
	body []byte
	// status is that of the answer, 0 for 200.
	status   int
	modified time.Time
}

// application is what the server serves.
type application interface {
	answer(a *ask, s server) page
}

// site is one decky's web server.
type site struct {
	server   server
	app      application
	settings *settings
	tls      *tlstrap.Terminator
	// always says that every port speaks TLS.
	always bool
}

// New makes the service for http, whose port 443 speaks TLS, too. Its ports are
// 80 and 443.
func New(e trap.Env) (trap.Service, error) { return build(e, false) }

// NewTLS makes the service for https, port 443.
func NewTLS(e trap.Env) (trap.Service, error) { return build(e, true) }

func build(e trap.Env, always bool) (trap.Service, error) {
	set, err := readSettings(&e)
	if err != nil {
		return trap.Service{}, err
	}
	t, err := tlstrap.New(e, tlstrap.Options{
		Subject: pkix.Name{CommonName: e.Config["tls_cn"]}, ALPN: []string{"http/1.1"},
		CertPEM: e.Config["tls_cert"], KeyPEM: e.Config["tls_key"],
	})
	if err != nil {
		return trap.Service{}, err
	}
	srv, app, err := choose(e.Host, set.fakeApp)
	if err != nil {
		return trap.Service{}, err
	}
	return trap.Service{
		TCP:       &site{server: srv, app: app, settings: set, tls: t, always: always},
		SourceKey: "remote_addr",
	}, nil
}

// portTLS is the port of http that speaks TLS, too.
const portTLS = 443

// Serve implements [trap.Server].
func (w *site) Serve(ctx context.Context, s *trap.Session) {
	v := &visit{site: w}
	if w.always || s.Port == portTLS {
		over, err := w.tls.Upgrade(ctx, s)
		var plain *tlstrap.PlainError
		switch {
		case errors.As(err, &plain):
			s, v.plain = plain.Session, true
		case err != nil:
			return
		default:
			defer over.Close() //nolint:errcheck // the client is gone or reads the end
			s, v.tls = over, true
		}
	}
	httptrap.Serve(ctx, s, v, w.server.limits())
}

// visit is one connection to a site.
type visit struct {
	*site
	// tls says that it is encrypted, plain that it should be.
	tls, plain bool
}

// Answer implements [httptrap.Site].
func (v *visit) Answer(_ context.Context, s *trap.Session, r *httptrap.Request) httptrap.Response {
	a := &ask{Request: r, port: s.Port, tls: v.tls, now: s.Now()}
	if v.plain {
		if p, ok := v.server.refuse(a, httptrap.Plain); ok {
			return v.frame(a, &p)
		}
	}
	p, ok := v.settings.answer(a, v.server)
	if !ok {
		p = v.app.answer(a, v.server)
	}
	if p.body == nil && p.status >= 300 && p.status != 304 {
		own := v.server.own(a, p.status)
		own.headers, own.close, own.delay = p.headers, p.close || own.close, p.delay
		p = own
	}
	return v.frame(a, &p)
}

func (v *visit) frame(a *ask, p *page) httptrap.Response {
	if p.close {
		a.Keep = false
	}
	resp := v.server.frame(a, p)
	resp.Delay = p.delay
	resp.Close = resp.Close || p.close
	v.settings.dress(&resp)
	return resp
}

// Refuse implements [httptrap.Site].
func (v *visit) Refuse(s *trap.Session, f *httptrap.Fault) *httptrap.Response {
	r := f.Request
	r.Keep = false
	a := &ask{Request: r, port: s.Port, tls: v.tls, now: s.Now()}
	p, ok := v.server.refuse(a, f.Kind)
	if !ok {
		return nil
	}
	resp := v.frame(a, &p)
	return &resp
}
