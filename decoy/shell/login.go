package shell

import (
	"crypto/subtle"
	"slices"

	"decnet/decoy/trap"
)

// Gate decides who gets in.
type Gate struct {
	users     []string
	password  string
	passwords map[string][]string
}

// weakPasswords are tried first by everybody who guesses.
func weakPasswords() []string {
	return []string{
		"123456", "admin", "password", "root", "12345678", "1234", "12345", "123456789", "admin123", "qwerty", "123", "111111", "toor",
		"P@ssw0rd", "1qaz2wsx", "test", "changeme", "raspberry", "pass", "default", "support", "user", "666666", "888888",
	}
}

// accepted is how many of the weak passwords open one account.
const accepted = 6

// NewGate makes the gate of a machine. Where the setting "password" is there, it
// opens every account, and nothing else does. Otherwise each account has a few
// weak passwords that open it, which follow from the secret of the host: the same
// ones over restarts, and other ones on the next machine.
func NewGate(h *trap.Host, c trap.Config, m *Machine) *Gate {
	g := &Gate{users: m.Accounts(), password: c["password"], passwords: map[string][]string{}}
	if g.password != "" {
		return g
	}
	for _, user := range g.users {
		weak := weakPasswords()
		h.Rand("passwords "+user).Shuffle(len(weak), func(i, j int) { weak[i], weak[j] = weak[j], weak[i] })
		g.passwords[user] = weak[:accepted]
	}
	return g
}

// Allows reports whether a password opens an account.
func (g *Gate) Allows(user, password string) bool {
	if !slices.Contains(g.users, user) {
		return false
	}
	if g.password != "" {
		return subtle.ConstantTimeCompare([]byte(g.password), []byte(password)) == 1
	}
	return slices.Contains(g.passwords[user], password)
}
