package api_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"decnet/repo"
	"decnet/testutil"
)

func TestUsers_Lifecycle(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	type user struct {
		UUID, Username, Role string
		MustChangePassword   bool `json:"must_change_password"`
	}
	made := testutil.Decode[user](w.Admin.Post("/api/v1/config/users", map[string]string{"username": "eve", "password": "first-password"}).OK())
	assert.Equal(t, user{made.UUID, "eve", "viewer", true}, made)
	w.Admin.Post("/api/v1/config/users", map[string]string{"username": "eve", "password": "first-password"}).
		WantProblem(http.StatusConflict, "Username already exists")
	w.Login("eve", "first-password").Get("/api/v1/stats").Want(http.StatusForbidden)

	w.Admin.Put("/api/v1/config/users/"+made.UUID+"/role", map[string]string{"role": "admin"}).OK()
	w.Admin.Put("/api/v1/config/users/"+made.UUID+"/reset-password", map[string]string{"new_password": "second-password"}).OK()
	w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": "eve", "password": "first-password"}).Want(http.StatusUnauthorized)
	eve := w.Login("eve", "second-password")
	eve.Get("/api/v1/config").Want(http.StatusForbidden)
	eve.Post("/api/v1/auth/change-password", map[string]string{"old_password": "second-password", "new_password": "third-password"}).OK()
	users := testutil.Decode[struct{ Users []user }](w.Login("eve", "third-password").Get("/api/v1/config").OK()).Users
	assert.Contains(t, users, user{made.UUID, "eve", "admin", false})

	w.Admin.Delete("/api/v1/config/users/" + made.UUID).OK()
	w.Admin.Delete("/api/v1/config/users/"+made.UUID).WantProblem(http.StatusNotFound, "User not found")
	w.Anonymous.Post("/api/v1/auth/login", map[string]string{"username": "eve", "password": "third-password"}).Want(http.StatusUnauthorized)
}

func TestUsers_NobodyChangesOrDeletesThemself(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	self := "/api/v1/config/users/" + w.AdminUser().UUID
	w.Admin.Delete(self).WantProblem(http.StatusForbidden, "You cannot delete your own account")
	w.Admin.Put(self+"/role", map[string]string{"role": "viewer"}).WantProblem(http.StatusForbidden, "You cannot change your own role")
	w.Admin.Get("/api/v1/config").OK()
}

// TestUsers_TwoAdminsCannotRemoveEachOther: each request is allowed by itself,
// but together they would lock everybody out.
func TestUsers_TwoAdminsCannotRemoveEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		rival := w.AddUser("rival", repo.RoleAdmin)
		other := w.As(rival)
		w.Calls.Delay("DeleteUser", time.Second) // both are let in before either is done
		statuses := make(chan int, 2)
		go func() { statuses <- w.Admin.Delete("/api/v1/config/users/" + rival.UUID).Status }()
		go func() { statuses <- other.Delete("/api/v1/config/users/" + w.AdminUser().UUID).Status }()
		assert.ElementsMatch(t, []int{http.StatusOK, http.StatusConflict}, []int{<-statuses, <-statuses})
	})
}

func TestUsers_UnknownIDs(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	const ghost = "/api/v1/config/users/6f1a2b3c-0000-4000-8000-000000000000"
	w.Admin.Delete(ghost).WantProblem(http.StatusNotFound, "User not found")
	w.Admin.Put(ghost+"/role", map[string]string{"role": "viewer"}).WantProblem(http.StatusNotFound, "User not found")
	w.Admin.Put(ghost+"/reset-password", map[string]string{"new_password": "long-enough"}).WantProblem(http.StatusNotFound, "User not found")
}

func TestConfig_ViewerSeesNoUsers(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.Developer())
	got := testutil.Decode[map[string]any](w.Viewer.Get("/api/v1/config").OK())
	assert.Equal(t, map[string]any{"role": "viewer", "deployment_limit": 10.0, "global_mutation_interval": "30m"}, got)
	admin := testutil.Decode[map[string]any](w.Admin.Get("/api/v1/config").OK())
	assert.Len(t, admin["users"], 3)
	assert.Equal(t, true, admin["developer_mode"])
}

func TestReinit_NeedsDeveloperMode(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(3)
	w.Admin.Delete("/api/v1/config/reinit").WantProblem(http.StatusForbidden, "Developer mode is not enabled")
	assert.EqualValues(t, 3, testutil.Decode[testutil.Page[any]](w.Viewer.Get("/api/v1/logs").OK()).Total)
}
