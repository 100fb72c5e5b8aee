package testutil

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// unused returns an error when a closed pool still has a connection: somebody
// has not closed rows or a transaction.
func unused(pools ...sql.DBStats) error {
	open := 0
	for _, p := range pools {
		open += p.OpenConnections
	}
	if open > 0 {
		return fmt.Errorf("%d database connections are still in use: rows or a transaction were not closed", open)
	}
	return nil
}

// worldLabel is the profiler label that marks the goroutines of a world.
const worldLabel = "decnet-world"

// worlds numbers the worlds of the process.
//
//nolint:gochecknoglobals // a counter for names; no test can see another's
var worlds atomic.Int64

// goroutines knows the goroutines of one world by a profiler label, which a
// goroutine inherits from the one that began it. Counting all goroutines of the
// process would blame one parallel test for another.
type goroutines struct{ id string }

// watchGoroutines marks the calling goroutine, and with it all that it begins.
func watchGoroutines() *goroutines {
	g := &goroutines{id: strconv.FormatInt(worlds.Add(1), 10)}
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(worldLabel, g.id)))
	return g
}

// gone returns an error that names the goroutines of the world which still run,
// but for the one that asks.
func (g *goroutines) gone() error {
	left := g.running()
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf("%d kinds of goroutines still run:\n%s", len(left), strings.Join(left, "\n"))
}

// eventually returns nil once check does, or its last error after stopTimeout.
// What a cancelled request leaves to database/sql, and a goroutine that was told
// to end, take a moment.
func eventually(check func() error) error {
	deadline := time.Now().Add(stopTimeout)
	for pause := 20 * time.Microsecond; ; pause *= 2 {
		runtime.Gosched() // mostly that is all they need
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-time.After(pause)
	}
}

// running returns the stacks of the world's goroutines.
func (g *goroutines) running() []string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{err.Error()}
	}
	label := fmt.Sprintf("%q:%q", worldLabel, g.id)
	var left []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, label) && !strings.Contains(stack, "testutil.(*goroutines).running") {
			left = append(left, stack)
		}
	}
	return left
}
