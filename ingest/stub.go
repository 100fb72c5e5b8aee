package ingest

import (
	"context"

	"decnet/repo"
)

const chunkQueue = 4

type chunk struct{}
type registry struct{}

func newRegistry() *registry               { return &registry{} }
func (r *registry) load(p []repo.Position) {}

type joiner struct{}

func newJoiner(n int, s []repo.Session) *joiner                                     { return &joiner{} }
func (in *Ingester) retry(ctx context.Context, f func(context.Context) error) error { return f(ctx) }

type runner struct{ in *Ingester }

func (in *Ingester) newReader(i int) runner        { return runner{in} }
func (in *Ingester) newCommitter(j *joiner) runner { return runner{in} }
func (r runner) run(ctx context.Context) error     { return nil }
func sniffDecnet([]byte) bool                      { return false }
func sniffCowrie([]byte) bool                      { return false }
func parseDecnet([]byte) (Record, error)           { return Record{}, nil }
func parseCowrie([]byte) (Record, error)           { return Record{}, nil }
