package mongodb

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// login is one with SCRAM (RFC 5802 and 7677) that has begun.
type login struct {
	mechanism, database, user string
	salt                      string // base 64
	iterations                int
	clientFirst, serverFirst  string // as they go into the proof
}

// refused is what the server says to a wrong password, and to a user that it
// doesn't know.
func refused() doc { return failure(18, "AuthenticationFailed", "Authentication failed.") }

// maxPayload is the most of a message of a login, in bytes.
const maxPayload = 4096

func payload(d doc) string {
	switch p := d.get("payload").(type) {
	case blob:
		return short(p.data, maxPayload)
	case string: // some clients send it in base 64
		if raw, err := base64.StdEncoding.DecodeString(p); err == nil {
			return short(string(raw), maxPayload)
		}
		return short(p, maxPayload)
	}
	return ""
}

// saslStart begins a login, as if every user were known: only so a client goes on
// and proves what it has.
func (c *client) saslStart(ctx context.Context, d doc, database string) doc {
	mechanism, text := d.text("mechanism"), payload(d)
	c.login = nil
	switch mechanism {
	case "SCRAM-SHA-1", "SCRAM-SHA-256":
		l, found := c.begin(mechanism, database, text)
		if !found {
			c.malformed(errBroken, []byte(text))
			return refused()
		}
		c.login = l
		return ok(el("conversationId", int32(1)), el("done", false), el("payload", blob{0, l.serverFirst}))
	case "PLAIN":
		fields := []trap.Field{{Key: "mechanism", Value: mechanism}, {Key: "database", Value: short(database, 256)}}
		if parts := strings.SplitN(text, "\x00", 3); len(parts) == 3 {
			fields = append(fields, trap.Field{Key: "username", Value: parts[1]}, trap.Field{Key: "password", Value: parts[2]})
		}
		c.conn.Record("auth", fields...)
	default:
		c.conn.Record("auth", trap.Field{Key: "mechanism", Value: short(mechanism, 64)}, trap.Field{Key: "database", Value: short(database, 256)},
			trap.Field{Key: "username", Value: d.text("user")}, trap.Field{Key: "response", Value: hex.EncodeToString([]byte(text))})
	}
	c.conn.Pause(ctx, 2*time.Millisecond, 10*time.Millisecond)
	if c.release() < 404 {
		return failure(2, "BadValue", "Unsupported mechanism "+short(mechanism, 64))
	}
	return failure(334, "MechanismUnavailable", "Received authentication for mechanism "+short(mechanism, 64)+" which is unknown or not enabled")
}

// begin reads the first message of a client, such as n,,n=user,r=nonce, and
// makes the server's.
func (c *client) begin(mechanism, database, text string) (*login, bool) {
	parts := strings.SplitN(text, ",", 3)
	if len(parts) < 3 {
		return nil, false
	}
	l := &login{mechanism: mechanism, database: short(database, 256), clientFirst: parts[2]}
	var theirs string
	for attribute := range strings.SplitSeq(l.clientFirst, ",") {
		switch {
		case strings.HasPrefix(attribute, "n="):
			l.user = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(attribute[2:])
		case strings.HasPrefix(attribute, "r="):
			theirs = attribute[2:]
		}
	}
	if theirs == "" {
		return nil, false
	}
	ours := make([]byte, 24)
	_, _ = rand.Read(ours) // it never fails
	nonce := theirs + base64.StdEncoding.EncodeToString(ours)
	size := 16
	l.iterations = 10000
	if mechanism == "SCRAM-SHA-256" {
		size, l.iterations = 28, 15000
	}
	// A user's salt is always the same.
	l.salt = base64.StdEncoding.EncodeToString(c.host.Derive("mongodb salt "+mechanism+" "+hex.EncodeToString([]byte(database+"."+l.user)), size))
	l.serverFirst = "r=" + nonce + ",s=" + l.salt + ",i=" + itoa(l.iterations)
	return l, true
}

// saslContinue records the proof, and refuses it.
func (c *client) saslContinue(ctx context.Context, d doc) doc {
	l := c.login
	c.login = nil
	if l == nil {
		return failure(17, "ProtocolError", "No SASL session state found")
	}
	c.recordLogin(l, payload(d))
	c.conn.Pause(ctx, 5*time.Millisecond, 30*time.Millisecond)
	return refused()
}

// recordLogin records who wanted in, and the proof where it came.
func (c *client) recordLogin(l *login, final string) {
	fields := []trap.Field{{Key: "mechanism", Value: l.mechanism}, {Key: "username", Value: l.user}, {Key: "database", Value: l.database}}
	if without, proof, proved := strings.Cut(final, ",p="); proved {
		fields = append(fields, trap.Field{Key: "iterations", Value: itoa(l.iterations)}, trap.Field{Key: "salt", Value: l.salt},
			trap.Field{Key: "auth_message", Value: l.clientFirst + "," + l.serverFirst + "," + without}, trap.Field{Key: "response", Value: proof})
	}
	c.conn.Record("auth", fields...)
}

// getNonce begins a login of old clients.
func (c *client) getNonce(*request) doc {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // it never fails
	c.nonce = hex.EncodeToString(b)
	return ok(el("nonce", c.nonce))
}

// authenticate ends a login of old clients, or is one with a certificate.
func (c *client) authenticate(ctx context.Context, q *request) doc {
	mechanism, user := q.body.text("mechanism"), q.body.text("user")
	if mechanism == "" {
		mechanism = "MONGODB-CR"
	}
	fields := []trap.Field{
		{Key: "mechanism", Value: short(mechanism, 64)}, {Key: "username", Value: user}, {Key: "database", Value: short(q.database, 256)},
	}
	if key := q.body.text("key"); key != "" {
		fields = append(fields, trap.Field{Key: "response", Value: key})
		if nonce := q.body.text("nonce"); nonce == c.nonce && isHex(key, 32) && !strings.ContainsAny(user, "$\n") {
			fields = append(fields, trap.Field{Key: "john", Value: "$mongodb$1$" + user + "$" + nonce + "$" + key})
		}
	}
	c.nonce = ""
	c.conn.Record("auth", fields...)
	c.conn.Pause(ctx, 5*time.Millisecond, 30*time.Millisecond)
	return refused()
}

func isHex(s string, size int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == size
}
