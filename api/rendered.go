package api

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
)

// rendered is a cached answer: the encoded bytes, ready to send, the strong
// entity tag that names them, and their number as text.
type rendered struct {
	body         []byte
	etag, length string
}

func render(body []byte) rendered {
	sum := sha256.Sum256(body)
	return rendered{
		body: body, length: strconv.Itoa(len(body)),
		etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
	}
}

func (r rendered) answer() answer { return answer{body: r.body, etag: r.etag, length: r.length} }
