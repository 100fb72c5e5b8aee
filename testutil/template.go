package testutil

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"decnet"
	"decnet/auth"
	"decnet/contract"
	"decnet/repo"
	"decnet/repo/sqlite"
)

// Password is the password of every user that a world begins with.
const Password = "a-password-of-tests"

// template is what all worlds of a process share: only things that never change.
type template struct {
	contract *contract.Contract
	spec     *Spec

	// clones lets one world at a time copy the database: a wait inside the pool of
	// connections would cross the border of a testing/synctest bubble.
	clones   sync.Mutex
	database *sqlite.Template

	admin, viewer, mustChange repo.User
}

// shared makes the template once a process; see [Main].
//
//nolint:gochecknoglobals // made once and never changed; a copy for each world would cost a hundred times the world
var shared struct {
	once sync.Once
	t    *template
	err  error
	// dir holds the files of all worlds, each under names of its own; "" where the
	// package has no Main that would remove it. Making a directory for each world
	// would cost as much as its database.
	dir string
}

// filesOf returns a path that no other world has, up to its suffix.
func filesOf(t testing.TB, id string) string {
	t.Helper()
	if shared.dir == "" {
		return filepath.Join(t.TempDir(), "world")
	}
	return filepath.Join(shared.dir, "world-"+id)
}

func sharedTemplate() (*template, error) {
	shared.once.Do(func() { shared.t, shared.err = newTemplate() })
	return shared.t, shared.err
}

// garbagePercent is how much the heap of a test process may grow between two
// collections, in percent of what is alive.
const garbagePercent = 400

// Main makes the template, runs the tests of a package that makes worlds, and
// fails if a goroutine outlived them. A package has one line for it:
//
//	func TestMain(m *testing.M) { testutil.Main(m) }
func Main(m *testing.M) {
	// Worlds are born and thrown away by the thousand: collecting the garbage less
	// often gives back a tenth of the time of a suite. GOGC overrules it.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	// Now, and not at the first world: that one may be inside a testing/synctest
	// bubble, and what it makes would die with the bubble.
	if _, err := sharedTemplate(); err != nil {
		fmt.Fprintln(os.Stderr, "the template of all worlds:", err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "decnet-worlds-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "the directory of all worlds:", err)
		os.Exit(1)
	}
	shared.dir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "remove the directory of all worlds:", err)
		code = 1
	}
	if err := shared.t.database.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close the template:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "leaked by the tests of this package:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func newTemplate() (*template, error) {
	t := &template{}
	var err error
	if t.contract, err = contract.Load(decnet.OpenAPI()); err != nil {
		return nil, fmt.Errorf("the contract: %w", err)
	}
	if t.spec, err = NewSpec(decnet.OpenAPI()); err != nil {
		return nil, fmt.Errorf("the spec: %w", err)
	}
	ctx := context.Background()
	passwords, err := auth.NewPasswords(bcrypt.MinCost, nil)
	if err != nil {
		return nil, fmt.Errorf("passwords: %w", err)
	}
	hash, err := passwords.Hash(ctx, Password)
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	user := func(name string, role repo.Role, mustChange bool) repo.User {
		return repo.User{
			UUID: uuid.NewString(), Username: name, PasswordHash: hash, Role: role,
			MustChangePassword: mustChange, CreatedAt: epoch(),
		}
	}
	t.admin = user("admin", repo.RoleAdmin, false)
	t.viewer = user("viewer", repo.RoleViewer, false)
	t.mustChange = user("newcomer", repo.RoleViewer, true)
	t.database, err = sqlite.NewTemplate(ctx, func(ctx context.Context, s *sqlite.Store) error {
		for _, u := range []repo.User{t.admin, t.viewer, t.mustChange} {
			if err := s.CreateUser(ctx, u); err != nil {
				return fmt.Errorf("user %s: %w", u.Username, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the database: %w", err)
	}
	return t, nil
}

// clone gives a world its database.
func (t *template) clone(ctx context.Context, w *World, disk bool) (*sqlite.Store, error) {
	o := sqlite.Options{Now: w.Clock.Now}
	if disk {
		o.Path = w.files + ".db"
	}
	t.clones.Lock()
	defer t.clones.Unlock()
	return t.database.Clone(ctx, o)
}
