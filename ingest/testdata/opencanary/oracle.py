"""Counts the OpenCanary captures beside it, as the independent side of a test:

    python3 oracle.py > counts.json
"""
import json
import pathlib
from collections import Counter

HERE = pathlib.Path(__file__).parent
LOGINS = {2000, 3001, 4002, 6001, 7001, 8001, 9001, 9002, 12001}
REQUESTS = {3000, 3002, 3003, 10001, 11001, 15001, 16001}
CONNECTS = {2001, 4000, 6002, 9003, 14001, 18001, 18002}
NAMES = {4001: "client_version", 5000: "file_open", 5001: "syn_scan", 5002: "os_scan", 5003: "null_scan",
         5004: "xmas_scan", 5005: "fin_scan", 13001: "get_request", 17001: "command", 18003: "data",
         18004: "data", 18005: "data", 19001: "response"}
SERVICES = [(2000, "ftp"), (3000, "http"), (4000, "ssh"), (5001, "portscan"), (5000, "smb"), (6000, "telnet"),
            (7000, "http_proxy"), (8000, "mysql"), (9003, "mysql"), (9000, "mssql"), (10000, "tftp"), (11000, "ntp"),
            (12000, "vnc"), (13000, "snmp"), (14000, "rdp"), (15000, "sip"), (16000, "git"), (17000, "redis"),
            (18000, "tcp"), (19000, "llmnr"), (20000, "mongodb"), (99000, "opencanary")]


def event(kind, data):
    if kind in LOGINS:
        return "auth_attempt"
    if kind in REQUESTS:
        return "request"
    if kind in CONNECTS:
        return "connect"
    if kind == 20001:
        return {"connection": "connect"}.get(data["action"], data["action"])
    return NAMES.get(kind, "user_event")


def service(kind):
    best = max((first for first, _ in SERVICES if first <= kind))
    return dict(SERVICES)[best]


def credential(kind, data):
    if kind == 13001:
        return "", data["COMMUNITY_STRING"]
    user = data.get("USERNAME", data.get("UserName"))
    password = data.get("PASSWORD", data.get("Password", data.get("VNC Password")))
    if kind == 8001 and password is None:
        password = ""
    if password is None or password.startswith("<") or user is None and kind != 12001:
        return None
    return user or "", password


def count(name):
    c = {"lines": 0, "ignored": 0, "rejected": 0, "per_event_type": Counter(), "per_service": Counter(),
         "per_attacker": Counter(), "commands": 0, "credentials": set(), "user_agents": set()}
    for line in (HERE / name).read_text().splitlines():
        c["lines"] += 1
        if not line.strip() or line[0] == "\t" or "[-]" in line:
            c["ignored"] += 1
            continue
        try:
            e = json.loads(line[line.find("{"):])
        except ValueError:
            c["rejected"] += 1
            continue
        kind, data, src = e["logtype"], e["logdata"], e["src_host"]
        if kind < 2000:
            c["ignored"] += 1
            continue
        c["per_event_type"][event(kind, data)] += 1
        c["per_service"][service(kind)] += 1
        c["per_attacker"][src] += 1
        c["commands"] += kind == 17001
        found = credential(kind, data)
        if found:
            c["credentials"].add((src, *found))
        agent = data.get("USERAGENT", "<") if kind != 15001 else data.get("HEADERS", {}).get("user-agent", ["<"])[0]
        if not agent.startswith("<"):
            c["user_agents"].add((src, agent, kind))
    c["events"] = sum(c["per_event_type"].values())
    c["credentials"] = len(c["credentials"])
    c["user_agents"] = len(c["user_agents"])
    return c


print(json.dumps({n: count(n) for n in ("constructed.jsonl", "constructed.mixed.log")}, indent=1, sort_keys=True))
