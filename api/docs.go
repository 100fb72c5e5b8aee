package api

import (
	"fmt"
	"net/http"

	"decnet"
	"decnet/contract"
)

// publicDocument is the contract in one of its forms: the same for everybody,
// until the next release.
func publicDocument(body []byte, contentType string) answer {
	a := render(body).answer()
	a.contentType = contentType
	return a
}

// specYAML answers GET /openapi.yaml.
func (s *Server) specYAML(*call) (answer, error) {
	return publicDocument(decnet.OpenAPI(), "application/yaml"), nil
}

// specJSON answers GET /openapi.json.
func (s *Server) specJSON(*call) (answer, error) {
	return publicDocument(s.Contract.JSON(), "application/json"), nil
}

// docs answers GET /docs. The page is made at the first call.
func (s *Server) docs(*call) (answer, error) {
	page, err := s.page()
	if err != nil {
		return answer{}, fmt.Errorf("render the docs: %w", err)
	}
	a := publicDocument(page, "text/html; charset=utf-8")
	a.header = func(h http.Header) {
		h["Content-Security-Policy"] = []string{"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	}
	return a, nil
}

// docsStyle answers GET /docs/style.css.
func (s *Server) docsStyle(*call) (answer, error) {
	return publicDocument(contract.Style(), "text/css; charset=utf-8"), nil
}
