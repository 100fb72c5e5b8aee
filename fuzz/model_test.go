//go:build fuzz

package fuzz

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/commands"
	"github.com/stretchr/testify/require"

	"decnet/fuzz/engine"
	"decnet/testutil"
)

// The model of the API: what a client may expect after any sequence of logins,
// changes of users and settings, commits, and changes of the fleet. Ids that the
// service makes are known to the model by the order in which they were made; the
// system keeps the table from that order to the real ids.

// account is a user of the model. version rises where tokens stop working.
type account struct {
	name, role, password string
	mustChange, deleted  bool
	version              int
}

// ticket is a token of the model.
type ticket struct{ user, version int }

// model is the expected state. It is copied on each change.
type model struct {
	users    []account
	tickets  []ticket
	limit    int64
	interval string
	logs     int
	deckies  int
	// expect is what the last command must have answered.
	expect string
}

func newModel() model {
	user := func(name, role string, must bool) account {
		return account{name: name, role: role, password: testutil.Password, mustChange: must}
	}
	return model{
		users:   []account{user(actorAdmin, "admin", false), user(actorViewer, "viewer", false), user(actorNewcomer, "viewer", true), user("spare", "viewer", false)},
		tickets: []ticket{{user: 0}, {user: 1}, {user: 2}, {user: 3}},
		limit:   10, interval: "30m", logs: seededEvents, deckies: 2,
	}
}

func (m model) clone() model {
	m.users, m.tickets = slices.Clone(m.users), slices.Clone(m.tickets)
	return m
}

// gate is the status that a caller gets before the operation looks at anything,
// or 0.
func (m model) gate(k int, need string) int {
	t := m.tickets[k]
	u := m.users[t.user]
	switch {
	case u.deleted || u.version != t.version:
		return http.StatusUnauthorized
	case need == "any":
	case u.mustChange || need == "admin" && u.role != "admin":
		return http.StatusForbidden
	}
	return 0
}

// named finds the live user of a name, -1 for none.
func (m model) named(name string) int {
	return slices.IndexFunc(m.users, func(u account) bool { return !u.deleted && u.name == name })
}

// view is what GET /config shows.
func (m model) view(k int) string {
	u := m.users[m.tickets[k].user]
	text := fmt.Sprintf("200 %s %d %s", u.role, m.limit, m.interval)
	if u.role != "admin" {
		return text
	}
	var lines []string
	for _, u := range m.users {
		if !u.deleted {
			lines = append(lines, fmt.Sprintf("%s/%s/%t", u.name, u.role, u.mustChange))
		}
	}
	slices.Sort(lines)
	return text + " " + strings.Join(lines, " ")
}

// system is a world and the table from the model's order to real ids.
type system struct {
	world  *world
	engine *engine.World
	ids    []string
	tokens []string
	spec   *engine.Spec
	t      testing.TB
}

func newSystem(t testing.TB, f *factory, spec *engine.Spec) *system {
	t.Helper()
	w, err := f.open1(t.Context(), worldDeveloper)
	require.NoError(t, err)
	s := &system{world: w, engine: w.engineWorld(), spec: spec, t: t}
	for _, name := range []string{actorAdmin, actorViewer, actorNewcomer, "spare"} {
		s.ids = append(s.ids, w.users[name].UUID)
		s.tokens = append(s.tokens, w.token(name))
	}
	return s
}

// call sends one request as the owner of token k; k < 0 is nobody.
func (s *system) call(k int, operation string, user int, body map[string]any) (status int, answer *engine.Step) {
	if k >= len(s.tokens) || user >= len(s.ids) {
		return -1, nil // an earlier command has failed already
	}
	c := &engine.Case{Operation: operation, Actor: engine.Anonymous}
	if user >= 0 {
		c.Set("path", "uuid", s.ids[user])
	}
	if body != nil {
		c.Body = &engine.Body{Media: "application/json", Value: body}
	}
	token := ""
	if k >= 0 {
		token = s.tokens[k]
	}
	step, err := s.spec.Once(s.t.Context(), s.engine, c, token)
	if err != nil {
		return -1, nil
	}
	return step.Exchange.Status, step
}

// move is a command: what it does, and what it means to the model. Both answer
// with a text that must be the same.
type move struct {
	name string
	pre  func(m model) bool
	next func(m *model) string
	run  func(s *system) string
}

// Run implements [commands.Command].
func (c *move) Run(sut commands.SystemUnderTest) commands.Result { return c.run(sut.(*system)) }

// NextState implements [commands.Command].
func (c *move) NextState(state commands.State) commands.State {
	m := state.(model).clone()
	m.expect = c.next(&m)
	return m
}

// PreCondition implements [commands.Command].
func (c *move) PreCondition(state commands.State) bool { return c.pre == nil || c.pre(state.(model)) }

// PostCondition implements [commands.Command]; state is the one after the move.
func (c *move) PostCondition(state commands.State, result commands.Result) *gopter.PropResult {
	if want := state.(model).expect; result != want {
		return &gopter.PropResult{Status: gopter.PropFalse, Labels: []string{fmt.Sprintf("%s: answered %q, want %q", c.name, result, want)}}
	}
	return &gopter.PropResult{Status: gopter.PropTrue}
}

// String implements [commands.Command].
func (c *move) String() string { return c.name }

func status(n int) string { return strconv.Itoa(n) }

// draw makes a move that the state allows.
func draw(m model, r interface{ Intn(n int) int }) *move {
	k := r.Intn(len(m.tickets))
	if r.Intn(2) == 0 { // mostly somebody who may
		for i := range m.tickets {
			if m.gate(i, "admin") == 0 {
				k = i
			}
		}
	}
	user := r.Intn(len(m.users))
	passwords := []string{testutil.Password, "password one", "password two"}
	password := passwords[r.Intn(len(passwords))]
	role := []string{"admin", "viewer"}[r.Intn(2)]
	switch r.Intn(13) {
	case 0:
		return createUser(k, []string{"ann", "bob", "spare"}[r.Intn(3)], password, role)
	case 1:
		return changeUser(k, user, "deleteUser", nil, func(u *account) { u.deleted = true })
	case 2:
		return changeUser(k, user, "setUserRole", map[string]any{"role": role}, func(u *account) {
			if u.role != role {
				u.role, u.version = role, u.version+1
			}
		})
	case 3:
		return changeUser(k, user, "resetUserPassword", map[string]any{"new_password": password}, func(u *account) {
			u.password, u.mustChange, u.version = password, true, u.version+1
		})
	case 4, 5:
		guess := password
		if r.Intn(3) > 0 {
			guess = m.users[user].password
		}
		return login(m.users[user].name, guess)
	case 6:
		old := m.users[m.tickets[k].user].password
		if r.Intn(4) == 0 {
			old = "a wrong one"
		}
		return changePassword(k, old, password)
	case 7:
		return setLimit(k, int64(1+r.Intn(500)))
	case 8:
		return setInterval(k, []string{"5m", "1d", "2M"}[r.Intn(3)])
	case 9:
		return act([]string{"commit 1", "commit 3", "fleet", "advance 7s", "reset"}[r.Intn(5)])
	case 10:
		return purge(k)
	case 11:
		return readStats(k)
	default:
		return readConfig(k)
	}
}

func has(k, user int) func(m model) bool {
	return func(m model) bool { return k < len(m.tickets) && user < len(m.users) }
}

func createUser(k int, name, password, role string) *move {
	return &move{
		name: fmt.Sprintf("token %d creates %s as %s", k, name, role), pre: has(k, 0),
		next: func(m *model) string {
			if gate := m.gate(k, "admin"); gate != 0 {
				return status(gate)
			}
			if m.named(name) >= 0 {
				return "409"
			}
			m.users = append(m.users, account{name: name, role: role, password: password, mustChange: true})
			return "200"
		},
		run: func(s *system) string {
			code, step := s.call(k, "createUser", -1, map[string]any{"username": name, "password": password, "role": role})
			if code == http.StatusOK {
				id, _ := step.At("/uuid").(string)
				s.ids = append(s.ids, id)
			}
			return status(code)
		},
	}
}

// changeUser is an administrator's change of a user, which is not for oneself
// but for a new password.
func changeUser(k, user int, operation string, body map[string]any, change func(u *account)) *move {
	return &move{
		name: fmt.Sprintf("token %d: %s of user %d %v", k, operation, user, body), pre: has(k, user),
		next: func(m *model) string {
			if gate := m.gate(k, "admin"); gate != 0 {
				return status(gate)
			}
			switch {
			case m.tickets[k].user == user && operation != "resetUserPassword":
				return "403"
			case m.users[user].deleted:
				return "404"
			}
			change(&m.users[user])
			return "200"
		},
		run: func(s *system) string {
			code, _ := s.call(k, operation, user, body)
			return status(code)
		},
	}
}

// forgive lets the throttle of failed logins forget one.
const forgive = time.Minute

func login(name, password string) *move {
	return &move{
		name: "login of " + name,
		next: func(m *model) string {
			i := m.named(name)
			if i < 0 || m.users[i].password != password {
				return "401"
			}
			m.tickets = append(m.tickets, ticket{i, m.users[i].version})
			return fmt.Sprintf("200 %t", m.users[i].mustChange)
		},
		run: func(s *system) string {
			code, step := s.call(-1, "login", -1, map[string]any{"username": name, "password": password})
			if code != http.StatusOK {
				s.world.clock.advance(forgive)
				return status(code)
			}
			token, _ := step.At("/access_token").(string)
			s.tokens = append(s.tokens, token)
			return fmt.Sprintf("200 %v", step.At("/must_change_password"))
		},
	}
}

func changePassword(k int, old, password string) *move {
	return &move{
		name: fmt.Sprintf("token %d changes its password", k), pre: has(k, 0),
		next: func(m *model) string {
			if gate := m.gate(k, "any"); gate != 0 {
				return status(gate)
			}
			u := &m.users[m.tickets[k].user]
			if u.password != old {
				return "401"
			}
			u.password, u.mustChange, u.version = password, false, u.version+1
			return "200"
		},
		run: func(s *system) string {
			code, _ := s.call(k, "changePassword", -1, map[string]any{"old_password": old, "new_password": password})
			if code != http.StatusOK {
				s.world.clock.advance(forgive)
			}
			return status(code)
		},
	}
}

func setLimit(k int, n int64) *move {
	return setting1(k, "setDeploymentLimit", map[string]any{"deployment_limit": n}, func(m *model) { m.limit = n })
}

func setInterval(k int, text string) *move {
	return setting1(k, "setGlobalMutationInterval", map[string]any{"global_mutation_interval": text}, func(m *model) { m.interval = text })
}

func setting1(k int, operation string, body map[string]any, change func(m *model)) *move {
	return &move{
		name: fmt.Sprintf("token %d: %s %v", k, operation, body), pre: has(k, 0),
		next: func(m *model) string {
			if gate := m.gate(k, "admin"); gate != 0 {
				return status(gate)
			}
			change(m)
			return "200"
		},
		run: func(s *system) string {
			code, _ := s.call(k, operation, -1, body)
			return status(code)
		},
	}
}

// act is what happens beside requests: ingest, the fleet's tool, time.
func act(action string) *move {
	return &move{
		name: action,
		next: func(m *model) string {
			if n, ok := strings.CutPrefix(action, "commit "); ok {
				count, _ := strconv.Atoi(n)
				m.logs += count
			}
			if action == "fleet" {
				m.deckies = 3
			}
			return ""
		},
		run: func(s *system) string {
			s.world.do(action)
			return ""
		},
	}
}

func purge(k int) *move {
	return &move{
		name: fmt.Sprintf("token %d purges", k), pre: has(k, 0),
		next: func(m *model) string {
			if gate := m.gate(k, "admin"); gate != 0 {
				return status(gate)
			}
			text := fmt.Sprintf("200 %d", m.logs)
			m.logs = 0
			return text
		},
		run: func(s *system) string {
			code, step := s.call(k, "reinit", -1, nil)
			if code != http.StatusOK {
				return status(code)
			}
			return fmt.Sprintf("200 %v", step.At("/deleted/logs"))
		},
	}
}

func readStats(k int) *move {
	return &move{
		name: fmt.Sprintf("token %d reads the counters", k), pre: has(k, 0),
		next: func(m *model) string {
			if gate := m.gate(k, "viewer"); gate != 0 {
				return status(gate)
			}
			return fmt.Sprintf("200 %d %d", m.logs, m.deckies)
		},
		run: func(s *system) string {
			code, step := s.call(k, "getStats", -1, nil)
			if code != http.StatusOK {
				return status(code)
			}
			return fmt.Sprintf("200 %v %v", step.At("/total_logs"), step.At("/deployed_deckies"))
		},
	}
}

func readConfig(k int) *move {
	return &move{
		name: fmt.Sprintf("token %d reads the settings", k), pre: has(k, 0),
		next: func(m *model) string {
			if gate := m.gate(k, "viewer"); gate != 0 {
				return status(gate)
			}
			return m.view(k)
		},
		run: func(s *system) string {
			code, step := s.call(k, "getConfig", -1, nil)
			if code != http.StatusOK {
				return status(code)
			}
			text := fmt.Sprintf("200 %v %v %v", step.At("/role"), step.At("/deployment_limit"), step.At("/global_mutation_interval"))
			list, _ := step.At("/users").([]any)
			var lines []string
			for _, u := range list {
				user, _ := u.(map[string]any)
				lines = append(lines, fmt.Sprintf("%v/%v/%v", user["username"], user["role"], user["must_change_password"]))
			}
			slices.Sort(lines)
			return strings.TrimSuffix(text+" "+strings.Join(lines, " "), " ")
		},
	}
}
