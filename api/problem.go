package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"decnet/auth"
	"decnet/contract"
	"decnet/repo"
)

// problem is an error that a client may see: a status and a sentence
// (RFC 9457). What caused it stays private and goes to the log.
type problem struct {
	status int
	detail string
	// retryAfter is a Retry-After header; 0 means none.
	retryAfter time.Duration
	violations []contract.Violation
	cause      error
}

// The catalogue: every sentence stands here once, and in openapi.yaml.
var (
	errBadLogin        = problem{status: http.StatusUnauthorized, detail: "Incorrect username or password"}
	errBadOldPassword  = problem{status: http.StatusUnauthorized, detail: "Incorrect old password"}
	errUnauthenticated = problem{status: http.StatusUnauthorized, detail: "Not authenticated"}
	errBadToken        = problem{status: http.StatusUnauthorized, detail: "Could not validate credentials"}
	errForbidden       = problem{status: http.StatusForbidden, detail: "Insufficient permissions"}
	errMustChange      = problem{status: http.StatusForbidden, detail: "Password change required before accessing this resource"}
	errNotDeveloper    = problem{status: http.StatusForbidden, detail: "Developer mode is not enabled"}
	errDeleteSelf      = problem{status: http.StatusForbidden, detail: "You cannot delete your own account"}
	errDemoteSelf      = problem{status: http.StatusForbidden, detail: "You cannot change your own role"}
	errNoAttacker      = problem{status: http.StatusNotFound, detail: "Attacker not found"}
	errNoUser          = problem{status: http.StatusNotFound, detail: "User not found"}
	errNotFound        = problem{status: http.StatusNotFound, detail: "Not found"}
	errMethod          = problem{status: http.StatusMethodNotAllowed, detail: "Method not allowed"}
	errNoSensor        = problem{status: http.StatusNotFound, detail: "Sensor not found"}
	errNoDecky         = problem{status: http.StatusNotFound, detail: "Decky not found"}
	errFleetState      = problem{status: http.StatusServiceUnavailable, detail: "The state file of the fleet cannot be used", retryAfter: 5 * time.Second}
	errSensorTaken     = problem{status: http.StatusConflict, detail: "Sensor name already exists"}
	errKeyReused       = problem{status: http.StatusConflict, detail: "The Idempotency-Key was used for another batch"}
	errPushType        = problem{status: http.StatusUnsupportedMediaType, detail: "Content type must be application/x-ndjson, application/json or text/plain, plain or with gzip"}
	errTooManyEvents   = problem{status: http.StatusTooManyRequests, detail: "Too many events at once, try again later", retryAfter: retryPush}
	errNameTaken       = problem{status: http.StatusConflict, detail: "Username already exists"}
	errLastAdmin       = problem{status: http.StatusConflict, detail: "At least one administrator must remain"}
	errBodyTooLarge    = problem{status: http.StatusRequestEntityTooLarge, detail: "Request body too large"}
	errMediaType       = problem{status: http.StatusUnsupportedMediaType, detail: "Content type must be application/json"}
	errTooManyLogins   = problem{status: http.StatusTooManyRequests, detail: "Too many failed logins, try again later"}
	errOverloaded      = problem{status: http.StatusServiceUnavailable, detail: "The service is overloaded, try again later", retryAfter: time.Second}
	errStopping        = problem{status: http.StatusServiceUnavailable, detail: "The service is shutting down", retryAfter: 5 * time.Second}
	errTooManyStreams  = problem{status: http.StatusServiceUnavailable, detail: "Too many open streams", retryAfter: 5 * time.Second}
	errTooBroad        = problem{status: http.StatusUnprocessableEntity, detail: "The search would read too many events, narrow it by time, service or attacker"}
	errTooManyExports  = problem{status: http.StatusTooManyRequests, detail: "Too many exports at once, try again later", retryAfter: retryExport}
	errNoLog           = problem{status: http.StatusNotFound, detail: "Event not found"}
	errNotReady        = problem{status: http.StatusServiceUnavailable, detail: "The service is not ready", retryAfter: time.Second}
	errInternal        = problem{status: http.StatusInternalServerError, detail: "An internal error occurred"}
)

// Sentences returns every sentence of the catalogue, in ascending order: what
// the detail of a problem can be, beside the sentences on a request's violations.
func Sentences() []string {
	all := []problem{
		errBadLogin, errBadOldPassword, errUnauthenticated, errBadToken, errForbidden, errMustChange,
		errNotDeveloper, errDeleteSelf, errDemoteSelf, errNoAttacker, errNoUser, errNotFound, errMethod,
		errNameTaken, errNoSensor, errNoDecky, errFleetState, errSensorTaken, errKeyReused, errPushType, errTooManyEvents, errLastAdmin, errBodyTooLarge, errMediaType, errTooManyLogins, errOverloaded,
		errStopping, errTooManyStreams, errTooBroad, errTooManyExports, errNoLog, errNotReady, errInternal,
	}
	details := make([]string, len(all))
	for i, p := range all {
		details[i] = p.detail
	}
	slices.Sort(details)
	return details
}

// Error implements error; it is for the log, not for the client.
func (p problem) Error() string {
	if p.cause != nil {
		return p.detail + ": " + p.cause.Error()
	}
	return p.detail
}

// Unwrap gives the cause.
func (p problem) Unwrap() error { return p.cause }

// because returns the problem with a private cause.
func (p problem) because(err error) problem {
	p.cause = err
	return p
}

// after returns the problem with a Retry-After.
func (p problem) after(d time.Duration) problem {
	p.retryAfter = d
	return p
}

// asProblem finds what a client is told of an error.
func asProblem(err error) problem {
	var p problem
	if errors.As(err, &p) {
		return p
	}
	var violations *contract.Violations
	if errors.As(err, &violations) {
		return problem{status: violations.Status, detail: violations.Error(), violations: violations.List, cause: err}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errBodyTooLarge.because(err)
	case errors.Is(err, repo.ErrTooBroad):
		p := errTooBroad.because(err)
		p.violations = []contract.Violation{{In: contract.InQuery, Name: "search", Keyword: contract.KeywordCost, Detail: p.detail}}
		return p
	case errors.Is(err, auth.ErrBusy):
		return errOverloaded.because(err)
	case errors.Is(err, repo.ErrLastAdmin):
		return errLastAdmin.because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return errOverloaded.because(err)
	case errors.Is(err, context.Canceled): // the client has gone, or we are stopping
		return errStopping.because(err)
	}
	return errInternal.because(err)
}

// problemBody is the wire form.
type problemBody struct {
	Type      string          `json:"type"`
	Title     string          `json:"title"`
	Status    int             `json:"status"`
	Detail    string          `json:"detail"`
	RequestID string          `json:"request_id"`
	Errors    []violationBody `json:"errors,omitempty"`
}

type violationBody struct {
	In      string `json:"in"`
	Name    string `json:"name"`
	Keyword string `json:"keyword"`
	Detail  string `json:"detail"`
}

// write answers with the problem.
func (p problem) write(w http.ResponseWriter, requestID string) {
	body := problemBody{
		Type: "about:blank", Title: http.StatusText(p.status), Status: p.status,
		Detail: p.detail, RequestID: requestID,
	}
	for _, v := range p.violations {
		body.Errors = append(body.Errors, violationBody{In: v.In, Name: v.Name, Keyword: v.Keyword, Detail: v.Detail})
	}
	encoded, err := json.Marshal(body)
	if err != nil { // strings and ints always encode
		encoded = []byte("{}")
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.retryAfter+time.Second-1)/time.Second), 10))
	}
	h.Set("Content-Length", strconv.Itoa(len(encoded)))
	w.WriteHeader(p.status)
	_, _ = w.Write(encoded) // a client that has gone is not our error
}
