package ftp

import (
	"context"
	"fmt"
	"strings"

	"decnet/decoy/trap"
)

// inside answers what an anonymous visitor asks.
func (c *client) inside(ctx context.Context, verb, arg, line string) bool {
	switch verb {
	case "RETR":
		c.conn.Record("download_attempt", trap.Field{Key: "path", Value: c.at(arg)})
		return c.send(ctx, c.at(arg))
	case "STOR", "APPE", "STOU":
		c.conn.Record("upload_attempt", trap.Field{Key: "path", Value: c.at(arg)})
		return c.receive(ctx, c.at(arg))
	}
	c.conn.Record("command", trap.Field{Key: "command", Value: line})
	switch verb {
	case "LIST", "NLST":
		return c.list(ctx, arg, verb == "LIST")
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
		if f, there := c.find(c.at(arg)); there {
			return c.say(fmt.Sprintf("213 %d", f.size))
		}
		return c.say("550 Could not get file size.")
	case "PASV", "EPSV":
		return c.channel(ctx, verb, arg)
	case "PORT", "EPRT", "DELE", "MKD", "RMD", "RNFR", "RNTO", "SITE", "MDTM":
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

// enter changes to a directory that there is: the root, and those of files and uploads.
func (c *client) enter(arg string) bool {
	to := c.at(arg)
	if !c.isDir(to) {
		return c.say("550 Failed to change directory.")
	}
	c.dir = to
	return c.say("250 Directory successfully changed.")
}
