package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/auth"
	"decnet/repo"
	"decnet/testutil"
)

// bearers are all kinds of tokens, each with what the routes answer to it.
func bearers(t *testing.T, w *testutil.World) map[string]struct {
	client *testutil.Client
	want   map[string]int // by access: any, viewer, admin, sensor; 0 means let through
} {
	t.Helper()
	type row = struct {
		client *testutil.Client
		want   map[string]int
	}
	none := map[string]int{"any": 401, "viewer": 401, "admin": 401, "sensor": 401}
	foreign, err := auth.NewTokens([]byte(auth.NewSecret()), w.Clock.Now)
	require.NoError(t, err)
	forged, err := foreign.Issue(w.AdminUser().UUID, 0)
	require.NoError(t, err)
	early, err := auth.NewTokens(w.Secret, func() time.Time { return w.Clock.Now().Add(-auth.TokenLifetime) })
	require.NoError(t, err)
	expired, err := early.Issue(w.AdminUser().UUID, 0)
	require.NoError(t, err)

	deleted := w.As(w.AddUser("deleted", repo.RoleAdmin))
	demotedUser := w.AddUser("demoted", repo.RoleAdmin)
	demoted := w.As(demotedUser)
	changedUser := w.AddUser("changed", repo.RoleAdmin)
	changed := w.As(changedUser)
	for _, c := range []*testutil.Client{deleted, demoted, changed} {
		c.Get("/api/v1/stats").OK() // it was good
	}
	for _, u := range testutil.Decode[struct {
		Users []struct{ UUID, Username string }
	}](w.Admin.Get("/api/v1/config").OK()).Users {
		switch u.Username {
		case "deleted":
			w.Admin.Delete("/api/v1/config/users/" + u.UUID).OK()
		case "demoted":
			w.Admin.Put("/api/v1/config/users/"+u.UUID+"/role", map[string]string{"role": "viewer"}).OK()
		case "changed":
			changed.Post("/api/v1/auth/change-password", map[string]string{"old_password": testutil.Password, "new_password": "something-else-1"}).OK()
		}
	}
	sensor := testutil.Decode[struct{ Token string }](w.Admin.Post("/api/v1/sensors", map[string]string{"name": "s1"}).OK())
	gone := testutil.Decode[struct{ UUID, Token string }](w.Admin.Post("/api/v1/sensors", map[string]string{"name": "s2"}).OK())
	w.Admin.Delete("/api/v1/sensors/" + gone.UUID).OK()
	return map[string]row{
		"sensor":                 {w.WithToken("sensor", sensor.Token), map[string]int{"any": 401, "viewer": 401, "admin": 401, "sensor": 0}},
		"deleted sensor":         {w.WithToken("deleted sensor", gone.Token), none},
		"no token":               {w.Anonymous, none},
		"garbage":                {w.WithToken("garbage", "not.a.token"), none},
		"huge":                   {w.WithToken("huge", strings.Repeat("a", 20_000)), none},
		"wrong secret":           {w.WithToken("forged", forged), none},
		"unsigned":               {w.WithToken("unsigned", unsigned(w)), none},
		"expired":                {w.WithToken("expired", expired), none},
		"deleted user":           {deleted, none},
		"demoted user":           {demoted, none},
		"password changed since": {changed, none},
		"must change":            {w.MustChange, map[string]int{"any": 0, "viewer": 403, "admin": 403, "sensor": 401}},
		"viewer":                 {w.Viewer, map[string]int{"any": 0, "viewer": 0, "admin": 403, "sensor": 401}},
		"admin":                  {w.Admin, map[string]int{"any": 0, "viewer": 0, "admin": 0, "sensor": 401}},
	}
}

// unsigned is the admin's token with the algorithm "none" (RFC 8725 section 2.1).
func unsigned(w *testutil.World) string {
	parts := strings.Split(w.Admin.Token(), ".")
	return "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + "."
}

// TestAuth_Matrix walks every route with every kind of token.
func TestAuth_Matrix(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for name, b := range bearers(t, w) {
		for _, route := range w.Server.Routes() {
			path := strings.NewReplacer("{uuid}", "00000000-0000-4000-8000-000000000000", "{name}", "decky-0").Replace(route.Path)
			if route.Path == "/api/v1/stream" && b.want["viewer"] == 0 {
				continue // would not end; TestStream_… opens it
			}
			r := b.client.Do(b.client.Request(route.Method, path, bodyFor(route)))
			want := b.want[route.Access]
			if want == 0 {
				assert.NotContains(t, []int{401, 403}, statusUnlessAllowed(r, route),
					"%s %s as %s: %s", route.Method, route.Path, name, r.Body)
				continue
			}
			assert.Equal(t, want, r.Status, "%s %s as %s", route.Method, route.Path, name)
			switch {
			case want == 401:
				assert.Equal(t, "Bearer", r.Header.Get("WWW-Authenticate"))
				assert.Contains(t, []string{"Not authenticated", "Could not validate credentials"}, r.Detail())
			case name == "must change":
				assert.Equal(t, "Password change required before accessing this resource", r.Detail())
			default:
				assert.Equal(t, "Insufficient permissions", r.Detail())
			}
		}
	}
}

// statusUnlessAllowed is the status, but 0 where 401 or 403 has another reason
// than the token: the login itself, and reinit outside of developer mode.
func statusUnlessAllowed(r *testutil.Response, route api.RouteInfo) int {
	switch r.Status {
	case http.StatusUnauthorized:
		if route.Path == "/api/v1/auth/login" || route.Path == "/api/v1/auth/change-password" {
			return 0
		}
	case http.StatusForbidden:
		if route.Path == "/api/v1/config/reinit" && r.Detail() == "Developer mode is not enabled" {
			return 0
		}
	}
	return r.Status
}

// bodyFor is a body that the route would take, but which changes nothing that
// the matrix needs.
func bodyFor(route api.RouteInfo) any {
	switch route.Path {
	case "/api/v1/auth/login":
		return map[string]string{"username": "nobody-" + route.Method, "password": "x"}
	case "/api/v1/auth/change-password":
		return map[string]string{"old_password": "wrong", "new_password": "something-else-2"}
	case "/api/v1/config/deployment-limit":
		return map[string]int{"deployment_limit": 10}
	case "/api/v1/config/global-mutation-interval":
		return map[string]string{"global_mutation_interval": "30m"}
	case "/api/v1/config/users":
		return map[string]string{"username": "admin", "password": "taken-anyway"}
	case "/api/v1/sensors":
		if route.Method == http.MethodPost {
			return map[string]string{"name": "s1"}
		}
	case "/api/v1/ingest":
		return []byte("[]")
	case "/api/v1/ingest/explain":
		return map[string]string{"line": "x"}
	case "/api/v1/config/users/{uuid}/role":
		return map[string]string{"role": "viewer"}
	case "/api/v1/config/users/{uuid}/reset-password":
		return map[string]string{"new_password": "something-else-3"}
	}
	return nil
}

func TestAuth_SchemeAndHeader(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for header, want := range map[string]int{
		"Bearer " + w.Admin.Token():     200,
		"bearer " + w.Admin.Token():     200,
		"Basic " + w.Admin.Token():      401,
		w.Admin.Token():                 401,
		"Bearer":                        401,
		"Bearer  " + w.Admin.Token():    200,
		"Bearer " + w.Admin.Token()[1:]: 401,
	} {
		r := w.Anonymous.Request(http.MethodGet, "/api/v1/stats", nil)
		r.Header.Set("Authorization", header)
		assert.Equal(t, want, w.Anonymous.Do(r).Status, "scheme %q", strings.Fields(header)[0])
	}
	// Only the stream takes the token from the query.
	w.Anonymous.Get("/api/v1/stats", "token", w.Admin.Token()).Want(http.StatusUnauthorized)
}

func TestAuth_TokenOutlivesItsDayByNothing(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Admin.Get("/api/v1/stats").OK()
	w.Clock.Advance(auth.TokenLifetime - time.Second)
	w.Admin.Get("/api/v1/stats").OK()
	w.Clock.Advance(time.Second)
	w.Admin.Get("/api/v1/stats").Want(http.StatusUnauthorized)
}

func TestAuth_AnotherProcessChangesAUser(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Viewer.Get("/api/v1/stats").OK()
	// As decnet user reset does: past this server.
	require.NoError(t, w.Store.SetPassword(t.Context(), w.ViewerUser().UUID, "$2a$04$x", true))
	w.Clock.Advance(time.Second)
	w.Viewer.Get("/api/v1/stats").Want(http.StatusUnauthorized)
}

func TestLogin_GivesATokenThatWorks(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	body := map[string]string{"username": "viewer", "password": testutil.Password}
	got := testutil.Decode[map[string]any](w.Anonymous.Post("/api/v1/auth/login", body).OK())
	assert.Equal(t, "bearer", got["token_type"])
	assert.Equal(t, false, got["must_change_password"])
	w.Login("viewer", testutil.Password).Get("/api/v1/stats").OK()

	body["username"] = "newcomer"
	got = testutil.Decode[map[string]any](w.Anonymous.Post("/api/v1/auth/login", body).OK())
	assert.Equal(t, true, got["must_change_password"])
}

func TestLogin_UnknownUserAndWrongPasswordLookTheSame(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	unknown := w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": "ghost", "password": "x"})
	unknown.WantProblem(http.StatusUnauthorized, "Incorrect username or password")
	wrong := w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": "admin", "password": "x"})
	wrong.WantProblem(http.StatusUnauthorized, "Incorrect username or password")
	assert.Equal(t, unknown.Header["Content-Length"], wrong.Header["Content-Length"])
}

func TestLogin_IsThrottledPerUserAndAddress(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	login := func(user, password string) *testutil.Response {
		return w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": user, "password": password})
	}
	for range 5 {
		login("admin", "guess").Want(http.StatusUnauthorized)
	}
	r := login("admin", testutil.Password)
	r.WantProblem(http.StatusTooManyRequests, "Too many failed logins, try again later")
	assert.Equal(t, "30", r.Header.Get("Retry-After"))
	login("viewer", testutil.Password).OK() // another user is not hindered
	w.Clock.Advance(30 * time.Second)
	login("admin", testutil.Password).OK()
	for range 20 { // success costs nothing
		login("admin", testutil.Password).OK()
	}
}

// TestLogin_AStrangerThrottlesNobodyElse: who guesses from one address, whatever
// the port and the notation, does not lock out those at others.
func TestLogin_AStrangerThrottlesNobodyElse(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	login := func(from, password string) int {
		body := `{"username":"admin","password":"` + password + `"}`
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/auth/login", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = from
		answer := httptest.NewRecorder()
		w.Server.ServeHTTP(answer, r)
		return answer.Code
	}
	for n := range 5 {
		assert.Equal(t, http.StatusUnauthorized, login(fmt.Sprintf("198.51.100.7:%d", 40000+n), "guess"))
	}
	assert.Equal(t, http.StatusTooManyRequests, login("198.51.100.7:40100", testutil.Password))
	assert.Equal(t, http.StatusTooManyRequests, login("[::ffff:198.51.100.7]:40100", testutil.Password))
	assert.Equal(t, http.StatusOK, login("198.51.100.8:40100", testutil.Password))
	assert.Equal(t, http.StatusOK, login("[2001:db8::7]:40100", testutil.Password))
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	change := func(c *testutil.Client, old, new string) *testutil.Response {
		return c.Post("/api/v1/auth/change-password", map[string]string{"old_password": old, "new_password": new})
	}
	change(w.MustChange, "wrong", "brand-new-1").WantProblem(http.StatusUnauthorized, "Incorrect old password")
	w.MustChange.Get("/api/v1/stats").Want(http.StatusForbidden)
	change(w.MustChange, testutil.Password, "brand-new-1").OK()
	w.MustChange.Get("/api/v1/stats").Want(http.StatusUnauthorized) // its token is from before
	w.Login("newcomer", "brand-new-1").Get("/api/v1/stats").OK()
	w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": "newcomer", "password": testutil.Password}).Want(http.StatusUnauthorized)
}

func TestChangePassword_EveryByteOfALongPasswordCounts(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	long := strings.Repeat("ü", 71) // 142 bytes; bcrypt reads 72
	w.Admin.Post("/api/v1/config/users", map[string]string{"username": "lang", "password": long + "a"}).OK()
	w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": "lang", "password": long + "b"}).Want(http.StatusUnauthorized)
	w.Login("lang", long+"a")
}
