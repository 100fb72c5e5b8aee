"""What the four constructed lines of Glutton are, by hand."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(here))
import oracle  # noqa: E402

c = oracle.Counts("glutton")
for kind, service, ip, at in [
    ("data", "smb", "198.51.100.44", "2026-02-11T03:14:15.926535"),
    ("data", "sip", "203.0.113.5", "2026-02-11T03:14:16"),
    ("data", "redis", "198.51.100.44", "2021-07-01T10:00:00.5"),
    ("connect", "redis", "198.51.100.44", "2021-07-01T10:00:00.123"),
]:
    c.line(True)
    c.event(kind, service, ip, oracle.utc(at))
oracle.write(here, {"constructed.jsonl": c})
