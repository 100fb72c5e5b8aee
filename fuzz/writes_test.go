//go:build fuzz

package fuzz

import (
	"net/http"
	"slices"

	"decnet/fuzz/engine"
)

// writeRelations want that a write is visible to the very next read of anybody,
// although the read was cached before, and that tokens stop working at once.
func writeRelations() []engine.Relation {
	return []engine.Relation{
		{Name: "write_is_visible", Applies: is("setDeploymentLimit", "setGlobalMutationInterval"), Check: settingIsVisible},
		{Name: "write_is_visible", Applies: is("createUser", "deleteUser", "setUserRole", "resetUserPassword"), Check: userIsVisible},
		{Name: "write_is_visible", Applies: is("createSensor", "deleteSensor"), Check: sensorIsVisible},
		{Name: "write_is_visible", Applies: is("deployDeckies", "removeDecky", "mutateDecky", "setMutateInterval"), Check: fleetIsVisible},
		{Name: "write_is_visible", Applies: is("reinit"), Check: purgeIsVisible},
		{Name: "tokens_are_revoked", Applies: is("deleteUser", "setUserRole", "resetUserPassword"), Check: tokensRevoked},
		{Name: "an_administrator_remains", Applies: is("setUserRole"), Check: adminRemains},
		{Name: "password_is_changed", Applies: is("changePassword"), Check: passwordChanged},
	}
}

func read(id, actor string) *engine.Case { return &engine.Case{Operation: id, Actor: actor} }

// settingIsVisible reads the settings before and after they are written.
func settingIsVisible(p *engine.Probe) []string {
	name := "deployment_limit"
	if p.Case().Operation == "setGlobalMutationInterval" {
		name = "global_mutation_interval"
	}
	before := p.Send(read("getConfig", actorViewer)).At("/" + name)
	main := p.Main()
	want := before
	if main.OK() {
		body, _ := p.Case().Body.Value.(map[string]any)
		want = body[name]
	}
	for _, actor := range []string{actorViewer, actorAdmin} {
		if got := p.Send(read("getConfig", actor)).At("/" + name); !equalNumbers(got, want) {
			return []string{name + " is not what was written last"}
		}
	}
	return nil
}

// equalNumbers compares also 5 and 5.0.
func equalNumbers(a, b any) bool {
	x, isInt := a.(int64)
	y, isFloat := b.(float64)
	if isInt && isFloat {
		return float64(x) == y
	}
	return a == b
}

// users reads the accounts by id.
func users(p *engine.Probe) map[string]map[string]any {
	list, _ := p.Send(read("getConfig", actorAdmin)).At("/users").([]any)
	out := map[string]map[string]any{}
	for _, u := range list {
		user, _ := u.(map[string]any)
		id, _ := user["uuid"].(string)
		out[id] = user
	}
	return out
}

// userIsVisible compares the accounts before and after a write.
func userIsVisible(p *engine.Probe) []string {
	value, _ := p.Case().Arg("path", "uuid")
	if value == engine.Ref("user.admin") {
		return nil // who resets their own password can't read the users any more
	}
	id, _ := p.Resolve(value).(string)
	before := users(p)
	main := p.Main()
	after := users(p)
	if !main.OK() {
		if !slices.Equal(sortedIDs(before), sortedIDs(after)) {
			return []string{"a write that was refused has changed the users"}
		}
		return nil
	}
	body := map[string]any{}
	if p.Case().Body != nil {
		body, _ = p.Case().Body.Value.(map[string]any)
	}
	switch p.Case().Operation {
	case "createUser":
		made, _ := main.At("/uuid").(string)
		if u := after[made]; len(after) != len(before)+1 || u == nil || u["username"] != body["username"] || u["must_change_password"] != true {
			return []string{"the new user is not among the users"}
		}
	case "deleteUser":
		if _, still := after[id]; still || len(after) != len(before)-1 {
			return []string{"the deleted user is still among the users"}
		}
	case "setUserRole":
		if u := after[id]; u == nil || u["role"] != body["role"] {
			return []string{"the user has not the role that was set"}
		}
	case "resetUserPassword":
		if u := after[id]; u == nil || u["must_change_password"] != true {
			return []string{"the user need not change the password that was set"}
		}
	}
	return nil
}

func sortedIDs(m map[string]map[string]any) []string {
	out := make([]string, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// sensorIsVisible lists the sensors before and after, and sends events with the
// token of the one that was made or deleted.
func sensorIsVisible(p *engine.Probe) []string {
	sensors := func() []any {
		list, _ := p.Send(read("listSensors", actorAdmin)).JSON().([]any)
		return list
	}
	push := func(actor string) *engine.Step {
		return p.Send(&engine.Case{Operation: "pushEvents", Actor: actor, Body: &engine.Body{Media: "application/json", Value: []any{}}})
	}
	before := len(sensors())
	push(actorSensor)
	value, _ := p.Case().Arg("path", "uuid")
	main := p.Main()
	after := len(sensors())
	change := map[string]int{"createSensor": 1, "deleteSensor": -1}[p.Case().Operation]
	switch {
	case !main.OK() && after != before:
		return []string{"a write that was refused has changed the sensors"}
	case main.OK() && after != before+change:
		return []string{"the write is not seen in the list of sensors"}
	case main.OK() && change > 0 && !push("#0/token").OK():
		return []string{"the token of a new sensor does not work"}
	case main.OK() && value == engine.Ref("sensor") && push(actorSensor).Exchange.Status != http.StatusUnauthorized:
		return []string{"the token of a deleted sensor still works"}
	}
	return nil
}

// purgeIsVisible warms all reads, purges, and wants nothing left.
func purgeIsVisible(p *engine.Probe) []string {
	totals := map[string]string{"getStats": "/total_logs", "listLogs": "/total", "listBounties": "/total", "listAttackers": "/total"}
	ids := []string{"getHistogram", "getStats", "listAttackers", "listBounties", "listLogs"}
	before := p.Send(read("getStats", actorViewer)).At("/total_logs")
	for _, id := range ids {
		p.Send(read(id, actorViewer))
	}
	main := p.Main()
	if !main.OK() {
		if after := p.Send(read("getStats", actorViewer)).At("/total_logs"); after != before {
			return []string{"a purge that was refused has deleted events"}
		}
		return nil
	}
	var out []string
	if deleted := main.At("/deleted/logs"); deleted != before {
		out = append(out, "the purge does not say how many events there were")
	}
	for _, id := range ids {
		s := p.Send(read(id, actorViewer))
		if pointer := totals[id]; pointer != "" && s.At(pointer) != int64(0) {
			out = append(out, id+" still counts what was purged")
		}
		if list, _ := s.JSON().([]any); len(list) > 0 {
			out = append(out, id+" still shows what was purged")
		}
	}
	return out
}

// tokensRevoked uses a token of the user before and after the write.
func tokensRevoked(p *engine.Probe) []string {
	value, _ := p.Case().Arg("path", "uuid")
	ref, _ := value.(engine.Ref)
	names := map[engine.Ref]string{"user.viewer": actorViewer, "user.spare": "spare"}
	actor, ok := names[ref]
	if !ok {
		return nil
	}
	role := users(p)[p.Resolve(value).(string)]["role"] //nolint:forcetypeassert // a symbol of this world
	if before := p.Send(read("getStats", actor)); !before.OK() {
		return []string{"the token did not work before"}
	}
	main := p.Main()
	after := p.Send(read("getStats", actor))
	want := http.StatusUnauthorized
	if !main.OK() {
		want = http.StatusOK
	}
	if body := p.Case().Body; body != nil {
		if fields, _ := body.Value.(map[string]any); fields["role"] == role && role != nil {
			want = http.StatusOK // nothing has changed
		}
	}
	if after.Exchange.Status != want {
		return []string{"after the write a token of the user is answered " + http.StatusText(after.Exchange.Status)}
	}
	return nil
}

// passwordChanged logs in with the old and the new password.
func passwordChanged(p *engine.Probe) []string {
	actor := p.Case().Actor
	main := p.Main()
	if !main.OK() {
		return nil
	}
	body, _ := p.Case().Body.Value.(map[string]any)
	login := func(password any) *engine.Step {
		return p.Send(&engine.Case{Operation: "login", Actor: engine.Anonymous, Body: &engine.Body{
			Media: "application/json", Value: map[string]any{"username": actor, "password": password},
		}})
	}
	var out []string
	if s := login(body["new_password"]); !s.OK() || s.At("/must_change_password") != false {
		out = append(out, "the new password does not open")
	}
	if old := p.Resolve(body["old_password"]); old != body["new_password"] {
		if s := login(old); s.Exchange.Status != http.StatusUnauthorized {
			out = append(out, "the old password still opens")
		}
	}
	if s := p.Send(read("getConfig", actor)); s.Exchange.Status != http.StatusUnauthorized {
		out = append(out, "a token from before the change still opens")
	}
	return out
}
