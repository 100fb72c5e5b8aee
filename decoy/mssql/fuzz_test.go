//go:build fuzz

package mssql

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/trap"
)

// stream is a connection that gives what it has, and then ends.
type stream struct {
	net.Conn
	in  io.Reader
	out int
}

func (s *stream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stream) Write(p []byte) (int, error) { s.out += len(p); return len(p), nil }
func (s *stream) SetDeadline(time.Time) error { return nil }

func (s *stream) Close() error                     { return nil }
func (s *stream) SetWriteDeadline(time.Time) error { return nil }

type nowhere struct{}

func (nowhere) Record(trap.Event) {}

func newServer(f *testing.F) (*server, trap.Env) {
	f.Helper()
	host, err := trap.NewHost(trap.Identity{Decky: "d", Hostname: "h", System: "windows", Secret: []byte("the secret of a fuzzer"), Keys: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	files, err := trap.OpenQuarantine(f.TempDir(), 1<<20, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	env := trap.Env{Host: host, Files: files, Now: time.Now, Log: slog.New(slog.DiscardHandler), Config: trap.Config{"password": "x"}}
	service, err := New(env)
	if err != nil {
		f.Fatal(err)
	}
	return service.TCP.(*server), env
}

func session(env trap.Env, data []byte) *trap.Session {
	remote := netip.MustParseAddrPort("192.0.2.1:1024")
	return &trap.Session{Conn: &stream{in: bytes.NewReader(data)}, Peer: trap.Peer{Env: env, Recorder: nowhere{}, Remote: remote}}
}

// FuzzSession: no bytes before the login make the server panic.
func FuzzSession(f *testing.F) {
	s, env := newServer(f)
	pre := []byte("\x12\x01\x00\x1a\x00\x00\x01\x00\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff\x08\x00\x01\x55\x00\x00\x02")
	f.Add(pre)
	f.Add(append(pre, "\x10\x01\x00\x0c\x00\x00\x01\x00abcd"...))
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"))
	f.Add(append(header(typeOldLogin, 1, 200, 0, 1), make([]byte, 200)...))
	f.Add(append(header(typeLogin7, 1, 94, 0, 1), make([]byte, 94)...))
	f.Fuzz(func(_ *testing.T, data []byte) {
		ended, cancel := context.WithCancel(context.Background()) //nolint:usetesting // nothing waits for a login that is over
		cancel()
		s.Serve(ended, session(env, data))
	})
}

// FuzzLogin: no login is read past its end.
func FuzzLogin(f *testing.F) {
	b := make([]byte, 100)
	b[36], b[38], b[40], b[42] = 94, 1, 96, 2
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		l, ok := parseLogin(data)
		if ok && len(l.user) > 3*len(data) {
			t.Fatalf("%d bytes of %d", len(l.user), len(data))
		}
		_, _ = parseOldLogin(data)
		_, _ = parsePrelogin(data)
	})
}

// FuzzBatch: no statement makes the server panic, answer without an end, or with
// more than the bound.
func FuzzBatch(f *testing.F) {
	for _, sql := range []string{
		"select @@version, 1+1 as x, 'a'+N'b' from sys.databases where name = 'master'",
		"declare @a varchar(9) set @a=0x73656c656374 exec(@a)", "exec sp_configure 'xp_cmdshell',1;reconfigure", "exec master..xp_cmdshell 'whoami', no_output",
		"create assembly x from 0x4d5a", "insert into #t exec xp_cmdshell 'x' select * from #t", "if 1=1 begin print 'x' end", "use [msdb] /* -- '",
		"exec sp_executesql N'select @p', N'@p int', @p = 1", "declare @o int exec sp_oacreate 'wscript.shell',@o out exec sp_oamethod @o,'run',null,'cmd'",
	} {
		f.Add(sql)
	}
	s, env := newServer(f)
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > maxMessage {
			return
		}
		for _, old := range []bool{false, true} {
			conn := session(env, nil)
			c := &client{server: s, conn: conn, link: &link{size: packetSize, spid: 51, out: conn}, old: old, database: "master", set: map[string]int{}, active: map[string]int{}}
			e := c.encoder()
			c.batch(e, "sa", c.statement(ntlmtrap.UTF16(sql)), nil)
			c.batch(e, "sa", sql, nil)
			if len(e.b) > 4*maxAnswer {
				t.Fatalf("%d bytes", len(e.b))
			}
			if err := c.link.write(e.b); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzCall: no request to call a procedure is read past its end.
func FuzzCall(f *testing.F) {
	s, env := newServer(f)
	f.Add([]byte("\xff\xff\x0a\x00\x00\x00\x00\x00\xe7\x40\x1f\x09\x04\xd0\x00\x34\x04\x00s\x00\x65\x00"))
	f.Add([]byte("\x02\x00s\x00p\x00\x00\x00\x00\x00\x26\x04\x04\x01\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		conn := session(env, nil)
		c := &client{server: s, conn: conn, link: &link{size: packetSize}, old: true, set: map[string]int{}, active: map[string]int{}}
		c.call(c.encoder(), "sa", data, nil)
	})
}
