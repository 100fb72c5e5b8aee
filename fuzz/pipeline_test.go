//go:build fuzz

package fuzz

import (
	"context"

	"decnet/repo"
	"decnet/testutil"
)

// pipeline stands in for the ingester: what becomes of lines is the matter of
// package ingest; here it is how they come in and what is told of them. It keeps
// nothing, so that all worlds may share it.
type pipeline struct{}

// Push takes every line but those that are empty.
func (pipeline) Push(_ context.Context, p repo.Push) (repo.Receipt, error) {
	r := repo.Receipt{Sensor: p.Sensor, Key: p.Key}
	for i, line := range p.Lines {
		if len(line) > 0 {
			r.Accepted++
			continue
		}
		r.Rejected++
		if len(r.Rejects) < repo.MaxReceiptRejects {
			r.Rejects = append(r.Rejects, repo.ReceiptReject{Line: i, Reason: "not_json", Detail: "The line is not JSON."})
		}
	}
	return r, nil
}

// Status tells of a source with a hostile name, and of one that was never read.
func (pipeline) Status() repo.IngestStatus {
	return repo.IngestStatus{Lines: 4, Accepted: 3, Rejected: 1, LastCommit: began(), Sources: []repo.SourceStatus{
		{Name: "/var/log/\x1b[2J\xff", Kind: "file", State: "following", Lines: 4, Accepted: 3, Rejected: 1, RejectedBy: map[string]int64{"not_json": 1}},
		{Name: "", Kind: "file", State: "waiting"},
	}}
}

// Explain makes the same event of every line.
func (pipeline) Explain(line []byte, format string) repo.Explanation {
	if len(line) == 0 {
		return repo.Explanation{Format: format, Reason: "not_json", Detail: "The line is not JSON."}
	}
	e := testutil.Event(1)
	e.RawLine = string(line)
	return repo.Explanation{Format: format, Events: []repo.Event{e}, Notes: []string{"The time has no zone: taken as UTC."}}
}
