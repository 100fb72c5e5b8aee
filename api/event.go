package api

import (
	"errors"
	"fmt"
	"strconv"

	"decnet/repo"
)

// event answers GET /logs/{id}. What is no id names no event.
func (s *Server) event(c *call) (answer, error) {
	id, err := strconv.ParseInt(c.params.String("id"), 10, 64)
	if err != nil {
		return answer{}, errNoLog.because(err)
	}
	if err := c.work(false); err != nil {
		return answer{}, err
	}
	l, err := s.Store.Log(c.Context(), id)
	if errors.Is(err, repo.ErrNotFound) {
		return answer{}, errNoLog.because(err)
	}
	if err != nil {
		return answer{}, fmt.Errorf("log %d: %w", id, err)
	}
	return answer{body: appendLog(nil, &l)}, nil
}
