//go:build fuzz

package engine

import (
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

func historyChecks() []Check {
	return []Check{
		{"use_after_free", useAfterFree},
		{"ensure_resource_availability", resourceAvailability},
	}
}

// pathOf is the path of an exchange without its query.
func pathOf(x *Exchange) string {
	path, _, _ := strings.Cut(x.URL, "?")
	return path
}

// below reports whether path is the resource of prefix or something inside it.
func below(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// useAfterFree wants that what was deleted is gone. Ids are equal where the
// paths are. Writes to the deleted thing are exempt: they may make it again, and
// a second DELETE may say what it likes.
func useAfterFree(in *Input) []string {
	if !oneOfText(in.Exchange.Method, http.MethodGet, http.MethodHead, http.MethodPatch) || in.Exchange.Status < 200 || in.Exchange.Status >= 400 {
		return nil
	}
	for i, step := range slices.Backward(in.History) {
		if !isFree(step) || !below(pathOf(in.Exchange), pathOf(step.Exchange)) {
			continue
		}
		if recreated(in.History[i+1:], pathOf(step.Exchange)) {
			return nil
		}
		return []string{"answered " + statusText(in.Exchange.Status) + " after DELETE of " + step.Operation.Path}
	}
	return nil
}

// isFree reports whether a step deleted a resource that its path names.
func isFree(step Step) bool {
	return step.Exchange.Method == http.MethodDelete && success(step.Exchange.Status) && strings.Contains(step.Operation.Path, "{")
}

func recreated(later []Step, path string) bool {
	return slices.ContainsFunc(later, func(s Step) bool {
		return oneOfText(s.Exchange.Method, http.MethodPost, http.MethodPut) && success(s.Exchange.Status) && below(path, pathOf(s.Exchange))
	})
}

func oneOfText(text string, list ...string) bool { return slices.Contains(list, text) }

// resourceAvailability wants that what was created is there: 404 right after a
// POST whose path is a prefix, when all parameters of the path came from links,
// is a fault, unless the thing was deleted in between.
func resourceAvailability(in *Input) []string {
	n := len(in.History)
	if in.Exchange.Status != http.StatusNotFound || n == 0 || in.undeclared() {
		return nil
	}
	before := in.History[n-1]
	path := pathOf(in.Exchange)
	if before.Exchange.Method != http.MethodPost || before.Exchange.Status < 200 || before.Exchange.Status >= 400 ||
		!below(path, pathOf(before.Exchange)) || path == pathOf(before.Exchange) {
		return nil
	}
	linked := 0
	for _, p := range in.Operation.Params {
		if p.In != openapi3.ParameterInPath {
			continue
		}
		value, _ := in.Case.Arg(p.In, p.Name)
		if ref, ok := value.(Ref); !ok || !strings.HasPrefix(string(ref), "#") {
			return nil
		}
		linked++
	}
	if linked == 0 {
		return nil
	}
	if slices.ContainsFunc(in.History, func(s Step) bool { return isFree(s) && below(path, pathOf(s.Exchange)) }) {
		return nil
	}
	return []string{"404 right after " + before.Operation.ID + " answered " + statusText(before.Exchange.Status)}
}
