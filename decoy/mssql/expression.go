package mssql

import (
	"strconv"
	"strings"

	"decnet/decoy/ntlmtrap"
)

// reader goes through the tokens of a statement.
type reader struct {
	all []token
	c   *client
	// user is who is logged in, vars are the variables of the batch.
	user string
	vars map[string]any
	deep int
	// charge takes what was computed, in bytes; false is too much for one batch.
	charge func(n int) bool
}

func (r *reader) peek() token {
	if len(r.all) == 0 {
		return token{symbol, ""}
	}
	return r.all[0]
}

func (r *reader) take() token {
	t := r.peek()
	if len(r.all) > 0 {
		r.all = r.all[1:]
	}
	return t
}

// accept takes a word or a symbol if it is there.
func (r *reader) accept(names ...string) bool {
	if r.peek().is(names...) {
		r.take()
		return true
	}
	return false
}

// maxDeep bounds what is nested, maxText a value in bytes.
const (
	maxDeep = 16
	maxText = 64 << 10
)

// expression computes a value: an int, a string, or nil for NULL. What isn't
// understood is told by the name that stands there.
func (r *reader) expression() (v any, unknown string) {
	if r.deep++; r.deep > maxDeep {
		return nil, "("
	}
	defer func() { r.deep-- }()
	v, unknown = r.term()
	for unknown == "" && r.accept("+") {
		var w any
		if w, unknown = r.term(); unknown == "" {
			v = plus(v, w)
			if s, ok := v.(string); ok && !r.charge(len(s)) {
				return nil, "+"
			}
		}
	}
	return v, unknown
}

func plus(a, b any) any {
	x, xNumber := a.(int)
	y, yNumber := b.(int)
	switch {
	case a == nil || b == nil:
		return nil
	case xNumber && yNumber:
		return x + y
	}
	s := asText(a) + asText(b)
	return s[:min(len(s), maxText)]
}

func asText(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case string:
		return v
	}
	return ""
}

func (r *reader) term() (v any, unknown string) {
	t := r.take()
	switch t.kind {
	case text, binaryLiteral:
		return t.text, ""
	case number:
		n, err := strconv.ParseInt(t.text, 10, 32)
		if err != nil {
			return t.text, ""
		}
		return int(n), ""
	case variable:
		if strings.HasPrefix(t.text, "@@") {
			return r.global(t.text)
		}
		return r.vars[t.text], ""
	case word:
		if r.accept("(") {
			return r.function(t.text)
		}
		return r.constant(t.text)
	case symbol:
		switch t.text {
		case "(":
			v, unknown = r.expression()
			r.accept(")")
			return v, unknown
		case "-":
			v, unknown = r.term()
			if n, ok := v.(int); ok {
				return -n, unknown
			}
			return v, unknown
		}
	}
	return nil, t.text
}

func (r *reader) constant(name string) (any, string) {
	switch name {
	case "null":
		return nil, ""
	case "system_user", "session_user", "current_user", "user":
		return r.account(name), ""
	}
	return nil, name
}

// account is what a name of the user stands for: the login, or its user in the
// database.
func (r *reader) account(name string) string {
	if name == "system_user" {
		return r.user
	}
	return "dbo"
}

func (r *reader) global(name string) (any, string) {
	s := r.c.server
	switch name {
	case "@@version":
		return s.release.banner(), ""
	case "@@servername":
		return s.name, ""
	case "@@spid":
		return int(r.c.link.spid), ""
	case "@@language":
		return "us_english", ""
	case "@@servicename":
		if _, instance, named := strings.Cut(s.name, `\`); named {
			return instance, ""
		}
		return "MSSQLSERVER", ""
	case "@@max_connections":
		return 32767, ""
	case "@@trancount", "@@error", "@@rowcount":
		return 0, ""
	case "@@microsoftversion":
		return int(s.release.major)<<24 | int(s.release.minor)<<16 | int(s.release.build), ""
	}
	return nil, name
}

// arguments reads those of a function up to its end. The word as, and a type
// behind it, end an argument.
func (r *reader) arguments() []any {
	var all []any
	for len(r.all) > 0 && !r.accept(")") {
		v, unknown := r.expression()
		if unknown == "" {
			all = append(all, v)
		}
		if r.accept("as") || unknown != "" && !r.peek().is(",", ")") {
			r.skip()
		}
		r.accept(",")
	}
	return all
}

// skip goes to the next comma or bracket of this level.
func (r *reader) skip() {
	for depth := 0; len(r.all) > 0; r.take() {
		t := r.peek()
		switch {
		case depth == 0 && t.is(",", ")"):
			return
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		}
	}
}

func (r *reader) function(name string) (v any, unknown string) {
	args := r.arguments()
	first := ""
	if len(args) > 0 {
		first = asText(args[0])
	}
	switch name {
	case "cast", "ltrim", "rtrim", "try_cast":
		if len(args) > 0 {
			return args[0], ""
		}
		return nil, ""
	case "convert", "isnull", "coalesce":
		for _, a := range args {
			if a != nil {
				return a, ""
			}
		}
		return nil, ""
	case "char", "nchar":
		n, err := strconv.Atoi(first)
		if err != nil || n < 0 || n > 0xffff {
			return nil, ""
		}
		return ntlmtrap.FromUTF16([]byte{byte(n), byte(n >> 8)}), ""
	case "upper":
		return strings.ToUpper(first), ""
	case "lower":
		return strings.ToLower(first), ""
	case "len":
		return len([]rune(first)), ""
	case "db_name":
		return r.c.database, ""
	case "db_id":
		return 1, ""
	case "suser_name", "suser_sname", "original_login":
		return r.user, ""
	case "user_name":
		return "dbo", ""
	case "host_name":
		return nil, ""
	case "is_srvrolemember", "is_member", "has_perms_by_name":
		return 1, ""
	case "getdate", "current_timestamp", "sysdatetime", "getutcdate":
		return r.c.conn.Now().UTC().Format("2006-01-02 15:04:05.000"), ""
	case "object_id":
		return objectID(first), ""
	case "serverproperty":
		return r.property(strings.ToLower(first)), ""
	}
	return nil, name
}

// objectID is a number for what is there.
func objectID(name string) any {
	for _, known := range []string{"xp_cmdshell", "sp_oacreate", "xp_regread", "xp_dirtree", "sp_configure", "sysobjects", "sysdatabases"} {
		if strings.HasSuffix(strings.ToLower(name), known) {
			return -1000000000 - 7919*len(known)
		}
	}
	return nil
}

func (r *reader) property(name string) any {
	s := r.c.server
	host, instance, named := strings.Cut(s.name, `\`)
	switch name {
	case "productversion":
		return s.release.full
	case "productlevel":
		return "RTM"
	case "edition":
		return s.release.edition
	case "machinename", "computernamephysicalnetbios":
		return host
	case "servername":
		return s.name
	case "instancename":
		if named {
			return instance
		}
		return nil
	case "isintegratedsecurityonly", "isclustered", "ishadrenabled":
		return 0
	case "collation":
		return "SQL_Latin1_General_CP1_CI_AS"
	case "engineedition":
		if s.release.edition == express {
			return 4
		}
		return 2
	case "productmajorversion":
		return strconv.Itoa(int(s.release.major))
	}
	return nil
}
