package ftp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// patience is how long a server waits for a data channel that doesn't come.
const patience = 5 * time.Second

// inside answers what an anonymous visitor asks.
func (c *client) inside(ctx context.Context, verb, arg, line string) bool {
	switch verb {
	case "RETR":
		c.conn.Record("download_attempt", trap.Field{Key: "path", Value: c.at(arg)})
		if _, there := c.files[c.at(arg)]; !there {
			return c.say("550 Failed to open file.")
		}
		return c.data(ctx)
	case "STOR", "APPE", "STOU":
		c.conn.Record("upload_attempt", trap.Field{Key: "path", Value: c.at(arg)})
		return c.say("550 Permission denied.")
	case "LIST", "NLST", "MLSD":
		c.conn.Record("command", trap.Field{Key: "command", Value: line})
		return c.data(ctx)
	}
	c.conn.Record("command", trap.Field{Key: "command", Value: line})
	switch verb {
	case "PWD", "XPWD":
		return c.say(`257 "` + strings.ReplaceAll(c.dir, `"`, `""`) + `" is the current directory`)
	case "CWD":
		return c.enter(arg)
	case "CDUP":
		return c.enter("..")
	case "TYPE":
		return c.say("200 Switching to Binary mode.")
	case "MODE", "STRU":
		return c.say("200 Mode set to S.")
	case "REST":
		return c.say("350 Restart position accepted (0).")
	case "SIZE":
		if size, there := c.files[c.at(arg)]; there {
			return c.say(fmt.Sprintf("213 %d", size))
		}
		return c.say("550 Could not get file size.")
	case "PASV", "EPSV", "PORT", "EPRT":
		return c.channel(verb)
	case "DELE", "MKD", "RMD", "RNFR", "RNTO", "SITE", "MDTM":
		return c.say("550 Permission denied.")
	case "HELP":
		return c.say("214-The following commands are recognized.", " ABOR ACCT ALLO APPE CDUP CWD DELE EPRT EPSV FEAT HELP LIST", "214 Help OK.")
	case "STAT":
		return c.say("211-FTP server status:", "     Connected to "+c.conn.Remote.Addr().String(), "     Logged in as ftp", "211 End of status")
	case "ABOR":
		return c.say("225 No transfer to ABOR.")
	}
	return c.say("500 Unknown command.")
}

// enter changes to a directory that there is: the root, and those of files.
func (c *client) enter(arg string) bool {
	to := c.at(arg)
	there := to == "/"
	for name := range c.files {
		there = there || strings.HasPrefix(name, to+"/")
	}
	if !there {
		return c.say("550 Failed to change directory.")
	}
	c.dir = to
	return c.say("250 Directory successfully changed.")
}

// channel names a port for data, which nobody listens on, or takes the client's,
// to which nobody connects.
func (c *client) channel(verb string) bool {
	c.passive = true
	port := 40000 + c.conn.Host.Rand("ftp port "+c.conn.ID).IntN(20000)
	switch verb {
	case "EPSV":
		return c.say(fmt.Sprintf("229 Entering Extended Passive Mode (|||%d|)", port))
	case "PASV":
		a := c.conn.Host.Addr.Unmap()
		if !a.Is4() {
			c.passive = false
			return c.say("425 Failed to establish connection.")
		}
		b := a.As4()
		return c.say(fmt.Sprintf("227 Entering Passive Mode (%d,%d,%d,%d,%d,%d).", b[0], b[1], b[2], b[3], port>>8, port&255))
	}
	return c.say("200 " + verb + " command successful. Consider using PASV.")
}

// data waits for the channel, in vain.
func (c *client) data(ctx context.Context) bool {
	if !c.passive {
		return c.say("425 Use PORT or PASV first.")
	}
	c.passive = false
	c.conn.Pause(ctx, patience, patience+time.Second)
	return c.say("425 Failed to establish connection.")
}
