//go:build fuzz

package fuzz

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/contract"
	"decnet/fuzz/engine"
)

// newSpec reads openapi.yaml for the engine.
func newSpec(t testing.TB) *engine.Spec {
	t.Helper()
	return specOf(t, decnet.OpenAPI())
}

// specOf reads a document with our formats.
func specOf(t testing.TB, document []byte) *engine.Spec {
	t.Helper()
	var formats []engine.Format
	for _, f := range contract.Formats() {
		formats = append(formats, engine.Format{Name: f.Name, Valid: f.Valid, Sample: sampleOf(f.Name)})
	}
	s, err := engine.LoadSpec(document, engine.SpecOptions{
		Formats: formats, Absent: contract.AbsentValues,
		RawBody: func(op *openapi3.Operation) bool {
			raw, _ := op.RequestBody.Value.Extensions["x-raw"].(bool)
			return raw
		},
	})
	require.NoError(t, err)
	return s
}

// sampleOf makes texts of our own formats; the others keep the engine's.
func sampleOf(format string) func(r *rand.Rand) string {
	switch format {
	case "time-bound":
		return sampleTimeBound
	case "date-time":
		return func(r *rand.Rand) string { return sampleInstant(r).Format(time.RFC3339Nano) }
	case "uuid":
		return func(r *rand.Rand) string {
			return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32N(1<<16), r.Uint32N(1<<12), r.Uint32N(1<<12), r.Uint64N(1<<48))
		}
	}
	return nil
}

// sampleInstant draws times around the seeded events, and the ends of time.
func sampleInstant(r *rand.Rand) time.Time {
	switch r.IntN(8) {
	case 0:
		return time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	case 1:
		return time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	case 2:
		return time.Unix(0, 0).UTC()
	default:
		return began().Add(-time.Hour + time.Duration(r.IntN(40))*90*time.Second + time.Duration(r.IntN(3)-1)*time.Nanosecond)
	}
}

func sampleTimeBound(r *rand.Rand) string {
	t := sampleInstant(r)
	layouts := []string{
		time.DateOnly, time.DateTime, time.RFC3339, time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02t15:04:05z",
		"2006-01-02 15:04:05.000", "2006-01-02T15:04:05.000000000Z",
	}
	if t.Year() > 1 && t.Year() < 9999 && r.IntN(4) == 0 {
		t = t.In(time.FixedZone("", 1800*(r.IntN(49)-24)))
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format(layouts[r.IntN(len(layouts))])
}

// dictionary are texts that mean something to the search language, to SQL, to
// JSON, to a terminal or to a browser.
func dictionary() []string {
	return []string{
		"service:ssh", "decky:decky-1", "attacker:203.0.113.8", "attacker-ip:203.0.113.1 event:connect", "port:443", `name:'a "b" c'`,
		"flag:true", "none:null", "n:3", "username:user1", "ssh http", `"unbalanced`, `\`, `a\`, "''", `"" a`, ":", "a:", ":a", "a:b:c", "%", "_", "%%_",
		"' OR 1=1 --", `"; DROP TABLE logs; --`, "2001:db8::1", "203.0.113", "DECKY", "漢", "ß", "İ", "\u202e", "\x1b[31m", "<script>alert(1)</script>",
		"\x00", "a\x00b", "é:e\u0301", "service:", "..", "$.a", "a.b:c", "user\"name:x", "\n", "\t ssh \t", "credential", "recent", "null ", "Null", "NaN", "-0",
	}
}

// plan says how each operation is best called.
func plan(op *engine.Operation) engine.Plan {
	p := engine.Plan{Worlds: []string{worldSeeded, worldEmpty}, Hint: hints(op)}
	role, _ := op.Raw.Extensions["x-role"].(string)
	switch role {
	case "admin":
		p.Actor, p.Others = actorAdmin, []string{actorViewer, actorNewcomer}
	case "viewer":
		p.Actor, p.Others = actorAdmin, []string{actorViewer, actorNewcomer}
	case "sensor":
		p.Actor, p.Others = actorSensor, []string{actorAdmin, actorViewer}
	case "any":
		p.Actor, p.Others = actorAdmin, []string{actorViewer, actorNewcomer}
	default:
		p.Actor, p.Others = engine.Anonymous, []string{actorAdmin}
	}
	switch op.ID {
	case "reinit":
		p.Worlds = []string{worldDeveloper, worldSeeded}
	case "openStream":
		p.Worlds = []string{worldDeveloper, worldSeeded, worldEmpty}
		p.Others = append(p.Others, actorQuery)
	case "login", "changePassword":
		p.Tolerated = []int{429} // somebody who guesses is slowed down
	}
	p.Extra = extra(op)
	return p
}

// hints gives values that lead somewhere: users and attackers that exist,
// passwords that are right, filters that choose something.
func hints(op *engine.Operation) func(in, name, pointer string) []any {
	return func(in, name, pointer string) []any {
		switch in + " " + name + pointer {
		case "path uuid":
			if strings.Contains(op.Path, "/attackers/") {
				return []any{engine.Ref("attacker")}
			}
			if strings.Contains(op.Path, "/sensors/") {
				return []any{engine.Ref("sensor")}
			}
			return []any{engine.Ref("user.viewer"), engine.Ref("user.spare"), engine.Ref("user.newcomer"), engine.Ref("user.admin")}
		case "path name":
			return []any{"decky-0", "decky-1", "decky-0", "ghost"}
		case "body /ini_content":
			return deployments()
		case "body /mutate_interval":
			return []any{"7m", "2d", "3M", "4y", nil}
		case "header If-None-Match":
			return []any{"*", `"a"`, `W/"a", "b"`, `""`}
		case "header Last-Event-ID":
			return []any{"0", "1", "23", "9223372036854775807", "-1", "a"}
		case "query maxOutput":
			return []any{int64(1)}
		case "header Content-Encoding":
			return []any{"identity", "gzip"}
		case "header Idempotency-Key":
			return []any{"a", strings.Repeat("a", 128), strings.Repeat("a", 129)}
		case "query reason":
			return []any{"not_json"}
		case "query source":
			return []any{"/var/log/a"}
		case "query service":
			return []any{"ssh", "http"}
		case "query bounty_type":
			return []any{"credential", "fingerprint", "payload"}
		case "body /username":
			if op.ID == "login" {
				return []any{actorAdmin, actorViewer, actorNewcomer, "nobody"}
			}
		case "body /password", "body /old_password":
			if op.ID == "login" || op.ID == "changePassword" {
				return []any{engine.Ref("password")}
			}
		}
		return nil
	}
}

// deployments are INI texts that are carried out, and some that are refused.
func deployments() []any {
	return []any{
		"[a]\narchetype=linux-server\n", "[a]\nservices=ssh,http\namount=3\n[a.ssh]\npassword=x\n", "[decky-0]\n",
		"[general]\nnet=198.51.100.0/29\n[a]\nip=198.51.100.4\nservices=ssh", "[a]\namount=100", "[a]\nservices=gopher", "[general]\nnet=x\n[a]", "", "k=v",
		"[a]\nip=192.0.2.1\nservices=ssh", "[DEFAULT]\nx=%(x)s\n[a]\n[a.ssh]",
	}
}

// batches are lines as sensors send them: good and bad ones, the same one twice,
// line ends of all kinds, and nothing.
func batches() []string {
	line := func(id string, second int) string {
		return fmt.Sprintf(`{"event_id":%q,"timestamp":"2026-04-17 19:30:%02d","decky":"web-01","service":"ssh","event_type":"connect","attacker_ip":"203.0.113.7","fields":{},"msg":"","raw_line":""}`, id, second)
	}
	return []string{
		line("a", 1) + "\n" + line("b", 2) + "\n" + line("c", 3),
		line("a", 1) + "\r\n" + line("a", 1) + "\r\n\r\n" + "no event\n" + line("b", 2) + "\n",
		"\n\n", "\x00\n\xff\xfe\n{}\n[]\n", "{\n" + line("a", 1) + "\n}\n",
	}
}

// extra are cases for answers that chance seldom gets.
func extra(op *engine.Operation) []engine.Trial {
	one := func(kind string, c engine.Case) engine.Trial {
		c.Operation = op.ID
		return engine.Trial{World: kind, Steps: []*engine.Case{&c}}
	}
	body := func(v map[string]any) *engine.Body { return &engine.Body{Media: "application/json", Value: v} }
	var out []engine.Trial
	switch op.ID {
	case "createUser":
		out = append(out, one(worldSeeded, engine.Case{Actor: actorAdmin, Body: body(map[string]any{"username": actorViewer, "password": "long enough"})}))
	case "login":
		out = append(out,
			one(worldSeeded, engine.Case{Actor: engine.Anonymous, Body: body(map[string]any{"username": actorAdmin, "password": engine.Ref("password")})}),
			one(worldSeeded, engine.Case{Actor: engine.Anonymous, Body: body(map[string]any{"username": "nobody", "password": "wrong"})}))
		// Six wrong passwords, the last of which is refused unread.
		var guesses []*engine.Case
		for range 6 {
			guesses = append(guesses, &engine.Case{Operation: op.ID, Actor: engine.Anonymous, Body: body(map[string]any{"username": actorAdmin, "password": "wrong"})})
		}
		out = append(out, engine.Trial{World: worldSeeded, Steps: guesses})
	case "changePassword":
		for _, actor := range []string{actorAdmin, actorViewer, actorNewcomer} {
			out = append(out, one(worldSeeded, engine.Case{Actor: actor, Body: body(map[string]any{"old_password": engine.Ref("password"), "new_password": "another password"})}))
		}
		out = append(out, one(worldSeeded, engine.Case{Actor: actorAdmin, Body: body(map[string]any{"old_password": "wrong", "new_password": "another password"})}))
	case "deleteUser", "setUserRole", "resetUserPassword":
		for _, id := range []any{engine.Ref("user.admin"), engine.Ref("user.viewer"), "00000000-0000-4000-8000-00000000dead", "no-uuid"} {
			c := engine.Case{Actor: actorAdmin, Args: []engine.Arg{{In: "path", Name: "uuid", Value: id}}}
			switch op.ID {
			case "setUserRole":
				c.Body = body(map[string]any{"role": "admin"})
			case "resetUserPassword":
				c.Body = body(map[string]any{"new_password": "another password"})
			}
			out = append(out, one(worldSeeded, c))
		}
	case "createSensor":
		out = append(out, one(worldSeeded, engine.Case{Actor: actorAdmin, Body: body(map[string]any{"name": "web-01"})}))
	case "deleteSensor":
		out = append(out, one(worldSeeded, engine.Case{Actor: actorAdmin, Args: []engine.Arg{{In: "path", Name: "uuid", Value: "00000000-0000-4000-8000-00000000dead"}}}))
	case "deployDeckies":
		for _, text := range deployments() {
			for _, dry := range []string{"true", "false"} {
				out = append(out, one(worldSeeded, engine.Case{
					Actor: actorAdmin, Body: body(map[string]any{"ini_content": text}), Args: []engine.Arg{{In: "query", Name: "dry_run", Value: dry}},
				}))
			}
		}
	case "removeDecky", "mutateDecky", "setMutateInterval":
		for _, name := range []string{"decky-0", "ghost"} {
			c := engine.Case{Actor: actorAdmin, Args: []engine.Arg{{In: "path", Name: "name", Value: name}}}
			if op.ID == "setMutateInterval" {
				c.Body = body(map[string]any{"mutate_interval": "9d"})
			}
			t := one(worldSeeded, c)
			t.Relation = "write_is_visible"
			out = append(out, t)
		}
	case "pushEvents":
		for _, text := range batches() {
			for _, media := range []string{"application/x-ndjson", "text/plain"} {
				t := one(worldSeeded, engine.Case{Actor: actorSensor, Body: &engine.Body{Media: media, Raw: &text}})
				t.Relation = "batch_adds_up"
				out = append(out, t)
			}
		}
	case "getAttacker", "listCommands":
		out = append(out, one(worldSeeded, engine.Case{Actor: actorViewer, Args: []engine.Arg{{In: "path", Name: "uuid", Value: "00000000-0000-4000-8000-00000000dead"}}}))
	}
	return out
}
