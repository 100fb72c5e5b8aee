"""What the oracles of this directory have in common: counting.

An oracle reads captures with nothing but the standard library and writes
counts.json beside them: python3 testdata/sshd/oracle.py
"""
import datetime
import json
import os


def utc(text):
    """A time as the test writes it, in UTC; without a zone it is UTC already."""
    t = datetime.datetime.fromisoformat(text)
    if t.tzinfo is not None:
        t = t.astimezone(datetime.timezone.utc)
    return t.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Counts:
    def __init__(self, format):
        self.c = dict(format=format, lines=0, accepted=0, ignored=0, events={}, services={},
                      attackers={}, bounties={}, commands=0, first="", last="")

    def line(self, accepted):
        self.c["lines"] += 1
        self.c["accepted" if accepted else "ignored"] += 1

    def event(self, kind, service, attacker, at, bounties=(), command=False):
        for group, key in (("events", kind), ("services", service), ("attackers", attacker)):
            self.c[group][key] = self.c[group].get(key, 0) + 1
        for b in bounties:
            self.c["bounties"][b] = self.c["bounties"].get(b, 0) + 1
        self.c["commands"] += bool(command)
        if not self.c["first"] or at < self.c["first"]:
            self.c["first"] = at
        self.c["last"] = max(self.c["last"], at)


def lines(path):
    with open(path, "rb") as f:
        data = f.read().decode("utf-8", "replace")
    parts = data.split("\n")
    return parts[:-1] if parts[-1] == "" else parts


def write(here, counts):
    with open(os.path.join(here, "counts.json"), "w") as f:
        json.dump({k: v.c for k, v in counts.items()}, f, indent=1, sort_keys=True)
        f.write("\n")
