package contract

import (
	"net/netip"
	"regexp"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// Format checks what the keyword format of the document promises of a string.
type Format struct {
	// Name is the value of the keyword.
	Name string
	// Valid reports whether the string has the format.
	Valid func(string) bool
	// Wants says what is valid: "X must be …".
	Wants string
}

// Formats returns the formats that this package enforces. [Load] refuses a
// request schema that names another.
func Formats() []Format {
	return []Format{
		{"date-time", isDateTime, "an RFC 3339 time"},
		{"uuid", isUUID, "a UUID"},
		{"ipv4", isIPv4, "an IPv4 address"},
		{"ipv6", isIPv6, "an IPv6 address"},
		{"ip", isIP, "an IP address"},
		{"time-bound", isTimeBound, "YYYY-MM-DD HH:MM:SS, an RFC 3339 time, or a date"},
	}
}

func findFormat(name string) (Format, bool) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// ParseTimeBound reads a value of the format time-bound: a date, or a time with
// "T" or a space in its middle, with up to nine digits of a fraction, and with
// the offset of RFC 3339 or none, which means UTC. It returns the first and the
// last instant, in UTC, of what the text names: a whole day for a date, a whole
// second where there is no fraction, else that nanosecond.
func ParseTimeBound(s string) (first, last time.Time, ok bool) {
	m := timeBoundPattern.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, time.Time{}, false
	}
	date, clock, fraction, zone := m[1], m[2], m[3], m[4]
	span := time.Second
	switch {
	case clock == "":
		clock, span = "00:00:00", 24*time.Hour
	case fraction != "":
		span = 1
	}
	switch {
	case zone == "" || zone == "z":
		zone = "Z"
	case zone[0] == ' ': // the "+" of an offset is a space in a query
		zone = "+" + zone[1:]
	}
	t, err := time.Parse(time.RFC3339, date+"T"+clock+fraction+zone)
	if err != nil {
		return time.Time{}, time.Time{}, false
	}
	t = t.UTC()
	return t, t.Add(span - 1), true
}

// timeBoundPattern groups date, time of day, fraction and offset. Which days and
// hours exist is left to package time, which takes offsets that do not (RFC 3339, 5.6).
var timeBoundPattern = regexp.MustCompile(
	`^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+ -](?:[01]\d|2[0-3]):[0-5]\d)?)?$`)

func isTimeBound(s string) bool {
	_, _, ok := ParseTimeBound(s)
	return ok
}

var dateTimePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$`)

func isDateTime(s string) bool {
	if !dateTimePattern.MatchString(s) {
		return false
	}
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

var uuidPattern = regexp.MustCompile(openapi3.FormatOfStringForUUIDOfRFC9562)

func isUUID(s string) bool { return uuidPattern.MatchString(s) }

func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6()
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
