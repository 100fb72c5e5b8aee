"""Counts the captures of the formats that ship as mappings, and writes
counts.json into the directory of each."""
import base64
import glob
import json
import os
import re

import oracle

ROOT = os.path.dirname(os.path.abspath(__file__))


def adbhoney(e):
    kind = {"adbhoney.session.connect": "connect", "adbhoney.session.closed": "disconnect",
            "adbhoney.command.input": "command", "adbhoney.session.file_upload": "file_upload"}[e["eventid"]]
    return (kind, "adb", e["src_ip"], e["timestamp"], ["payload"] if "shasum" in e else [],
            kind == "command" and e["input"] != "")


def conpot(e):
    kind = {"NEW_CONNECTION": "connect", "CONNECTION_LOST": "disconnect"}[e["event_type"]]
    return kind, e["data_type"].lower(), e["src_ip"], e["timestamp"], [], False


def agent(text):
    return ["http_useragent"] if text else []


def elasticpot(e):
    return "request", "elasticsearch", e["src_ip"], e["timestamp"], agent(e["user_agent"]), False


def elasticpot_v1(e):
    raw = base64.b64decode(e["honeypot"]["raw"]).decode("utf-8", "replace")
    found = [h.split(":", 1)[1].strip() for h in raw.split("\n") if h.lower().startswith("user-agent:")]
    return "request", "elasticsearch", e["src_ip"], e["timestamp"], agent(found and found[0]), False


def h0neytr4p(e):
    return "request", e["protocol"], e["src_ip"], e["timestamp"], agent(e["user-agent"]), False


def honeyaml(e):
    return "request", "http", e["src_ip"], e["timestamp"], agent(e["user_agent"]), False


def mailoney(e):
    word = e["data"].split()[0].lower() if e["data"].split() else ""
    return "ehlo" if word == "ehlo" else "unknown_command", "smtp", e["src_ip"], e["timestamp"], [], False


def medpot(e):
    return "data", "hl7", e["src_ip"], e["timestamp"], [], False


def redishoneypot(e):
    kind = {"NewConnect": "connect", "Closed": "disconnect"}.get(e["action"], "command")
    return kind, "redis", e["addr"].rpartition(":")[0], e["time"], [], kind == "command"


def tanner(e):
    return "request", "http", e["peer"]["ip"], e["timestamp"], agent(e["headers"].get("user-agent")), False


def zeek(e):
    import datetime
    at = e["ts"]
    if not isinstance(at, str):
        at = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat()
    kind = {"conn": "flow"}.get(e.get("_path"), "zeek")
    return (kind, e.get("service", e.get("_path", "zeek")), e.get("id.orig_h", e.get("src")), at,
            agent(e.get("user_agent")), False)


for name, read in [(f.__name__.replace("_", "-"), f) for f in (
        adbhoney, conpot, elasticpot, elasticpot_v1, h0neytr4p, honeyaml, mailoney, medpot, redishoneypot,
        tanner, zeek)]:
    here, counts = os.path.join(ROOT, name), {}
    for path in sorted(glob.glob(os.path.join(here, "*.jsonl"))):
        c = counts[os.path.basename(path)] = oracle.Counts(name)
        for line in oracle.lines(path):
            kind, service, ip, at, bounties, command = read(json.loads(line))
            c.line(True)
            c.event(kind, service, ip, oracle.utc(re.sub("Z$", "+00:00", at)), bounties, command)
    oracle.write(here, counts)
