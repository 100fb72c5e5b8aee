package mailbox

import (
	"context"
	"slices"
	"strings"

	"decnet/decoy/sasl"
)

const popRefused = "-ERR [AUTH] Authentication failed."

// pop3 talks until the client leaves.
func pop3(ctx context.Context, c *client) {
	greeting := "+OK " + c.product + " ready."
	if c.apop {
		c.stamp = sasl.Stamp(c.conn.Host.Hostname, c.conn.Now())
		greeting += " " + c.stamp
	}
	if !c.say(greeting) {
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
	case sasl.APOP:
		if fields, ok := sasl.AnswerAPOP(c.stamp, rest); ok && c.apop {
			return c.refuseWith(ctx, fields...) && c.say(popRefused)
		}
	case "CAPA":
		c.recordCommand("CAPA", "authorization")
		lines := []string{"+OK", "CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE"}
		if !c.secure {
			lines = append(lines, "STLS")
		}
		return c.say(append(lines, "USER", "SASL "+strings.Join(c.mechanisms, " "), ".")...)
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
	method = strings.ToUpper(method)
	switch {
	case method == "":
		return c.say(slices.Concat([]string{"+OK"}, c.mechanisms, []string{"."})...)
	case !slices.Contains(c.mechanisms, method):
		return c.say("-ERR [AUTH] Unsupported authentication mechanism.")
	case method == sasl.CRAM:
		ok, going := c.prove(ctx)
		if going && !ok {
			return c.say("-ERR [AUTH] Invalid base64 data in continued response")
		}
		return going && c.say(popRefused)
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
