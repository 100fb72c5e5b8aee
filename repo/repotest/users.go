package repotest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

func user(name string, role repo.Role) repo.User {
	return repo.User{
		UUID: "uuid-of-" + name, Username: name, PasswordHash: "hash of " + name, Role: role,
		MustChangePassword: true, TokenVersion: 3, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
}

func testUsers(t *testing.T, s Store) {
	ctx := t.Context()
	list, err := s.Users(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.User{}, list)
	zoe, ann := user("zoe", repo.RoleAdmin), user("ann", repo.RoleViewer)
	require.NoError(t, s.CreateUser(ctx, zoe))
	require.NoError(t, s.CreateUser(ctx, ann))
	list, err = s.Users(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.User{ann, zoe}, list, "in the order of names")

	taken := user("zoe", repo.RoleViewer)
	taken.UUID = "another"
	require.ErrorIs(t, s.CreateUser(ctx, taken), repo.ErrConflict)
	sameID := user("bob", repo.RoleViewer)
	sameID.UUID = ann.UUID
	require.ErrorIs(t, s.CreateUser(ctx, sameID), repo.ErrConflict)

	odd := user("Zoe", repo.RoleViewer) // a different name
	odd.CreatedAt = time.Time{}
	require.NoError(t, s.CreateUser(ctx, odd))
	got, err := s.UserByName(ctx, "Zoe")
	require.NoError(t, err)
	assert.Equal(t, Now(), got.CreatedAt, "now, where the caller gives none")
	got, err = s.UserByName(ctx, "zoe")
	require.NoError(t, err)
	assert.Equal(t, zoe, got)
	_, err = s.UserByName(ctx, "' OR 1=1 --")
	require.ErrorIs(t, err, repo.ErrNotFound)

	require.NoError(t, s.DeleteUser(ctx, ann.UUID))
	require.ErrorIs(t, s.DeleteUser(ctx, ann.UUID), repo.ErrNotFound)
	require.ErrorIs(t, s.SetRole(ctx, ann.UUID, repo.RoleAdmin), repo.ErrNotFound)
	require.ErrorIs(t, s.SetPassword(ctx, ann.UUID, "x", false), repo.ErrNotFound)
	list, err = s.Users(ctx)
	require.NoError(t, err)
	assert.Len(t, list, 2)
}

func testLastAdmin(t *testing.T, s Store) {
	ctx := t.Context()
	one, two, viewer := user("one", repo.RoleAdmin), user("two", repo.RoleAdmin), user("viewer", repo.RoleViewer)
	for _, u := range []repo.User{one, two, viewer} {
		require.NoError(t, s.CreateUser(ctx, u))
	}
	require.NoError(t, s.SetRole(ctx, one.UUID, repo.RoleViewer))
	require.ErrorIs(t, s.SetRole(ctx, two.UUID, repo.RoleViewer), repo.ErrLastAdmin)
	require.ErrorIs(t, s.DeleteUser(ctx, two.UUID), repo.ErrLastAdmin)
	require.NoError(t, s.SetRole(ctx, two.UUID, repo.RoleAdmin), "no change")
	require.NoError(t, s.DeleteUser(ctx, one.UUID))
	require.NoError(t, s.SetRole(ctx, viewer.UUID, repo.RoleAdmin))
	require.NoError(t, s.DeleteUser(ctx, two.UUID))

	// Of two that go at once, one stays.
	require.NoError(t, s.CreateUser(ctx, two))
	errs := make(chan error)
	for _, id := range []string{two.UUID, viewer.UUID} {
		go func() { errs <- s.DeleteUser(ctx, id) }()
	}
	first, second := <-errs, <-errs
	if first == nil {
		first = second
		second = nil
	}
	require.NoError(t, second)
	require.ErrorIs(t, first, repo.ErrLastAdmin)
}

func testTokenVersion(t *testing.T, s Store) {
	ctx := t.Context()
	require.NoError(t, s.CreateUser(ctx, user("keeper", repo.RoleAdmin)))
	u := user("u", repo.RoleViewer)
	require.NoError(t, s.CreateUser(ctx, u))
	want := u
	check := func(what string) {
		t.Helper()
		got, err := s.UserByName(ctx, "u")
		require.NoError(t, err)
		assert.Equal(t, want, got, what)
	}
	require.NoError(t, s.SetRole(ctx, u.UUID, repo.RoleViewer))
	check("the same role again lets tokens live")
	require.NoError(t, s.SetRole(ctx, u.UUID, repo.RoleAdmin))
	want.Role, want.TokenVersion = repo.RoleAdmin, 4
	check("another role ends them")
	require.NoError(t, s.SetPassword(ctx, u.UUID, "new", false))
	want.PasswordHash, want.MustChangePassword, want.TokenVersion = "new", false, 5
	check("another password ends them")
	require.NoError(t, s.SetPassword(ctx, u.UUID, "new", true))
	want.MustChangePassword, want.TokenVersion = true, 6
	check("the same password again ends them too")
}

func testState(t *testing.T, s Store) {
	ctx := t.Context()
	_, err := s.State(ctx, "k")
	require.ErrorIs(t, err, repo.ErrNotFound)
	for _, v := range []string{"1", "", "{\x00\xff'"} {
		require.NoError(t, s.SetState(ctx, "k", v))
		got, err := s.State(ctx, "k")
		require.NoError(t, err)
		assert.Equal(t, v, got)
	}
	_, err = s.State(ctx, "K")
	require.ErrorIs(t, err, repo.ErrNotFound)
}
