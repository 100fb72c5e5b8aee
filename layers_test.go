package decnet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goPackage is the part of the output of go list -json that is needed.
type goPackage struct {
	ImportPath string
	GoFiles    []string
	Imports    []string
}

// allowed is the direction of the architecture: a package, and the packages of
// ours that its files (not its tests) may import. What is not here imports none.
func allowed() map[string][]string {
	return map[string][]string{
		"decnet/cmd/decnet": {
			"decnet", "decnet/api", "decnet/auth", "decnet/bench/load", "decnet/bench/seed", "decnet/contract", "decnet/decoy", "decnet/decoy/trap", "decnet/fleet", "decnet/fleet/docker", "decnet/ingest",
			"decnet/profile", "decnet/repo", "decnet/repo/sqlite", "decnet/web",
		},
		"decnet/api":           {"decnet", "decnet/auth", "decnet/contract", "decnet/fleet", "decnet/repo"},
		"decnet/decoy":         {"decnet/fleet"},
		"decnet/fleet/docker":  {"decnet/fleet"},
		"decnet/ingest":        {"decnet/repo"},
		"decnet/profile":       {"decnet/repo"},
		"decnet/repo/sqlite":   {"decnet/profile", "decnet/repo", "decnet/repo/sqlite/trigram"},
		"decnet/repo/repotest": {"decnet/repo"},
		"decnet/testutil": {
			"decnet", "decnet/api", "decnet/auth", "decnet/contract", "decnet/fleet", "decnet/ingest",
			"decnet/profile", "decnet/repo", "decnet/repo/repotest", "decnet/repo/sqlite", "decnet/web",
		},
		"decnet/fuzz": {
			"decnet", "decnet/api", "decnet/contract", "decnet/ingest", "decnet/repo", "decnet/testutil",
		},
	}
}

// imitated is what a package of an imitated service may import: nothing that
// reaches the network, the database or another service. Those that others
// build on import less, and trap nothing.
func imitated(importPath string) []string {
	switch path.Base(importPath) {
	case "trap", "ber", "octets":
		return nil
	case "traptest", "tlstrap", "shell", "sasl":
		return []string{"decnet/decoy/trap"}
	case "ntlmtrap":
		return []string{"decnet/decoy/trap", "decnet/decoy/ber"}
	case "ics": // a controller that has an agent of SNMP
		return []string{"decnet/decoy/trap", "decnet/decoy/snmp"}
	case "httptrap":
		return []string{"decnet/decoy/trap", "decnet/decoy/tlstrap"}
	default:
		return []string{"decnet/decoy/trap", "decnet/decoy/tlstrap", "decnet/decoy/httptrap", "decnet/decoy/shell", "decnet/decoy/ber", "decnet/decoy/ntlmtrap", "decnet/decoy/octets", "decnet/decoy/sasl"}
	}
}

// goList asks the Go command, with -json and the given arguments. Without -pgo=off
// a profile beside a command gives each package a second name.
func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-pgo=off", "-json=ImportPath,GoFiles,Imports"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoErrorf(t, err, "go list: %s", stderr.String())
	var packages []goPackage
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
	require.NotEmpty(t, packages)
	return packages
}

func ours(importPath string) bool {
	return importPath == "decnet" || strings.HasPrefix(importPath, "decnet/")
}

// forbidden returns the imports of ours that p may not have.
func forbidden(p *goPackage) []string {
	var bad []string
	may := allowed()[p.ImportPath]
	if strings.HasPrefix(p.ImportPath, "decnet/decoy/") {
		may = imitated(p.ImportPath)
	}
	driver := p.ImportPath == "decnet/decoy" // it knows all that it imitates
	for _, i := range p.Imports {
		if ours(i) && !slices.Contains(may, i) && (!driver || !strings.HasPrefix(i, "decnet/decoy/")) {
			bad = append(bad, i)
		}
	}
	return bad
}

func TestLayers_EachPackageImportsOnlyWhatIsBelowIt(t *testing.T) {
	t.Parallel()
	for _, tags := range []string{"", "fuzz"} {
		seen := map[string]bool{}
		for _, p := range goList(t, "-tags="+tags, "./...") {
			seen[p.ImportPath] = true
			assert.Emptyf(t, forbidden(&p), "%s (tags %q) may not import these; see docs/architecture.md", p.ImportPath, tags)
		}
		// The table must not outlive the packages that it speaks of.
		for name := range allowed() {
			assert.Truef(t, seen[name], "%s is in the table but does not exist", name)
		}
	}
}

func TestLayers_AForbiddenImportIsFound(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"decnet/repo/sqlite"},
		forbidden(&goPackage{ImportPath: "decnet/api", Imports: []string{"context", "decnet/repo", "decnet/repo/sqlite"}}))
	assert.Equal(t, []string{"decnet/fleet"},
		forbidden(&goPackage{ImportPath: "decnet/not/yet/there", Imports: []string{"decnet/fleet"}}))
}

func TestLayers_TheBinaryHoldsNoTestCode(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "-deps", "./cmd/decnet") {
		for _, word := range []string{"decnet/testutil", "decnet/repo/repotest", "decnet/fuzz", "stretchr/testify", "leanovate/gopter", "go.uber.org/goleak", "go.mongodb.org"} {
			assert.NotContains(t, p.ImportPath, word)
		}
	}
}

func TestLayers_WithoutTheTagNothingOfFuzzIsThere(t *testing.T) {
	t.Parallel()
	found := false
	for _, p := range goList(t, "-deps", "-test", "./...") {
		assert.NotContains(t, p.ImportPath, "leanovate/gopter")
		if strings.HasPrefix(p.ImportPath, "decnet/fuzz") {
			found = true
			assert.Equalf(t, []string{"doc.go"}, bases(p.GoFiles), "files of %s without the tag", p.ImportPath)
		}
	}
	assert.True(t, found, "package fuzz must exist without the tag, or go test ./... fails")
}

func bases(files []string) []string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = path.Base(f)
	}
	return names
}

func TestDependencies_AreAllExplained(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	out, err := cmd.Output()
	require.NoError(t, err)
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	require.NoError(t, json.Unmarshal(out, &mod))
	text, err := os.ReadFile("docs/dependencies.md")
	require.NoError(t, err)
	explained := map[string]bool{}
	product, _, _ := strings.Cut(string(text), "\n## Tools")
	for line := range strings.Lines(product) {
		if cells := strings.Split(line, " | "); len(cells) == 3 && strings.Contains(cells[0], "/") {
			explained[strings.TrimPrefix(cells[0], "| ")] = true
		}
	}
	for _, r := range mod.Require {
		if !r.Indirect {
			assert.Truef(t, explained[r.Path], "%s has no line in docs/dependencies.md", r.Path)
			delete(explained, r.Path)
		}
	}
	assert.Empty(t, explained, "explained, but not needed any more")
}
