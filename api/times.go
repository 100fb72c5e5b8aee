package api

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"decnet/contract"
)

// lostPlus finds an offset whose "+" became a blank on its way through a query.
var lostPlus = regexp.MustCompile(` (\d\d:\d\d)$`)

// parseTime reads a time of a query: a date, YYYY-MM-DD HH:MM:SS, or RFC 3339;
// without an offset it is UTC. It returns the first and the last instant that
// the text names: a day has 24 hours, and a second without a fraction is a
// whole second, so that a bound which includes it includes all of it.
func parseTime(name, text string) (first, last time.Time, err error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, t.Add(24*time.Hour - 1), nil
	}
	s := text
	if len(s) > len(time.DateTime) {
		s = lostPlus.ReplaceAllString(s, "+$1")
	}
	if len(s) > 10 && (s[10] == ' ' || s[10] == 't') {
		s = s[:10] + "T" + s[11:]
	}
	if strings.HasSuffix(s, "z") {
		s = s[:len(s)-1] + "Z"
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		t = t.UTC()
		if strings.ContainsAny(s, ".,") {
			return t, t, nil
		}
		return t, t.Add(time.Second - 1), nil
	}
	return time.Time{}, time.Time{}, &contract.Violations{Status: http.StatusUnprocessableEntity, List: []contract.Violation{{
		In: contract.InQuery, Name: name, Keyword: "format",
		Detail: "Query parameter " + name + " must be a date, YYYY-MM-DD HH:MM:SS, or an RFC 3339 time",
	}}}
}
