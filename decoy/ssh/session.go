package ssh

import (
	"bufio"
	"context"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"decnet/decoy/shell"
	"decnet/decoy/trap"
)

// session is a channel in which something runs.
type session struct {
	*login
	ch   ssh.Channel
	sh   *shell.Shell
	pty  bool
	vars map[string]string
}

// session serves one, and returns when the client closed it or what ran in it
// has ended.
func (l *login) session(ctx context.Context, n ssh.NewChannel) {
	accepted, requests, err := n.Accept()
	if err != nil {
		return
	}
	ch, ended := l.flow.over(accepted)
	defer ended()
	s := &session{login: l, ch: ch, vars: map[string]string{}}
	done := make(chan struct{})
	started := false
	for r := range requests {
		run := s.request(ctx, r, started)
		if r.WantReply {
			_ = r.Reply(run != nil || s.accepts(r.Type, started), nil)
		}
		if run == nil {
			continue
		}
		started = true
		go func() {
			defer close(done)
			defer func() {
				_ = ch.Close()                 // the client may have closed it
				_, _ = io.Copy(io.Discard, ch) // what it sent to a command that didn't read, until it closes the channel, too
			}()
			l.guard(func() {
				sh, free := l.shell()
				defer free()
				for name, value := range s.vars {
					sh.Setenv(name, value)
				}
				s.sh = sh
				status := run()
				_ = ch.CloseWrite()
				_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
			})
		}()
	}
	_ = ch.Close()
	if started {
		<-done
	}
}

func (s *session) accepts(kind string, started bool) bool {
	switch kind {
	case "pty-req", "env", "window-change", "signal":
		return !started || kind == "window-change" || kind == "signal"
	}
	return false
}

// request records a request. What it returns is what is to be run.
func (s *session) request(ctx context.Context, r *ssh.Request, started bool) func() int {
	if started {
		return nil
	}
	var text struct{ Value string }
	switch r.Type {
	case "env":
		var m struct{ Name, Value string }
		if ssh.Unmarshal(r.Payload, &m) == nil && len(s.vars) < maxEnv {
			s.vars[m.Name] = m.Value
			s.s.Record("env", trap.Field{Key: "name", Value: m.Name}, trap.Field{Key: "value", Value: m.Value})
		}
	case "pty-req":
		var m struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}
		if ssh.Unmarshal(r.Payload, &m) == nil && !s.pty {
			s.pty = true
			s.s.Record("pty_request", trap.Field{Key: "term", Value: m.Term}, trap.Field{Key: "columns", Value: number(m.Columns)}, trap.Field{Key: "rows", Value: number(m.Rows)})
			s.vars["TERM"] = m.Term
		}
	case "shell":
		return func() int { return s.interact(ctx) }
	case "exec":
		if ssh.Unmarshal(r.Payload, &text) == nil {
			return func() int { return s.exec(ctx, text.Value) }
		}
	case "subsystem":
		if ssh.Unmarshal(r.Payload, &text) == nil && text.Value == "sftp" {
			return func() int { return s.sftp() }
		}
	}
	return nil
}

func (s *session) interact(ctx context.Context) int {
	t := shell.NewTerminal(s.ch, s.ch, !s.pty)
	if !s.pty {
		t.Errs = s.ch.Stderr()
	} else {
		if _, err := io.WriteString(t, s.machine.Motd()); err != nil {
			return 1
		}
	}
	return s.sh.Interact(ctx, t)
}

func (s *session) exec(ctx context.Context, line string) int {
	if args := strings.Fields(line); len(args) > 1 && args[0] == "scp" {
		if target, upload, ok := scpTarget(args[1:]); ok {
			s.s.Record("command", trap.Field{Key: "username", Value: s.user}, trap.Field{Key: "command", Value: line}, trap.Field{Key: "mode", Value: "exec"})
			if upload {
				return s.scpSink(target)
			}
			return s.scpSource(target)
		}
	}
	if s.pty {
		t := shell.NewTerminal(s.ch, s.ch, false)
		return s.sh.Exec(ctx, line, t, t, t)
	}
	return s.sh.Exec(ctx, line, bufio.NewReaderSize(s.ch, 4096), s.ch, s.ch.Stderr())
}
