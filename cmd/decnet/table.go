package main

import (
	"fmt"
	"reflect"
	"strings"
)

// option is a row of the option table.
type option struct {
	// Flag is "" for a secret, Variable is "" for what has no variable.
	Flag, Variable, Default, Help string
	Secret                        bool
	index                         []int
}

// optionTable reads the rows from the tags of an option struct, embedded structs
// included, in the order of the fields.
func optionTable(t reflect.Type) []option {
	var rows []option
	for f := range t.Fields() {
		if f.Anonymous {
			for _, row := range optionTable(f.Type) {
				row.index = append([]int{f.Index[0]}, row.index...)
				rows = append(rows, row)
			}
			continue
		}
		help, ok := f.Tag.Lookup("help")
		if !ok {
			continue
		}
		row := option{Variable: f.Tag.Get("variable"), Default: f.Tag.Get("default"), Help: help, index: f.Index}
		if _, row.Secret = f.Tag.Lookup("secret"); !row.Secret {
			row.Flag = f.Tag.Get("name")
			if row.Flag == "" {
				row.Flag = flagName(f.Name)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// flagName makes api-host of APIHost and log-level of LogLevel. The parser is
// given the same function, so that the table and the flags can't differ.
func flagName(field string) string {
	var b strings.Builder
	runes := []rune(field)
	upper := func(i int) bool { return i >= 0 && i < len(runes) && runes[i] >= 'A' && runes[i] <= 'Z' }
	for i := range runes {
		if upper(i) && i > 0 && (!upper(i-1) || (i+1 < len(runes) && !upper(i+1))) {
			b.WriteByte('-')
		}
		b.WriteRune(runes[i])
	}
	return strings.ToLower(b.String())
}

// The lines of README.md between which its options section lies.
const (
	tableBegin = "<!-- options: written by `make docs` from cmd/decnet/config.go -->"
	tableEnd   = "<!-- options: end -->"
)

// optionMarkdown is the README's section of the options of serve.
func optionMarkdown() string {
	var b strings.Builder
	b.WriteString("| flag | variable | default | meaning |\n|---|---|---|---|\n")
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	for _, o := range optionTable(reflect.TypeFor[config]()) {
		flag := "none: secret"
		if !o.Secret {
			flag = code("--" + o.Flag)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", flag, code(o.Variable), code(o.Default), strings.ReplaceAll(o.Help, "|", `\|`))
	}
	return b.String()
}

// secretHelp is the paragraph of --help about what has no flag.
func secretHelp(t reflect.Type) string {
	var b strings.Builder
	b.WriteString("Secrets have no flag, because every user of a machine can read arguments. They come from these variables, or from a file named by the variable with _FILE at its end:\n\n")
	for _, o := range optionTable(t) {
		if o.Secret {
			fmt.Fprintf(&b, "  $%s\n", o.Variable)
		}
	}
	return b.String()
}
