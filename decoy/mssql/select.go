package mssql

import (
	"fmt"
	"slices"
	"strings"
)

// item is an expression of a SELECT.
type item struct {
	name    string
	value   any
	unknown string
}

// selected answers a SELECT.
func (r *reader) selected() (*table, *problem) {
	r.take()
	if r.accept("top") {
		if _, unknown := r.term(); unknown != "" {
			return nil, syntax(unknown)
		}
	}
	r.accept("distinct", "all")
	items, assigns := r.items()
	if r.accept("from") {
		return r.from(items)
	}
	t := &table{rows: [][]any{nil}}
	for _, i := range items {
		if i.unknown == "*" {
			return nil, &problem{263, 1, 16, "Must specify table to select from."}
		}
		if i.unknown != "" {
			return nil, unknownName(i)
		}
		t.add(i)
	}
	if assigns || len(t.columns) == 0 {
		return nil, nil
	}
	return t, nil
}

func syntax(near string) *problem {
	return &problem{102, 1, 15, "Incorrect syntax near '" + near + "'."}
}

func unknownName(i item) *problem {
	return &problem{207, 1, 16, "Invalid column name '" + i.unknown + "'."}
}

// add appends a column and its value to the only row.
func (t *table) add(i item) {
	_, isNumber := i.value.(int)
	width := len(wide(asText(i.value), 4000)) / 2
	t.columns = append(t.columns, column{name: i.name, number: isNumber, width: max(width, 1)})
	t.rows[0] = append(t.rows[0], i.value)
}

// maxItems bounds the expressions of a SELECT.
const maxItems = 64

func (r *reader) items() (items []item, assigns bool) {
	for len(r.all) > 0 && len(items) < maxItems {
		var i item
		first := r.peek()
		if len(r.all) > 1 && r.all[1].is("=") && (first.kind == variable || first.kind == word || first.kind == quoted) {
			r.take()
			r.take()
			i.name = first.text
		}
		if r.accept("*") {
			i.unknown = "*"
		} else {
			i.value, i.unknown = r.expression()
			for i.unknown != "" && r.accept(".") {
				if i.unknown = r.take().text; i.unknown == "" {
					break
				}
			}
		}
		if strings.HasPrefix(i.name, "@") {
			if i.unknown == "" {
				r.vars[i.name] = i.value
			}
			assigns = true
		}
		r.accept("as")
		if t := r.peek(); !t.is("from", "into", "where", "union", "order", ",", "", ")") {
			if t.kind == word || t.kind == quoted || t.kind == text {
				i.name = r.take().text
			} else {
				r.skip()
			}
		}
		items = append(items, i)
		if !r.accept(",") {
			break
		}
	}
	for len(r.all) > 0 && !r.peek().is("from") {
		r.take()
	}
	return items, assigns
}

// path reads a name of several parts and returns it and its last part in lower
// case.
func (r *reader) path() (whole, last string) {
	for {
		t := r.peek()
		if t.kind == word || t.kind == quoted {
			last = r.take().text
			whole += last
		}
		if !r.accept(".") {
			return whole, strings.ToLower(last)
		}
		whole += "."
	}
}

// from answers a SELECT from one of the tables that attackers look at.
func (r *reader) from(items []item) (*table, *problem) {
	whole, last := r.path()
	rows, names := r.c.catalog(last)
	if names == nil {
		return nil, &problem{208, 1, 16, "Invalid object name '" + whole + "'."}
	}
	if i := slices.IndexFunc(r.all, func(t token) bool { return t.is("name") }); i >= 0 && i+2 < len(r.all) && r.all[i+1].is("=") {
		wanted := r.all[i+2].text
		rows = slices.DeleteFunc(rows, func(row []any) bool { return !strings.EqualFold(asText(row[0]), wanted) })
	}
	for _, i := range items {
		if i.unknown == "count" {
			return &table{columns: []column{{name: i.name, number: true}}, rows: [][]any{{len(rows)}}}, nil
		}
	}
	t := &table{rows: make([][]any, len(rows))}
	for _, i := range items {
		for at, name := range names {
			if i.unknown != "*" && i.unknown != name {
				continue
			}
			_, isNumber := first(rows, at).(int)
			t.columns = append(t.columns, column{name: name, number: isNumber, width: 128})
			for n := range rows {
				t.rows[n] = append(t.rows[n], rows[n][at])
			}
		}
	}
	if len(t.columns) == 0 {
		return nil, unknownName(items[0])
	}
	return t, nil
}

func first(rows [][]any, at int) any {
	if len(rows) == 0 {
		return nil
	}
	return rows[0][at]
}

// catalog returns the rows and the columns of a view of the system.
func (c *client) catalog(name string) (rows [][]any, names []string) {
	switch name {
	case "sysdatabases", "databases":
		for i, db := range c.databases() {
			rows = append(rows, []any{db, i + 1, i + 1, "ONLINE"})
		}
		return rows, []string{"name", "dbid", "database_id", "state_desc"}
	case "syslogins", "sql_logins", "server_principals", "sysxlogins":
		for i, n := range []string{"sa", "##MS_PolicyTsqlExecutionLogin##", "##MS_PolicyEventProcessingLogin##", strings.ToLower(c.server.database) + "_app"} {
			rows = append(rows, []any{n, []int{1, 256, 257, 265}[i], "SQL_LOGIN"})
		}
		return rows, []string{"name", "principal_id", "type_desc"}
	case "sysobjects", "objects", "all_objects", "system_objects":
		for _, n := range []string{"xp_cmdshell", "sp_OACreate", "sp_OAMethod", "xp_regread", "xp_dirtree"} {
			rows = append(rows, []any{n, objectID(n), "X "})
		}
		return rows, []string{"name", "id", "xtype"}
	case "configurations", "sysconfigures", "syscurconfigs":
		for _, o := range c.configurable() {
			rows = append(rows, []any{o.name, c.value(c.set, o), c.value(c.active, o)})
		}
		return rows, []string{"name", "value", "value_in_use"}
	case "sysprocesses", "dm_exec_sessions":
		return [][]any{{fmt.Sprint(c.link.spid), int(c.link.spid), "running"}}, []string{"name", "spid", "status"}
	case "tables", "systables":
		return nil, []string{"name", "table_name"}
	}
	return nil, nil
}

// databases are those of the server, in the order of their numbers.
func (c *client) databases() []string {
	return []string{"master", "tempdb", "model", "msdb", c.server.database}
}

func (c *client) databaseNamed(name string) (string, bool) {
	all := c.databases()
	i := slices.IndexFunc(all, func(n string) bool { return strings.EqualFold(n, name) })
	if i < 0 {
		return "", false
	}
	return all[i], true
}
