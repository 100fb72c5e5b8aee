//go:build fuzz

package fuzz

import (
	"net/http"
	"strings"

	"decnet/fuzz/engine"
)

// accessRelations want that a request which is good but for its caller is
// refused.
func accessRelations() []engine.Relation {
	return []engine.Relation{
		{Name: "role_is_needed", Applies: needs("admin"), Check: refused(actorViewer, http.StatusForbidden)},
		{Name: "password_change_is_needed", Applies: needs("admin", "viewer"), Check: refused(actorNewcomer, http.StatusForbidden)},
		{Name: "query_token_is_ignored", Applies: needs("admin", "viewer", "any"), Check: refused(actorQuery, http.StatusUnauthorized)},
	}
}

// needs chooses the operations of some roles, but for the stream, which takes a
// token in the query and does not end by itself.
func needs(roles ...string) func(op *engine.Operation, c *engine.Case) bool {
	return func(op *engine.Operation, c *engine.Case) bool {
		for _, role := range roles {
			if op.Raw.Extensions["x-role"] == role {
				return is(op.ID)(op, c) && !op.Streams
			}
		}
		return false
	}
}

// refused sends the case as somebody else, who must get the status.
func refused(actor string, status int) func(p *engine.Probe) []string {
	return func(p *engine.Probe) []string {
		c := with(p.Case(), nil)
		for _, a := range c.Args {
			if text, _ := a.Value.(string); a.In == "path" && strings.Contains(text, "/") {
				return nil // not found for everybody, whoever asks
			}
		}
		c.Actor = actor
		if s := p.Send(c); s.Exchange.Status != status {
			return []string{"the caller was answered " + http.StatusText(s.Exchange.Status) + ", not " + http.StatusText(status)}
		}
		return nil
	}
}
