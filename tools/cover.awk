# Reads a Go cover profile and prints the statement coverage of each package,
# failing below `least` percent. With -coverpkg a block is listed once for each test
# binary: it is covered when any of them ran it.
NR > 1 {
	split($1, at, ":")
	statements[$1] = $2
	file[$1] = at[1]
	if ($3 > 0) hit[$1] = 1
}
END {
	for (block in statements) {
		package = file[block]
		sub(/\/[^\/]*$/, "", package)
		all[package] += statements[block]
		if (block in hit) covered[package] += statements[block]
	}
	for (package in all) {
		percent = 100 * covered[package] / all[package]
		note = ""
		if (percent < least) { note = "  below " least " %"; failed = 1 }
		printf "%-24s %5.1f %%%s\n", package, percent, note
	}
	exit failed
}
