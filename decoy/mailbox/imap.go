package mailbox

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"decnet/decoy/sasl"
)

// maxLiteral bounds a literal ({n} behind a line) before a login, in bytes.
const maxLiteral = 8 << 10

const imapRefused = " NO [AUTHENTICATIONFAILED] Authentication failed."

func (c *client) capabilities() string {
	list := "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+"
	if !c.secure {
		list += " STARTTLS"
	}
	for _, m := range c.mechanisms {
		list += " AUTH=" + m
	}
	return list
}

// imap talks until the client leaves.
func imap(ctx context.Context, c *client) {
	if !c.say("* OK [CAPABILITY " + c.capabilities() + "] " + c.product + " ready.") {
		return
	}
	for {
		line, ok := c.imapLine()
		if !ok || !c.imapCommand(ctx, line) {
			return
		}
	}
}

// imapLine reads a command with its literals, each of which becomes a quoted
// string.
func (c *client) imapLine() (string, bool) {
	line, ok := c.line()
	for range 4 {
		if !ok {
			return "", false
		}
		at := strings.LastIndexByte(line, '{')
		if at < 0 || !strings.HasSuffix(line, "}") {
			return line, true
		}
		size := line[at+1 : len(line)-1]
		n, err := strconv.Atoi(strings.TrimSuffix(size, "+"))
		if err != nil || n < 0 || n > maxLiteral {
			return line, true
		}
		if !strings.HasSuffix(size, "+") && !c.say("+ OK") {
			return "", false
		}
		var literal bytes.Buffer
		if _, err := io.CopyN(&literal, c.r, int64(n)); err != nil {
			return "", false
		}
		rest, more := c.line()
		line, ok = line[:at]+quote(literal.String())+rest, more
	}
	return line, ok
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// words splits a command into atoms and quoted strings.
func words(line string) (list []string) {
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			list = append(list, word)
			line = rest
			continue
		}
		var word strings.Builder
		i := 1
		for ; i < len(line) && line[i] != '"'; i++ {
			if line[i] == '\\' && i+1 < len(line) {
				i++
			}
			word.WriteByte(line[i])
		}
		list = append(list, word.String())
		line = line[min(i+1, len(line)):]
	}
	return list
}

func (c *client) imapCommand(ctx context.Context, line string) bool {
	w := words(line)
	if len(w) == 0 {
		return c.say("* BAD Error in IMAP command received by server.")
	}
	if len(w) == 1 {
		c.recordCommand(line, "not_authenticated")
		return c.say(w[0] + " BAD Error in IMAP command received by server.")
	}
	tag, verb := w[0], strings.ToUpper(w[1])
	switch verb {
	case "LOGIN":
		if len(w) != 4 {
			return c.say(tag + " BAD Error in IMAP command LOGIN: Invalid arguments.")
		}
		return c.refuse(ctx, w[2], w[3], "LOGIN") && c.say(tag+imapRefused)
	case "AUTHENTICATE":
		return c.imapAuth(ctx, tag, w[2:])
	case "CAPABILITY":
		c.recordCommand(verb, "not_authenticated")
		return c.say("* CAPABILITY "+c.capabilities(), tag+" OK Pre-login capabilities listed, post-login capabilities have more.")
	case "ID":
		c.recordCommand(line, "not_authenticated")
		return c.say(`* ID ("name" "Dovecot")`, tag+" OK ID completed.")
	case "NOOP":
		return c.say(tag + " OK NOOP completed.")
	case "STARTTLS":
		if c.secure {
			return c.say(tag + " BAD TLS is already active.")
		}
		return c.say(tag+" OK Begin TLS negotiation now.") && c.upgrade(ctx)
	case "LOGOUT":
		c.say("* BYE Logging out", tag+" OK Logout completed.")
		return false
	}
	c.recordCommand(line, "not_authenticated")
	return c.say(tag + " BAD Error in IMAP command received by server.")
}

func (c *client) imapAuth(ctx context.Context, tag string, args []string) bool {
	if len(args) == 0 || !slices.Contains(c.mechanisms, strings.ToUpper(args[0])) {
		return c.say(tag + " NO Unsupported authentication mechanism.")
	}
	if strings.EqualFold(args[0], sasl.CRAM) {
		ok, going := c.prove(ctx)
		if going && !ok {
			return c.say(tag + " NO [AUTHENTICATIONFAILED] Invalid base64 data in continued response")
		}
		return going && c.say(tag+imapRefused)
	}
	initial := ""
	if len(args) > 1 {
		initial = args[1]
	} else {
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
		return c.say(tag + " NO [AUTHENTICATIONFAILED] Invalid base64 data in initial response")
	}
	return c.refuse(ctx, user, password, "PLAIN") && c.say(tag+imapRefused)
}
