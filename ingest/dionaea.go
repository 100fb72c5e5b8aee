package ingest

import (
	"bytes"
	"slices"
	"strings"

	"decnet/repo"
)

func sniffDionaea(line []byte) bool {
	if !bytes.Contains(line, []byte(`"connection"`)) {
		return false
	}
	o, err := parseObject(line)
	if err != nil || o.get("src_hostname") == nil || o.get("timestamp") == nil {
		return false
	}
	connection := o.object("connection")
	return connection.get("transport") != nil && connection.get("type") != nil
}

// parseDionaea reads a line of dionaea.json: a whole connection, with the logins
// and the FTP commands that came over it. It gives one event for the connection,
// whose fields are the line, and one for each login and command behind it, all
// at the time of the connection: the line has no other. A connection that the
// pot opened, or waits on, is none of an attacker.
func parseDionaea(line []byte) ([]Record, error) {
	o, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	if c := o.get("connection"); len(c) == 0 || c[0] != '{' {
		return nil, reject(ReasonNoEvent, "The line has no connection.")
	}
	connection := o.object("connection")
	kind, _ := connection.str("type")
	if kind == "connect" || kind == "listen" {
		return nil, ignore(IgnoredOwnConnection, "The pot itself opened or awaits this connection (type %s).", kind)
	}
	var e repo.Event
	if e.Time, err = eventTime(o.get("timestamp")); err != nil {
		return nil, err
	}
	ip, _ := o.str("src_ip")
	e.AttackerIP = repo.AttackerAddress(ip)
	e.Decky, e.EventType = "dionaea", "connect"
	if kind == "reject" {
		e.EventType = "connection_rejected"
	}
	protocol, _ := connection.str("protocol")
	e.Service = dionaeaService(protocol)

	first := e
	fields := fieldsWithout(&o, "timestamp")
	first.Fields = fields.normal()
	applyRules(&first, &fields)
	records := []Record{{Event: first}}
	common := shared(&o, "connection", "src_ip", "src_port", "src_hostname", "dst_ip", "dst_port")
	records = dionaeaLogins(records, e, &o, &common)
	records = dionaeaCommands(records, e, &o, &common)
	return shareLine(records, line), nil
}

// dionaeaService is the protocol of one of Dionaea's modules, which are named
// like daemons.
func dionaeaService(protocol string) string {
	name := strings.ToLower(protocol)
	daemons := [...]string{
		"smbd", "ftpd", "httpd", "mysqld", "mssqld", "mqttd", "mongod", "upnpd", "pptpd", "tftpd", "ntpd",
		"memcached", "printerd", "mirrord", //nolint:misspell // that is its name
	}
	switch {
	case name == "":
		return "dionaea"
	case name == "mongod":
		return "mongodb"
	case name == "sipsession", name == "sipcall":
		return "sip"
	case slices.Contains(daemons[:], name):
		return strings.TrimSuffix(name, "d")
	}
	return name
}

// dionaeaLogins adds an event for each login. They are a list of objects, or
// with flat_data an object of lists that belong together.
func dionaeaLogins(records []Record, e repo.Event, o, common *object) []Record {
	e.EventType = "auth_attempt"
	for _, pair := range parallel(o.get("credentials"), "username", "password") {
		if len(records) == maxParts {
			break
		}
		login, fields := e, common.clone()
		fields.set("username", orNull(pair[0]))
		fields.set("password", orNull(pair[1]))
		login.Fields = fields.normal()
		applyRules(&login, &fields)
		if password, ok := scalarText(pair[1]); ok && isNull(orNull(pair[0])) {
			addPassword(&login, password)
		}
		records = append(records, Record{Event: login})
	}
	return records
}

// dionaeaCommands adds an event for each FTP command, its arguments behind it.
func dionaeaCommands(records []Record, e repo.Event, o, common *object) []Record {
	e.EventType = "command"
	ftp := o.object("ftp")
	for _, pair := range parallel(ftp.get("commands"), "command", "arguments") {
		if len(records) == maxParts {
			break
		}
		words := []string{}
		for _, raw := range append([][]byte{pair[0]}, elements(pair[1])...) {
			if word, ok := scalarText(raw); ok && word != "" {
				words = append(words, word)
			}
		}
		command, fields := e, common.clone()
		fields.set("command", quote(strings.Join(words, " ")))
		command.Fields = fields.normal()
		applyRules(&command, &fields)
		records = append(records, Record{Event: command})
	}
	return records
}

// parallel reads pairs: a list of objects with two keys, or an object of two
// lists; where one list is shorter, or one key is missing, that half is nil.
func parallel(raw []byte, left, right string) [][2][]byte {
	var pairs [][2][]byte
	if len(raw) == 0 {
		return nil
	}
	if raw[0] == '{' {
		o, _ := parseObject(raw)
		a, b := o.list(left), o.list(right)
		for i := range max(len(a), len(b)) {
			var pair [2][]byte
			if i < len(a) {
				pair[0] = a[i]
			}
			if i < len(b) {
				pair[1] = b[i]
			}
			pairs = append(pairs, pair)
		}
		return pairs
	}
	for _, one := range elements(raw) {
		if one[0] == '{' {
			o, _ := parseObject(one)
			pairs = append(pairs, [2][]byte{o.get(left), o.get(right)})
		}
	}
	return pairs
}
