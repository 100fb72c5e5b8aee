package testutil

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"decnet/api"
	"decnet/auth"
	"decnet/fleet"
	"decnet/repo"
	"decnet/repo/sqlite"
)

// World is everything that one test has for itself.
type World struct {
	// Store is the database, past the spy: what a test does with it isn't counted.
	Store *sqlite.Store
	// Calls stands between the server and the store.
	Calls *Spy
	// Server is the service under test.
	Server *api.Server
	// Fleet is the state file, whose path is StatePath. There is no file at first.
	Fleet     *fleet.StateFile
	StatePath string
	// Manager changes the fleet. It runs none, unless the world has a [Driver].
	Manager *fleet.Manager
	// Clock is the time of the server, of its caches and of its tokens.
	Clock *Clock
	// Secret signs the tokens of this world and of no other.
	Secret []byte
	// Admin, Viewer and MustChange have a token of such a user, Anonymous none.
	Admin, Viewer, MustChange, Anonymous *Client

	t testing.TB
	// files is where the world's files lie, up to a suffix.
	files    string
	serving  *serving
	template *template
	// goroutines finds those that the test began and that outlive it.
	goroutines *goroutines
	tokens     *auth.Tokens
	seeded     int
}

// Option makes a world differ from the usual one.
type Option func(*settings)

type settings struct {
	api      api.Options
	wall     bool
	disk     bool
	tcp      bool
	driver   fleet.Driver
	behavior func(*api.Options)
	broken   func(w http.ResponseWriter, r *http.Request) bool
}

// Developer switches the developer mode on.
func Developer() Option { return func(s *settings) { s.api.Developer = true } }

// WallClock makes the world's time pass by itself: the time of the bubble in a
// testing/synctest test, where the world must be made inside the bubble.
func WallClock() Option { return func(s *settings) { s.wall = true } }

// OnDisk keeps the database in a file in WAL mode, as production does, where a
// reader doesn't wait for a writer. It costs about ten times as much.
func OnDisk() Option { return func(s *settings) { s.disk = true } }

// TCP serves on a loopback port instead of in memory.
func TCP() Option { return func(s *settings) { s.tcp = true } }

// Decoys lets a driver run the fleet.
func Decoys(d fleet.Driver) Option { return func(s *settings) { s.driver = d } }

// With changes the options of the server, for what has no option here. Several are
// applied in their order.
func With(change func(o *api.Options)) Option {
	return func(s *settings) {
		before := s.behavior
		s.behavior = func(o *api.Options) {
			if before != nil {
				before(o)
			}
			change(o)
		}
	}
}

// Broken puts a defect before the server: where it returns true it has answered
// instead. It is for tests of the checks themselves.
func Broken(answer func(w http.ResponseWriter, r *http.Request) bool) Option {
	return func(s *settings) { s.broken = answer }
}

// New makes a world and ends it when the test ends, which fails if something
// was left open.
func New(t testing.TB, opts ...Option) *World {
	t.Helper()
	var set settings
	for _, o := range opts {
		o(&set)
	}
	shared, err := sharedTemplate()
	require.NoError(t, err, "the template of all worlds")
	w := &World{
		t: t, template: shared, Clock: &Clock{t: epoch(), wall: set.wall},
		Secret: []byte(auth.NewSecret()), goroutines: worlds.watch(),
	}
	w.files = filesOf(t, w.goroutines.id())
	w.StatePath = w.files + "-state.json"
	w.Fleet = fleet.NewStateFile(w.StatePath)
	w.Store, err = shared.clone(t.Context(), w, set.disk)
	require.NoError(t, err, "clone the template")
	w.Calls = newSpy(w.Store)
	w.tokens, err = auth.NewTokens(w.Secret, w.Clock.Now)
	require.NoError(t, err)
	w.Server = w.build(set)
	w.Server.Reset()
	var handler http.Handler = w.Server
	if set.broken != nil {
		handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if !set.broken(rw, r) {
				w.Server.ServeHTTP(rw, r)
			}
		})
	}
	w.serving = serve(t, handler, set.tcp)
	t.Cleanup(w.close)
	w.Admin = w.As(shared.admin)
	w.Viewer = w.As(shared.viewer)
	w.MustChange = w.As(shared.mustChange)
	w.Anonymous = w.WithToken("anonymous", "")
	return w
}

// build makes a server over the world's parts.
func (w *World) build(set settings) *api.Server {
	w.t.Helper()
	passwords, err := auth.NewPasswords(bcrypt.MinCost, w.Clock.Now)
	require.NoError(w.t, err)
	w.Manager = fleet.NewManager(fleet.Options{State: w.Fleet, Driver: set.driver, Now: w.Clock.Now, Seed: [32]byte(w.Secret), Changed: func() { w.Server.FleetChanged() }})
	o := set.api
	o.Store, o.Fleet, o.Manager, o.Contract = w.Calls, w.Manager, w.Manager, w.template.contract
	o.Secret, o.Passwords, o.Now = w.Secret, passwords, w.Clock.Now
	if set.behavior != nil {
		set.behavior(&o)
	}
	server, err := api.New(o)
	require.NoError(w.t, err)
	return server
}

// Reset makes every cache of the world's server cold.
func (w *World) Reset() { w.Server.Reset() }

// Commit stores events as ingest does: one transaction, then the streams are
// told. It returns the rows with their ids.
func (w *World) Commit(events ...repo.Event) []repo.Log {
	w.t.Helper()
	require.NoError(w.t, w.Store.Commit(w.t.Context(), &repo.Batch{Events: events}))
	rows := make([]repo.Log, len(events))
	for i := range events {
		rows[i] = events[i].Log
	}
	w.Server.Publish(append([]repo.Log(nil), rows...))
	return rows
}

// Seed commits n events that are the same for the same n in every world, later
// than those seeded before. They make attackers, credentials and commands.
func (w *World) Seed(n int) []repo.Log {
	w.t.Helper()
	events := make([]repo.Event, n)
	for i := range events {
		events[i] = Event(w.seeded + i)
	}
	w.seeded += n
	return w.Commit(events...)
}

// Deploy writes the state file with the deckies.
func (w *World) Deploy(deckies ...fleet.Decky) {
	w.t.Helper()
	require.NoError(w.t, w.Fleet.Write(w.t.Context(), fleet.State{Config: fleet.Config{Deckies: deckies}}))
}

// close ends the world and tells what was left open.
func (w *World) close() {
	w.t.Helper()
	w.serving.stop(w.t)
	w.Server.Close()
	if err := w.Store.Close(); err != nil {
		w.t.Errorf("close the database: %v", err)
	}
	connections := func() error {
		write, read := w.Store.PoolStats()
		return unused(write, read)
	}
	goroutines := func() error {
		w.serving.closeIdle()
		return w.goroutines.gone()
	}
	if err := errors.Join(eventually(connections), eventually(goroutines)); err != nil {
		w.t.Errorf("leaked: %v", err)
	}
	w.goroutines.ended()
}

// stopTimeout is how long a world waits for what a test left open.
const stopTimeout = 5 * time.Second

// serving is a running HTTP server and the way to it.
type serving struct {
	url       string
	server    *http.Server
	transport *http.Transport
	done      chan struct{}
	conns     sync.WaitGroup
}

func serve(t testing.TB, h http.Handler, tcp bool) *serving {
	t.Helper()
	s := &serving{
		server: api.NewHTTPServer(h, slog.New(slog.DiscardHandler)),
		done:   make(chan struct{}), url: "http://decnet.test",
		transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}
	s.server.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.conns.Done()
		default:
		}
	}
	var listener net.Listener
	if tcp {
		var config net.ListenConfig
		var err error
		listener, err = config.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		s.url = "http://" + listener.Addr().String()
	} else {
		memory := newMemoryListener()
		s.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return memory.dial(ctx) }
		listener = memory
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // http.ErrServerClosed, after stop
	}()
	return s
}

// closeIdle ends the connections that nobody uses. A connection that the client
// dialed in advance, or that was accepted in the moment of the stop, may come
// to be idle only afterwards.
func (s *serving) closeIdle() {
	s.transport.CloseIdleConnections()
	_ = s.server.Close()
}

// stop ends the server. Connections that a test still uses are cut.
func (s *serving) stop(t testing.TB) {
	t.Helper()
	s.closeIdle()
	<-s.done
	gone := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(stopTimeout):
		t.Errorf("leaked: a handler still runs %s after its connection was cut", stopTimeout)
	}
}

// AddUser makes a user with [Password] who need not change it.
func (w *World) AddUser(name string, role repo.Role) repo.User {
	w.t.Helper()
	u := repo.User{
		UUID: uuid.NewString(), Username: name, PasswordHash: w.template.admin.PasswordHash,
		Role: role, CreatedAt: w.Clock.Now(),
	}
	require.NoError(w.t, w.Store.CreateUser(w.t.Context(), u))
	w.Server.Cached()["users"].Reset()
	return u
}

// AdminUser is the administrator that every world begins with.
func (w *World) AdminUser() repo.User { return w.template.admin }

// ViewerUser is the viewer that every world begins with.
func (w *World) ViewerUser() repo.User { return w.template.viewer }

// MustChangeUser is a viewer who must change the password first.
func (w *World) MustChangeUser() repo.User { return w.template.mustChange }

// DatabasePath is the database file of a world with [OnDisk].
func (w *World) DatabasePath() string { return w.files + ".db" }
