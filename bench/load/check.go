package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// wrongError says that an answer is not what it must be.
type wrongError struct{ why string }

func (e *wrongError) Error() string { return e.why }

func wrong(format string, args ...any) error { return &wrongError{fmt.Sprintf(format, args...)} }

// floors are the largest counts that any user was told: a later answer must not
// go below them.
type floors struct{ logs, attackers atomic.Int64 }

// checker reads the answers of one user. It is for one goroutine.
type checker struct {
	floors *floors
	// logs and attackers are the floors when the request was sent.
	sentLogs, sentAttackers int64
}

// sending notes what must hold for the next answer.
func (c *checker) sending() {
	c.sentLogs, c.sentAttackers = c.floors.logs.Load(), c.floors.attackers.Load()
}

func raise(floor *atomic.Int64, v int64) {
	for {
		old := floor.Load()
		if v <= old || floor.CompareAndSwap(old, v) {
			return
		}
	}
}

// decode reads JSON that must have the given shape.
func decode(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return wrong("JSON of another shape: %v", err)
	}
	return nil
}

// isWhole reports whether a body looks like one object or array: the check that
// is cheap enough for all of them.
func isWhole(body []byte) bool {
	body = bytes.TrimSpace(body)
	if len(body) < 2 {
		return false
	}
	last := body[len(body)-1]
	return body[0] == '{' && last == '}' || body[0] == '[' && last == ']'
}

func (c *checker) stats(body []byte) error {
	var s struct {
		Logs      *int64 `json:"total_logs"`
		Attackers *int64 `json:"unique_attackers"`
		Active    *int64 `json:"active_deckies"`
		Deployed  *int64 `json:"deployed_deckies"`
	}
	if err := decode(body, &s); err != nil {
		return err
	}
	if s.Logs == nil || s.Attackers == nil || s.Active == nil || s.Deployed == nil {
		return wrong("a counter is missing")
	}
	if *s.Logs < c.sentLogs || *s.Attackers < c.sentAttackers {
		return wrong("counters fell")
	}
	raise(&c.floors.logs, *s.Logs)
	raise(&c.floors.attackers, *s.Attackers)
	return nil
}

// page is a list as the API sends it.
type page[T any] struct {
	Total *int64 `json:"total"`
	// Relation is "gte" where the total is only a lower bound.
	Relation string `json:"total_relation"`
	Limit    int    `json:"limit"`
	Offset   int64  `json:"offset"`
	Data     []T    `json:"data"`
}

// readPage reads a page and checks its numbers.
func readPage[T any](body []byte, limit int) ([]T, error) {
	var p page[T]
	if err := decode(body, &p); err != nil {
		return nil, err
	}
	switch n := int64(len(p.Data)); {
	case p.Total == nil || p.Data == nil:
		return nil, wrong("total or data is missing")
	case p.Limit != limit:
		return nil, wrong("limit is not the one that was asked for")
	case n > int64(limit):
		return nil, wrong("page longer than its limit")
	case n > 0 && *p.Total < p.Offset+n && p.Relation != "gte":
		return nil, wrong("total smaller than the rows that are there")
	case n < int64(limit) && *p.Total > p.Offset+n:
		return nil, wrong("page shorter than its total says")
	}
	return p.Data, nil
}

// event is what is read of a row, of the logs or of the bounties.
type event struct {
	ID         int64     `json:"id"`
	Timestamp  time.Time `json:"timestamp"`
	RawLine    string    `json:"raw_line"`
	Decky      string    `json:"decky"`
	Service    string    `json:"service"`
	AttackerIP string    `json:"attacker_ip"`
}

func (e *event) contains(term string) bool {
	for _, text := range [...]string{e.RawLine, e.Decky, e.Service, e.AttackerIP} {
		if containsFold(text, term) {
			return true
		}
	}
	return false
}

// containsFold looks for a lower-case term.
func containsFold(text, term string) bool {
	return strings.Contains(text, term) || strings.Contains(strings.ToLower(text), term)
}

func newestFirst(rows []event) error {
	for i := 1; i < len(rows); i++ {
		a, b := &rows[i-1], &rows[i]
		if a.Timestamp.Before(b.Timestamp) || a.Timestamp.Equal(b.Timestamp) && a.ID <= b.ID {
			return wrong("rows not newest first")
		}
	}
	return nil
}

// logs checks a page of events; term is "" where nothing was searched.
func (*checker) logs(body []byte, limit int, term string) error {
	rows, err := readPage[event](body, limit)
	if err != nil {
		return err
	}
	for i := range rows {
		if term != "" && !rows[i].contains(term) {
			return wrong("row without the term that was searched")
		}
	}
	return newestFirst(rows)
}

func (*checker) bounty(body []byte) error {
	rows, err := readPage[event](body, defaultLimit)
	if err != nil {
		return err
	}
	return newestFirst(rows)
}

// attackers checks a page of attackers.
func (*checker) attackers(body []byte, term string) error {
	type attacker struct {
		IP       string    `json:"ip"`
		LastSeen time.Time `json:"last_seen"`
		Services []string  `json:"services"`
		Deckies  []string  `json:"deckies"`
		Behavior *struct {
			Class string `json:"behavior_class"`
		} `json:"behavior"`
	}
	rows, err := readPage[attacker](body, defaultLimit)
	if err != nil {
		return err
	}
	for i := range rows {
		a := &rows[i]
		texts := append(append([]string{a.IP}, a.Services...), a.Deckies...)
		if a.Behavior != nil {
			texts = append(texts, a.Behavior.Class)
		}
		if term != "" && !containsFold(strings.Join(texts, "\n"), term) {
			return wrong("row without the term that was searched")
		}
		if i > 0 && rows[i-1].LastSeen.Before(a.LastSeen) {
			return wrong("rows not newest first")
		}
	}
	return nil
}

func (*checker) deckies(body []byte) error {
	var list []struct {
		Name string `json:"name"`
	}
	if err := decode(body, &list); err != nil {
		return err
	}
	for i := range list {
		if list[i].Name == "" {
			return wrong("decky without a name")
		}
	}
	return nil
}

func (*checker) histogram(body []byte) error {
	var list []struct {
		Time  string `json:"time"`
		Count int64  `json:"count"`
	}
	if err := decode(body, &list); err != nil {
		return err
	}
	for i := range list {
		if list[i].Count < 1 {
			return wrong("empty bucket")
		}
		if i > 0 && list[i-1].Time >= list[i].Time {
			return wrong("buckets not oldest first")
		}
	}
	return nil
}

func (*checker) health(body []byte) error {
	var h struct {
		Status     string         `json:"status"`
		Components map[string]any `json:"components"`
	}
	if err := decode(body, &h); err != nil {
		return err
	}
	if h.Status != "healthy" && h.Status != "degraded" || len(h.Components) == 0 {
		return wrong("not healthy, or without components")
	}
	return nil
}

func (*checker) config(body []byte) error {
	var c struct {
		Role  string `json:"role"`
		Limit int    `json:"deployment_limit"`
	}
	if err := decode(body, &c); err != nil {
		return err
	}
	if c.Role == "" || c.Limit < 1 {
		return wrong("no role or no limit")
	}
	return nil
}

func (*checker) login(body []byte) error {
	_, err := tokenOf(body)
	return err
}

// tokenOf reads the answer to a login.
func tokenOf(body []byte) (string, error) {
	var t struct {
		Token      string `json:"access_token"`
		Type       string `json:"token_type"`
		MustChange bool   `json:"must_change_password"`
	}
	if err := decode(body, &t); err != nil {
		return "", err
	}
	if t.Token == "" || t.Type != "bearer" {
		return "", wrong("no bearer token")
	}
	if t.MustChange {
		return "", wrong("the account must change its password first")
	}
	return t.Token, nil
}
