"""Counts the Honeytrap capture beside it, as the independent side of a test:

    python3 oracle.py > counts.json
"""
import email.parser
import gzip
import json
import pathlib
import re
from collections import Counter

NAME = "uqo-2025-02-18.jsonl.gz"
REQUEST = re.compile(rb"[A-Z]{3,10} \S+ HTTP/\d\.\d\r?\n")
c = {"lines": 0, "ignored": 0, "rejected": 0, "per_event_type": Counter(), "per_service": Counter(),
     "per_attacker": Counter(), "commands": 0, "credentials": 0, "user_agents": set()}
for line in gzip.open(pathlib.Path(__file__).parent / NAME, "rt"):
    c["lines"] += 1
    e = json.loads(line)
    a = e["attack_connection"]
    if e["is_virtual"]:
        c["ignored"] += 1
        continue
    data = bytes.fromhex(a["payload"]["data_hex"])
    m = REQUEST.match(data)
    kind, service = ("data" if data else "connect"), a["protocol"]
    if m:
        kind, service = "request", "http"
        headers = email.parser.BytesParser().parsebytes(data[m.end():], headersonly=True)
        method, path, _ = m.group().split(maxsplit=2)
        if headers["User-Agent"]:
            c["user_agents"].add((a["remote_ip"], method, path, str(headers["User-Agent"])))
    c["per_event_type"][kind] += 1
    c["per_service"][service] += 1
    c["per_attacker"][a["remote_ip"]] += 1
c["events"] = sum(c["per_event_type"].values())
c["user_agents"] = len(c["user_agents"])
print(json.dumps({NAME: c}, indent=1, sort_keys=True))
