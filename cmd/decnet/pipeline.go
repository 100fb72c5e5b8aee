package main

import (
	"context"
	"errors"

	"decnet/api"
	"decnet/ingest"
	"decnet/repo"
)

// pipeline is the ingester as the API sees it: the same methods, and errors in
// the API's words.
type pipeline struct{ in *ingest.Ingester }

// Push implements [api.Ingest].
func (p pipeline) Push(ctx context.Context, batch repo.Push) (repo.Receipt, error) {
	receipt, err := p.in.Push(ctx, batch)
	var busy *ingest.BusyError
	switch {
	case errors.As(err, &busy):
		return receipt, &api.PushBusyError{After: busy.After, Cause: err}
	case errors.Is(err, ingest.ErrKeyReused):
		return receipt, errors.Join(api.ErrPushKeyReused, err)
	case errors.Is(err, ingest.ErrPushTooLarge):
		return receipt, errors.Join(api.ErrPushTooLarge, err)
	case errors.Is(err, ingest.ErrUnknownFormat):
		return receipt, errors.Join(api.ErrPushFormat, err)
	}
	return receipt, err
}

// Status implements [api.Ingest].
func (p pipeline) Status() repo.IngestStatus { return p.in.IngestStatus() }

// Explain implements [api.Ingest].
func (p pipeline) Explain(line []byte, format string) repo.Explanation {
	return p.in.Explain(line, format)
}
