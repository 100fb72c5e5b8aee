package ingest

import (
	"regexp"
	"strings"
)

// sshdRule gives the event of a message of sshd. The named groups of re become
// fields. A name is matched greedily and the address behind it: so the last
// place that looks like an address is taken, which sshd wrote, and not one in
// the name.
type sshdRule struct {
	event, prefix string
	re            *regexp.Regexp
	// single says that the text behind the address may be the attacker's as well:
	// then a message with two places that look like an address blames nobody.
	single bool
}

// spans are the begins of a match's groups; ends lie behind.
type spans []int

func (s spans) text(msg string, group int) string { return msg[s[group]:s[len(s)/2+group]] }

func (r *sshdRule) match(msg string) spans {
	if !strings.HasPrefix(msg, r.prefix) {
		return nil
	}
	m := r.re.FindStringSubmatchIndex(msg)
	if m == nil || r.single && len(sshdPlace.FindAllStringIndex(msg, 2)) > 1 {
		return nil
	}
	begins, ends := make(spans, 0, len(m)), make([]int, 0, len(m)/2)
	for i := 0; i < len(m); i += 2 {
		begins, ends = append(begins, m[i]), append(ends, m[i+1])
	}
	return append(begins, ends...)
}

const (
	sshdPeer = `(?P<src_ip>\S+) port (?P<src_port>\d+)`
	// sshdUser stands before an address, without a "from" between.
	sshdUser = `(?P<user_state>invalid |authenticating |)user (?P<username>.*) `
)

var (
	sshdPlace = regexp.MustCompile(`\S+ port \d+:`)

	sshdAuth = regexp.MustCompile(`^\w+ (?P<method>\S+) for (?P<user_state>invalid user |illegal user |)` +
		`(?P<username>.*) from ` + sshdPeer + `(?: ssh\d?)?(?:: (?P<key>.*))?$`)
	sshdInvalid    = regexp.MustCompile(`^\w+ user (?P<username>.*) from (?P<src_ip>\S+) port (?P<src_port>\d+)$`)
	sshdInvalidOld = regexp.MustCompile(`^\w+ user (?P<username>.*) from (?P<src_ip>\S+)$`)
	sshdDenied     = regexp.MustCompile(`^User (?P<username>.*) from (?P<src_ip>\S+) not allowed because (?P<reason>.*)$`)
	sshdTooMany    = regexp.MustCompile(`^maximum authentication attempts exceeded for ` +
		`(?P<user_state>invalid user |)(?P<username>.*) from ` + sshdPeer + `(?: ssh\d?)?$`)
	sshdSession = regexp.MustCompile(`^(?:Starting session: (?P<session>.*) for|Close session: user) ` +
		`(?P<username>.*) from ` + sshdPeer + `(?: id (?P<id>\d+))?$`)

	sshdClosedUser = regexp.MustCompile(`^(?P<reason>\w+ \w+ (?:by|from)|Disconnected from) ` + sshdUser + sshdPeer + `$`)
	sshdClosed     = regexp.MustCompile(`^(?P<reason>Connection \w+ by|Disconnected from) ` + sshdPeer + `$`)
	sshdClosedOld  = regexp.MustCompile(`^(?P<reason>Connection \w+ by|Disconnected from) (?P<src_ip>\S+)$`)
	sshdClosedAny  = regexp.MustCompile(`^(?P<reason>Connection \w+ by|Disconnected from) (?P<detail>.*) ` + sshdPeer + `$`)
	sshdCut        = regexp.MustCompile(`^Disconnecting (?:` + sshdUser + `)?` + sshdPeer + `: (?P<reason>.*)$`)
	sshdCutOld     = regexp.MustCompile(`^Disconnecting: (?P<reason>.*)$`)
	sshdReceived   = regexp.MustCompile(`^Received disconnect from ` + sshdPeer + `: ?(?P<code>\d+): ?(?P<reason>.*)$`)
	// Without a port an IPv6 address could not be told from the code behind it.
	sshdReceivedOld = regexp.MustCompile(`^Received disconnect from (?P<src_ip>[\d.]+): ?(?P<code>\d+): ?(?P<reason>.*)$`)

	sshdConnect = regexp.MustCompile(`^Connection from ` + sshdPeer +
		`(?: on (?P<dst_ip>\S+) port (?P<dst_port>\d+))?(?: rdomain "(?P<rdomain>[^"]*)")?$`)
	sshdDropped = regexp.MustCompile(`^drop connection #\d+ from \[(?P<src_ip>[^\]]+)\]:(?P<src_port>\d+)` +
		` on \[(?P<dst_ip>[^\]]+)\]:(?P<dst_port>\d+)[ :](?P<reason>.*)$`)
	sshdRefused = regexp.MustCompile(`^refused connect from (?P<src_host>.*) \((?P<src_ip>[^()\s]+)\)$`)
	sshdNoIdent = regexp.MustCompile(`^Did not receive identification string from (?P<src_ip>\S+)(?: port (?P<src_port>\d+))?$`)
	sshdBadVer  = regexp.MustCompile(`^Bad protocol version identification '(?P<identification>.*)' from ` + sshdPeer + `$`)
	sshdMagic   = regexp.MustCompile(`^Magic value check failed \((?P<value>\d+)\) on obfuscated handshake from ` + sshdPeer + `$`)
	sshdStage   = regexp.MustCompile(`^(?P<at>[a-z_ ]+): Connection from (?:` + sshdUser + `)?` + sshdPeer + `: (?P<reason>.*)$`)
	sshdOffer   = regexp.MustCompile(`^Unable to negotiate with ` + sshdPeer +
		`: (?P<reason>.*?)(?:\. Their offer: (?P<offer>.*))?$`)
	sshdTimeout    = regexp.MustCompile(`^Timeout before authentication for ` + sshdPeer + `$`)
	sshdTimeoutNew = regexp.MustCompile(`^Timeout before authentication for connection from (?P<src_ip>\S+) to (?P<dst_ip>\S+), pid = \d+$`)

	// The name is the last part, so what is before it is PAM's own.
	sshdPAM = regexp.MustCompile(`^(?:pam_\w+\(sshd:auth\): authentication failure|PAM (?P<count>\d+) more authentication failures?);` +
		` logname=\S* uid=\d+ euid=\d+ tty=\S* ruser=(?P<ruser>\S*) rhost=(?P<src_ip>\S*)(?: +user=(?P<username>.*))?$`)
	sshdPAMUser = regexp.MustCompile(`^PAM: (?P<reason>.*?) for (?P<user_state>illegal user |invalid user |)` +
		`(?P<username>.*) from (?P<src_ip>\S+)$`)
	sshdPAMOpened = regexp.MustCompile(`^pam_\w+\(sshd:session\): session opened for user (?P<username>.*?)(?:\(uid=\d+\))?(?: by .*)?$`)
	sshdPAMClosed = regexp.MustCompile(`^pam_\w+\(sshd:session\): session closed for user (?P<username>.*)$`)
	sshdReverse   = regexp.MustCompile(`^reverse mapping checking getaddrinfo for (?P<src_host>\S+) \[(?P<src_ip>[^\]]+)\] failed`)
	sshdMaps      = regexp.MustCompile(`^Address (?P<src_ip>\S+) maps to (?P<src_host>\S+), but this does not map back`)
)

// sshdRules are tried in their order.
func sshdRules() []sshdRule {
	return []sshdRule{
		{event: "login_failed", prefix: "Failed ", re: sshdAuth},
		{event: "login_success", prefix: "Accepted ", re: sshdAuth},
		{event: "auth_postponed", prefix: "Postponed ", re: sshdAuth},
		{event: "auth_partial", prefix: "Partial ", re: sshdAuth},
		{event: "invalid_user", prefix: "Invalid user ", re: sshdInvalid},
		{event: "invalid_user", prefix: "Invalid user ", re: sshdInvalidOld},
		{event: "invalid_user", prefix: "Illegal user ", re: sshdInvalid},
		{event: "invalid_user", prefix: "Illegal user ", re: sshdInvalidOld},
		{event: "login_denied", prefix: "User ", re: sshdDenied},
		{event: "too_many_attempts", prefix: "maximum ", re: sshdTooMany},
		{event: "session_opened", prefix: "Starting session: ", re: sshdSession},
		{event: "session_closed", prefix: "Close session: ", re: sshdSession},
		{event: "disconnect", prefix: "Connection ", re: sshdClosedUser},
		{event: "disconnect", prefix: "Disconnected ", re: sshdClosedUser},
		{event: "connect", prefix: "Connection from ", re: sshdConnect},
		{event: "disconnect", prefix: "Connection ", re: sshdClosed},
		{event: "disconnect", prefix: "Disconnected ", re: sshdClosed},
		{event: "disconnect", prefix: "Connection ", re: sshdClosedOld},
		{event: "disconnect", prefix: "Disconnected ", re: sshdClosedOld},
		{event: "disconnect", prefix: "Disconnected ", re: sshdClosedAny},
		{event: "disconnecting", prefix: "Disconnecting ", re: sshdCut, single: true},
		{event: "disconnecting", prefix: "Disconnecting: ", re: sshdCutOld},
		{event: "received_disconnect", prefix: "Received disconnect ", re: sshdReceived},
		{event: "received_disconnect", prefix: "Received disconnect ", re: sshdReceivedOld},
		{event: "connection_dropped", prefix: "drop connection ", re: sshdDropped},
		{event: "connection_refused", prefix: "refused connect ", re: sshdRefused},
		{event: "no_identification", prefix: "Did not receive ", re: sshdNoIdent},
		{event: "bad_protocol", prefix: "Bad protocol ", re: sshdBadVer},
		{event: "bad_protocol", prefix: "Magic value ", re: sshdMagic},
		{event: "negotiation_failed", prefix: "Unable to negotiate ", re: sshdOffer},
		{event: "timeout", prefix: "Timeout ", re: sshdTimeoutNew},
		{event: "timeout", prefix: "Timeout ", re: sshdTimeout},
		{event: "pam_failure", prefix: "pam_", re: sshdPAM},
		{event: "pam_failure", prefix: "PAM ", re: sshdPAM},
		{event: "pam_failure", prefix: "PAM: ", re: sshdPAMUser},
		{event: "session_opened", prefix: "pam_", re: sshdPAMOpened},
		{event: "session_closed", prefix: "pam_", re: sshdPAMClosed},
		{event: "name_mismatch", prefix: "reverse mapping ", re: sshdReverse},
		{event: "name_mismatch", prefix: "Address ", re: sshdMaps},
		{event: "protocol_error", prefix: "", re: sshdStage},
	}
}
