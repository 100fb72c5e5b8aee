package api

import (
	"net/http"
	"slices"
)

// cors lets pages of other origins read the answers (WHATWG Fetch). Credentials
// mode is not needed: the token is a header of the request.
type cors struct {
	origins []string
	any     bool
}

func newCORS(origins []string) *cors {
	return &cors{origins: origins, any: slices.Contains(origins, "*")}
}

// answer sets the headers for an allowed origin, and answers a preflight request.
func (c *cors) answer(w http.ResponseWriter, r *http.Request) (done bool) {
	if len(c.origins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !(c.any || slices.Contains(c.origins, origin)) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" || !isAPI(r.URL.Path) {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
