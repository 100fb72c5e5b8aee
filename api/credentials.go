package api

import (
	"fmt"
	"strconv"

	"decnet/repo"
)

// credentials answers GET /credentials.
func (s *Server) credentials(c *call) (answer, error) {
	q := repo.CredentialQuery{
		CredentialFilter: repo.CredentialFilter{Search: c.params.String("search"), Service: c.params.String("service")},
		Sort:             credentialSortOf(c.params.String("sort_by")),
	}
	q.Limit, q.Offset = pageOf(c)
	if err := c.work(q.Search != ""); err != nil {
		return answer{}, err
	}
	rows, err := s.Store.Credentials(c.Context(), q)
	if err != nil {
		return answer{}, fmt.Errorf("credentials: %w", err)
	}
	total, err := s.Store.CountCredentials(c.Context(), q.CredentialFilter)
	if err != nil {
		return answer{}, fmt.Errorf("count credentials: %w", err)
	}
	return answer{body: appendPage(nil, total, q.Limit, q.Offset, func(b []byte) []byte {
		return appendArray(b, len(rows), func(b []byte, i int) []byte { return appendCredential(b, &rows[i]) })
	})}, nil
}

func credentialSortOf(name string) repo.CredentialSort {
	switch name {
	case "attackers":
		return repo.SortCredentialAttackers
	case "recent":
		return repo.SortCredentialRecent
	default: // "attempts"; the contract lets no other word in
		return repo.SortCredentialAttempts
	}
}

func appendCredential(b []byte, r *repo.Credential) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, r.ID, 10)
	b = append(b, `,"username":`...)
	b = appendString(b, r.Username)
	b = append(b, `,"password":`...)
	b = appendString(b, r.Password)
	b = append(b, `,"services":`...)
	b = appendArray(b, len(r.Services), func(b []byte, i int) []byte { return appendString(b, r.Services[i]) })
	b = append(b, `,"attempts":`...)
	b = strconv.AppendInt(b, r.Attempts, 10)
	b = append(b, `,"attackers":`...)
	b = strconv.AppendInt(b, r.Attackers, 10)
	b = append(b, `,"first_seen":`...)
	b = appendTime(b, r.FirstSeen)
	b = append(b, `,"last_seen":`...)
	b = appendTime(b, r.LastSeen)
	return append(b, '}')
}
