package ingest

import (
	"strings"
	"time"

	"decnet/repo"
)

// ReasonNotFormat is the reason of a text line that does not have the shape of
// its format.
const ReasonNotFormat = "not_in_format"

// logLine is a line as a syslog daemon writes it into a file: time, host, tag and
// text, with or without a priority before it, or in the form of RFC 5424.
type logLine struct {
	// stamp is the time when it tells its year; else month to second are set.
	stamp                            string
	month, day, hour, minute, second int

	host, program, pid string
	// msg is the free text. Parts of it are the attacker's.
	msg string
}

// parseLogLine reads the header of a line by position only.
func parseLogLine(s string) (l logLine, ok bool) {
	if m, ok := parseSyslog(s); ok {
		return logLine{
			stamp: m.timestamp, host: m.host, program: m.app,
			pid: strings.TrimPrefix(m.procID, "-"), msg: strings.TrimLeft(m.msg, " "),
		}, true
	}
	rest := skipPriority(s)
	if rest, ok = l.readStamp(rest); !ok {
		return l, false
	}
	if l.host, rest, ok = strings.Cut(rest, " "); !ok || l.host == "" {
		return l, false
	}
	tag, msg, ok := strings.Cut(rest, ":")
	if !ok || tag == "" || strings.ContainsAny(tag, " \t") {
		return l, false
	}
	l.program, l.msg = tag, strings.TrimPrefix(msg, " ")
	if program, pid, found := strings.Cut(tag, "["); found && strings.HasSuffix(pid, "]") {
		l.program, l.pid = program, strings.TrimSuffix(pid, "]")
	}
	return l, true
}

// skipPriority passes the <PRI> that a line has when it came over the network.
func skipPriority(s string) string {
	pri, rest, found := strings.Cut(s, ">")
	if !found || len(pri) < 2 || len(pri) > 4 || pri[0] != '<' || strings.Trim(pri[1:], "0123456789") != "" {
		return s
	}
	return rest
}

// readStamp reads "Feb  2 14:10:21 " (RFC 3164; the day may be padded with a
// blank, a zero or not at all) or an ISO time and a blank.
func (l *logLine) readStamp(s string) (rest string, ok bool) {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		stamp, rest, found := strings.Cut(s, " ")
		if _, ok := parseTime(stamp); !found || !ok {
			return s, false
		}
		l.stamp = stamp
		return rest, true
	}
	if len(s) < 4 || s[3] != ' ' {
		return s, false
	}
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	at := strings.Index(months, s[:3])
	if at < 0 || at%3 != 0 {
		return s, false
	}
	l.month = at/3 + 1
	day, rest, found := strings.Cut(strings.TrimPrefix(s[4:], " "), " ")
	if !found || len(day) == 0 || len(day) > 2 {
		return s, false
	}
	c := cursor{s: day, ok: true}
	l.day = c.number(len(day))
	clock := cursor{s: rest, ok: c.ok}
	l.hour = clock.number(2)
	clock.oneOf(":")
	l.minute = clock.number(2)
	clock.oneOf(":")
	l.second = clock.number(2)
	clock.oneOf(" ")
	if !clock.ok || l.day == 0 || l.day > 31 || l.hour > 23 || l.minute > 59 || l.second > 60 {
		return s, false
	}
	return rest[clock.i:], true
}

// maxYearsBack is how long a February 29 may have to wait for its year, and more.
const maxYearsBack = 8

// time is the time of the line. One without a year is from the last one that
// does not put it more than a day behind the reference, a time by which the line
// was written: clocks differ, and a local time may be ahead of UTC.
func (l *logLine) time(reference time.Time) (time.Time, error) {
	if l.stamp != "" {
		return timeOf(l.stamp)
	}
	limit := reference.UTC().Add(24 * time.Hour)
	for year := limit.Year(); year > limit.Year()-maxYearsBack; year-- {
		t := time.Date(year, time.Month(l.month), l.day, l.hour, l.minute, l.second, 0, time.UTC)
		day := time.Date(year, time.Month(l.month), l.day, 0, 0, 0, 0, time.UTC)
		if day.Day() != l.day || t.After(limit) {
			continue
		}
		if !repo.ValidTime(t) {
			return t, reject(ReasonTimeRange, "The timestamp is not between 1970 and 2261.")
		}
		return t, nil
	}
	return time.Time{}, badTime()
}

// setText adds a field unless it is empty.
func (o *object) setText(key, value string) {
	if value != "" {
		o.set(key, quote(value))
	}
}

// setNumber adds digits as the number they are; what JSON does not take for a
// number stays text.
func (o *object) setNumber(key, digits string) {
	isNumber := digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || digits == "0")
	if isNumber {
		o.set(key, []byte(digits))
		return
	}
	o.setText(key, digits)
}

// asText is a piece of a line as text: what is not UTF-8 becomes U+FFFD.
func asText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
