package api

import (
	"crypto/sha256"
	"encoding/base64"
)

// rendered is a cached answer: the encoded bytes, ready to send, and the strong
// entity tag that names them.
type rendered struct {
	body []byte
	etag string
}

func render(body []byte) rendered {
	sum := sha256.Sum256(body)
	return rendered{body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

func (r rendered) answer() answer { return answer{body: r.body, etag: r.etag} }
