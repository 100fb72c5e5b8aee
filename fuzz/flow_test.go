//go:build fuzz

package fuzz

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"decnet/fuzz/engine"
)

// streamGoesOn wants that a stream which is resumed at the beginning brings every
// row that the list has, once and in order.
func streamGoesOn(p *engine.Probe) []string {
	if !p.Main().OK() {
		return nil
	}
	c := with(p.Case(), map[string]any{"lastEventId": int64(0), "maxOutput": int64(1)})
	c.Unset("header", "Last-Event-ID")
	resumed := p.Send(c)
	if resumed.Exchange.Cut {
		return nil // nobody knows what was still to come; in developer mode it ends by itself
	}
	got := idsOf(resumed)
	c = with(p.Case(), map[string]any{"lastEventId": nil, "maxOutput": nil, "limit": int64(1000)})
	c.Operation, c.Actor = "listLogs", actorAdmin
	c.Unset("header", "Last-Event-ID")
	list := p.Send(c)
	if !list.OK() || count(list) > 1000 {
		return nil
	}
	var want []int64
	for _, r := range rows(list) {
		row, _ := r.(map[string]any)
		id, _ := row["id"].(int64)
		want = append(want, id)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return []string{"a stream that was resumed at the beginning has other rows than the list"}
	}
	return nil
}

// idsOf reads the ids of the rows that a stream brought.
func idsOf(s *engine.Step) []int64 {
	var out []int64
	scanner := bufio.NewScanner(bytes.NewReader(s.Exchange.Body))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		data, ok := strings.CutPrefix(scanner.Text(), "data: ")
		if !ok {
			continue
		}
		var message struct {
			Type string
			Data json.RawMessage
		}
		var logs []struct{ ID int64 }
		if json.Unmarshal([]byte(data), &message) != nil || message.Type != "logs" || json.Unmarshal(message.Data, &logs) != nil {
			continue
		}
		for _, row := range logs {
			out = append(out, row.ID)
		}
	}
	return out
}

// batchAddsUp wants that the receipt of a batch tells of every line, and that
// what was accepted is in the list.
func batchAddsUp(p *engine.Probe) []string {
	total := func() int64 {
		c := read("listLogs", actorAdmin)
		c.Set("query", "limit", int64(1))
		return count(p.Send(c))
	}
	before := total()
	main := p.Main()
	if !main.OK() {
		return nil
	}
	var out []string
	numbers := map[string]int64{}
	var sum int64
	for _, name := range []string{"accepted", "duplicate", "rejected", "ignored"} {
		numbers[name], _ = main.At("/" + name).(int64)
		sum += numbers[name]
	}
	lines, known := linesSent(main.Exchange)
	if known && lines != sum {
		out = append(out, "the receipt does not tell of every line")
	}
	p.Do("advance 7s") // counts may be older than the events of the last seconds
	if total() != before+numbers["accepted"] {
		out = append(out, "what was accepted is not in the list")
	}
	return out
}

// linesSent counts the lines of a batch of text that was not packed.
func linesSent(x *engine.Exchange) (int64, bool) {
	if x.Request.Get("Content-Encoding") == "gzip" || strings.HasPrefix(x.Request.Get("Content-Type"), "application/json") {
		return 0, false
	}
	sent := bytes.TrimSuffix(x.SentBody, []byte("\n"))
	if len(sent) == 0 {
		return 0, true
	}
	return int64(bytes.Count(sent, []byte("\n"))) + 1, true
}

// adminRemains lets two administrators, who are the only ones, demote each other
// at once. It does not send the case, which may make a third.
func adminRemains(p *engine.Probe) []string {
	role := func(actor, of, role string) *engine.Case {
		c := &engine.Case{Operation: "setUserRole", Actor: actor, Body: &engine.Body{Media: "application/json", Value: map[string]any{"role": role}}}
		c.Set("path", "uuid", engine.Ref("user."+of))
		return c
	}
	// How often the role of each has changed, which its tokens depend on.
	changed := map[string]int{}
	as := func(name string) string { return fmt.Sprintf("%s@%d", name, changed[name]) }
	one, other := actorAdmin, "spare"
	for range 3 {
		if p.Send(role(as(one), other, "admin")).Exchange.Status != http.StatusOK {
			return nil
		}
		changed[other]++
		both := p.Together(role(as(one), other, "viewer"), role(as(other), one, "viewer"))
		switch first, second := both[0].OK(), both[1].OK(); {
		case first && second:
			return []string{"two administrators have demoted each other"}
		case first:
			changed[other]++
		case second:
			changed[one]++
			one, other = other, one
		default:
			return []string{"neither administrator could demote the other"}
		}
	}
	return nil
}
