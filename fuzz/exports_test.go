//go:build fuzz

package fuzz

import (
	"encoding/json"
	"strings"
	"time"

	"decnet/fuzz/engine"
)

// The relations of what is told over all events at once: rankings and exports.
func wholeRelations() []engine.Relation {
	return []engine.Relation{
		{Name: "ranking_counts_the_list", Applies: is("getRanking"), Check: rankingCounts},
		{Name: "ranking_counts_attempts", Applies: is("getRanking"), Check: credentialCounts},
		{Name: "export_is_the_list", Applies: is("exportLogs"), Check: exportIsList},
	}
}

// rankingCounts wants that a ranking counts the events of the list in the range
// that it names, and those of a value as the list does that is searched for it.
func rankingCounts(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() {
		return nil
	}
	ask := func(search any) int64 {
		query := map[string]any{"limit": int64(1), "by": nil, "window": nil, "search": search}
		if at, ok := main.At("/start_time").(string); ok && given(p.Case(), "start_time") == "" {
			query["start_time"] = at
		}
		c := with(p.Case(), query)
		c.Operation = "listLogs"
		c.Unset("header", "If-None-Match")
		return count(p.Send(c))
	}
	var out []string
	events, _ := main.At("/events").(int64)
	if events != ask(nil) {
		out = append(out, "a ranking has other events than the list")
	}
	by, _ := main.At("/by").(string)
	key := map[string]string{"attacker": "attacker", "service": "service", "decky": "decky", "event_type": "event"}[by]
	last := int64(-1)
	for i, row := range rows(main) {
		r, _ := row.(map[string]any)
		n, _ := r["count"].(int64)
		value, _ := r["value"].(string)
		if last >= 0 && n > last {
			out = append(out, "a ranking is not in its order")
		}
		if last = n; i < 2 && key != "" && plainWord(value) && n != ask(key+":"+value) {
			out = append(out, "a ranking counts a value otherwise than the list")
		}
	}
	return out
}

// credentialCounts wants that credentials are ranked by their attempts in the range of
// the case, and in those that begin and that end with an event in the middle.
func credentialCounts(p *engine.Probe) []string {
	if !p.Main().OK() {
		return nil
	}
	rank := func(query map[string]any) []string {
		query["by"] = "credential"
		c := with(p.Case(), query)
		c.Unset("header", "If-None-Match")
		return credentialsOf(p, p.Send(c))
	}
	out := rank(map[string]any{})
	c := with(p.Case(), map[string]any{"by": nil, "window": nil, "limit": int64(1000), "start_time": nil, "end_time": nil})
	c.Operation = "listLogs"
	c.Unset("header", "If-None-Match")
	list := rows(p.Send(c))
	if len(list) == 0 || len(out) > 0 {
		return out
	}
	middle, _ := list[len(list)/2].(map[string]any)
	for _, bound := range []string{"start_time", "end_time"} {
		query := map[string]any{"window": nil, "start_time": nil, "end_time": nil, "limit": nil}
		query[bound] = middle["timestamp"]
		out = append(out, rank(query)...)
	}
	return out
}

// credentialsOf wants that the attempts of a credential are at least those which the
// list has in the range, and at most those which it has when the range is widened as
// far as the document says.
func credentialsOf(p *engine.Probe, ranking *engine.Step) []string {
	last := int64(-1)
	for i, row := range rows(ranking) {
		r, _ := row.(map[string]any)
		n, _ := r["count"].(int64)
		if last >= 0 && n > last {
			return []string{"a ranking is not in its order"}
		}
		last = n
		user, _ := r["value"].(string)
		password, _ := r["password"].(string)
		if i > 4 || !plainWord(user) || !plainWord(password) {
			continue
		}
		least, most, known := attempts(p, ranking, user, password)
		if known && (n < least || n > most) {
			return []string{"a ranking counts a credential otherwise than the list"}
		}
	}
	return nil
}

// attempts counts the events of a credential in the range of a ranking, and in the
// range when its ends are widened to quarters of an hour, or to days where the
// credential was tried on more than two.
func attempts(p *engine.Probe, ranking *engine.Step, user, password string) (least, most int64, known bool) {
	c := with(p.Case(), map[string]any{
		"by": nil, "window": nil, "start_time": nil, "end_time": nil, "limit": int64(1000), "search": user,
	})
	c.Operation = "listCredentials"
	c.Unset("header", "If-None-Match")
	all := p.Send(c)
	step := 24 * time.Hour
	for _, row := range rows(all) {
		if r, _ := row.(map[string]any); r["username"] == user && r["password"] == password {
			first, last := moment(r["first_seen"]), moment(r["last_seen"])
			if last.Truncate(step).Sub(first.Truncate(step)) <= step {
				step = 15 * time.Minute
			}
		}
	}
	ask := func(start, end time.Time) int64 {
		query := map[string]any{
			"by": nil, "window": nil, "limit": int64(1), "start_time": nil, "end_time": nil,
			"search": "username:" + user + " password:" + password,
		}
		if !start.IsZero() {
			query["start_time"] = start.Format(time.RFC3339Nano)
		}
		if !end.IsZero() {
			query["end_time"] = end.Format(time.RFC3339Nano)
		}
		c := with(p.Case(), query)
		c.Operation = "listLogs"
		c.Unset("header", "If-None-Match")
		list := p.Send(c)
		known = known && list.OK()
		return count(list)
	}
	known = all.OK()
	start, end := moment(ranking.At("/start_time")), moment(ranking.At("/end_time"))
	least = ask(start, end)
	if end.IsZero() || !end.Before(start) {
		start = start.Truncate(step)
		if !end.IsZero() && end.Year() < 9999 {
			end = end.Truncate(step).Add(step - 1)
		}
	}
	most = ask(start, end)
	return least, most, known
}

// moment is a time of an answer; the zero time where there is none.
func moment(v any) time.Time {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// plainWord reports whether the search language needs no quotes for a value.
func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(".:-_", r)
	})
}

// exportIsList wants that an export has the events of the list in its order.
func exportIsList(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() || !strings.HasPrefix(main.Exchange.Header.Get("Content-Type"), "application/x-ndjson") {
		return nil
	}
	c := with(p.Case(), map[string]any{"limit": int64(1000), "format": nil})
	c.Operation = "listLogs"
	list := p.Send(c)
	var ids []int64
	for line := range strings.Lines(string(main.Exchange.Body)) {
		var row struct{ ID int64 }
		if json.Unmarshal([]byte(line), &row) != nil {
			return []string{"a line of an export is no JSON"}
		}
		ids = append(ids, row.ID)
	}
	if int64(len(ids)) != count(list) {
		return []string{"an export has not as many events as the list"}
	}
	for i, row := range rows(list) {
		if r, _ := row.(map[string]any); r["id"] != ids[i] {
			return []string{"an export has other events than the list"}
		}
	}
	return nil
}
