//go:build fuzz

package engine

import (
	"net/http"
	"slices"
	"strings"
)

func methodChecks() []Check {
	return []Check{
		{"unsupported_method", unsupportedMethod},
		{"allow_header_conformance", allowConformance},
	}
}

// tried are the methods that a service must refuse where they aren't documented.
// HEAD belongs to GET, and OPTIONS is free to answer.
func tried() []string {
	return []string{
		http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions,
		http.MethodPatch, http.MethodTrace, "QUERY",
	}
}

// unsupportedMethod wants 405 with Allow for a method that is not documented.
func unsupportedMethod(in *Input) []string {
	method := in.Exchange.Method
	if !in.Verdict.KnownPath || in.Verdict.Operation != nil || method == http.MethodOptions || !slices.Contains(tried(), method) || in.Exchange.Broken != "" {
		return nil
	}
	switch {
	case in.Exchange.Status == http.StatusNotFound && strings.Contains(in.Operation.Path, "{"):
		return nil
	case in.Exchange.Status != http.StatusMethodNotAllowed:
		return []string{method + " is not documented, answered " + statusText(in.Exchange.Status)}
	case in.Exchange.Header.Get("Allow") == "":
		return []string{"405 without Allow"}
	}
	return nil
}

// allowConformance wants that Allow, where it is sent, lists what is documented:
// on OPTIONS, and beyond the reference on every 405. HEAD and OPTIONS don't
// count on either side.
func allowConformance(in *Input) []string {
	header := in.Exchange.Header.Get("Allow")
	if !in.Verdict.KnownPath || header == "" || in.Exchange.Method != http.MethodOptions && in.Exchange.Status != http.StatusMethodNotAllowed {
		return nil
	}
	got := map[string]bool{}
	for method := range strings.SplitSeq(header, ",") {
		got[strings.ToUpper(strings.TrimSpace(method))] = true
	}
	want := in.Operation.Declared()
	var out []string
	for _, method := range want {
		if !got[method] && method != http.MethodHead && method != http.MethodOptions {
			out = append(out, "Allow lacks "+method)
		}
		delete(got, method)
	}
	delete(got, http.MethodHead)
	delete(got, http.MethodOptions)
	delete(got, "")
	for method := range got {
		out = append(out, "Allow has "+method)
	}
	slices.Sort(out)
	return out
}
