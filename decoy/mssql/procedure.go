package mssql

import (
	"slices"
	"strings"

	"decnet/decoy/trap"
)

// argument is one of a procedure.
type argument struct {
	name  string
	value any
}

// execute answers EXEC: a procedure, or a text that is run.
func (b *batchRun) execute(r *reader, deep int) {
	if r.accept("(") {
		v, _ := r.expression()
		b.dynamic(asText(v), deep)
		return
	}
	if r.peek().kind == variable && len(r.all) > 1 && r.all[1].is("=") {
		r.take()
		r.take()
	}
	if t := r.peek(); t.kind == variable {
		r.take()
		b.procedure(asText(b.vars[t.text]), nil, deep)
		return
	}
	whole, last := r.path()
	if last == "" {
		b.fail(tokenDone, *syntax(r.peek().text), true)
		return
	}
	var args []argument
	for len(r.all) > 0 && len(args) < maxItems {
		var a argument
		if t := r.peek(); t.kind == variable && len(r.all) > 1 && r.all[1].is("=") {
			a.name = t.text
			r.take()
			r.take()
		}
		if t := r.peek(); t.kind == word && (len(r.all) == 1 || r.all[1].is(",")) {
			a.value = r.take().text // a text needs no quotes there
		} else {
			a.value, _ = r.expression()
		}
		args = append(args, a)
		r.skip()
		if !r.accept(",") {
			break
		}
	}
	b.procedure(whole, args, deep)
}

// dynamic runs a text that a batch has put together, and records it as it is.
func (b *batchRun) dynamic(sql string, deep int) {
	if sql == "" || !b.charge(len(sql)) {
		b.done(tokenDone, 0, commandExec, 0)
		return
	}
	b.recordQuery(sql, nil, trap.Field{Key: "origin", Value: "exec"})
	b.run(sql, deep+1)
}

func value(args []argument, name string, at int) any {
	for _, a := range args {
		if a.name == name {
			return a.value
		}
	}
	if at < len(args) && args[at].name == "" {
		return args[at].value
	}
	return nil
}

// procedure answers the call of a procedure.
func (b *batchRun) procedure(whole string, args []argument, deep int) {
	name := strings.ToLower(whole[strings.LastIndexByte(whole, '.')+1:])
	switch name {
	case "xp_cmdshell":
		b.shell(asText(value(args, "@command_string", 0)))
	case "sp_configure":
		b.configure(args)
	case "sp_executesql":
		b.dynamic(asText(value(args, "@stmt", 0)), deep)
	case "sp_oacreate", "sp_oamethod", "sp_oasetproperty", "sp_oagetproperty", "sp_oadestroy":
		b.automation(name, args)
	case "sp_add_jobstep":
		b.command(asText(value(args, "@command", 4)), name)
		b.status(0)
	case "xp_regread":
		b.status(1)
	case "sp_who", "sp_who2", "sp_helpdb", "sp_databases", "xp_dirtree", "xp_fileexist", "xp_subdirs", "xp_regwrite", "xp_regdeletevalue", "xp_regdeletekey",
		"sp_addlogin", "sp_addsrvrolemember", "sp_dropsrvrolemember", "sp_password", "sp_add_job", "sp_add_jobserver", "sp_start_job", "sp_delete_job",
		"sp_procoption", "sp_addextendedproc", "sp_dropextendedproc", "sp_changedbowner", "sp_droplogin", "sp_adduser", "sp_grantlogin", "sp_defaultdb",
		"sp_reset_connection", "sp_addlinkedserver", "sp_add_schedule", "sp_add_jobschedule", "sp_add_trusted_assembly":
		b.status(0)
	default:
		b.fail(tokenDone, problem{2812, 62, 16, "Could not find stored procedure '" + whole + "'."}, false)
	}
}

// blocked is how a server refuses a component that is turned off.
func (b *batchRun) blocked(procedure, component string) {
	b.fail(tokenDoneProc, problem{15281, 1, 16, "SQL Server blocked access to procedure 'sys." + procedure + "' of component '" + component +
		"' because this component is turned off as part of the security configuration for this server. A system administrator can enable the use of '" + component +
		"' by using sp_configure. For more information about enabling '" + component + "', search for '" + component + "' in SQL Server Books Online."}, false)
}

// shell answers xp_cmdshell. Nothing is executed.
func (b *batchRun) shell(line string) {
	b.command(line, "xp_cmdshell")
	if b.active["xp_cmdshell"] == 0 {
		b.blocked("xp_cmdshell", "xp_cmdshell")
		return
	}
	if b.linux {
		b.fail(tokenDoneProc, problem{17750, 0, 16, "Could not load the DLL xpstar.dll, or one of the DLLs it references. Reason: 126(The specified module could not be found.)."}, false)
		return
	}
	t := &table{columns: []column{{name: "output", width: 255}}}
	for _, l := range b.output(line) {
		t.rows = append(t.rows, []any{l})
	}
	t.rows = append(t.rows, []any{nil})
	b.e.table(t)
	b.done(0xff, doneCount, commandSelect, uint64(len(t.rows)))
	b.status(0)
}

// output is what a few commands print that only look around.
func (b *batchRun) output(line string) []string {
	host, _, _ := strings.Cut(b.name, `\`)
	program, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	program, _ = strings.CutSuffix(strings.ToLower(program), ".exe")
	switch program {
	case "whoami":
		if strings.Contains(b.name, `\`) {
			return []string{`nt service\mssql$sqlexpress`}
		}
		return []string{`nt service\mssqlserver`}
	case "hostname":
		return []string{host}
	case "echo":
		return []string{strings.Trim(rest, ` "`)}
	case "ver":
		return []string{"", "Microsoft Windows [Version 10.0." + decimal(int(b.release.windows)) + ".1]"}
	}
	return nil
}

// automation answers the procedures of OLE.
func (b *batchRun) automation(name string, args []argument) {
	if name == "sp_oamethod" || name == "sp_oasetproperty" {
		for i := len(args) - 1; i >= 0; i-- {
			if s, ok := args[i].value.(string); ok && s != "" && i > 1 {
				b.command(s, name)
				break
			}
		}
	}
	if b.active["ole automation procedures"] == 0 {
		b.blocked("sp_OA"+strings.ToUpper(name[5:6])+name[6:], "Ole Automation Procedures")
		return
	}
	if name == "sp_oacreate" && b.linux {
		b.status(-2147221005) // an invalid class string
		return
	}
	b.status(0)
}

// option is one of sp_configure.
type option struct {
	name      string
	advanced  bool
	most, def int
}

// configurable are the options that the release has, by name.
func (s *server) configurable() []option {
	all := []option{
		{"Ad Hoc Distributed Queries", true, 1, 0},
		{"Agent XPs", true, 1, 0},
		{"clr enabled", false, 1, 0},
		{"clr strict security", true, 1, 1},
		{"Database Mail XPs", true, 1, 0},
		{"max degree of parallelism", true, 32767, 0},
		{"max server memory (MB)", true, 2147483647, 2147483647},
		{"Ole Automation Procedures", true, 1, 0},
		{"remote access", false, 1, 1},
		{"remote admin connections", false, 1, 0},
		{"scan for startup procs", true, 1, 0},
		{"show advanced options", false, 1, 0},
		{"xp_cmdshell", true, 1, 0},
	}
	if s.release.major < 14 {
		all = slices.DeleteFunc(all, func(o option) bool { return o.name == "clr strict security" })
	}
	return all
}

// value is that of an option, in what was set or in what is in force.
func (c *client) value(in map[string]int, o option) int {
	if v, changed := in[strings.ToLower(o.name)]; changed {
		return v
	}
	return o.def
}

// configure answers sp_configure.
func (b *batchRun) configure(args []argument) {
	all := b.configurable()
	if b.active["show advanced options"] == 0 {
		all = slices.DeleteFunc(all, func(o option) bool { return o.advanced })
	}
	wanted := asText(value(args, "@configname", 0))
	if wanted != "" {
		all = slices.DeleteFunc(all, func(o option) bool { return !strings.EqualFold(o.name, wanted) })
		if len(all) == 0 {
			b.fail(tokenDoneProc, problem{15123, 1, 16, "The configuration option '" + wanted + "' does not exist, or it may be an advanced option."}, false)
			return
		}
	}
	fresh, given := numberText(value(args, "@configvalue", 1))
	if wanted == "" || !given {
		t := &table{columns: []column{{name: "name", width: 35}, {name: "minimum", number: true}, {name: "maximum", number: true}, {name: "config_value", number: true}, {name: "run_value", number: true}}}
		for _, o := range all {
			t.rows = append(t.rows, []any{o.name, 0, o.most, b.value(b.set, o), b.value(b.active, o)})
		}
		b.e.table(t)
		b.done(0xff, doneCount, commandSelect, uint64(len(t.rows)))
		b.status(0)
		return
	}
	o := all[0]
	if fresh < 0 || fresh > o.most {
		b.fail(tokenDoneProc, problem{15129, 1, 16, "'" + decimal(fresh) + "' is not a valid value for configuration option '" + wanted + "'."}, false)
		return
	}
	b.e.problem(problem{15457, 1, 0, "Configuration option '" + o.name + "' changed from " + decimal(b.value(b.set, o)) + " to " + decimal(fresh) + ". Run the RECONFIGURE statement to install."})
	b.set[strings.ToLower(o.name)] = fresh
	b.status(0)
}
