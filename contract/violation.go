package contract

import (
	"net/http"
	"strings"
)

// MaxViolations bounds [Violations.List]; what is found beyond it is dropped.
const MaxViolations = 16

// The places that a [Violation] can be in.
const (
	InQuery = "query"
	InPath  = "path"
	InBody  = "body"
)

// The keywords of [Violation.Keyword] that JSON Schema does not know.
const (
	// KeywordJSON says that the body is not exactly one JSON value.
	KeywordJSON = "json"
	// KeywordDepth says that the body nests deeper than [MaxDepth].
	KeywordDepth = "depth"
	// KeywordDuplicate says that a key or a parameter was given more than once.
	KeywordDuplicate = "duplicate"
	// KeywordEncoding says that text is not valid UTF-8 (or not valid UTF-16
	// where JSON escapes it).
	KeywordEncoding = "encoding"
	// KeywordCost says that answering would take too much; no document says when.
	KeywordCost = "cost"
)

// Violation is one way in which a request breaks the contract.
type Violation struct {
	// In is one of the In constants.
	In string `json:"in"`
	// Name is the name of a parameter, or the JSON pointer of a place in the body
	// ("" is the whole body).
	Name string `json:"name"`
	// Keyword is a JSON Schema keyword or one of the Keyword constants.
	Keyword string `json:"keyword"`
	// Detail is a sentence for a person that never holds the value.
	Detail string `json:"detail"`
}

// Violations are all the ways in which a request breaks the contract.
type Violations struct {
	// Status is the HTTP status of the answer: 400 when any of List is about the
	// form of the body (not JSON, a wrong type, a missing or unknown field, a
	// string that is too short), else 422.
	Status int
	// List is never empty, and in the order of the document.
	List []Violation
}

// Error joins the sentences of the list.
func (v *Violations) Error() string {
	details := make([]string, len(v.List))
	for i, one := range v.List {
		details[i] = one.Detail
	}
	return strings.Join(details, "; ")
}

// findings gathers violations while a request is checked.
type findings struct {
	list []Violation
	form bool // one of them is about the form of the body
}

func (f *findings) add(v Violation) {
	f.form = f.form || (v.In == InBody && isForm(v.Keyword))
	if len(f.list) < MaxViolations {
		f.list = append(f.list, v)
	}
}

// err returns nil when nothing was found.
func (f *findings) err() error {
	if len(f.list) == 0 {
		return nil
	}
	status := http.StatusUnprocessableEntity
	if f.form {
		status = http.StatusBadRequest
	}
	return &Violations{Status: status, List: f.list}
}

// isForm reports whether a body that breaks the keyword is malformed (400)
// rather than out of bounds (422).
func isForm(keyword string) bool {
	switch keyword {
	case KeywordJSON, KeywordDepth, KeywordDuplicate, KeywordEncoding,
		"type", "required", "additionalProperties", "minLength":
		return true
	}
	return false
}
