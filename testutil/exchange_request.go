package testutil

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"

	"decnet/contract"
)

// checkRequest holds the status against what the document says of the request.
func (x *exchange) checkRequest() {
	status := x.resp.StatusCode
	accepted := status < http.StatusBadRequest
	if accepted && x.op.secured && !x.hasCredential() {
		x.fail("no credential was sent, but the answer is not 401")
	}
	raw := x.op.compiled.Raw // what is in the body, or how it is packed, is not judged here
	wrongType := (x.op.body != nil || raw) && !x.op.compiled.Accepts(x.req.Header.Get("Content-Type"))
	invalid := x.isInvalid(wrongType)
	switch {
	case accepted && wrongType:
		x.fail("the content type is not documented, but it was accepted")
	case accepted && invalid:
		x.fail("the request breaks the document, but it was accepted")
	case raw:
	case status == http.StatusUnsupportedMediaType && !wrongType:
		x.fail("the content type is documented, but it was refused")
	case (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity) && !invalid && !x.tooCostly():
		x.fail("the request keeps the document, but it was refused")
	}
}

// tooCostly reports whether the request was refused for what answering it would
// take, which no document can say beforehand.
func (x *exchange) tooCostly() bool {
	var problem struct{ Errors []contract.Violation }
	return json.Unmarshal(x.respBody, &problem) == nil && len(problem.Errors) == 1 && problem.Errors[0].Keyword == contract.KeywordCost
}

func (x *exchange) hasCredential() bool {
	if x.req.Header.Get("Authorization") != "" {
		return true
	}
	query := x.req.URL.Query()
	return slices.ContainsFunc(x.op.inQuery, func(name string) bool { return query.Get(name) != "" })
}

// isInvalid asks package contract, which the service asks too, and kin-openapi,
// which it does not: where they disagree, that is a fault as well.
func (x *exchange) isInvalid(wrongType bool) bool {
	query, err := url.ParseQuery(x.req.URL.RawQuery)
	if err != nil {
		return true
	}
	_, err = x.op.compiled.Params(query, func(name string) string { return x.pathValues[name] })
	paramsOK := x.agree("parameters", err, x.paramsMatch(query))
	if x.op.body == nil || wrongType {
		return !paramsOK
	}
	var into any
	err = x.op.compiled.Body(x.req.Header.Get("Content-Type"), x.reqBody, &into)
	return !x.agree("body", err, x.bodyMatches()) || !paramsOK
}

// agree reports whether a part of the request keeps the document. Package
// contract has rules of its own (duplicates, encoding, depth), so it may refuse
// what kin-openapi takes, but only by one of those.
func (x *exchange) agree(part string, refused error, matches bool) bool {
	var violations *contract.Violations
	switch {
	case refused == nil && !matches:
		x.fail("package contract accepts the %s, kin-openapi does not", part)
	case refused != nil && !errors.As(refused, &violations):
		x.fail("package contract fails on the %s", part)
	case refused != nil && matches && !slices.ContainsFunc(violations.List, hasOwnKeyword):
		x.fail("package contract refuses the %s, kin-openapi does not", part)
	}
	return refused == nil
}

func hasOwnKeyword(v contract.Violation) bool {
	switch v.Keyword {
	case contract.KeywordDuplicate, contract.KeywordEncoding, contract.KeywordDepth, contract.KeywordJSON:
		return true
	}
	return false
}

// paramsMatch is the verdict of kin-openapi's schemas on query and path.
func (x *exchange) paramsMatch(query url.Values) bool {
	for i, p := range x.op.params {
		text, given := "", false
		switch p.In {
		case openapi3.ParameterInQuery:
			if values := query[p.Name]; len(values) > 0 {
				text, given = values[0], !slices.Contains(x.op.absent[i], values[0])
			}
		case openapi3.ParameterInPath:
			text, given = x.pathValues[p.Name], true
		default:
			continue
		}
		if given && !x.paramMatches(p.Schema.Value, text) || !given && p.Required {
			return false
		}
	}
	return true
}

func (x *exchange) paramMatches(schema *openapi3.Schema, text string) bool {
	if !schema.Type.Is(openapi3.TypeInteger) {
		return schema.VisitJSON(text, x.spec.options...) == nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text && text != "-0" {
		return false
	}
	return schema.VisitJSON(float64(n), x.spec.options...) == nil
}

func (x *exchange) bodyMatches() bool {
	var value any
	if json.Unmarshal(x.reqBody, &value) != nil {
		return false
	}
	return x.op.body.VisitJSON(value, append(x.spec.options, openapi3.VisitAsRequest())...) == nil
}
