#!/bin/bash
# Everything that docs/performance.md tells, in one run: the benchmarks of the parts,
# then the load of many dashboards on a service with a large database, which is made
# once and kept. Writes docs/performance-run.md.
set -euo pipefail
cd "$(dirname "$0")/.."
rows=${DECNET_BENCH_ROWS:-1000000}
root=${DECNET_BENCH_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/decnet-bench}
data=$root/rows-$rows
port=18965
url=http://127.0.0.1:$port
out=$(mktemp -d)
trap 'kill "${pid:-0}" 2>/dev/null || true; rm -rf "$out"' EXIT

go test -run '^$' -bench "${BENCH:-.}" -benchtime "${BENCHTIME:-300ms}" -timeout 30m ./... | tee "$out/parts.txt"

mkdir -p -m 700 "$data"
bin/decnet bench seed --rows "$rows" --data-dir "$data"
export DECNET_BENCH_PASSWORD=for-measurements-only
echo $DECNET_BENCH_PASSWORD | bin/decnet user reset bench --data-dir "$data" 2>/dev/null ||
	echo $DECNET_BENCH_PASSWORD | bin/decnet user add bench --data-dir "$data"
live=$root/live.log # what comes in under load; it stays in the database
rm -f "$live"
bin/decnet serve --data-dir "$data" --api-port $port --ingest-log-file "$live" >"$out/serve.log" 2>&1 &
pid=$!
until curl -fs $url/readyz >/dev/null; do kill -0 $pid; sleep 0.1; done
load() { bin/decnet bench load --url $url --username bench --pid $pid "$@"; }
load --duration 30s >/dev/null # totals are counted, as in a service that runs
load --duration 30s --feed "$live" --feed-rate 2000 | tee "$out/mix.txt"
load --mode spike | tee "$out/spike.txt"
load --mode sustained | tee "$out/sustained.txt"

{
	echo "# The latest run of make bench"
	echo
	echo "$(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD), $(go version | cut -d' ' -f3), $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)), load on $rows events."
	echo "\`docs/performance.md\` says what it means."
	echo
	awk -f tools/bench.awk "$out/parts.txt"
	for mode in mix spike sustained; do
		printf '\n## Load: %s\n\n```\n' $mode
		cat "$out/$mode.txt"
		echo '```'
	done
} >docs/performance-run.md
echo "docs/performance-run.md is written."
