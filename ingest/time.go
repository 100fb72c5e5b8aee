package ingest

import (
	"strings"
	"time"

	"decnet/repo"
)

// eventTime reads the time of an event from a JSON value: text as parseTime
// takes it, or a Unix time in seconds, milliseconds, microseconds or
// nanoseconds, told apart by their size.
func eventTime(raw []byte) (time.Time, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return time.Time{}, reject(ReasonNoTimestamp, "The event has no timestamp.")
	}
	s, ok := scalarText(raw)
	if !ok {
		return time.Time{}, badTime()
	}
	return timeOf(s)
}

func timeOf(s string) (time.Time, error) {
	t, ok := parseTime(s)
	if !ok {
		t, ok = parseUnix(s)
	}
	if !ok {
		return time.Time{}, badTime()
	}
	if !repo.ValidTime(t) {
		return time.Time{}, reject(ReasonTimeRange, "The timestamp is not between 1970 and 2261.")
	}
	return t, nil
}

func badTime() error {
	return reject(ReasonBadTimestamp, "The timestamp is in no format that is known.")
}

// parseTime reads YYYY-MM-DD, a T or a blank, HH:MM:SS, a fraction of any length
// after a dot or a comma (beyond nanoseconds it is cut), and Z, ±HH:MM, ±HHMM,
// ±HH or nothing, which means UTC. The result is in UTC.
func parseTime(s string) (time.Time, bool) {
	c := cursor{s: s, ok: true}
	year := c.number(4)
	c.oneOf("-")
	month := c.number(2)
	c.oneOf("-")
	day := c.number(2)
	c.oneOf("Tt ")
	hour := c.number(2)
	c.oneOf(":")
	minute := c.number(2)
	c.oneOf(":")
	second := c.number(2)
	nanos := c.fraction()
	offset := c.offset()
	if !c.ok || c.i != len(s) || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	day0 := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if day0.Day() != day || int(day0.Month()) != month {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return t.Add(-offset), true
}

// minUnixDigits keeps a date without dashes from being read as seconds.
const minUnixDigits = 9

// parseUnix reads a decimal number without going through a float, which would
// lose the microseconds.
func parseUnix(s string) (time.Time, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(whole) < minUnixDigits || len(whole) > 19 || strings.Trim(whole+frac, "0123456789") != "" {
		return time.Time{}, false
	}
	// The unit is the one that puts the time between 1973 and 5138.
	digits := 0
	switch n := len(whole); {
	case n >= 18:
		digits = 9
	case n >= 15:
		digits = 6
	case n >= 12:
		digits = 3
	}
	cut := max(len(whole)-digits, 0)
	c := cursor{s: whole[:cut], ok: true}
	seconds := c.number(cut)
	c = cursor{s: "." + whole[cut:] + frac, ok: true}
	if len(c.s) == 1 {
		return time.Unix(int64(seconds), 0).UTC(), true
	}
	return time.Unix(int64(seconds), int64(c.fraction())).UTC(), true
}

// cursor reads a string from the left; ok turns false at the first mismatch.
type cursor struct {
	s  string
	i  int
	ok bool
}

func (c *cursor) number(n int) int {
	v := 0
	for range n {
		if c.i >= len(c.s) || c.s[c.i] < '0' || c.s[c.i] > '9' {
			c.ok = false
			return 0
		}
		v = v*10 + int(c.s[c.i]-'0')
		c.i++
	}
	return v
}

func (c *cursor) oneOf(set string) byte {
	if c.i >= len(c.s) || strings.IndexByte(set, c.s[c.i]) < 0 {
		c.ok = false
		return 0
	}
	c.i++
	return c.s[c.i-1]
}

func (c *cursor) fraction() (nanos int) {
	if c.i >= len(c.s) || c.s[c.i] != '.' && c.s[c.i] != ',' {
		return 0
	}
	begin := c.i + 1
	scale := 100_000_000
	for c.i = begin; c.i < len(c.s) && c.s[c.i] >= '0' && c.s[c.i] <= '9'; c.i++ {
		nanos += int(c.s[c.i]-'0') * scale
		scale /= 10
	}
	if c.i == begin {
		c.ok = false
	}
	return nanos
}

func (c *cursor) offset() time.Duration {
	if !c.ok || c.i == len(c.s) {
		return 0
	}
	sign := c.oneOf("Zz+-")
	if sign != '+' && sign != '-' {
		return 0
	}
	hours, minutes := c.number(2), 0
	if c.i < len(c.s) {
		if c.s[c.i] == ':' {
			c.i++
		}
		minutes = c.number(2)
	}
	if hours > 23 || minutes > 59 {
		c.ok = false
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if sign == '-' {
		return -d
	}
	return d
}
