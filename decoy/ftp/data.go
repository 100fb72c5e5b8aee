package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// patience is how long a server waits for a data channel that doesn't come.
const patience = 10 * time.Second

// maxUploaded is how many uploads of a session it remembers.
const maxUploaded = 200

// channel opens a port for data.
func (c *client) channel(ctx context.Context, verb, arg string) bool {
	c.passive = false
	if verb == "EPSV" && strings.EqualFold(arg, "ALL") {
		return c.say("200 EPSV ALL ok.")
	}
	a := c.conn.Host.Addr.Unmap()
	if verb == "PASV" && !a.Is4() {
		return c.say("425 Failed to establish connection.")
	}
	port, err := c.conn.Data.Open(ctx)
	if err != nil {
		return c.say("425 Failed to establish connection.")
	}
	c.passive = true
	if verb == "EPSV" {
		return c.say(fmt.Sprintf("229 Entering Extended Passive Mode (|||%d|)", port))
	}
	b := a.As4()
	return c.say(fmt.Sprintf("227 Entering Passive Mode (%d,%d,%d,%d,%d,%d).", b[0], b[1], b[2], b[3], port>>8, port&255))
}

// transfer says begin once the client has come to the port, hands its connection to
// do, and says end. It reports whether the session goes on.
func (c *client) transfer(ctx context.Context, begin, end string, do func(net.Conn) error) bool {
	if !c.passive {
		return c.say("425 Use PORT or PASV first.")
	}
	c.passive = false
	data, err := c.conn.Data.Accept(patience)
	if err != nil {
		return c.say("425 Failed to establish connection.")
	}
	defer func() { _ = data.Close() }()
	if !c.say("150 " + begin) {
		return false
	}
	if c.private {
		secure, err := c.tls.Upgrade(ctx, c.conn.Over(data))
		if err != nil {
			return c.say("522 SSL connection failed; session reuse required: see require_ssl_reuse option in vsftpd.conf man page")
		}
		data = secure
	}
	err = do(data)
	_ = data.Close() // before the answer, as the client waits for both
	if err != nil {
		return c.say("426 Failure reading network stream.")
	}
	return c.say("226 " + end)
}

// list shows a directory: all of it, or only the names.
func (c *client) list(ctx context.Context, arg string, long bool) bool {
	for strings.HasPrefix(arg, "-") { // -la, as for ls
		_, arg, _ = strings.Cut(arg, " ")
	}
	entries := c.entries(c.at(arg))
	return c.transfer(ctx, "Here comes the directory listing.", "Directory send OK.", func(data net.Conn) error {
		var all strings.Builder
		for i := range entries {
			if long {
				all.WriteString(entries[i].line(c.conn.Now()))
			} else {
				all.WriteString(entries[i].name + "\r\n")
			}
		}
		_, err := io.WriteString(data, all.String())
		return err
	})
}

// send sends a file that everybody may read.
func (c *client) send(ctx context.Context, name string) bool {
	if f, there := c.files[name]; !there || !f.readable {
		return c.say("550 Failed to open file.")
	}
	begin := fmt.Sprintf("Opening BINARY mode data connection for %s (%d bytes).", path.Base(name), len(c.readme))
	return c.transfer(ctx, begin, "Transfer complete.", func(data net.Conn) error {
		_, err := io.WriteString(data, c.readme)
		return err
	})
}

// receive takes a file into the quarantine.
func (c *client) receive(ctx context.Context, name string) bool {
	if name == "/" || c.isDir(name) {
		return c.say("553 Could not create file.")
	}
	return c.transfer(ctx, "Ok to send data.", "Transfer complete.", func(data net.Conn) error {
		upload := c.conn.Files.Begin()
		_, err := io.Copy(upload, data)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil // TLS that wasn't ended, which vsftpd doesn't mind
		}
		stored := upload.Done()
		c.conn.Record("file_upload", append(stored.Fields(), trap.Field{Key: "filename", Value: name})...)
		if len(c.uploaded) < maxUploaded {
			c.uploaded[name] = file{size: stored.Size, changed: c.conn.Now(), uploaded: true}
		}
		return err
	})
}
