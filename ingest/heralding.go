package ingest

import (
	"bytes"
	"encoding/csv"
	"strings"

	"decnet/repo"
)

const (
	heraldingName = "heralding"
	// The columns of auth.csv and session.csv. The last of auth.csv is missing in
	// older versions.
	heraldingAuthHeader = "timestamp,auth_id,session_id,source_ip,source_port,destination_ip," +
		"destination_port,protocol,username,password,password_hash"
	heraldingSessionHeader = "timestamp,duration,session_id,source_ip,source_port,destination_ip," +
		"destination_port,protocol,num_auth_attempts"
)

func sniffHeralding(line []byte) bool {
	if isHeraldingHeader(string(line)) {
		return true
	}
	if len(line) > 0 && line[0] != '{' {
		_, err := heraldingRow(line)
		return err == nil
	}
	if !bytes.Contains(line, []byte(`"num_auth_attempts"`)) {
		return false
	}
	o, err := parseObject(line)
	return err == nil && o.get("session_id") != nil && o.get("auth_attempts") != nil
}

// parseHeralding reads a line of log_session.json: a whole session with its
// login attempts. It gives one event for the session, at its begin, whose fields
// are the line, and one for each attempt at its own time. A line of the CSV files
// gives one event: an attempt (auth.csv) or a session (session.csv). Heralding
// lets nobody in; its times are UTC.
func parseHeralding(line []byte) ([]Record, error) {
	if len(line) > 0 && line[0] != '{' {
		return parseHeraldingCSV(line)
	}
	o, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	if o.get("session_id") == nil {
		return nil, reject(ReasonNoEvent, "The line has no session_id.")
	}
	e, err := heraldingEvent(&o, "connect")
	if err != nil {
		return nil, err
	}
	first := e
	fields := fieldsWithout(&o, "timestamp")
	first.Fields = fields.normal()
	records := []Record{{Event: first}}
	common := shared(&o,
		"session_id", "source_ip", "source_port", "destination_ip", "destination_port", "protocol")
	e.EventType = "auth_attempt"
	for _, raw := range o.list("auth_attempts") {
		if len(records) == maxParts {
			break
		}
		if raw[0] != '{' {
			continue
		}
		attempt, _ := parseObject(raw)
		records = append(records, Record{Event: heraldingAttempt(e, &attempt, &common)})
	}
	return shareLine(records, line), nil
}

// heraldingEvent is what a session and its attempts have in common.
func heraldingEvent(o *object, eventType string) (e repo.Event, err error) {
	if e.Time, err = eventTime(o.get("timestamp")); err != nil {
		return e, err
	}
	ip, _ := o.str("source_ip")
	e.AttackerIP = repo.AttackerAddress(ip)
	e.Decky, e.EventType = heraldingName, eventType
	protocol, _ := o.str("protocol")
	switch e.Service = strings.ToLower(protocol); e.Service {
	case "":
		e.Service = heraldingName
	case "postgresql":
		e.Service = "postgres"
	}
	return e, nil
}

// heraldingAttempt is the event of one attempt. One without a time of its own
// has that of the session.
func heraldingAttempt(e repo.Event, attempt, common *object) repo.Event {
	if at, err := eventTime(attempt.get("timestamp")); err == nil {
		e.Time = at
	}
	fields := common.clone()
	for _, m := range attempt.members {
		if m.key != "timestamp" {
			fields.set(m.key, m.raw)
		}
	}
	heraldingFinish(&e, &fields)
	return e
}

// heraldingFinish reads the credential: VNC has no user name, and of an answer
// to a challenge that nobody could undo there is neither.
func heraldingFinish(e *repo.Event, fields *object) {
	e.Fields = fields.normal()
	applyRules(e, fields)
	if _, named := fields.text("username"); !named {
		password, _ := fields.text("password")
		addPassword(e, password)
	}
}

// isHeraldingHeader recognises the header of a CSV file, which stands before
// every part that was written after a rotation.
func isHeraldingHeader(line string) bool {
	line = strings.TrimSuffix(line, "\r")
	return line == heraldingAuthHeader || line == heraldingSessionHeader ||
		line == strings.TrimSuffix(heraldingAuthHeader, ",password_hash")
}

func parseHeraldingCSV(line []byte) ([]Record, error) {
	if isHeraldingHeader(string(line)) {
		return nil, ignore(IgnoredHeader, "The line names the columns.")
	}
	row, err := heraldingRow(line)
	if err != nil {
		return nil, err
	}
	eventType := "auth_attempt"
	if row.get("num_auth_attempts") != nil {
		eventType = "connect"
	}
	e, err := heraldingEvent(&row, eventType)
	if err != nil {
		return nil, err
	}
	fields := fieldsWithout(&row, "timestamp")
	e.RawLine = string(line)
	heraldingFinish(&e, &fields)
	return []Record{{Event: e}}, nil
}

// heraldingRow reads a row by its number of columns and by where its session id
// stands. An empty cell is what Python writes for None: it says nothing. A value
// with a line break continues on the next line and is no row, here as there.
func heraldingRow(line []byte) (object, error) {
	r := csv.NewReader(bytes.NewReader(line))
	cells, err := r.Read()
	if err != nil {
		return object{}, reject(ReasonNotFormat, "The line is no row of auth.csv or session.csv.")
	}
	header := heraldingSessionHeader
	if len(cells) > strings.Count(header, ",")+1 {
		header = heraldingAuthHeader
	}
	names := strings.Split(header, ",")
	if len(cells) < len(names)-1 || len(cells) > len(names) || !isUUID(cells[2]) ||
		header == heraldingSessionHeader && len(cells) != len(names) ||
		header == heraldingAuthHeader && !isUUID(cells[1]) {
		return object{}, reject(ReasonNotFormat, "The line is no row of auth.csv or session.csv.")
	}
	var row object
	for i, cell := range cells {
		if cell != "" {
			row.set(names[i], quote(cell))
		}
	}
	return row, nil
}

func isUUID(s string) bool {
	p := strings.Split(s, "-")
	return len(s) == 36 && len(p) == 5 && isHex(p[0], 8) && isHex(p[1], 4) && isHex(p[2], 4) &&
		isHex(p[3], 4) && isHex(p[4], 12)
}
