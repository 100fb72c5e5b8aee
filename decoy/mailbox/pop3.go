package mailbox

import (
	"context"
	"strings"
)

const popRefused = "-ERR [AUTH] Authentication failed."

// pop3 talks until the client leaves.
func pop3(ctx context.Context, c *client) {
	if !c.say("+OK " + c.product + " ready.") {
		return
	}
	user := ""
	for {
		line, ok := c.line()
		if !ok || !c.popCommand(ctx, line, &user) {
			return
		}
	}
}

func (c *client) popCommand(ctx context.Context, line string, user *string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "USER":
		c.recordCommand("USER", "authorization")
		if rest == "" {
			return c.say("-ERR [SYS/TEMP] Unknown command.")
		}
		*user = rest
		return c.say("+OK")
	case "PASS":
		if *user == "" {
			return c.say("-ERR No username given.")
		}
		name := *user
		*user = ""
		return c.refuse(ctx, name, rest, "USER") && c.say(popRefused)
	case "AUTH":
		return c.popAuth(ctx, rest)
	case "CAPA":
		c.recordCommand("CAPA", "authorization")
		lines := []string{"+OK", "CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE"}
		if !c.secure {
			lines = append(lines, "STLS")
		}
		return c.say(append(lines, "USER", "SASL PLAIN", ".")...)
	case "STLS":
		if c.secure {
			return c.say("-ERR TLS is already active.")
		}
		return c.say("+OK Begin TLS negotiation now.") && c.upgrade(ctx)
	case "QUIT":
		c.say("+OK Logging out")
		return false
	case "":
		return c.say("-ERR Unknown command.")
	}
	c.recordCommand(line, "authorization")
	return c.say("-ERR Unknown command.")
}

func (c *client) popAuth(ctx context.Context, rest string) bool {
	method, initial, given := strings.Cut(rest, " ")
	switch strings.ToUpper(method) {
	case "":
		return c.say("+OK", "PLAIN", ".")
	case "PLAIN":
	default:
		return c.say("-ERR [AUTH] Unsupported authentication mechanism.")
	}
	if !given {
		var ok bool
		if !c.say("+ ") {
			return false
		}
		if initial, ok = c.line(); !ok {
			return false
		}
	}
	user, password, ok := plain(initial)
	if !ok {
		return c.say("-ERR [AUTH] Invalid base64 data in initial response")
	}
	return c.refuse(ctx, user, password, "PLAIN") && c.say(popRefused)
}
