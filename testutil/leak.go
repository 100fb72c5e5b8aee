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

// census counts the worlds of a process.
type census struct {
	made, open atomic.Int64
	// running counts the goroutines of the process.
	running func() int
}

// worlds counts those of this process.
//
//nolint:gochecknoglobals // it names worlds and picks the cheaper check; no test can see another's
var worlds = census{running: runtime.NumGoroutine}

// goroutines knows the goroutines of one world by a profiler label, which a
// goroutine inherits from the one that began it. Counting all goroutines of the
// process would blame one parallel test for another; but where no other world
// was there in the meantime, the count says the same for a hundredth of the
// cost, and what a goroutine that ended elsewhere could hide from it, [Main]
// finds at the end.
type goroutines struct {
	worlds *census
	number int64
	// before is how many ran when the world began, or -1 if it wasn't alone.
	before int
	labels context.Context //nolint:containedctx // it is how labels are handed on
}

// watch marks the calling goroutine, and with it all that it begins. The caller
// calls ended once.
func (c *census) watch() *goroutines {
	g := &goroutines{worlds: c, before: -1}
	alone := c.open.Add(1) == 1
	g.number = c.made.Add(1)
	g.labels = pprof.WithLabels(context.Background(), pprof.Labels(worldLabel, g.id()))
	g.mark()
	if alone {
		g.before = c.running()
	}
	return g
}

// mark marks the calling goroutine, which may have been another world's until now.
func (g *goroutines) mark() { pprof.SetGoroutineLabels(g.labels) }

func (g *goroutines) id() string { return strconv.FormatInt(g.number, 10) }

func (g *goroutines) ended() { g.worlds.open.Add(-1) }

// gone returns an error that names the goroutines of the world which still run,
// but for the one that asks.
func (g *goroutines) gone() error {
	if g.worlds.made.Load() == g.number && g.worlds.running() <= g.before {
		return nil
	}
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
	label := fmt.Sprintf("%q:%q", worldLabel, g.id())
	var left []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, label) && !strings.Contains(stack, "testutil.(*goroutines).running") {
			left = append(left, stack)
		}
	}
	return left
}
