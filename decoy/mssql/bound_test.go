package mssql_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/traptest"
)

// A statement that makes much out of little is cut short: it neither keeps the
// decoy busy nor fills the journal.
func TestMSSQL_ABatchHasItsShare(t *testing.T) {
	t.Parallel()
	b := windows(t)
	c := open(t, b, "sa", "letmein", "")
	begun := time.Now()
	for _, sql := range []string{
		"declare @a varchar(max) set @a = '" + strings.Repeat("x", 2000) + "' " + strings.Repeat("set @a=@a+@a ", 250) + strings.Repeat("exec(@a) ", 200),
		"select " + strings.Repeat("'x'+", 7000) + "'x'",
		"insert into #a " + strings.Repeat("insert ", 4000),
		"update #a " + strings.Repeat("set select ", 2500),
		strings.Repeat("(", 30000),
		"select " + strings.Repeat("char(", 5000),
		"exec('exec(''exec(''''exec(''''''''select 1'''''''')'''')'')')",
	} {
		_, _ = c.ExecContext(t.Context(), sql)
	}
	assert.Less(t, time.Since(begun), 20*time.Second)
	size := 0
	for _, e := range b.WaitN("query", 7) {
		for _, f := range e.Fields {
			size += len(f.Value)
		}
	}
	for _, e := range b.Events() {
		size += len(traptest.Fields(e)["query"])
	}
	assert.Less(t, size, 2<<20)
	require.Equal(t, int64(1), scalar(t, c, "select 1"), "and it goes on")
}
