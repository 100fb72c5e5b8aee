package api

import (
	"fmt"
	"strconv"

	"decnet/repo"
)

// rejects answers GET /ingest/rejects: where a line went that is not in /logs.
func (s *Server) rejects(c *call) (answer, error) {
	q := repo.RejectQuery{Reason: c.params.String("reason"), Source: c.params.String("source")}
	q.Limit, q.Offset = pageOf(c)
	if err := c.work(false); err != nil {
		return answer{}, err
	}
	rows, total, err := s.Store.RejectPage(c.Context(), q)
	if err != nil {
		return answer{}, fmt.Errorf("rejects: %w", err)
	}
	return answer{body: appendPage(nil, total, q.Limit, q.Offset, func(b []byte) []byte {
		return appendArray(b, len(rows), func(b []byte, i int) []byte { return appendReject(b, &rows[i]) })
	})}, nil
}

func appendReject(b []byte, r *repo.Reject) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, r.ID, 10)
	b = append(b, `,"source":`...)
	b = appendString(b, r.Path)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, r.Offset, 10)
	b = append(b, `,"reason":`...)
	b = appendString(b, r.Reason)
	b = append(b, `,"detail":`...)
	b = appendString(b, r.Detail)
	b = append(b, `,"line":`...)
	b = appendString(b, string(r.Line))
	b = append(b, `,"size":`...)
	b = strconv.AppendInt(b, r.Size, 10)
	b = append(b, `,"seen_at":`...)
	b = appendTime(b, r.SeenAt)
	return append(b, '}')
}
