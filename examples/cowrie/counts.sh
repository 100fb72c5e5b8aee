#!/bin/sh
# Counts the capture beside it with jq, as the independent side of a test:
#     sh counts.sh > counts.json
set -eu
exec jq -s '
  def word: {
    "cowrie.session.connect": "connect", "cowrie.session.closed": "disconnect",
    "cowrie.login.success": "login_success", "cowrie.login.failed": "login_failed",
    "cowrie.client.version": "client_version", "cowrie.client.kex": "client_kex",
    "cowrie.command.input": "command", "cowrie.command.failed": "command_failed",
    "cowrie.session.params": "session_params", "cowrie.log.closed": "log_closed",
    "cowrie.direct-tcpip.request": "direct_tcpip_request"
  }[.];
  def tally(f): reduce (.[] | f) as $k ({}; .[$k] += 1);
  (reduce (.[] | select(.protocol)) as $e ({}; .[$e.sensor + " " + $e.session] = $e.protocol)) as $protocol
  | {
      lines: length,
      attackers: (map(.src_ip) | unique | length),
      deckies: (map(.sensor) | unique | length),
      per_event_type: tally(.eventid | word),
      per_service: tally($protocol[.sensor + " " + .session] // "ssh"),
      per_attacker: tally(.src_ip),
      per_quarter_hour: tally(.timestamp[:19] + "Z" | fromdate | . - . % 900 | todate),
      credentials: (map(select(has("username") and has("password")) | [.src_ip, .username, .password]) | unique | length),
      credential_events: (map(select(has("username") and has("password"))) | length),
      hassh: (map(select(.hassh) | [.src_ip, .hassh]) | unique | length),
      commands: (map(select(.eventid == "cowrie.command.input") | .input)),
      first: (map(.timestamp) | min),
      last: (map(.timestamp) | max)
    }
' "$(dirname "$0")/tpot-2025-10-24.jsonl"
