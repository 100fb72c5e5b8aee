package redis

import (
	"bufio"
	"context"
	"errors"
	"strings"

	"decnet/decoy/trap"
)

// New makes the service. Of its settings it knows "version" (such as 7.0.15) and
// "os_string" (what INFO tells as the operating system).
func New(e trap.Env) (trap.Service, error) {
	s := &server{version: e.Config["version"], system: e.Config["os_string"]}
	if s.version == "" {
		s.version = packaged(e.Host.Distro)
	}
	if s.system == "" {
		s.system = kernel(e.Host.Distro)
	}
	return trap.Service{TCP: s}, nil
}

// packaged is the version that a distribution has.
func packaged(distro string) string {
	switch distro {
	case "ubuntu22":
		return "6.0.16"
	case "ubuntu20":
		return "5.0.7"
	case "centos7":
		return "3.2.12"
	case "rocky9":
		return "6.2.7"
	case "alpine", "fedora", "arch":
		return "7.2.4"
	}
	return "7.0.15"
}

func kernel(distro string) string {
	switch distro {
	case "ubuntu22":
		return "Linux 5.15.0-105-generic x86_64"
	case "ubuntu20":
		return "Linux 5.4.0-177-generic x86_64"
	case "centos7":
		return "Linux 3.10.0-1160.118.1.el7.x86_64 x86_64"
	case "rocky9":
		return "Linux 5.14.0-427.13.1.el9_4.x86_64 x86_64"
	case "alpine":
		return "Linux 6.6.14-0-lts x86_64"
	}
	return "Linux 6.1.0-20-amd64 x86_64"
}

type server struct{ version, system string }

// Serve implements [trap.Server].
func (s *server) Serve(_ context.Context, conn *trap.Session) {
	c := newClient(s, conn)
	r := bufio.NewReaderSize(conn, 4096)
	for !c.quit {
		args, err := readCommand(r)
		var bad protocolError
		if errors.As(err, &bad) {
			c.malformed(r, bad)
			return
		}
		if err != nil {
			return
		}
		if len(args) == 0 {
			continue
		}
		c.record(args)
		if _, err := conn.Write(c.answer(args)); err != nil {
			return
		}
	}
}

// malformed answers what isn't the protocol, as the real server does: HTTP, a
// TLS handshake or the probes of a scanner.
func (c *client) malformed(r *bufio.Reader, why protocolError) {
	rest, _ := r.Peek(min(r.Buffered(), 64))
	c.conn.Record("protocol_error", trap.Field{Key: "error", Value: string(why)}, trap.Field{Key: "data", Value: string(rest)})
	_, _ = c.conn.Write(failure("ERR " + why.Error()))
}

// record tells of a command, and of what it would do to a real server.
func (c *client) record(args []string) {
	name := strings.ToUpper(args[0])
	if name == "AUTH" && len(args) > 1 {
		c.recordAuth(args[1:])
		return
	}
	c.conn.Record("command",
		trap.Field{Key: "cmd", Value: name},
		trap.Field{Key: "args", Value: listOf(args[1:])},
		trap.Field{Key: "query", Value: short(strings.Join(args, " "), 4096)})
	if name == "HELLO" {
		for i := range args {
			if strings.EqualFold(args[i], "auth") && i+2 < len(args) {
				c.recordAuth(args[i+1 : i+3])
			}
		}
	}
	switch {
	case (name == "SLAVEOF" || name == "REPLICAOF") && len(args) > 2 && !strings.EqualFold(args[1], "no"):
		c.conn.Record("replication", trap.Field{Key: "master_host", Value: args[1]}, trap.Field{Key: "master_port", Value: args[2]})
	case (name == "SET" || name == "SETNX") && len(args) > 2 && isPayload(args[2]):
		stored := c.conn.Files.Save([]byte(args[2]))
		c.conn.Record("file_upload", append(stored.Fields(), trap.Field{Key: "filename", Value: c.target()})...)
	}
}

func (c *client) recordAuth(words []string) {
	fields := []trap.Field{{Key: "password", Value: words[len(words)-1]}}
	if len(words) > 1 {
		fields = append(fields, trap.Field{Key: "username", Value: words[0]})
	} else {
		// The user of an AUTH without one; it makes the pair a credential.
		fields = append(fields, trap.Field{Key: "username", Value: "default"})
	}
	c.conn.Record("auth", fields...)
}

// isPayload reports whether a value is meant to become a file of a real server.
func isPayload(v string) bool {
	for _, mark := range []string{"ssh-rsa ", "ssh-ed25519 ", "* * * *", "/bin/sh", "/bin/bash", "curl ", "wget ", "\x7fELF"} {
		if strings.Contains(v, mark) {
			return true
		}
	}
	return false
}

// listOf is the list as the wire dialect has it: the first eight, in the form of
// Python.
func listOf(args []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, a := range args[:min(len(args), 8)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('\'')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(short(a, 1024)))
		b.WriteByte('\'')
	}
	b.WriteByte(']')
	return b.String()
}

func short(s string, most int) string { return s[:min(len(s), most)] }
