"""Counts the Heralding capture beside it, as the independent side of a test:

    python3 oracle.py > counts.json
"""
import json
import pathlib
from collections import Counter

NAME = "sweetie-2020-02-22.session.jsonl"
c = {"lines": 0, "ignored": 0, "rejected": 0, "per_event_type": Counter(), "per_service": Counter(),
     "per_attacker": Counter(), "commands": 0, "credentials": set(), "user_agents": 0}
for line in (pathlib.Path(__file__).parent / NAME).open():
    c["lines"] += 1
    e = json.loads(line)
    n = 1 + e["num_auth_attempts"]
    c["per_event_type"] += Counter(connect=1, auth_attempt=n - 1)
    c["per_service"][{"postgresql": "postgres"}.get(e["protocol"], e["protocol"])] += n
    c["per_attacker"][e["source_ip"]] += n
    c["credentials"] |= {(e["source_ip"], a["username"] or "", a["password"])
                         for a in e["auth_attempts"] if a["password"] is not None}
c["events"] = sum(c["per_event_type"].values())
c["credentials"] = len(c["credentials"])
print(json.dumps({NAME: c}, indent=1, sort_keys=True))
