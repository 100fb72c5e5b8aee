"""Counts three months of a Cowrie: events, sessions' protocols, bounties, and the
distinct ones of these, which is what a database holds."""
import gzip
import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(here))
import oracle  # noqa: E402

NAME = "sweetie-2019-12_2020-02.jsonl.gz"
KINDS = {"session.connect": "connect", "session.closed": "disconnect", "command.input": "command",
         "session.file_download": "file_download", "session.file_download.failed": "file_download_failed",
         "session.file_upload": "file_upload"}

c = oracle.Counts("cowrie")
protocols, distinct, pairs, deckies, rejected = {}, {}, {}, set(), 0
for line in gzip.open(os.path.join(here, NAME), "rt", encoding="utf-8", errors="replace", newline="\n"):
    try:
        o = json.loads(line)
    except ValueError:
        c.c["lines"] += 1
        rejected += 1  # a raw control character in a password
        continue
    name = o["eventid"].removeprefix("cowrie.")
    c.line(True)
    deckies.add(o["sensor"])
    session = (o["sensor"], o["session"])
    if name == "session.connect":
        protocols[session] = o["protocol"]
    service = protocols.get(session, "ssh")
    if name == "session.closed":
        protocols.pop(session, None)
    bounties = []

    def found(kind, *what):
        bounties.append(kind)
        distinct.setdefault(kind, set()).add((o["src_ip"],) + what)

    if "username" in o and "password" in o:
        found("credential", o["username"], o["password"])
        pairs.setdefault((o["username"], o["password"]), set()).add(o["src_ip"])
    if name == "client.kex" and o.get("hassh"):
        found("hassh", o["hassh"], o["hasshAlgorithms"])
    if name in ("session.file_download", "session.file_upload") and (o.get("url") or o.get("shasum")):
        file = o.get("destfile" if name == "session.file_download" else "filename") or None
        found("payload", o.get("url") or None, o.get("shasum") or None, None if file == "-" else file, o.get("size"))
    c.event(KINDS.get(name) or name.replace(".", "_").replace("-", "_"), service, o["src_ip"],
            oracle.utc(o["timestamp"].replace("Z", "+00:00")), bounties, name == "command.input" and o["input"] != "")
oracle.write(here, {NAME: c})
with open(os.path.join(here, "stored.json"), "w") as f:
    json.dump({"rejected": rejected, "deckies": len(deckies), "bounties": {k: len(v) for k, v in distinct.items()}, "pairs": len(pairs),
               "most_attackers": max(map(len, pairs.values()))}, f, indent=1, sort_keys=True)
    f.write("\n")
