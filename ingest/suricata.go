package ingest

import (
	"net/netip"
	"strings"

	"decnet/repo"
)

// sniffSuricata recognises eve.json by an event type that names an object of the
// line, or that has a flow's number beside it.
func sniffSuricata(o *object) bool {
	if o.get("timestamp") == nil {
		return false
	}
	kind, ok := o.str("event_type")
	if !ok || kind == "" {
		return false
	}
	if body := o.get(kind); len(body) > 0 && body[0] == '{' {
		return true
	}
	return o.get("flow_id") != nil && o.get("proto") != nil
}

// parseSuricata reads a line of eve.json. Its src_ip is the sender of the packet
// that was looked at, which in a reply is the decoy: [suricataAttacker] says whom
// the event is about. Numbers keep their digits; a flow_id is beyond 2^53.
func parseSuricata(line []byte) (Record, error) {
	o, err := parseObject(line)
	if err != nil {
		return Record{}, err
	}
	kind, ok := o.str("event_type")
	if !ok || kind == "" {
		return Record{}, reject(ReasonNoEvent, "The event has no event_type.")
	}
	if kind == "stats" || kind == "engine" {
		return Record{}, ignore(IgnoredOwnMessage, "The line is about Suricata itself: %s.", kind)
	}
	var e repo.Event
	if e.Time, err = eventTime(o.get("timestamp")); err != nil {
		return Record{}, err
	}
	e.RawLine, e.EventType = string(line), suricataEvent(kind)
	if e.Decky, ok = o.text("host"); !ok || e.Decky == "" {
		e.Decky = "suricata"
	}
	var decoyPort int64
	e.AttackerIP, decoyPort = suricataAttacker(&o, kind)
	e.Service = suricataService(&o, kind, decoyPort)
	alert := o.object("alert")
	e.Msg, _ = alert.str("signature")
	fields := fieldsWithout(&o, "timestamp", "host")
	http := o.object("http")
	fields.alias("method", http.get("http_method"))
	fields.alias("path", http.get("url"))
	e.Fields = fields.normal()
	applyRules(&e, &fields)
	if e.AttackerIP != repo.UnknownAttacker {
		agent, _ := http.str("http_user_agent")
		addUserAgent(&e, &fields, agent)
		suricataBounties(&e, &o)
	}
	return Record{Event: e}, nil
}

// suricataEvent is the event type of a kind of line: the decoys' words where they
// have one for the same thing, else Suricata's own.
func suricataEvent(kind string) string {
	switch kind {
	case "http", "http2", "sip":
		return "request"
	case "dns":
		return "query"
	case "ssh":
		return "client_version"
	}
	return strings.ToLower(kind)
}

// suricataAttacker tells who attacked, and at which port. Who opened the
// connection is, in this order: what direction says (Suricata 7), whom flow
// names (7), and the sender, except that in lines about one packet a sender at a
// well-known port, to one that is not, answers. The one who opened it is the
// attacker; unless it is a private address that turned to a public one: then,
// if the opener was told, the decoy went out by itself and nobody attacked,
// and, if not, it was an answer. A file that one public address served another
// was fetched from the decoy or by it: nobody is blamed. What goes to or from the host itself or its
// cloud's metadata service is nobody's attack.
func suricataAttacker(o *object, kind string) (attacker string, decoyPort int64) {
	src, dst := suricataAddr(o, "src_ip"), suricataAddr(o, "dest_ip")
	srcPort, _ := integer(o.get("src_port"))
	dstPort, _ := integer(o.get("dest_port"))
	if !src.IsValid() || isHostOnly(src) || isHostOnly(dst) {
		return repo.UnknownAttacker, dstPort
	}
	fromClient, told := suricataDirection(o, kind, srcPort, dstPort)
	client, server, decoyPort := src, dst, dstPort
	if !fromClient && dst.IsValid() {
		client, server, decoyPort = dst, src, srcPort
	}
	if kind == "fileinfo" && !fromClient && !server.IsPrivate() {
		return repo.UnknownAttacker, decoyPort
	}
	if client.IsPrivate() && server.IsValid() && !server.IsPrivate() {
		if told {
			return repo.UnknownAttacker, decoyPort
		}
		client, decoyPort = dst, srcPort
	}
	return client.String(), decoyPort
}

func suricataDirection(o *object, kind string, srcPort, dstPort int64) (fromClient, told bool) {
	switch direction, _ := o.str("direction"); direction {
	case "to_server":
		return true, true
	case "to_client":
		return false, true
	}
	flow := o.object("flow")
	if opener := suricataAddr(&flow, "src_ip"); opener.IsValid() {
		return opener == suricataAddr(o, "src_ip"), true
	}
	switch kind {
	case "alert", "drop", "fileinfo", "anomaly":
		answers, asks := portService(srcPort) != "", portService(dstPort) != ""
		return !answers || asks, answers != asks
	}
	return true, true
}

func suricataAddr(o *object, key string) netip.Addr {
	s, _ := o.str(key)
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// isHostOnly reports whether an address never leaves the host: loopback, and
// IPv4's link-local range, where clouds have their metadata service.
func isHostOnly(a netip.Addr) bool {
	return a.IsLoopback() || a.Is4() && a.IsLinkLocalUnicast()
}

// suricataService is the protocol by what Suricata recognised, else by the
// decoy's port, else the transport.
func suricataService(o *object, kind string, port int64) string {
	switch kind {
	case "alert", "drop", "fileinfo", "anomaly", "flow", "netflow", "packetinfo", "files", "metadata":
	case "http2":
		return "http"
	default:
		return strings.ToLower(kind)
	}
	switch app, _ := o.str("app_proto"); app {
	case "", "failed", "unknown":
	case "http1", "http2":
		return "http"
	default:
		return strings.ToLower(app)
	}
	if s := portService(port); s != "" {
		return s
	}
	if proto, ok := o.str("proto"); ok && proto != "" {
		return strings.ToLower(proto)
	}
	return unknownName
}

// portService is the protocol that a well-known port is for; "" for others.
func portService(port int64) string {
	switch port {
	case 20, 21:
		return "ftp"
	case 22, 2222:
		return "ssh"
	case 23, 2323:
		return "telnet"
	case 25, 465, 587:
		return "smtp"
	case 53:
		return "dns"
	case 69:
		return "tftp"
	case 80, 8080:
		return "http"
	case 110, 995:
		return "pop3"
	case 111:
		return "rpc"
	case 123:
		return "ntp"
	case 139, 445:
		return "smb"
	case 143, 993:
		return "imap"
	case 161:
		return "snmp"
	case 389, 636:
		return "ldap"
	case 443, 8443:
		return "https"
	case 502:
		return "modbus"
	case 1433:
		return "mssql"
	case 1883:
		return "mqtt"
	case 3306:
		return "mysql"
	case 3389:
		return "rdp"
	case 5060:
		return "sip"
	case 5432:
		return "postgres"
	case 5555:
		return "adb"
	case 5900:
		return "vnc"
	case 6379:
		return "redis"
	case 9200:
		return "elasticsearch"
	case 27017:
		return "mongodb"
	}
	return ""
}

// suricataBounties are what the line's own objects tell of a client.
func suricataBounties(e *repo.Event, o *object) {
	ssh := o.object("ssh")
	client := ssh.object("client")
	hassh := client.object("hassh")
	if hash, ok := hassh.str("hash"); ok && hash != "" {
		addFingerprint(e, "hassh", payload{
			{"hash", quote(hash)}, {"algorithms", orNull(hassh.get("string"))},
		})
	}
	file := o.object("fileinfo")
	if isSet(file.get("sha256")) {
		p := payload{
			{"url", orNull(nil)}, {"sha256", file.get("sha256")},
			{"filename", filled(file.get("filename"))}, {"size", orNull(nil)},
		}
		if n, ok := integer(file.get("size")); ok && n >= 0 {
			p[3].raw = file.get("size")
			e.Traits.PayloadBytes = n
		}
		addBounty(e, repo.BountyPayload, p)
	}
}
