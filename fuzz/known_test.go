//go:build fuzz

package fuzz

import (
	"strings"

	"decnet/fuzz/engine"
)

// known are breaches of the contract that are found but not mended yet. They are
// logged and don't fail the run; each says what is to be mended.
func known(f *engine.Failure) (why string, ok bool) {
	if f.Check == "problem_in_catalogue" && f.Reason == "400: the detail is not in the catalogue" && f.Trial.Last().Body != nil {
		if object, isObject := f.Trial.Last().Body.Value.(map[string]any); isObject {
			if _, has := object[""]; has {
				return `package contract: a field named "" has no subject in its sentence`, true
			}
		}
	}
	if value, _ := f.Trial.Last().Arg("path", "uuid"); f.Check == "response_schema_conformance" && strings.HasSuffix(f.Reason, "/detail: enum") {
		if text, isText := value.(string); isText && strings.Contains(text, "/") && strings.HasPrefix(f.Answer, "404 ") {
			return "openapi.yaml: a path value with a slash in it gives the 404 of an unknown path, whose sentence the response does not list", true
		}
	}
	return "", false
}
