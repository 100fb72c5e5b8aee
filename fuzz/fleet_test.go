//go:build fuzz

package fuzz

import (
	"reflect"

	"decnet/fleet"
	"decnet/fuzz/engine"
)

// fleetIsVisible reads the fleet before and after a change of it. A change that
// was refused, or only planned, has changed nothing; another has changed what it
// says and nothing else.
func fleetIsVisible(p *engine.Probe) []string {
	deckies := func(actor string) map[string]any {
		list, _ := p.Send(read("listDeckies", actor)).JSON().([]any)
		return byName(list)
	}
	before := deckies(actorViewer)
	p.Send(read("getStats", actorViewer)) // so that it is remembered
	main := p.Main()
	want := before
	if main.OK() {
		want = fleetAfter(p, main, before)
	}
	for _, actor := range []string{actorViewer, actorAdmin} {
		if !reflect.DeepEqual(deckies(actor), want) {
			return []string{"the fleet is not what the change made of it"}
		}
	}
	stats := p.Send(read("getStats", actorViewer))
	if n := stats.At("/deployed_deckies"); !equalNumbers(n, float64(len(want))) {
		return []string{"the counters have another number of deckies than the fleet"}
	}
	return nil
}

func byName(list []any) map[string]any {
	out := map[string]any{}
	for _, item := range list {
		if decky, ok := item.(map[string]any); ok {
			name, _ := decky["name"].(string)
			// When is the clock's business; the default suite tests it.
			out[name] = changed(decky, "last_mutated", nil)
		}
	}
	return out
}

// fleetAfter is the fleet that a successful answer speaks of.
func fleetAfter(p *engine.Probe, main *engine.Step, before map[string]any) map[string]any {
	want := map[string]any{}
	for name, decky := range before {
		want[name] = decky
	}
	argument, _ := p.Case().Arg("path", "name")
	name, _ := p.Resolve(argument).(string)
	switch p.Case().Operation {
	case "deployDeckies":
		if dry, _ := main.At("/dry_run").(bool); dry {
			return want
		}
		removed, _ := main.At("/removed").([]any)
		for _, gone := range removed {
			text, _ := gone.(string)
			delete(want, text)
		}
		deckies, _ := main.At("/deckies").([]any)
		for name, decky := range byName(deckies) {
			want[name] = decky
		}
	case "removeDecky":
		delete(want, name)
	case "mutateDecky":
		want[name] = changed(want[name], "services", main.At("/services"))
	case "setMutateInterval":
		body, _ := p.Case().Body.Value.(map[string]any)
		var minutes any
		if text, ok := body["mutate_interval"].(string); ok {
			n, _ := fleet.ParseInterval(text)
			minutes = n
		}
		want[name] = changed(want[name], "mutate_interval", minutes)
	}
	return want
}

// changed returns a copy of a decky with another value.
func changed(decky any, key string, value any) map[string]any {
	out := map[string]any{}
	old, _ := decky.(map[string]any)
	for k, v := range old {
		out[k] = v
	}
	out[key] = value
	return out
}
