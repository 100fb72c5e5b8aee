"""Counts the Dionaea capture beside it, as the independent side of a test:

    python3 oracle.py > counts.json
"""
import gzip
import json
import pathlib
from collections import Counter

NAME = "tpot-2025-10-24.jsonl.gz"
c = {"lines": 0, "ignored": 0, "rejected": 0, "per_event_type": Counter(), "per_service": Counter(),
     "per_attacker": Counter(), "commands": 0, "credentials": set(), "user_agents": 0}
for line in gzip.open(pathlib.Path(__file__).parent / NAME, "rt"):
    c["lines"] += 1
    e = json.loads(line)
    if e["connection"]["type"] in ("connect", "listen"):
        c["ignored"] += 1
        continue
    src, service = e["src_ip"], e["connection"]["protocol"].rstrip("d")
    logins = e.get("credentials", {"username": [], "password": []})
    commands = e.get("ftp", {}).get("commands", {}).get("command", [])
    pairs = list(zip(logins["username"], logins["password"], strict=True))
    n = 1 + len(pairs) + len(commands)
    c["per_event_type"] += Counter(connect=1, auth_attempt=len(pairs), command=len(commands))
    c["per_service"][service] += n
    c["per_attacker"][src] += n
    c["commands"] += len(commands)
    c["credentials"] |= {(src, u, p) for u, p in pairs}
c["events"] = sum(c["per_event_type"].values())
c["credentials"] = len(c["credentials"])
print(json.dumps({NAME: c}, indent=1, sort_keys=True))
