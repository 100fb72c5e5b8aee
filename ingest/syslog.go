package ingest

import (
	"regexp"
	"strconv"
	"strings"

	"decnet/repo"
)

// The parts of a priority value: facility times 8 plus severity.
const (
	severities     = 8
	facilityLocal0 = 16
)

// sniffSyslog recognises what DECNET's containers write: a decoy's event by its
// element or its facility, a shell's or a login's line by what DECNET's template
// makes of it. Other programs' lines in the same form are left to other formats.
func sniffSyslog(line []byte) bool {
	text, err := dropCount(string(line))
	if err != nil {
		return false
	}
	m, ok := parseSyslog(text)
	switch {
	case !ok:
		return false
	case len(m.params) > 0:
		return true
	case m.msgID != nilEvent:
		return m.procID == nilEvent && facility(text) == facilityLocal0
	case m.app == "bash":
		return shellCommand.MatchString(m.msg)
	}
	// rsyslog's template puts two blanks before the text; others put one.
	return (isSSHD(m.app) || m.app == loginProgram) && isNumber(m.procID) && strings.HasPrefix(m.msg, " ")
}

// parseSyslogLine reads an RFC 5424 line of a DECNET container. HOSTNAME is the
// decky, APP-NAME the service, MSGID the event type, and the fields are the
// parameters of the element decnet@55555. The SSH and Telnet decoys' lines come
// from a real sshd, login and bash and are read as what these write. A count of
// octets before the line (RFC 6587) is passed if it is right.
func parseSyslogLine(line []byte) ([]Record, error) {
	text, err := dropCount(string(line))
	if err != nil {
		return nil, err
	}
	m, ok := parseSyslog(text)
	if !ok {
		return nil, reject(ReasonNotFormat, "The line is not whole in the form of RFC 5424.")
	}
	if facility(text) == facilityLocal0 && isNumber(m.procID) && len(m.params) == 0 {
		return nil, ignore(IgnoredOwnMessage, "The line is of DECNET's own services' log.")
	}
	if isSSHD(m.app) && m.msgID == nilEvent {
		records, err := parseSSHD([]byte(text))
		return shareLine(records, line), err
	}
	var e repo.Event
	if m.timestamp == nilEvent {
		return nil, reject(ReasonNoTimestamp, "The event has no timestamp.")
	}
	if e.Time, err = timeOf(m.timestamp); err != nil {
		return nil, err
	}
	e.RawLine = string(line)
	e.Decky, e.Service = notNil(m.host, unknownName), notNil(m.app, unknownName)
	e.EventType = asText(m.msgID)
	e.Msg = asText(strings.TrimLeft(strings.TrimPrefix(m.msg, "\uFEFF"), " "))
	fields, known := syslogFields(&e, &m)
	if !known {
		return nil, ignore(IgnoredNoEvent, "The program %s is no decoy.", cut(m.app))
	}
	e.AttackerIP = attackerOf(&fields)
	if target, ok := fields.text("target_ip"); ok && e.Service == serviceProber {
		e.AttackerIP = repo.AttackerAddress(target)
	}
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	addDecoyBounties(&e, &fields)
	return []Record{{Event: e}}, nil
}

// syslogFields reads the fields of a decoy's event, or those that a shell or a
// login program wrote as text, by position; known is false for other programs.
func syslogFields(e *repo.Event, m *syslogLine) (fields object, known bool) {
	for _, p := range m.params {
		fields.set(asText(p.name), quote(p.value))
	}
	if m.msgID != nilEvent || len(m.params) > 0 {
		return fields, true
	}
	switch m.app {
	case "bash":
		if c := shellCommand.FindStringSubmatch(m.msg); c != nil {
			e.EventType = "command"
			fields.setNumber("uid", c[1])
			fields.setText("pwd", c[2])
			fields.set("command", quote(c[3]))
		}
		return fields, true
	case loginProgram:
		e.Service = "telnet"
		fields.setNumber("pid", strings.TrimPrefix(m.procID, nilEvent))
		readLogin(e, &fields)
		return fields, true
	}
	return fields, false
}

// shellCommand is what the decoys' shell logs of each command. A directory could
// be named so that it looks like the end of pwd: then what is behind that is
// taken for the command, and nothing else is touched.
var shellCommand = regexp.MustCompile(`(?s)^ *CMD uid=(\d+) pwd=(.*?) cmd=(.*)$`)

const loginProgram = "login"

var (
	loginFailed = regexp.MustCompile(`^FAILED LOGIN \((?P<count>\d+)\) on '(?P<tty>[^']*)'(?: from '(?P<src_ip>[^']*)')?` +
		` FOR '(?P<username>.*)', (?P<reason>[^']*)$`)
	loginBusybox = regexp.MustCompile(`^invalid password for '(?P<username>.*)' on '(?P<tty>[^']*)'`)
	loginRoot    = regexp.MustCompile(`^(?:ROOT LOGIN |root login)(?: on '(?P<tty>[^']*)')?(?: from '(?P<src_ip>[^']*)')?$`)
)

// readLogin reads the Telnet decoy's login program. An address counts only
// where no name stands before it, which could imitate one.
func readLogin(e *repo.Event, fields *object) {
	e.EventType = "message"
	for _, rule := range [...]struct {
		event string
		re    *regexp.Regexp
	}{
		{"login_failed", loginFailed}, {"login_failed", loginBusybox}, {"login_success", loginRoot},
	} {
		m := rule.re.FindStringSubmatch(e.Msg)
		if m == nil {
			continue
		}
		e.EventType = rule.event
		for i, name := range rule.re.SubexpNames() {
			switch name {
			case "":
			case "count":
				fields.setNumber(name, m[i])
			default:
				fields.setText(name, m[i])
			}
		}
		return
	}
}

// dropCount passes the octet count that stands before a line which was framed by
// RFC 6587. The line end may have been counted.
func dropCount(s string) (string, error) {
	digits, rest, found := strings.Cut(s, " ")
	if !found || !isNumber(digits) || !strings.HasPrefix(rest, "<") {
		return s, nil
	}
	if n, err := strconv.Atoi(digits); err != nil || n != len(rest) && n != len(rest)+1 {
		return s, reject(ReasonNotFormat, "The octet count before the line is not its length.")
	}
	return rest, nil
}

// facility is that of the priority which a line begins with, -1 for none.
func facility(s string) int {
	pri, _, _ := strings.Cut(strings.TrimPrefix(s, "<"), ">")
	n, err := strconv.Atoi(pri)
	if err != nil {
		return -1
	}
	return n / severities
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func notNil(s, missing string) string {
	if s == nilEvent {
		return missing
	}
	return asText(s)
}
