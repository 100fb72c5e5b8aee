package ingest

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"decnet/repo"
)

// webStamp finds the one place of an access log line that nobody can forge: the
// quote behind the time begins the request, and servers write a quote of a
// client's escaped.
var webStamp = regexp.MustCompile(`(?:^| )\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "`)

// webError is how the error logs of nginx and Apache begin.
var webError = regexp.MustCompile(`^(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+#\d+: |\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:.]+ \d{4}\] \[)`)

func sniffWeb(line []byte) bool {
	if len(line) == 0 || line[0] == '{' {
		return false
	}
	text, _ := cutWebHeader(string(line))
	return webStamp.MatchString(text) || webError.MatchString(text)
}

// cutWebHeader takes off the header of a line that came through syslog.
func cutWebHeader(s string) (text, host string) {
	if l, ok := parseLogLine(s); ok {
		switch l.program {
		case "nginx", "apache", "apache2", "httpd":
			return l.msg, l.host
		}
	}
	return s, ""
}

// parseWeb reads a line of an access log of nginx or Apache: common or combined,
// with a virtual host before it, with more behind it, or with parts missing. The
// server's error log is known, but says nothing in a form that could be trusted.
func parseWeb(line []byte) (Record, error) {
	text, host := cutWebHeader(string(line))
	at := webStamp.FindStringSubmatchIndex(text)
	if at == nil {
		if webError.MatchString(text) {
			return Record{}, ignore(IgnoredNoEvent, "The line is of an error log.")
		}
		return Record{}, reject(ReasonNotFormat, "The line has no [time] followed by a request in quotes.")
	}
	stamp, err := time.Parse("02/Jan/2006:15:04:05 -0700", text[at[2]:at[3]])
	if err != nil {
		return Record{}, badTime()
	}
	if stamp = stamp.UTC(); !repo.ValidTime(stamp) {
		return Record{}, reject(ReasonTimeRange, "The timestamp is not between 1970 and 2261.")
	}
	request, rest, ok := cutRequest(text[at[1]:])
	if !ok {
		return Record{}, reject(ReasonNotFormat, "The request of the line has no end.")
	}
	var fields object
	client := webClient(text[:at[0]], &fields)
	webRequest(request, &fields)
	webRest(rest, &fields)
	var e repo.Event
	e.Time, e.Decky, e.Service, e.EventType = stamp, asText(host), "http", "request"
	if e.Decky == "" {
		e.Decky = "web"
	}
	if vhost, _ := fields.str("vhost"); strings.HasSuffix(vhost, ":443") {
		e.Service = "https"
	}
	e.RawLine, e.AttackerIP = string(line), repo.AttackerAddress(client)
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	return Record{Event: e}, nil
}

// webClient reads what is before the time: [vhost] client ident user. A user may
// hold blanks. With a virtual host the second word is an address, else it is the
// ident, which is "-"; so a Host header that is an address is not taken for the
// client.
func webClient(s string, fields *object) (client string) {
	words := strings.SplitN(s, " ", 2)
	client = words[0]
	if len(words) == 2 {
		second, _, _ := strings.Cut(words[1], " ")
		if repo.AttackerAddress(second) != repo.UnknownAttacker {
			fields.setText("vhost", client)
			words = strings.SplitN(words[1], " ", 2)
			client = second
		}
	}
	fields.setText("client", client)
	if len(words) == 2 {
		ident, user, _ := strings.Cut(words[1], " ")
		fields.setText("ident", notDash(ident))
		fields.setText("username", notDash(unescapeLog(user)))
	}
	return client
}

func notDash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

var (
	webStatus  = regexp.MustCompile(`^" (\d{3}) (\d+|-)(?: |$)`)
	webVersion = regexp.MustCompile(`^HTTP/\d(?:\.\d)?$`)
	webMethod  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// cutRequest ends the request at the first quote that is not escaped and has a
// status and a size behind it: with escapes off, a quote alone proves nothing.
// Where none has, the first quote that is not escaped ends it.
func cutRequest(s string) (request, rest string, ok bool) {
	first := -1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			if webStatus.MatchString(s[i:min(len(s), i+32)]) {
				return s[:i], s[i+1:], true
			}
			if first < 0 {
				first = i
			}
		}
	}
	if first < 0 {
		return "", "", false
	}
	return s[:first], s[first+1:], true
}

// webRequest splits a request line; one that is none (binary, "-", without a
// protocol) is kept whole.
func webRequest(s string, fields *object) {
	begin, end := strings.IndexByte(s, ' '), strings.LastIndexByte(s, ' ')
	if begin == end || !webVersion.MatchString(s[end+1:]) || !webMethod.MatchString(s[:begin]) {
		fields.set("request", quote(unescapeLog(s)))
		return
	}
	fields.setText("method", s[:begin])
	fields.setText("path", unescapeLog(s[begin+1:end]))
	fields.setText("protocol", s[end+1:])
}

// webRest reads what is behind the request: status, size, and in quotes the
// referer, the user agent and, in nginx's own format, X-Forwarded-For, which
// anybody may send and nobody should believe.
func webRest(s string, fields *object) {
	var headers object
	words := strings.SplitN(strings.TrimPrefix(s, " "), " ", 3)
	fields.setNumber("status", notDash(words[0]))
	if len(words) > 1 {
		fields.setNumber("size", notDash(words[1]))
	}
	rest := ""
	if len(words) > 2 {
		rest = words[2]
	}
	for _, name := range [...]string{"Referer", "User-Agent", "X-Forwarded-For"} {
		value, after, ok := cutQuoted(rest)
		if !ok {
			break
		}
		rest = after
		headers.setText(name, notDash(unescapeLog(value)))
	}
	if len(headers.members) > 0 {
		fields.set("headers", []byte(headers.normal()))
	}
	fields.setText("extra", unescapeLog(strings.TrimSpace(rest)))
}

// cutQuoted reads a value in quotes. A quote that is not escaped ends it only
// before a blank or the end of the line.
func cutQuoted(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"' && (i+1 == len(s) || s[i+1] == ' '):
			return s[1:i], strings.TrimPrefix(s[i+1:], " "), true
		}
	}
	return "", s, false
}

// unescapeLog undoes the escapes of both servers: \xHH, and Apache's \" \\ \n
// and the like. Text that is not UTF-8 then keeps its escapes, because a field
// can't hold bytes.
func unescapeLog(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c, n := logEscape(s[i:])
		b = append(b, c)
		i += n
	}
	if !utf8.Valid(b) {
		return s
	}
	return string(b)
}

func logEscape(s string) (c byte, n int) {
	if s[0] != '\\' || len(s) < 2 {
		return s[0], 1
	}
	if at := strings.IndexByte(`"\btnvfr`, s[1]); at >= 0 {
		return "\"\\\b\t\n\v\f\r"[at], 2
	}
	if s[1] == 'x' && len(s) >= 4 {
		high, low := hexDigit(s[2]), hexDigit(s[3])
		if high >= 0 && low >= 0 {
			return byte(high<<4 | low), 4
		}
	}
	return '\\', 1
}

// hexDigit is the value of a hexadecimal digit, -1 for anything else.
func hexDigit(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}
