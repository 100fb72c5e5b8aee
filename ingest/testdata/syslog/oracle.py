"""Counts the DECNET lines beside it by what DECNET's own collector made of them
(../decnet/examples.collector.jsonl), as the independent side of a test:

    python3 oracle.py > counts.json
"""
import json
import pathlib
import re
from collections import Counter

HERE = pathlib.Path(__file__).parent
NAME = "examples.log"
c = {"lines": 0, "ignored": 0, "rejected": 0, "per_event_type": Counter(), "per_service": Counter(),
     "per_attacker": Counter(), "commands": 0, "credentials": set(), "user_agents": set()}
collected = {}
for line in (HERE.parent / "decnet/examples.collector.jsonl").open():
    e = json.loads(line)
    collected.setdefault(e["raw_line"], []).append(e)
AGENT = re.compile(r"User-Agent['\"]: ['\"]([^'\"]*)")
for line in (HERE / NAME).read_text().splitlines():
    c["lines"] += 1
    if line in collected:
        e = collected[line].pop(0)
        kind, service, src = e["event_type"], e["service"], e["attacker_ip"]
        if service == "bash":
            kind = "command"
        src = "Unknown" if src == "?" else src
        f = e["fields"]
        if src != "Unknown" and "username" in f and "password" in f:
            c["credentials"].add((src, f["username"], f["password"]))
        agent = AGENT.search(f.get("headers", ""))
        if agent:
            c["user_agents"].add((src, f["path"], agent[1]))
        c["commands"] += src != "Unknown" and kind == "command" and "cmd" in f
    else:
        kind, service = ("login_failed" if "Failed" in line else "login_success"), "ssh"
        src = re.search(r"from (\S+) port", line)[1]
    c["per_event_type"][kind] += 1
    c["per_service"][service] += 1
    c["per_attacker"][src] += 1
c["events"] = sum(c["per_event_type"].values())
c["credentials"] = len(c["credentials"])
c["user_agents"] = len(c["user_agents"])
print(json.dumps({NAME: c}, indent=1, sort_keys=True))
