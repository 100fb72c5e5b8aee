//go:build fuzz

package fuzz

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"decnet"
	"decnet/api"
	"decnet/auth"
	"decnet/contract"
	"decnet/fleet"
	"decnet/fuzz/engine"
	"decnet/repo"
	"decnet/repo/sqlite"
	"decnet/testutil"
)

// The kinds of worlds.
const (
	worldSeeded    = "seeded"
	worldEmpty     = "empty"
	worldDeveloper = "developer" // seeded, and in developer mode
)

// The users of every world.
const (
	actorAdmin    = "admin"
	actorViewer   = "viewer"
	actorNewcomer = "newcomer" // must change the password first
	// actorSensor may send events and do nothing else.
	actorSensor = "sensor"
	// actorQuery is the administrator with the token in the query, where the stream
	// takes it.
	actorQuery = "admin-by-query"
)

// sensorToken is the token of the sensor that every world begins with.
const sensorToken = "decnet_sensor_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// seededEvents is how many events a seeded world begins with.
const seededEvents = 24

// factory makes worlds. Two templates of the database are all that its worlds
// share, and nothing changes those.
type factory struct {
	dir           string
	contract      *contract.Contract
	empty, seeded *sqlite.Template
	users         map[string]repo.User
	fleet         [2][]byte
	made          atomic.Int64
	open          atomic.Int64
	// wrap puts something before the service, such as a planted defect; nil means
	// nothing.
	wrap func(http.Handler) http.Handler
	// options changes the options of the server, such as its store; may be nil.
	options func(o *api.Options)
}

// newFactory prepares the templates. They are freed when the test ends.
func newFactory(t testing.TB) *factory {
	t.Helper()
	f := &factory{dir: t.TempDir(), users: map[string]repo.User{}}
	var err error
	f.contract, err = contract.Load(decnet.OpenAPI())
	require.NoError(t, err)
	hasher, err := auth.NewPasswords(bcrypt.MinCost, nil)
	require.NoError(t, err)
	hash, err := hasher.Hash(t.Context(), testutil.Password)
	require.NoError(t, err)
	for i, name := range []string{actorAdmin, actorViewer, actorNewcomer, "spare"} {
		u := repo.User{
			UUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i+1), Username: name, PasswordHash: hash,
			Role: repo.RoleViewer, MustChangePassword: name == actorNewcomer, CreatedAt: began(),
		}
		if name == actorAdmin {
			u.Role = repo.RoleAdmin
		}
		f.users[name] = u
	}
	f.empty = f.template(t, 0)
	f.seeded = f.template(t, seededEvents)
	for i := range f.fleet {
		f.fleet[i] = fleetFile(t, i+2)
	}
	return f
}

func began() time.Time { return time.Date(2026, 4, 17, 13, 0, 0, 0, time.UTC) }

func (f *factory) template(t testing.TB, events int) *sqlite.Template {
	t.Helper()
	template, err := sqlite.NewTemplate(t.Context(), func(ctx context.Context, s *sqlite.Store) error {
		for _, name := range []string{actorAdmin, actorViewer, actorNewcomer, "spare"} {
			if err := s.CreateUser(ctx, f.users[name]); err != nil {
				return err
			}
		}
		hash := sha256.Sum256([]byte(sensorToken))
		if err := s.CreateSensor(ctx, repo.Sensor{UUID: sensorID, Name: "web-01", TokenHash: hash[:], CreatedAt: began()}); err != nil {
			return err
		}
		if events == 0 {
			return nil
		}
		return s.Commit(ctx, &repo.Batch{Events: hostileEvents(events), Rejects: hostileRejects()})
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, template.Close()) })
	return template
}

// hostileEvents are those of the kit, some with what attackers type.
func hostileEvents(n int) []repo.Event {
	events := make([]repo.Event, n)
	for i := range events {
		events[i] = hostileEvent(i)
	}
	return events
}

func hostileEvent(i int) repo.Event {
	e := testutil.Event(i)
	switch i % 8 {
	case 5:
		e.RawLine += " '; DROP TABLE logs; -- \x00 %_\\ \"<script>\u202e漢"
	case 6:
		e.Bounties = nil // a credential would be of the fields
		e.Fields = `{"port":443,"name":"a \"b\" c","nested":{"a":[1,2]},"flag":true,"none":null}`
	case 7:
		e.Msg = "a message with\nlines\tand \x1b[31mcolours"
	}
	return e
}

// sensorID is the id of the sensor that every world begins with.
const sensorID = "00000000-0000-4000-8000-00000000000a"

// hostileRejects are lines that gave no event.
func hostileRejects() []repo.Reject {
	var out []repo.Reject
	for i, line := range []string{"Traceback", "\x00\xff\xfe", "<script>\u202e", strings.Repeat("a", 5000), ""} {
		out = append(out, repo.Reject{
			Source: []string{"/var/log/a", "/var/log/b\x1b[2J"}[i%2], Path: "/var/log/a", Offset: int64(i), Reason: []string{"not_json", "bad_time"}[i%2],
			Detail: "The line is not JSON.", Line: []byte(line), Size: int64(len(line)), SeenAt: began(),
		})
	}
	return out
}

// fleetFile is a state file with n deckies.
func fleetFile(t testing.TB, n int) []byte {
	t.Helper()
	deckies := make([]fleet.Decky, n)
	for i := range deckies {
		deckies[i] = testutil.Decky(i)
	}
	raw, err := json.Marshal(fleet.State{Config: fleet.Config{Mode: "unihost", Deckies: deckies}})
	require.NoError(t, err)
	return raw
}

// clock is the time of one world; it stands still until an action moves it.
type clock struct{ nanos atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// world is the service with a database, a fleet, a secret and a clock of its own.
type world struct {
	factory *factory
	store   *sqlite.Store
	server  *api.Server
	ingest  *pipeline
	clock   *clock
	path    string
	secret  []byte
	users   map[string]repo.User
	tokens  map[string]*auth.Tokens
	events  int
	ctx     context.Context
}

// make is the factory's [engine.Config.New].
func (f *factory) make(ctx context.Context, kind string) (*engine.World, error) {
	w, err := f.open1(ctx, kind)
	if err != nil {
		return nil, err
	}
	return w.engineWorld(), nil
}

func (f *factory) open1(ctx context.Context, kind string) (*world, error) {
	w := &world{factory: f, clock: &clock{}, users: f.users, ctx: ctx, secret: []byte(auth.NewSecret())}
	w.clock.nanos.Store(began().UnixNano())
	w.path = filepath.Join(f.dir, "state-"+strconv.FormatInt(f.made.Add(1), 10)+".json")
	template := f.seeded
	if kind == worldEmpty {
		template = f.empty
	} else {
		w.events = seededEvents
		if err := os.WriteFile(w.path, f.fleet[0], 0o600); err != nil {
			return nil, fmt.Errorf("state file: %w", err)
		}
	}
	var err error
	if w.store, err = template.Clone(ctx, sqlite.Options{Now: w.clock.Now, Readers: 2}); err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	w.ingest = newPipeline(w.store, func() *api.Server { return w.server })
	passwords, err := auth.NewPasswords(bcrypt.MinCost, w.clock.Now)
	if err != nil {
		return nil, fmt.Errorf("passwords: %w", err)
	}
	// Half of the worlds have decoys of their own, so that both answers are met.
	managed := fleet.Options{State: fleet.NewStateFile(w.path), Now: w.clock.Now, Seed: [32]byte(w.secret)}
	if kind != worldEmpty {
		managed.Driver = &testutil.Driver{}
	}
	manager := fleet.NewManager(managed)
	o := api.Options{
		Store: w.store, Fleet: manager, Manager: manager, Contract: f.contract, Secret: w.secret,
		Passwords: passwords, Now: w.clock.Now, Developer: kind == worldDeveloper, Ingest: w.ingest,
	}
	if f.options != nil {
		f.options(&o)
	}
	if w.server, err = api.New(o); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	f.open.Add(1)
	return w, w.signers()
}

// signers makes what signs good and forged tokens. Every key but the first is
// one that the service does not have.
func (w *world) signers() error {
	w.tokens = map[string]*auth.Tokens{}
	mutated := append([]byte(nil), w.secret...)
	mutated[len(mutated)/2] ^= 1
	keys := map[string][]byte{"": w.secret, "mutated-key": mutated, "other-world": []byte(auth.NewSecret())}
	for name, key := range keys {
		var err error
		if w.tokens[name], err = auth.NewTokens(key, w.clock.Now); err != nil {
			return fmt.Errorf("tokens %s: %w", name, err)
		}
	}
	long := func() time.Time { return w.clock.Now().Add(-25 * time.Hour) }
	var err error
	w.tokens["expired"], err = auth.NewTokens(w.secret, long)
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	return nil
}

func (w *world) engineWorld() *engine.World {
	return &engine.World{
		Handler: w.handler(), Server: serverOf, Authorize: w.authorize, Do: w.do, Close: w.close,
		Symbols: map[string]any{
			"user.admin": w.users[actorAdmin].UUID, "user.viewer": w.users[actorViewer].UUID,
			"user.newcomer": w.users[actorNewcomer].UUID, "user.spare": w.users["spare"].UUID,
			"password": testutil.Password, "attacker": w.attacker(), "sensor": sensorID,
		},
		Secrets: map[string]string{
			"JWT_SECRET": string(w.secret), "SENT_TOKEN": w.token(actorAdmin), "SENT_VIEWER_TOKEN": w.token(actorViewer),
			"SENT_NEWCOMER_TOKEN": w.token(actorNewcomer), "PASSWORD": testutil.Password, "SENT_SENSOR_TOKEN": sensorToken,
		},
	}
}

// serverOf is the server of decnet serve, for what is too large for it.
func serverOf(h http.Handler) *http.Server {
	return api.NewHTTPServer(h, slog.New(slog.DiscardHandler))
}

func (w *world) handler() http.Handler {
	if w.factory.wrap != nil {
		return w.factory.wrap(w.server)
	}
	return w.server
}

// attacker is an attacker of the seeded worlds.
func (w *world) attacker() string { return repo.AttackerUUID(testutil.Event(3).AttackerIP) }

// token signs a token of a user as the world began, or, for "name@3", as it is
// after three changes of the user's role.
func (w *world) token(user string) string {
	name, changes, _ := strings.Cut(user, "@")
	n, _ := strconv.ParseInt(changes, 10, 64)
	u := w.users[name]
	text, err := w.tokens[""].Issue(u.UUID, u.TokenVersion+n)
	if err != nil {
		return ""
	}
	return text
}

// forgedActors must be refused wherever a token is needed.
func forgedActors() []string {
	names := []string{"mutated-key", "other-world", "expired", "no-signature", "alg-none", "garbage", "other-scheme", "unknown-user", "old-version", "in-query"}
	for i := range names {
		names[i] = engine.ForgedPrefix + ":" + names[i]
	}
	return names
}

// authorize implements [engine.World.Authorize].
func (w *world) authorize(req *http.Request, actor, token string) {
	admin := w.users[actorAdmin]
	header := "Bearer "
	how, isForged := strings.CutPrefix(actor, engine.ForgedPrefix+":")
	switch {
	case token != "":
	case !isForged:
		if actor == actorSensor {
			token = sensorToken
			break
		}
		if actor == actorQuery {
			addQuery(req, "token", w.token(actorAdmin))
			return
		}
		token = w.token(actor)
	default:
		good := w.token(actorAdmin)
		switch how {
		case "garbage":
			token = "x"
		case "other-scheme":
			header, token = "Basic ", good
		case "no-signature":
			token = good[:strings.LastIndexByte(good, '.')+1]
		case "alg-none":
			// {"alg":"none","typ":"JWT"}
			token = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0" + good[strings.IndexByte(good, '.'):strings.LastIndexByte(good, '.')+1]
		case "unknown-user":
			token, _ = w.tokens[""].Issue("00000000-0000-4000-8000-00000000dead", 0)
		case "old-version":
			token, _ = w.tokens[""].Issue(admin.UUID, admin.TokenVersion-1)
		case "in-query":
			addQuery(req, "token", "x"+good)
			return
		default:
			token, _ = w.tokens[how].Issue(admin.UUID, admin.TokenVersion)
		}
	}
	req.Header.Set("Authorization", header+token)
}

func addQuery(req *http.Request, name, value string) {
	if req.URL.RawQuery != "" {
		req.URL.RawQuery += "&"
	}
	req.URL.RawQuery += name + "=" + value
}

// actions are what happens in a world beside requests.
func actions() []string { return []string{"commit 1", "commit 3", "fleet", "advance 7s", "reset"} }

// do implements [engine.World.Do].
func (w *world) do(action string) {
	name, arg, _ := strings.Cut(action, " ")
	switch name {
	case "commit":
		n, _ := strconv.Atoi(arg)
		w.commit(n)
	case "fleet":
		next := w.path + ".new"
		if os.WriteFile(next, w.factory.fleet[1], 0o600) == nil {
			_ = os.Rename(next, w.path)
		}
		w.clock.advance(10 * time.Second) // what comes from outside is seen after a while
	case "advance":
		if d, err := time.ParseDuration(arg); err == nil {
			w.clock.advance(d)
		}
	case "reset":
		w.server.Reset()
	}
}

// commit stores events as ingest does, and lets the caches' time pass.
func (w *world) commit(n int) {
	batch := &repo.Batch{}
	for i := range n {
		batch.Events = append(batch.Events, testutil.Event(w.events+i))
	}
	w.events += n
	if err := w.store.Commit(w.ctx, batch); err != nil {
		panic("fuzz: commit: " + err.Error())
	}
	rows := make([]repo.Log, n)
	for i := range rows {
		rows[i] = batch.Events[i].Log
	}
	w.server.Publish(rows)
	w.clock.advance(6 * time.Second)
}

func (w *world) close() {
	if err := w.ingest.close(); err != nil {
		panic("fuzz: " + err.Error())
	}
	w.server.Close()
	if err := w.store.Close(); err != nil {
		panic("fuzz: close the database: " + err.Error())
	}
	_ = os.Remove(w.path)
	w.factory.open.Add(-1)
}
