package mssql

import (
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/trap"
)

// address finds what would be fetched.
var address = regexp.MustCompile(`(?i)\b(?:https?|ftp|tftp)://[^\s'"<>|)^&;,]+`)

// statement returns the text of a batch, without the headers before it.
func (c *client) statement(body []byte) string {
	return ntlmtrap.FromUTF16(c.afterHeaders(body))
}

// afterHeaders skips ALL_HEADERS, which TDS 7.2 put before a request.
func (c *client) afterHeaders(body []byte) []byte {
	if !c.old && len(body) >= 4 {
		if n := binary.LittleEndian.Uint32(body); n >= 4 && int64(n) <= int64(len(body)) {
			return body[n:]
		}
	}
	return body
}

// batch records a batch and answers it.
func (c *client) batch(e *encoder, user, sql string, stored *trap.Stored) {
	c.recordQuery(sql, stored)
	b := &batchRun{client: c, e: e, user: user, vars: map[string]any{}, whole: stored == nil}
	b.run(sql, 0)
	b.end(tokenDone)
}

func (c *client) recordQuery(sql string, stored *trap.Stored, more ...trap.Field) {
	fields := append([]trap.Field{{Key: "query", Value: sql}, {Key: "database", Value: c.database}}, more...)
	if stored != nil {
		fields = append(fields, trap.Field{Key: "sha256", Value: stored.SHA256})
	}
	c.conn.Record("query", fields...)
	if stored != nil {
		c.conn.Record("file_upload", append(stored.Fields(), trap.Field{Key: "filename", Value: "batch.sql"})...)
	}
	c.recordAddresses(sql)
}

func (c *client) recordAddresses(s string) {
	const most = 16
	for _, url := range address.FindAllString(s, most) {
		c.conn.Record("file_download", trap.Field{Key: "url", Value: url})
	}
}

// batchRun is a batch that is answered.
type batchRun struct {
	*client
	e    *encoder
	user string
	vars map[string]any
	// whole says that the text is complete, so that what it brings can be kept.
	whole bool
	// last is where the status of the last DONE stands, 0 for none.
	last int
	// failed ends the batch.
	failed bool
	// used counts statements, also those inside of others, spent the bytes that were
	// computed and recorded.
	used, spent int
}

// done ends the answer to one statement.
func (b *batchRun) done(kind byte, status, command uint16, rows uint64) {
	b.last = len(b.e.b) + 1
	b.e.done(kind, status|doneMore, command, rows)
}

// end marks the last DONE as such.
func (b *batchRun) end(kind byte) {
	if b.last == 0 {
		b.e.done(kind, 0, 0, 0)
		return
	}
	b.e.b[b.last] &^= doneMore
}

// maxSpent bounds what a batch makes out of itself, in bytes.
const maxSpent = 512 << 10

// charge takes bytes of the share of a batch, which ends where none are left.
func (b *batchRun) charge(n int) bool {
	b.spent += n
	b.failed = b.failed || b.spent > maxSpent
	return b.spent <= maxSpent
}

// fail answers with an error.
func (b *batchRun) fail(kind byte, p problem, ends bool) {
	b.e.problem(p)
	b.done(kind, doneError, 0, 0)
	b.failed = b.failed || ends
}

// maxAnswer bounds the answer to a batch, in bytes.
const maxAnswer = 256 << 10

// run answers the statements of a text.
func (b *batchRun) run(sql string, deep int) {
	const deepest = 4
	if deep > deepest {
		b.fail(tokenDone, problem{217, 1, 16, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32)."}, true)
		return
	}
	for i, s := range split(lex(sql)) {
		if b.used++; b.failed || b.used > maxStatements || len(b.e.b) > maxAnswer {
			return
		}
		b.one(s, i == 0, deep)
	}
}

// Commands as DONE names them.
const (
	commandSelect = 0xc1
	commandExec   = 0xe0
)

// one answers a statement. Without exec only the first of a batch may call a
// procedure.
func (b *batchRun) one(all []token, isFirst bool, deep int) {
	r := &reader{all: all, c: b.client, user: b.user, vars: b.vars, charge: b.charge}
	b.keepBinaries(all)
	t := r.peek()
	switch {
	case t.is("select"):
		b.answer(r.selected())
	case t.is("exec", "execute"):
		r.take()
		b.execute(r, deep)
	case t.is("declare", "set"):
		r.take()
		b.assign(r)
	case t.is("use"):
		r.take()
		b.use(r.take().text)
	case t.is("reconfigure"):
		for name, v := range b.set {
			b.active[name] = v
		}
		b.done(tokenDone, 0, 0, 0)
	case t.is("print"):
		r.take()
		v, _ := r.expression()
		b.e.problem(problem{0, 1, 0, asText(v)})
		b.done(tokenDone, 0, 0, 0)
	case t.is("insert", "update", "delete", "truncate"):
		b.modify(r)
	case begins(t):
		b.done(tokenDone, 0, 0, 0)
	case isFirst && (t.kind == word || t.kind == quoted):
		b.execute(r, deep)
	default:
		b.fail(tokenDone, *syntax(t.text), true)
	}
}

func (b *batchRun) answer(t *table, p *problem) {
	switch {
	case p != nil:
		b.fail(tokenDone, *p, true)
	case t == nil:
		b.done(tokenDone, 0, commandSelect, 0)
	default:
		b.e.table(t)
		b.done(tokenDone, doneCount, commandSelect, uint64(len(t.rows)))
	}
}

// assign keeps the value of a variable: attackers hide statements in them.
func (b *batchRun) assign(r *reader) {
	for len(r.all) > 0 {
		t := r.take()
		if t.kind != variable {
			continue
		}
		for len(r.all) > 0 && !r.peek().is("=", ",") {
			r.take() // the type
		}
		if !r.accept("=") {
			r.accept(",")
			continue
		}
		if v, unknown := r.expression(); unknown == "" && len(b.vars) < maxItems {
			b.vars[t.text] = v
		}
	}
	b.done(tokenDone, 0, 0, 0)
}

func (b *batchRun) use(name string) {
	db, there := b.databaseNamed(name)
	if !there {
		b.fail(tokenDone, problem{911, 1, 16, "Database '" + name + "' does not exist. Make sure that the name is entered correctly."}, true)
		return
	}
	b.e.change(1, db, b.database)
	b.e.problem(problem{5701, 1, 0, "Changed database context to '" + db + "'."})
	b.database = db
	b.done(tokenDone, 0, 0, 0)
}

// modify answers what would change a table.
func (b *batchRun) modify(r *reader) {
	r.take()
	r.accept("into", "from", "table")
	whole, last := r.path()
	if strings.HasPrefix(last, "#") || whole == "" {
		b.done(tokenDone, doneCount, 0, 0)
		return
	}
	b.fail(tokenDone, problem{208, 1, 16, "Invalid object name '" + whole + "'."}, true)
}

// minBinary is the size of a literal that is kept as a file, in bytes.
const minBinary = 256

// keepBinaries puts programs into the quarantine that come as literals.
func (b *batchRun) keepBinaries(all []token) {
	name := ""
	for i, t := range all {
		if t.is("assembly") && i+1 < len(all) {
			name = all[i+1].text
		}
		if t.kind == binaryLiteral && b.whole && (len(t.text) >= minBinary || len(t.text) > 64 && strings.HasPrefix(t.text, "MZ")) {
			b.conn.Record("file_upload", append(b.conn.Files.Save([]byte(t.text)).Fields(), trap.Field{Key: "filename", Value: name})...)
		}
	}
}

// command records what would have been executed on the system.
func (b *batchRun) command(text, via string) {
	if !b.charge(len(text)) {
		return
	}
	b.conn.Record("command", trap.Field{Key: "command", Value: text}, trap.Field{Key: "via", Value: via})
}

// status appends what a procedure returned.
func (b *batchRun) status(code int32) {
	b.e.byte(0x79)
	b.e.uint32(uint32(code))
	bits := uint16(0)
	if code != 0 {
		bits = doneError
	}
	b.done(tokenDoneProc, bits, commandExec, 0)
}

func numberText(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	}
	return 0, false
}
