package api

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"decnet/repo"
)

// directoryWindow bounds how long a change of users by another process, such
// as decnet user reset, stays unseen. Our own writes are seen at once.
const directoryWindow = time.Second

// directoryGrace is how long known accounts are still trusted while the store
// fails: long enough that /health can say so to somebody who is signed in.
const directoryGrace = time.Minute

// account is a user in memory.
type account struct {
	repo.User
}

// accounts are all users by id and by name, and in the order of names.
type accounts struct {
	byUUID, byName map[string]*account
	list           []repo.User
	loaded         time.Time
}

// directory keeps the users in memory, so that a token is checked without the
// store, and a deleted, demoted or reset user is known at once.
type directory struct {
	now      func() time.Time
	accounts *cache[*accounts]
	// last is what was loaded last; a reset forgets it.
	last atomic.Pointer[accounts]
}

func newDirectory(o owner, store UserStore) *directory {
	d := &directory{now: o.now}
	d.accounts = newCache(o, string(cacheUsers), directoryWindow, func(ctx context.Context) (*accounts, error) {
		users, err := store.Users(ctx)
		if err != nil {
			return nil, fmt.Errorf("users: %w", err)
		}
		a := &accounts{
			byUUID: make(map[string]*account, len(users)), byName: make(map[string]*account, len(users)),
			list: users, loaded: o.now(),
		}
		for _, u := range users {
			a.byUUID[u.UUID] = &account{u}
			a.byName[u.Username] = a.byUUID[u.UUID]
		}
		return a, nil
	})
	return d
}

// Reset makes the directory ask the store again.
func (d *directory) Reset() {
	d.accounts.reset()
	d.last.Store(nil)
}

// get returns the accounts. While the store fails it returns those known last,
// for a short time and unless a write has made them doubtful.
func (d *directory) get(ctx context.Context) (*accounts, error) {
	a, err := d.accounts.get(ctx)
	if err == nil {
		if d.last.Load() != a { // so that it is written once a load, not once a request
			d.last.Store(a)
		}
		return a, nil
	}
	if last := d.last.Load(); last != nil && ctx.Err() == nil && d.now().Sub(last.loaded) < directoryGrace {
		return last, nil
	}
	return nil, err
}

// authenticate returns the account that the request's token belongs to, if it
// may use a route of this access.
func (s *Server) authenticate(need access, r *http.Request) (*account, error) {
	token := bearer(r)
	if token == "" && r.URL.Path == streamPath {
		token = r.URL.Query().Get("token")
	}
	return s.admit(r.Context(), need, token)
}

// admit checks a token against an access.
func (s *Server) admit(ctx context.Context, need access, token string) (*account, error) {
	if token == "" {
		return nil, errUnauthenticated
	}
	claims, err := s.tokens.Verify(token)
	if err != nil {
		return nil, errBadToken.because(err)
	}
	all, err := s.users.get(ctx)
	if err != nil {
		return nil, err
	}
	user, ok := all.byUUID[claims.UserUUID]
	if !ok || user.TokenVersion != claims.Version {
		return nil, errBadToken
	}
	switch {
	case need == accessAny:
	case user.MustChangePassword:
		return nil, errMustChange
	case need == accessAdmin && user.Role != repo.RoleAdmin:
		return nil, errForbidden
	}
	return user, nil
}
