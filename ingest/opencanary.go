package ingest

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"decnet/repo"
)

func sniffOpenCanary(line []byte) bool {
	if !bytes.Contains(line, []byte(`"logtype"`)) {
		return false
	}
	body, ok := canaryJSON(line)
	if !ok {
		return false
	}
	o, err := parseObject(body)
	if err != nil {
		return false
	}
	_, ok = integer(o.get("logtype"))
	return ok && o.get("node_id") != nil && o.get("logdata") != nil
}

// canaryHeader is what stands before the JSON where the pot logs through
// syslog or Python's logging: a priority, a time, words such as host and tag.
// It has no bracket but that of a process id, so the time and the system in
// brackets of a line of Twisted, whose text may be the attacker's, are none.
var canaryHeader = regexp.MustCompile(`^(?:<\d{1,3}>(?:1 )?)?` +
	`(?:(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*)` +
	`(?: [\w.:/@+-]+(?:\[\d+\])?:?){0,6} )?$`)

// maxCanaryHeader bounds the header, in bytes.
const maxCanaryHeader = 512

// canaryJSON is the JSON of a line, without a log header and the NUL that
// Python's syslog handler puts at the end.
func canaryJSON(line []byte) ([]byte, bool) {
	begin := bytes.IndexByte(line, '{')
	if begin < 0 || begin > maxCanaryHeader {
		return nil, false
	}
	header := line[:begin]
	if len(bytes.TrimSpace(header)) > 0 && !canaryHeader.Match(header) {
		return nil, false
	}
	return bytes.TrimRight(line[begin:], "\x00 \t"), true
}

var twistedLine = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[+-]\d{4} \[`)

// parseOpenCanary reads a line of opencanary.log. The node is the decky; service
// and event type come from the logtype; fields keep all but the node and the
// time that counts, and have what the pot calls USERNAME, PATH, CMD … under the
// names of the wire contract, too. Both local_time and utc_time are UTC.
func parseOpenCanary(line []byte) ([]Record, error) {
	body, ok := canaryJSON(line)
	if !ok {
		if bytes.HasPrefix(line, []byte("\t")) || twistedLine.Match(line) {
			return nil, ignore(IgnoredOwnMessage, "The line is a message or a traceback of Twisted.")
		}
		body = line
	}
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	logtype, ok := integer(o.get("logtype"))
	if !ok {
		return nil, reject(ReasonNoEvent, "The event has no logtype.")
	}
	host, _ := o.str("src_host")
	if logtype >= 1000 && logtype <= 1006 && host == "" {
		return nil, ignore(IgnoredOwnMessage, "Log type %d is a message of OpenCanary about itself.", logtype)
	}
	stamp := "utc_time"
	if o.get(stamp) == nil {
		stamp = "local_time"
	}
	var e repo.Event
	if e.Time, err = eventTime(o.get(stamp)); err != nil {
		return nil, err
	}
	e.RawLine = string(line)
	e.AttackerIP = repo.AttackerAddress(host)
	if e.Decky, ok = o.text("node_id"); !ok || e.Decky == "" {
		e.Decky = "opencanary"
	}
	data := o.object("logdata")
	e.Service, e.EventType = canaryKind(logtype, &data)
	fields := fieldsWithout(&o, "node_id", stamp)
	agent := canaryAliases(&fields, &data, logtype)
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	canaryFindings(&e, &fields, &data, agent)
	return []Record{{Event: e}}, nil
}

// canaryKind is service and event type of a log type, in the words of the wire
// contract's decoys; an unknown one is named by its number.
func canaryKind(logtype int64, data *object) (service, event string) {
	if kind, ok := canaryKinds()[logtype]; ok {
		service, event, _ = strings.Cut(kind, " ")
		return service, event
	}
	switch {
	case logtype == 20001:
		action, _ := data.str("action")
		switch action {
		case "connection":
			return "mongodb", "connect"
		case "auth_attempt":
			return "mongodb", "auth_attempt"
		}
		return "mongodb", "message"
	case logtype >= 1000 && logtype <= 1006:
		return "opencanary", "message"
	case logtype >= 99000 && logtype <= 99009:
		return "opencanary", "user_event"
	}
	return "opencanary", "logtype_" + strconv.FormatInt(logtype, 10)
}

func canaryKinds() map[int64]string {
	return map[int64]string{
		2000: "ftp auth_attempt", 2001: "ftp connect",
		3000: "http request", 3001: "http auth_attempt", 3002: "http request", 3003: "http request",
		4000: "ssh connect", 4001: "ssh client_version", 4002: "ssh auth_attempt",
		5000: "smb file_open",
		5001: "portscan syn_scan", 5002: "portscan os_scan", 5003: "portscan null_scan",
		5004: "portscan xmas_scan", 5005: "portscan fin_scan",
		6001: "telnet auth_attempt", 6002: "telnet connect",
		7001: "http_proxy auth_attempt",
		8001: "mysql auth_attempt", 9003: "mysql connect",
		9001: "mssql auth_attempt", 9002: "mssql auth_attempt",
		10001: "tftp request", 11001: "ntp request", 12001: "vnc auth_attempt", 13001: "snmp get_request",
		14001: "rdp connect", 15001: "sip request", 16001: "git request", 17001: "redis command",
		18001: "tcp connect", 18002: "tcp connect", 18003: "tcp data", 18004: "tcp data", 18005: "tcp data",
		19001: "llmnr response",
	}
}

// canaryAliases gives what is in logdata the names of the wire contract and
// returns the user agent.
func canaryAliases(fields, data *object, logtype int64) (agent string) {
	for _, pair := range [...][2]string{
		{"USERNAME", "username"}, {"UserName", "username"}, {"username", "username"}, {"USER", "username"},
		{"PATH", "path"}, {"REQUEST_TYPE", "method"}, {"HEADERS", "headers"}, {"FILENAME", "filename"},
		{"COMMUNITY_STRING", "community"}, {"REMOTEVERSION", "version"}, {"TTL", "ttl"},
	} {
		fields.alias(pair[1], data.get(pair[0]))
	}
	for _, key := range [...]string{"PASSWORD", "Password", "VNC Password"} {
		canaryPassword(fields, data.get(key), logtype)
	}
	switch logtype {
	case 3000:
		fields.alias("method", quote("GET"))
	case 3001:
		fields.alias("method", quote("POST"))
	case 17001:
		if cmd, ok := data.text("CMD"); ok {
			args, _ := data.text("ARGS")
			fields.alias("command", quote(strings.TrimSuffix(cmd+" "+args, " ")))
		}
	}
	if agent, _ = data.text("USERAGENT"); agent == "<not supplied>" {
		agent = ""
	}
	if agent != "" {
		fields.alias("user_agent", quote(agent))
	}
	return agent
}

// canaryPassword adds what was typed, if the pot knows it. MySQL and VNC send an
// answer to a challenge instead; the pot tells the password that fits, or a
// sentence in angle brackets, or (older ones) the answer in hex. MySQL's null
// is no answer at all, which is how an empty password is sent.
func canaryPassword(fields *object, raw []byte, logtype int64) {
	text, ok := scalarText(raw)
	switch {
	case logtype == 8001 && raw != nil && isNull(raw):
		fields.alias("password", quote(""))
	case !ok, strings.HasPrefix(text, "<Password was not in "):
	case logtype == 8001 && isHex(text, 40):
		fields.alias("password_hash", raw)
	default:
		fields.alias("password", raw)
	}
}

// canaryFindings adds what the rules for all formats can't know.
func canaryFindings(e *repo.Event, fields, data *object, agent string) {
	addUserAgent(e, fields, agent)
	switch e.Service {
	case "vnc":
		password, _ := fields.text("password")
		addPassword(e, password)
	case "snmp":
		community, _ := fields.text("community")
		addPassword(e, community)
	case "portscan":
		if e.AttackerIP != repo.UnknownAttacker {
			e.Traits.TTL = ttlOf(data.get("TTL"))
		}
	}
}
