"""Counts the access logs of nginx and Apache."""
import datetime
import glob
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(here))
import oracle  # noqa: E402

counts = {}
for path in sorted(glob.glob(os.path.join(here, "*.log"))):
    c = counts[os.path.basename(path)] = oracle.Counts("web")
    for line in oracle.lines(path):
        m = re.search(r'(\S+) - (?:\S+ )?\[(\d\d/\w+/\d{4}:[\d:]+ [+-]\d{4})\] "', line)
        c.line(m is not None)
        if m is None:
            continue
        at = datetime.datetime.strptime(m[2], "%d/%b/%Y:%H:%M:%S %z")
        quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
        agent = quoted[2] if len(quoted) > 2 else "-"
        service = "https" if re.match(r"\S+:443 ", line) else "http"
        c.event("request", service, m[1], oracle.utc(at.isoformat()), ["http_useragent"] if agent != "-" else [])
oracle.write(here, counts)
