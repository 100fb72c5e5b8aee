package web

import (
	"net/http"
	"strings"
	"time"
)

// reasonOf is the text after a status. Servers differ in some.
func reasonOf(status int, notAllowed, found string) string {
	switch status {
	case 302:
		return found
	case 405:
		return notAllowed
	case 413:
		return "Request Entity Too Large"
	case 414:
		return "Request-URI Too Large"
	case 503:
		return "Service Unavailable"
	default:
		return http.StatusText(status)
	}
}

// unchanged reports whether the client has that file already.
func unchanged(a *ask, modified time.Time, etag string) bool {
	if modified.IsZero() {
		return false
	}
	if tags := a.Get("If-None-Match"); tags != "" {
		return tags == "*" || strings.Contains(tags, etag)
	}
	since, err := time.Parse(time.RFC1123, a.Get("If-Modified-Since"))
	return err == nil && !modified.Truncate(time.Second).After(since)
}
