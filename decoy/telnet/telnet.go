package telnet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"decnet/decoy/shell"
	"decnet/decoy/trap"
)

// grace is how long a client has to log in, as login has it.
const grace = time.Minute

// server is the service of one decky.
type server struct {
	machine *shell.Machine
	gate    *shell.Gate
	tries   int
}

// New makes the service.
func New(e trap.Env) (trap.Service, error) {
	m := shell.NewMachine(e, e.Config["hostname"])
	v := &server{machine: m, gate: shell.NewGate(e.Host, e.Config, m), tries: 5}
	if m.Embedded() {
		v.tries = 3
	}
	return trap.Service{TCP: v}, nil
}

// opening is what the server negotiates first, and the options in it.
func (v *server) opening() (bytes []byte, asked map[byte]bool) {
	bytes = []byte{cmdIAC, cmdDo, optTerminal, cmdIAC, cmdDo, 32, cmdIAC, cmdDo, 35, cmdIAC, cmdDo, 39, cmdIAC, cmdWill, optEcho, cmdIAC, cmdWill, optSGA, cmdIAC, cmdDo, optSize}
	if v.machine.Embedded() {
		bytes = []byte{cmdIAC, cmdDo, optEcho, cmdIAC, cmdDo, optSize, cmdIAC, cmdWill, optEcho, cmdIAC, cmdWill, optSGA}
	}
	asked = map[byte]bool{}
	for i := 2; i < len(bytes); i += 3 {
		asked[bytes[i]] = true
	}
	return bytes, asked
}

// visit is one connection.
type visit struct {
	*server
	s *trap.Session
	d *decoder
	t *shell.Terminal
	// told says that the negotiation was recorded, named that the terminal was.
	told, named bool
}

// Serve implements [trap.Server].
func (v *server) Serve(ctx context.Context, s *trap.Session) {
	_ = s.SetDeadline(time.Now().Add(grace))
	opening, asked := v.opening()
	if _, err := s.Write(opening); err != nil {
		return
	}
	c := &visit{server: v, s: s, d: &decoder{asked: asked}}
	st := &stream{rw: s.Conn, d: c.d, changed: c.negotiated}
	c.t = shell.NewTerminal(st, st, false)
	if issue := v.machine.Issue(); issue != "" {
		c.say(strings.ReplaceAll(issue, "\r\n", "\n") + "\n")
	}
	user, ok := c.login(ctx)
	if !ok {
		return
	}
	_ = s.SetDeadline(time.Time{})
	c.say(v.machine.Motd())
	sh := v.machine.Start(&s.Peer, user)
	term := c.d.terminal
	if term == "" {
		term = "network"
	}
	sh.Setenv("TERM", strings.ToLower(term))
	sh.Interact(ctx, c.t)
}

func (c *visit) say(text string) { _, _ = c.t.Write([]byte(text)) }

// negotiated records the terminal once the client has named it.
func (c *visit) negotiated() {
	if c.d.terminal != "" && !c.named {
		c.named = true
		c.s.Record("terminal", trap.Field{Key: "term", Value: c.d.terminal})
	}
}

// login asks for a name and a password, as often as the machine does.
func (c *visit) login(ctx context.Context) (user string, ok bool) {
	for try := 1; try <= c.tries; try++ {
		c.say(c.machine.Hostname() + " login: ")
		name, err := c.t.ReadLine()
		if !c.told && len(c.d.noted) > 0 {
			c.told = true
			c.s.Record("negotiation", trap.Field{Key: "options", Value: c.d.options()})
		}
		if err != nil {
			return "", false
		}
		if strings.TrimSpace(name) == "" {
			continue
		}
		c.say("Password: ")
		c.t.Hide(true)
		password, err := c.t.ReadLine()
		c.t.Hide(false)
		c.say("\n")
		if err != nil && password == "" {
			c.s.Record("login_abandoned", trap.Field{Key: "username", Value: name})
			return "", false
		}
		status := "failed"
		if c.gate.Allows(name, password) {
			status = "success"
		}
		c.s.Record("auth_attempt", trap.Field{Key: "username", Value: name}, trap.Field{Key: "password", Value: password},
			trap.Field{Key: "method", Value: "password"}, trap.Field{Key: "status", Value: status})
		if status == "success" {
			return name, true
		}
		c.s.Pause(ctx, 1800*time.Millisecond, 3*time.Second)
		if c.machine.Embedded() || try < c.tries {
			c.say("\nLogin incorrect\n")
		}
	}
	if !c.machine.Embedded() {
		c.say(fmt.Sprintf("\nMaximum number of tries exceeded (%d)\n", c.tries))
	}
	return "", false
}
