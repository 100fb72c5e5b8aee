package main

import (
	"fmt"
	"io"
	"runtime/debug"
)

// build is what the Go command recorded in the binary.
type build struct {
	// Version is the module's, or "devel".
	version string
	// Commit is "unknown" where the binary was built outside a checkout.
	commit string
	// Modified says that the checkout had changes that are in no commit.
	modified  bool
	goVersion string
}

func readBuild() build {
	b := build{version: "devel", commit: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.goVersion = info.GoVersion
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.commit = s.Value
		case "vcs.modified":
			b.modified = s.Value == "true"
		}
	}
	return b
}

func writeVersion(w io.Writer) error {
	b := readBuild()
	changed := ""
	if b.modified {
		changed = ", with changes"
	}
	_, err := fmt.Fprintf(w, "decnet %s\ncommit %s%s\nbuilt with %s\n", b.version, b.commit, changed, b.goVersion)
	return err
}
