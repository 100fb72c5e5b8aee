//go:build fuzz

package engine

import (
	"net/http"
	"slices"
	"time"
)

// Step is a request that was made, and its answer.
type Step struct {
	Case *Case
	// Operation is that which the case was made for.
	Operation *Operation
	Verdict   Verdict
	Exchange  *Exchange
}

// Resent is the request of a step once more, with another credential.
type Resent struct {
	// How is "none", or the name of a bad credential.
	How      string
	Exchange *Exchange
}

// Input is all that a check sees.
type Input struct {
	Spec *Spec
	Step
	// History are the steps before, the oldest first.
	History []Step
	// Resent are there after a success of a secured operation.
	Resent []Resent
	// Anonymous says that the caller sent no credential; BadCredential that it
	// sent one that must not be taken.
	Anonymous, BadCredential bool
	// Secrets may not be seen in a response.
	Secrets []string
	// Slow is what max_response_time allows; 0 means anything.
	Slow time.Duration
	// Tolerated are statuses that the caller accepts for any valid request, such as
	// that of a throttle.
	Tolerated []int
}

// Check is a rule. It is a pure function of what happened: it returns the ways
// in which the rule was broken, each a short text without any value that was
// sent or received, and nil where it was kept or does not apply.
type Check struct {
	// Name is stable: findings are counted by it.
	Name string
	Run  func(in *Input) []string
}

// Checks returns the fourteen checks of the reference and those of our own.
func Checks() []Check {
	return slices.Concat(responseChecks(), acceptanceChecks(), methodChecks(), historyChecks(), ownChecks())
}

// CheckNamed returns a check by its name.
func CheckNamed(name string) (Check, bool) {
	for _, c := range Checks() {
		if c.Name == name {
			return c, true
		}
	}
	return Check{}, false
}

// undeclared reports whether the request is outside the document, where most
// checks have nothing to say.
func (in *Input) undeclared() bool { return in.Verdict.Operation == nil }

func success(status int) bool { return status >= 200 && status < 300 }

func oneOf(status int, list ...int) bool { return slices.Contains(list, status) }

func responseChecks() []Check {
	return []Check{
		{"not_a_server_error", notAServerError},
		{"status_code_conformance", statusConformance},
		{"content_type_conformance", contentTypeConformance},
		{"response_headers_conformance", headersConformance},
		{"response_schema_conformance", schemaConformance},
		{"max_response_time", func(in *Input) []string {
			if in.Slow > 0 && in.Exchange.Elapsed > in.Slow {
				return []string{"the answer took too long"}
			}
			return nil
		}},
	}
}

// notAServerError wants a 2xx, 3xx or 4xx, and a whole answer.
func notAServerError(in *Input) []string {
	switch {
	case in.Exchange.Broken != "":
		return []string{in.Exchange.Broken}
	case in.Exchange.Status < 200 || in.Exchange.Status >= 500:
		return []string{"status " + http.StatusText(in.Exchange.Status)}
	}
	return nil
}

// statusConformance wants a declared status; wildcards and default count.
func statusConformance(in *Input) []string {
	if in.undeclared() || in.Exchange.Broken != "" {
		return nil
	}
	if _, ok := in.Verdict.Operation.Response(in.Exchange.Status); !ok {
		return []string{"status " + statusText(in.Exchange.Status) + " is not documented"}
	}
	return nil
}

func acceptanceChecks() []Check {
	return []Check{
		{"positive_data_acceptance", positiveAcceptance},
		{"negative_data_rejection", negativeRejection},
		{"missing_required_header", missingHeader},
		{"ignored_auth", ignoredAuth},
	}
}

// positiveAcceptance wants that a valid request is not refused as invalid.
func positiveAcceptance(in *Input) []string {
	if in.Verdict.Kind != Positive || in.Exchange.Broken != "" {
		return nil
	}
	status := in.Exchange.Status
	if status >= 200 && status < 300 || status == http.StatusNotModified || status >= 500 ||
		oneOf(status, 401, 403, 404, 409) || slices.Contains(in.Tolerated, status) ||
		status != http.StatusRequestEntityTooLarge && in.tooLarge() {
		return nil
	}
	if in.Spec.grants(in.Verdict.Operation) && oneOf(status, 400, 422) {
		return nil
	}
	return []string{"a valid request was answered " + statusText(status)}
}

// grants reports whether the operation is the token URL of an OAuth2 scheme.
func (s *Spec) grants(op *Operation) bool {
	if s.Doc.Components == nil {
		return false
	}
	for _, ref := range s.Doc.Components.SecuritySchemes {
		flows := ref.Value.Flows
		if flows == nil {
			continue
		}
		if flows.Password != nil && flows.Password.TokenURL == op.Path || flows.ClientCredentials != nil && flows.ClientCredentials.TokenURL == op.Path {
			return true
		}
	}
	return false
}

// largeBody is where a server may say that a body or a head is too large, in bytes.
const largeBody = 16 << 10

// tooLarge reports whether the request was refused for its size and is large. A
// server has a limit of its own for heads, which a valid request may meet too;
// status_code_conformance wants it documented.
func (in *Input) tooLarge() bool {
	switch in.Exchange.Status {
	case http.StatusRequestEntityTooLarge:
		return len(in.Exchange.SentBody) > largeBody
	case http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return len(in.Exchange.URL) > largeBody
	}
	return false
}

// negativeRejection wants that an invalid request is refused. Beyond the
// reference's list of statuses it takes 415 where the media type is wrong or
// missing, 413, 414 and 431 where the request is large.
func negativeRejection(in *Input) []string {
	if in.Verdict.Kind != Negative || in.Exchange.Broken != "" {
		return nil
	}
	status := in.Exchange.Status
	if status >= 500 || oneOf(status, 400, 401, 403, 404, 405, 406, 409, 422, 428) || slices.Contains(in.Tolerated, status) {
		return nil
	}
	encoding := func(m Mutation) bool { return m.In == "header" && m.Name == "Content-Encoding" }
	wrongMedia := in.Verdict.breaks("contentType") || slices.ContainsFunc(in.Verdict.Broken, encoding) || len(in.Verdict.Operation.Bodies) > 0 && in.Exchange.Request.Get("Content-Type") == ""
	if status == http.StatusUnsupportedMediaType && wrongMedia || in.tooLarge() {
		return nil
	}
	first := in.Verdict.Broken[0]
	return []string{"a request that breaks " + first.Keyword + " of " + place(first) + " was answered " + statusText(status)}
}

// place names where a mutation is, but not what stands there.
func place(m Mutation) string {
	where := m.In
	if m.Name != "" {
		where += " " + m.Name
	}
	if m.Pointer != "" {
		where += " " + m.Pointer
	}
	return where
}

// missingHeader wants a refusal where a required header was left out, and 401
// where that was Authorization.
func missingHeader(in *Input) []string {
	m := in.Case.Mutation
	if in.Case.Scenario != ScenarioMissingParam || m == nil || m.In != "header" || in.Exchange.Broken != "" {
		return nil
	}
	status := in.Exchange.Status
	if http.CanonicalHeaderKey(m.Name) == "Authorization" {
		if status != http.StatusUnauthorized {
			return []string{"Authorization is missing, answered " + statusText(status)}
		}
		return nil
	}
	if oneOf(status, 400, 401, 403, 406, 422) {
		return nil
	}
	return []string{"header " + m.Name + " is missing, answered " + statusText(status)}
}

// ignoredAuth wants exactly 401 wherever the credential is missing or bad.
func ignoredAuth(in *Input) []string {
	op := in.Verdict.Operation
	if op == nil || !op.Secured || !success(in.Exchange.Status) {
		return nil
	}
	switch {
	case in.Anonymous:
		return []string{"answered without a credential"}
	case in.BadCredential:
		return []string{"answered with a bad credential"}
	}
	var out []string
	for _, again := range in.Resent {
		if again.Exchange.Status != http.StatusUnauthorized {
			out = append(out, "with credential "+again.How+" answered "+statusText(again.Exchange.Status)+", not 401")
		}
	}
	return out
}
