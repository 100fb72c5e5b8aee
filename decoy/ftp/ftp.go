// Package ftp imitates an FTP server (RFC 959, with AUTH TLS of RFC 4217 and EPSV of
// RFC 2428), vsftpd or ProFTPD by the distribution, that lets in anonymous visitors and
// nobody else. They may look around, read what there is to read, and upload.
//
// Data goes over ports that the decoy opens for the client (PASV, EPSV); to a port of
// the client's (PORT, EPRT) it never connects, as a server without active mode.
//
// It records "user", "auth_attempt" (username and password), "download_attempt",
// "upload_attempt" (path) and "file_upload" (what is kept, and filename), and every
// other command as "command".
package ftp

import (
	"bufio"
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"decnet/decoy/tlstrap"
	"decnet/decoy/trap"
)

// New makes the service. Of its settings it knows "banner", the text behind 220.
func New(e trap.Env) (trap.Service, error) {
	tls, err := tlstrap.New(e, tlstrap.Options{})
	if err != nil {
		return trap.Service{}, err
	}
	s := &server{tls: tls, banner: e.Config["banner"], files: listing(e), readme: readme(e.Host.Hostname)}
	if s.banner == "" {
		s.banner = greeting(e)
	}
	s.banner = strings.NewReplacer("\r", " ", "\n", " ").Replace(s.banner)
	return trap.Service{TCP: s, SourceKey: "src_ip"}, nil
}

func greeting(e trap.Env) string {
	switch {
	case e.Host.Archetype == "printer":
		return "JD FTP Server Ready"
	case e.Host.System == "windows":
		return "Microsoft FTP Service"
	case e.Host.Distro == "rocky9" || e.Host.Distro == "fedora":
		return "(vsFTPd 3.0.5)"
	case e.Host.Distro == "centos7":
		return "(vsFTPd 3.0.2)"
	}
	return "(vsFTPd 3.0.3)"
}

type server struct {
	tls    *tlstrap.Terminator
	banner string
	files  map[string]file
	readme string
}

const (
	maxLine     = 4096 // vsftpd's own bound
	maxCommands = 500
	maxFailures = 3
)

// client is one session.
type client struct {
	*server
	conn *trap.Session
	r    *bufio.Reader
	user string
	// in says that the visitor is anonymous and was let in; dir is where they are.
	in, secure bool
	dir        string
	// passive says that a port for data is open, private that TLS is spoken there.
	passive, private bool
	failures         int
	// uploaded are the files of this session, which only it sees.
	uploaded map[string]file
}

// Serve implements [trap.Server].
func (s *server) Serve(ctx context.Context, conn *trap.Session) {
	c := &client{server: s, conn: conn, r: bufio.NewReaderSize(conn, 4096), dir: "/", uploaded: map[string]file{}}
	if !c.say("220 " + s.banner) {
		return
	}
	for range maxCommands {
		line, err := trap.ReadLine(c.r, maxLine)
		if errors.Is(err, trap.ErrLineTooLong) {
			c.say("500 Input line too long.")
			return
		}
		if err != nil || !c.command(ctx, string(line)) {
			return
		}
	}
}

func (c *client) say(lines ...string) bool {
	_, err := c.conn.Write([]byte(strings.Join(lines, "\r\n") + "\r\n"))
	return err == nil
}

// command answers one line, and reports whether the session goes on.
func (c *client) command(ctx context.Context, line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	switch verb {
	case "USER":
		return c.takeUser(arg)
	case "PASS":
		return c.pass(ctx, arg)
	case "AUTH":
		return c.startTLS(ctx, arg)
	case "QUIT":
		c.say("221 Goodbye.")
		return false
	case "FEAT":
		return c.say("211-Features:", " AUTH TLS", " EPRT", " EPSV", " MDTM", " PASV", " PBSZ", " PROT", " REST STREAM", " SIZE", " TVFS", "211 End")
	case "SYST":
		return c.say("215 UNIX Type: L8")
	case "NOOP":
		return c.say("200 NOOP ok.")
	case "PBSZ":
		return c.say("200 PBSZ set to 0.")
	case "PROT":
		c.private = c.secure && strings.EqualFold(arg, "P")
		if strings.EqualFold(arg, "C") {
			return c.say("200 PROT now Clear.")
		}
		return c.say("200 PROT now Private.")
	case "OPTS":
		return c.say("200 Always in UTF8 mode.")
	}
	if !c.in {
		c.conn.Record("command", trap.Field{Key: "command", Value: line})
		return c.say("530 Please login with USER and PASS.")
	}
	return c.inside(ctx, verb, arg, line)
}

func (c *client) takeUser(name string) bool {
	if c.in {
		return c.say("530 Can't change from guest user.")
	}
	c.user = name
	c.conn.Record("user", trap.Field{Key: "username", Value: name})
	return c.say("331 Please specify the password.")
}

func (c *client) pass(ctx context.Context, password string) bool {
	if c.in {
		return c.say("230 Already logged in.")
	}
	if c.user == "" {
		return c.say("503 Login with USER first.")
	}
	c.conn.Record("auth_attempt", trap.Field{Key: "username", Value: c.user}, trap.Field{Key: "password", Value: password})
	if guest := strings.ToLower(c.user); guest == "anonymous" || guest == "ftp" {
		c.in = true
		return c.say("230 Login successful.")
	}
	c.conn.Pause(ctx, time.Second, 2*time.Second)
	c.user = ""
	if c.failures++; c.failures >= maxFailures {
		c.say("530 Login incorrect.")
		return false
	}
	return c.say("530 Login incorrect.")
}

func (c *client) startTLS(ctx context.Context, method string) bool {
	if c.secure || !strings.EqualFold(method, "TLS") && !strings.EqualFold(method, "SSL") {
		return c.say("504 Unknown AUTH type.")
	}
	if !c.say("234 Proceed with negotiation.") {
		return false
	}
	secure, err := c.tls.Upgrade(ctx, c.conn)
	if err != nil {
		return false
	}
	c.conn, c.r, c.secure = secure, bufio.NewReaderSize(secure, 4096), true
	return true
}

// at is the path that an argument means.
func (c *client) at(arg string) string {
	if strings.HasPrefix(arg, "/") {
		return path.Clean(arg)
	}
	return path.Join(c.dir, arg)
}
