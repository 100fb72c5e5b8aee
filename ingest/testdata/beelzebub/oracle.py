"""Counts the constructed lines of Beelzebub."""
import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(here))
import oracle  # noqa: E402

c = oracle.Counts("beelzebub")
protocol = {}
address = {}
for line in oracle.lines(os.path.join(here, "constructed.jsonl")):
    o = json.loads(line)
    c.line(o["msg"] == "New Event")
    if o["msg"] != "New Event":
        continue
    e = o["event"]
    if e["Status"] == "Start":
        protocol[e["ID"]] = e["Protocol"]
        address[e["ID"]] = e["RemoteAddr"].rpartition(":")[0].strip("[]")
    service = (e["Protocol"] or protocol[e["ID"]]).lower()
    kind = {"Start": "connect", "End": "disconnect"}.get(e["Status"]) or {
        "http": "request", "mcp": "request", "tcp": "data",
        "ssh": "command" if e["Status"] == "Interaction" else "auth_attempt"}[service]
    bounties = ["http_useragent"] if e["UserAgent"] else []
    if kind == "auth_attempt":
        bounties.append("credential")
    ip = e["RemoteAddr"].rpartition(":")[0].strip("[]") or address.get(e["ID"], "Unknown")
    c.event(kind, service, ip, oracle.utc(e["DateTime"].replace("Z", "+00:00")), bounties, kind == "command")
oracle.write(here, {"constructed.jsonl": c})
