package ingest

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"decnet/repo"
)

// explainer knows what makes a difference to what becomes of a line.
type explainer struct {
	formats []Format
	rules   []IgnoreRule
	maxLine int
	now     time.Time
}

// Explain tells what becomes of one line, or why nothing does. format is the
// name of one of [Formats], or "" to recognise the line. Nothing is stored, and
// what other lines tell about the line's session is not known.
func Explain(line []byte, format string) repo.Explanation {
	in, err := New(Options{Sink: noSink{}})
	if err != nil {
		return repo.Explanation{Reason: ReasonInternal, Detail: err.Error()}
	}
	return in.Explain(line, format)
}

// Explain is the function of that name, with the formats and rules of the
// Ingester.
func (in *Ingester) Explain(line []byte, format string) repo.Explanation {
	x := explainer{in.formats, in.opt.Ignore, in.opt.MaxLine, in.opt.Now()}
	return x.explain(line, format)
}

func (x *explainer) explain(line []byte, format string) repo.Explanation {
	out := repo.Explanation{Format: format}
	line = []byte(strings.TrimRight(string(line), "\r\n"))
	f, ok := formatNamed(x.formats, format)
	switch {
	case isBlank(line):
		out.Ignored, out.Detail = "blank", "The line is blank."
		return out
	case len(line) > x.maxLine:
		out.Reason = ReasonLineTooLong
		out.Detail = fmt.Sprintf("The line has %d bytes; the limit is %d.", len(line), x.maxLine)
		return out
	case format != "" && !ok:
		out.Reason, out.Detail = ReasonUnknownFormat, fmt.Sprintf("There is no format named %q.", format)
		return out
	}
	if format == "" {
		if f, ok = sniff(x.formats, line); !ok {
			out.Reason, out.Detail = ReasonUnknownFormat, "No known format recognises the line."
			x.noteWrapped(&out, line)
			return out
		}
	}
	out.Format = f.Name
	records, err := protected(func(line []byte) ([]Record, error) { return f.parseAt(line, x.now) }, line)
	x.conclude(&out, records, err)
	x.note(&out, line, records)
	return out
}

func (x *explainer) conclude(out *repo.Explanation, records []Record, err error) {
	var ignored *IgnoreError
	switch {
	case errors.As(err, &ignored):
		out.Ignored, out.Detail = ignored.Reason, ignored.Detail
	case err != nil:
		why := reasonOf(err)
		out.Reason, out.Detail = why.Reason, why.Detail
	case len(records) == 0:
		out.Ignored, out.Detail = IgnoredNoEvent, "The line gives no event."
	}
	for i := range records {
		e := &records[i].Event
		at := slices.IndexFunc(x.rules, func(r IgnoreRule) bool { return r.match(e, records[i].Session.DstPort) })
		if at >= 0 {
			out.Ignored = ruleReason(x.rules[at])
			out.Detail = "A rule of the operator ignores the event."
			continue
		}
		e.Part = len(out.Events) > 0
		out.Events = append(out.Events, *e)
	}
	if len(out.Events) > 0 && out.Ignored != "" {
		out.Notes = append(out.Notes, fmt.Sprintf("Some events of the line are ignored by the %s.", out.Ignored))
		out.Ignored, out.Detail = "", ""
	}
}

// noteWrapped tells whether the receiver of syslog would understand the line.
func (x *explainer) noteWrapped(out *repo.Explanation, line []byte) {
	msg, ok := messageOf(string(line))
	if !ok {
		return
	}
	if f, ok := sniff(x.formats, []byte(msg)); ok {
		out.Notes = append(out.Notes, fmt.Sprintf(
			"Behind its syslog header the line is of the format %s: the syslog receiver takes it, a file with such lines is not understood.", f.Name))
	}
}

func (x *explainer) note(out *repo.Explanation, line []byte, records []Record) {
	add := func(format string, args ...any) {
		if note := fmt.Sprintf(format, args...); !slices.Contains(out.Notes, note) {
			out.Notes = append(out.Notes, note)
		}
	}
	if len(records) > 1 {
		add("The line gives %d events; it is counted as one line.", len(records))
	}
	for i := range records {
		noteSession(&records[i], add)
		noteAttacker(&records[i], add)
	}
	if len(records) > 0 {
		noteTime(line, add)
		if records[0].Event.Time.After(x.now.Add(24 * time.Hour)) {
			add("The time lies in the future: is the decoy's clock right?")
		}
	}
	if id, ok := eventID(line); ok {
		add("Pushed by a sensor, the line is stored once for its event_id %q.", cut(id))
	}
}

func noteSession(rec *Record, add func(string, ...any)) {
	ref := &rec.Session
	switch {
	case ref.Key == "":
	case ref.Opens:
		add("The line opens a session: its later lines get the service %s from it.", rec.Event.Service)
	case ref.Closes:
		add("The line closes a session, which is forgotten with it.")
	default:
		add("The line belongs to a session.")
	}
	if ref.Key != "" && !ref.Opens && ref.Service == "" {
		add("The service comes from the session's first line; where that was not read it is %s.", ref.Fallback)
	}
}

func noteAttacker(rec *Record, add func(string, ...any)) {
	e := &rec.Event
	if e.AttackerIP == repo.UnknownAttacker && rec.Session.Key != "" && !rec.Session.Opens {
		add("The line has no attacker's address: the attacker is that of the session, if its first line was read. No bounty and no command come of it.")
		return
	}
	if e.AttackerIP == repo.UnknownAttacker {
		add("The line has no attacker's address: no bounty, no command and no profile come of it.")
		return
	}
	addr, err := netip.ParseAddr(e.AttackerIP)
	switch {
	case err != nil:
		return
	case addr.IsUnspecified():
		add("The attacker's address %s is unspecified: the decoy did not know it.", addr)
	case addr.IsLoopback():
		add("The attacker's address %s is of the decoy itself: a proxy in front may hide the real one.", addr)
	case addr.IsPrivate() || addr.IsLinkLocalUnicast():
		add("The attacker's address %s is private: it is kept, and may be your own; an ignore rule leaves it out.", addr)
	}
	if len(e.Bounties) == 0 && e.Command == "" {
		add("The event holds no credential, fingerprint, payload or command; the attacker's profile counts it.")
	}
}

var (
	zonelessTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?$`)
	yearlessTime = regexp.MustCompile(`^(<\d+>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d `)
)

// noteTime tells what a time lacks, as far as the line shows it.
func noteTime(line []byte, add func(string, ...any)) {
	if yearlessTime.Match(line) {
		add("The time has no year and no zone: the year is that in which the line was last possible, the zone UTC.")
		return
	}
	o, err := parseObject(line)
	if err != nil {
		return
	}
	for _, key := range [...]string{"timestamp", "@timestamp", "time", "utc_time", "DateTime", "date"} {
		if s, ok := o.str(key); ok && zonelessTime.MatchString(s) {
			add("The time has no zone: it is taken as UTC.")
			return
		}
	}
}

// noSink stands where nothing is stored.
type noSink struct{ Sink }
