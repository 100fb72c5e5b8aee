package ingest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"decnet/repo"
)

// sniffSSHD recognises auth.log by its header and a program that writes to it.
func sniffSSHD(line []byte) bool {
	if len(line) == 0 || line[0] == '{' {
		return false
	}
	l, ok := parseLogLine(string(line))
	return ok && (isSSHD(l.program) || slices.Contains(authPrograms(), l.program))
}

func isSSHD(program string) bool {
	return program == "sshd" || strings.HasPrefix(program, "sshd-")
}

// authPrograms are those whose lines stand between sshd's in auth.log.
func authPrograms() []string {
	return []string{
		"sudo", "su", "CRON", "cron", "systemd-logind", "login", "useradd", "userdel", "usermod", "groupadd",
		"passwd", "chpasswd", "chage", "polkitd", "pkexec",
	}
}

// parseSSHD is [parseSSHDAt] with the present as the reference.
func parseSSHD(line []byte) ([]Record, error) { return parseSSHDAt(line, time.Now()) }

// parseSSHDAt reads a line of auth.log (or /var/log/secure). Its time may lack
// the year: see [logLine.time] for what reference is. Names, banners and reasons
// are the attacker's and may imitate the rest of a line, so the address is taken
// from where sshd itself writes it.
func parseSSHDAt(line []byte, reference time.Time) ([]Record, error) {
	l, ok := parseLogLine(string(line))
	if !ok {
		return nil, reject(ReasonNotFormat, "The line has no syslog header: time, host, program.")
	}
	if !isSSHD(l.program) {
		return nil, ignore(IgnoredNoEvent, "The line is not of sshd.")
	}
	at, err := l.time(reference)
	if err != nil {
		return nil, err
	}
	msg, times := cutRepeat(l.msg)
	if isSSHDOwn(msg) {
		return nil, ignore(IgnoredOwnMessage, "The line is about sshd itself.")
	}
	rec := Record{Event: sshdEvent(&l, msg, times)}
	rec.Event.Time, rec.Event.RawLine = at, string(line)
	if times > maxRepeats {
		times = 1
	}
	return slices.Repeat([]Record{rec}, times), nil
}

// maxRepeats bounds the events of one line; one that claims more gives one
// event, whose field "repeated" has the number.
const maxRepeats = 1000

var sshdRepeat = regexp.MustCompile(`^message repeated (\d{1,6}) times: \[ ?(.*)\]$`)

// cutRepeat unwraps rsyslog's "message repeated N times: [ … ]".
func cutRepeat(msg string) (text string, times int) {
	m := sshdRepeat.FindStringSubmatch(msg)
	if m == nil {
		return msg, 1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 1 {
		return msg, 1
	}
	return m[2], n
}

func isSSHDOwn(msg string) bool {
	for _, prefix := range [...]string{
		"Server listening on ", "Received signal ", "Received SIGHUP", "Exiting on signal", "error: Bind to port ",
		"rexec line ", "Deprecated option", "Unsupported option",
	} {
		if strings.HasPrefix(msg, prefix) {
			return true
		}
	}
	return false
}

func sshdEvent(l *logLine, msg string, times int) repo.Event {
	e := repo.Event{}
	e.Decky, e.Service, e.EventType = asText(l.host), "ssh", "message"
	e.Msg, e.AttackerIP = asText(l.msg), repo.UnknownAttacker
	var fields object
	fields.setText("program", l.program)
	fields.setNumber("pid", l.pid)
	if times > 1 {
		fields.setNumber("repeated", strconv.Itoa(times))
	}
	msg = cutStage(msg, &fields)
	for _, r := range sshdRules() {
		m := r.match(msg)
		if m == nil {
			continue
		}
		e.EventType = r.event
		for i, name := range r.re.SubexpNames() {
			switch {
			case name == "" || m[i] < 0:
			case strings.HasSuffix(name, "port") || name == "code" || name == "count":
				fields.setNumber(name, m.text(msg, i))
			case name == "username":
				// An empty name is one, too.
				fields.set(name, quote(m.text(msg, i)))
			default:
				fields.setText(name, strings.TrimSpace(m.text(msg, i)))
			}
		}
		if ip, ok := fields.str("src_ip"); ok {
			e.AttackerIP = repo.AttackerAddress(ip)
		}
		break
	}
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	return e
}

// cutStage takes off what sshd puts around a message: its level before, and how
// far the login was behind.
func cutStage(msg string, fields *object) string {
	for _, level := range [...]string{"error", "fatal"} {
		if rest, ok := strings.CutPrefix(msg, level+": "); ok {
			fields.setText("level", level)
			msg = rest
			break
		}
	}
	trimmed := strings.TrimRight(msg, " ")
	for _, stage := range [...]string{"preauth", "postauth"} {
		if rest, ok := strings.CutSuffix(trimmed, " ["+stage+"]"); ok {
			fields.setText("stage", stage)
			return rest
		}
	}
	return msg
}
