package ingest

import (
	"bytes"
	"fmt"
	"time"

	"decnet/repo"
)

// Format is one kind of log line.
type Format struct {
	// Name is what [Source.Format] and a stored position call it.
	Name string
	// Sniff reports whether a line is of this format, beyond reasonable doubt.
	Sniff func(line []byte) bool
	// Parse makes records of one line, which has no line end: mostly one, and
	// several where a line sums a session up. It is pure: the same line always
	// gives the same records. It does not keep line. Any error is a *[ParseError],
	// or an *[IgnoreError] for a line that is no event on purpose.
	Parse func(line []byte) ([]Record, error)
	// ParseAt is Parse for lines whose times lack the year; nil for other formats.
	// Reference is a time by which the line was written, such as when its file was
	// last changed. It is as pure: the same line and reference give the same.
	ParseAt func(line []byte, reference time.Time) ([]Record, error)
	// sniffObject is Sniff for a line that is an object, which is read once for
	// all formats that have one; nil for the others.
	sniffObject func(o *object) bool
}

// ofObjects is a format that knows its lines by their object.
func ofObjects(name string, sniff func(o *object) bool, parse func(line []byte) ([]Record, error)) Format {
	return Format{
		Name: name,
		Sniff: func(line []byte) bool {
			o, err := parseObject(line)
			return err == nil && sniff(&o)
		},
		Parse: parse, sniffObject: sniff,
	}
}

// Record is what a line says.
type Record struct {
	// Event has its bounties, command and traits.
	Event repo.Event
	// Session places the event in a decoy's session; the zero value in none.
	Session SessionRef
}

// SessionRef says what a line tells about the session that it belongs to, and
// with that what later lines need to be told.
type SessionRef struct {
	// Key is unique over all sensors; "" means that there is no session.
	Key string
	// Opens and Closes mark the session's first and last line.
	Opens, Closes bool
	// Service is what the line itself tells about the protocol, "" for nothing;
	// Fallback stands in where the session does not tell it either.
	Service, Fallback string
	// DstPort is the decoy's port, 0 when the line does not tell.
	DstPort int
}

// Formats returns the table of formats, in the order in which they are tried on
// a line of a source without one.
func Formats() []Format {
	return append([]Format{
		ofObjects("decnet", sniffDecnet, single(parseDecnet)),
		{Name: "cowrie", Sniff: sniffCowrie, Parse: single(parseCowrie)},
		{Name: "syslog", Sniff: sniffSyslog, Parse: parseSyslogLine},
		{Name: "opencanary", Sniff: sniffOpenCanary, Parse: parseOpenCanary},
		{Name: "dionaea", Sniff: sniffDionaea, Parse: parseDionaea},
		{Name: "heralding", Sniff: sniffHeralding, Parse: parseHeralding},
		{Name: "honeytrap", Sniff: sniffHoneytrap, Parse: parseHoneytrap},
		{Name: "honeytrap-go", Sniff: sniffHoneytrapGo, Parse: parseHoneytrapGo},
		{Name: "sshd", Sniff: sniffSSHD, Parse: parseSSHD, ParseAt: parseSSHDAt},
		{Name: "web", Sniff: sniffWeb, Parse: single(parseWeb)},
		ofObjects("suricata", sniffSuricata, single(parseSuricata)),
		ofObjects("glutton", sniffGlutton, single(parseGlutton)),
		ofObjects("beelzebub", sniffBeelzebub, single(parseBeelzebub)),
	}, shippedMappings()...)
}

// single is a parser whose lines give one record each.
func single(parse func(line []byte) (Record, error)) func(line []byte) ([]Record, error) {
	return func(line []byte) ([]Record, error) {
		rec, err := parse(line)
		if err != nil {
			return nil, err
		}
		return []Record{rec}, nil
	}
}

func formatNamed(formats []Format, name string) (Format, bool) {
	for _, f := range formats {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// sniff returns the first format that recognises the line.
func sniff(formats []Format, line []byte) (Format, bool) {
	var o *object
	isObject := true
	for i := range formats {
		f := &formats[i]
		if f.sniffObject == nil {
			if f.Sniff(line) {
				return *f, true
			}
			continue
		}
		if o == nil && isObject {
			parsed, err := parseObject(line)
			o, isObject = &parsed, err == nil
		}
		if isObject && f.sniffObject(o) {
			return *f, true
		}
	}
	return Format{}, false
}

// The reasons of a [ParseError]. They are stored and counted: never rename one.
const (
	ReasonNotJSON       = "not_json"
	ReasonNotObject     = "not_an_object"
	ReasonTooDeep       = "nested_too_deep"
	ReasonNoTimestamp   = "no_timestamp"
	ReasonBadTimestamp  = "bad_timestamp"
	ReasonTimeRange     = "time_out_of_range"
	ReasonNoEvent       = "no_event_type"
	ReasonUnknownFormat = "unknown_format"
	ReasonLineTooLong   = "line_too_long"
	ReasonInternal      = "parser_failed"
)

// ParseError says why a line gives no event.
type ParseError struct {
	// Reason is one of the Reason constants.
	Reason string
	// Detail is a sentence for the operator.
	Detail string
}

// Error implements error.
func (e *ParseError) Error() string { return e.Reason + ": " + e.Detail }

// The slugs of an [IgnoreError]. They are counted: never rename one.
const (
	// IgnoredOwnMessage is a message of the decoy about itself.
	IgnoredOwnMessage = "own_message"
	// IgnoredOwnConnection is a connection that the decoy made or waits for.
	IgnoredOwnConnection = "own_connection"
	// IgnoredHeader is a header or comment line of a file.
	IgnoredHeader = "header"
	// IgnoredNoEvent is a line that is known to say nothing about an attacker.
	IgnoredNoEvent = "no_event"
)

// IgnoreError says why a line is no event on purpose. Nothing is lost by it: the
// line is counted and not kept.
type IgnoreError struct {
	// Reason is one of the Ignored constants, or the name of an ignore rule.
	Reason string
	// Detail is a sentence for the operator.
	Detail string
}

// Error implements error.
func (e *IgnoreError) Error() string { return e.Reason + ": " + e.Detail }

func ignore(reason, format string, args ...any) error {
	return &IgnoreError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

func reject(reason, format string, args ...any) error {
	return &ParseError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// isBlank reports whether a line says nothing. NUL counts as blank: a file that
// is truncated under a writer that does not append begins with a hole.
func isBlank(line []byte) bool { return len(bytes.Trim(line, " \t\r\n\v\f\x00")) == 0 }
