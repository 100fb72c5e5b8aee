package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"decnet"
	"decnet/api"
	"decnet/auth"
	"decnet/contract"
	"decnet/decoy/trap"
	"decnet/fleet"
	"decnet/ingest"
	"decnet/repo"
	"decnet/repo/sqlite"
	"decnet/web"
)

// How long the parts may take to stop. Requests get drainTimeout to end, then
// the ingester ingestGrace for its last commit; what remains is for moving the
// write-ahead log into the database.
const (
	stopTimeout  = 10 * time.Second
	drainTimeout = 4 * time.Second
	ingestGrace  = 4 * time.Second
)

// appEnv is what an app is given beside its options.
type appEnv struct {
	log *slog.Logger
	// out gets what a person must see: the URL, and a new password.
	out io.Writer
	// stdin is what --ingest - reads.
	stdin      io.Reader
	now        func() time.Time
	bcryptCost int
	// makers make what decoys imitate; nil means all that there is.
	makers map[string]trap.Maker
}

// app is the service as a value: start builds and starts its parts, stop undoes
// that in the opposite order, also when start got only halfway. It starts once.
type app struct {
	config *config
	appEnv

	parts    []part
	stopOnce sync.Once
	stopErr  error
	failed   chan error

	secret   []byte
	listener net.Listener
	// syslog is nil without a receiver.
	syslog   net.Listener
	store    *sqlite.Store
	ingester *ingest.Ingester
	server   *api.Server
	registry *prometheus.Registry
	fleet    *fleet.Manager
	// driver is nil without --decoys.
	driver       *decoyDriver
	decoysClosed bool
}

// part is something that runs or is held, and how to end it.
type part struct {
	name string
	stop func(context.Context) error
}

func newApp(c *config, env appEnv) *app {
	return &app{config: c, appEnv: env, failed: make(chan error, 1), registry: prometheus.NewRegistry()}
}

// run starts, waits until ctx is done or a part fails, and stops.
func (a *app) run(ctx context.Context) error {
	if err := a.start(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			a.log.Info("stopped before it had started")
			return nil
		}
		return err
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-a.failed:
		a.log.Error("stopping, because a part failed", slog.Any("error", failure))
	}
	begin := a.now()
	err := a.stop(context.WithoutCancel(ctx))
	if err == nil {
		a.log.Info("stopped", slog.Duration("took", a.now().Sub(begin)))
	}
	return errors.Join(failure, err)
}

// start brings up all parts. After an error nothing is left running.
func (a *app) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		a.openData, a.listen, a.listenSyslog, a.openStore, a.addFirstAdmin, a.buildFleet, a.buildIngester, a.buildServer,
		a.serveHTTP, a.startIngester, a.startFleet, a.startRetention, a.startIndexing, a.startProfiles,
	} {
		err := ctx.Err()
		if err == nil {
			err = step(ctx)
		}
		if err != nil {
			return errors.Join(err, a.stop(context.WithoutCancel(ctx)))
		}
	}
	_, err := fmt.Fprintf(a.out, "decnet answers on %[1]s\nwhat it can be asked: %[1]s/docs\n", a.url())
	if err != nil {
		err = fmt.Errorf("print the URL: %w", err)
		return errors.Join(err, a.stop(context.WithoutCancel(ctx)))
	}
	return nil
}

// stop ends all parts, the last first, within stopTimeout. Calling it again
// returns the same error.
func (a *app) stop(ctx context.Context) error {
	a.stopOnce.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		var errs []error
		for _, p := range slices.Backward(a.parts) {
			if err := p.stop(ctx); err != nil {
				errs = append(errs, fmt.Errorf("stop %s: %w", p.name, err))
			}
		}
		a.stopErr = errors.Join(errs...)
	})
	return a.stopErr
}

func (a *app) add(name string, stop func(context.Context) error) {
	a.parts = append(a.parts, part{name, stop})
}

// openData makes the data directory, takes the lock on the database, and reads
// or makes the signing secret.
func (a *app) openData(context.Context) error {
	if err := makeDataDir(a.config.DataDir, a.log); err != nil {
		return err
	}
	path, err := a.config.databasePath()
	if err != nil {
		return err
	}
	release, err := lockDatabase(path)
	if err != nil {
		return err
	}
	a.add("lock", func(context.Context) error { return release() })
	a.secret, err = signingSecret(a.config, a.log)
	return err
}

// listen takes the port before anything is built, since a port in use is the
// most common reason not to start. Connections wait until serveHTTP.
func (a *app) listen(ctx context.Context) error {
	address := net.JoinHostPort(a.config.APIHost, strconv.Itoa(a.config.APIPort))
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program: stop that, or choose another port with --api-port (DECNET_API_PORT)", address)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	a.listener = listener
	a.add("listener", func(context.Context) error {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		a.log.Warn("listening beyond this machine without TLS: put a proxy that speaks TLS in front", slog.String("address", listener.Addr().String()))
	}
	return nil
}

// addr is the address that the app listens on, once it started.
func (a *app) addr() *net.TCPAddr { return a.listener.Addr().(*net.TCPAddr) }

// url is where a browser on this machine finds the app.
func (a *app) url() string {
	host := a.addr().IP
	if host.IsUnspecified() {
		host = net.IPv4(127, 0, 0, 1)
	}
	return "http://" + net.JoinHostPort(host.String(), strconv.Itoa(a.addr().Port))
}

func (a *app) openStore(ctx context.Context) error {
	path, err := a.config.databasePath()
	if err != nil {
		return err
	}
	a.store, err = openStore(ctx, path, a.now, a.log)
	if err != nil {
		return err
	}
	a.add("database", func(context.Context) error { return a.store.Close() })
	return nil
}

// openStore opens the database for any command.
func openStore(ctx context.Context, path string, now func() time.Time, log *slog.Logger) (*sqlite.Store, error) {
	return openStoreWith(ctx, sqlite.Options{Path: path, Now: now, Log: log})
}

func openStoreWith(ctx context.Context, o sqlite.Options) (*sqlite.Store, error) {
	store, err := sqlite.Open(ctx, o)
	if errors.Is(err, repo.ErrNewerSchema) {
		return nil, fmt.Errorf("%w: install that version, or restore a backup", err)
	}
	return store, err
}

// addFirstAdmin makes an administrator where there is none, as in a new database.
func (a *app) addFirstAdmin(ctx context.Context) error {
	users, err := a.store.Users(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(u repo.User) bool { return u.Role == repo.RoleAdmin }) {
		return nil
	}
	password, generated := string(a.config.AdminPassword), false
	if password == "" {
		password, generated = generatePassword(), true
	}
	// One who knows a password only from the screen must make it a secret first;
	// one that was configured is the operator's own choice.
	p := process{now: a.now, bcryptCost: a.bcryptCost}
	user, err := p.newUser(ctx, a.config.AdminUser, repo.RoleAdmin, password, generated)
	if err != nil {
		return err
	}
	if err := a.store.CreateUser(ctx, user); err != nil {
		return fmt.Errorf("make the first administrator %s: %w", printable(user.Username), err)
	}
	a.log.Info("made the first administrator", slog.String("name", user.Username))
	if !generated {
		return nil
	}
	_, err = fmt.Fprintf(a.out, "First administrator: %s\nPassword, shown only now, to be changed at the first login: %s\n",
		printable(user.Username), password)
	return err
}

func (a *app) buildServer(context.Context) error {
	c, err := contract.Load(decnet.OpenAPI()) //nolint:contextcheck // it reads from memory
	if err != nil {
		return err
	}
	passwords, err := auth.NewPasswords(a.bcryptCost, a.now)
	if err != nil {
		return err
	}
	if err := register(a.registry, a.ingester, a.store, a.now); err != nil {
		return err
	}
	a.server, err = api.New(api.Options{
		Store:        a.store,
		Fleet:        a.fleet,
		Manager:      a.fleet,
		Contract:     c,
		Secret:       a.secret,
		Passwords:    passwords,
		Now:          a.now,
		Log:          a.log,
		Registry:     a.registry,
		Components:   a.components(),
		Ingest:       pipeline{a.ingester},
		CORSOrigins:  a.config.CORSOrigins,
		Developer:    a.config.Developer,
		MetricsToken: string(a.config.MetricsToken),
	})
	if err != nil {
		return err
	}
	a.add("API", func(context.Context) error { a.server.Close(); return nil })
	return nil
}

// components are what /health shows beside what the API asks itself.
func (a *app) components() []api.Component {
	return append(a.decoyComponents(), api.Component{
		Name:     "ingestion_worker",
		Critical: true,
		Check: func(context.Context) (string, error) {
			return ingestDetail(a.ingester.Status()), a.ingester.Health()
		},
	})
}

// ingestDetail is the sentence of a healthy ingester.
func ingestDetail(s ingest.Status) string {
	var behind int64
	for _, source := range s.Sources {
		behind += source.Lag
	}
	if behind > 0 {
		return fmt.Sprintf("%d bytes behind", behind)
	}
	return fmt.Sprintf("%d lines read", s.Lines)
}

func (a *app) serveHTTP(context.Context) error {
	dashboard, err := web.New(a.server)
	if err != nil {
		return err
	}
	server := api.NewHTTPServer(dashboard, a.log)
	// Streams never end by themselves. Shutdown calls this once no new request can
	// come in, and then waits for those under way.
	server.RegisterOnShutdown(a.server.Close)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serve HTTP: %w", err)
		}
	}()
	a.add("HTTP server", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, drainTimeout)
		defer cancel()
		err := server.Shutdown(ctx)
		if err != nil {
			a.log.Warn("requests were cut off", slog.Any("error", err))
			err = server.Close()
		}
		<-done
		return err
	})
	return nil
}

func (a *app) startIngester(ctx context.Context) error {
	// The end of the start's context must not cut off the last commit: stop ends it.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.ingester.Run(ctx) }()
	a.add("ingester", func(ctx context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return nil
}

// publishingSink commits to the store and then tells the API, so that a stream
// never shows a row that a reader of the database can't see.
type publishingSink struct {
	*sqlite.Store
	publish func([]repo.Log)
	// logins is told of the events too; nil means nobody.
	logins func([]repo.Event)
}

// Commit implements [ingest.Sink].
func (s *publishingSink) Commit(ctx context.Context, b *repo.Batch) error {
	if err := s.Store.Commit(ctx, b); err != nil {
		return err
	}
	rows := make([]repo.Log, 0, len(b.Events))
	for i := range b.Events {
		if b.Events[i].ID != 0 { // else it is a duplicate, and was published when it was stored
			rows = append(rows, b.Events[i].Log)
		}
	}
	s.publish(rows)
	if s.logins != nil {
		s.logins(b.Events)
	}
	return nil
}
