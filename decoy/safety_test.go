package decoy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outbound are the names by which a program reaches out, by import path.
func outbound() map[string][]string {
	return map[string][]string{
		"net":                     {"Dial", "Dialer", "Lookup", "Resolver", "DefaultResolver"},
		"crypto/tls":              {"Dial", "Dialer", "Client"},
		"net/http":                {"Get", "Post", "Head", "Client", "DefaultClient", "Transport", "DefaultTransport", "RoundTripper"},
		"net/smtp":                {""},
		"net/rpc":                 {""},
		"os/exec":                 {""},
		"plugin":                  {""},
		"net/http/httputil":       {""},
		"golang.org/x/crypto/ssh": {"Dial", "NewClient"},
	}
}

// A decoy never connects to anything, runs anything or asks a name server: the
// code of the decoys has no call that could.
func TestSafety_DecoysReachOutNowhere(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") ||
			strings.Contains(file, "traptest") {
			return err
		}
		files++
		for _, found := range reachesOut(t, file) {
			assert.Failf(t, "a decoy reaches out", "%s uses %s", file, found)
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, files, 10, "there are decoys to look at")
}

// reachesOut returns the names of a file that outbound lists.
func reachesOut(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var found []string
	names := map[string][]string{}
	for _, i := range parsed.Imports {
		importPath := strings.Trim(i.Path.Value, `"`)
		bad, listed := outbound()[importPath]
		if !listed {
			continue
		}
		if bad[0] == "" {
			found = append(found, importPath)
		}
		name := path.Base(importPath)
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = bad
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := s.X.(*ast.Ident)
		if !ok {
			return true
		}
		for _, bad := range names[pkg.Name] {
			if bad != "" && (s.Sel.Name == bad || bad == "Dial" && strings.HasPrefix(s.Sel.Name, bad) || bad == "Lookup" && strings.HasPrefix(s.Sel.Name, bad)) {
				found = append(found, pkg.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return found
}
