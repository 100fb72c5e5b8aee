# Makes a table of the output of go test -bench.
/^pkg:/ { package = $2; sub(/^decnet\//, "", package) }
/^Benchmark/ && NF >= 4 {
	if (package != shown) { printf "\n## %s\n\n| benchmark | result |\n|---|---|\n", package; shown = package }
	name = $1; sub(/^Benchmark/, "", name); sub(/-[0-9]+$/, "", name); gsub(/_/, " ", name)
	line = ""
	for (i = 3; i < NF; i += 2) line = line (line == "" ? "" : ", ") $i " " $(i + 1)
	printf "| %s | %s |\n", name, line
}
