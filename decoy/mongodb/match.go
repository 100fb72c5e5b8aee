package mongodb

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"
)

// matches reports whether a document is what a filter asks for. Scripts, patterns
// and operators that are not here match everything.
func matches(d, filter doc) bool {
	for _, e := range filter {
		switch e.key {
		case "$and":
			if !slices.ContainsFunc(clauses(e.value), func(f doc) bool { return !matches(d, f) }) {
				continue
			}
			return false
		case "$or":
			if slices.ContainsFunc(clauses(e.value), func(f doc) bool { return matches(d, f) }) {
				continue
			}
			return false
		case "$nor":
			if slices.ContainsFunc(clauses(e.value), func(f doc) bool { return matches(d, f) }) {
				return false
			}
			continue
		}
		if !strings.HasPrefix(e.key, "$") && !fits(field(d, e.key), e.value) {
			return false
		}
	}
	return true
}

func clauses(v any) []doc {
	l, _ := v.(list)
	var all []doc
	for _, item := range l {
		if d, ok := item.(doc); ok {
			all = append(all, d)
		}
	}
	return all
}

// missing stands for a field that isn't there.
type missing struct{}

// field returns the value at a path such as a.b.
func field(d doc, path string) any {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		v, found := d.lookup(name)
		if !found {
			return missing{}
		}
		if !deeper {
			return v
		}
		if d, found = v.(doc); !found {
			return missing{}
		}
		path = rest
	}
}

// fits reports whether a value is what a condition asks for.
func fits(v, condition any) bool {
	operators, isDoc := condition.(doc)
	if !isDoc || len(operators) == 0 || !strings.HasPrefix(operators[0].key, "$") {
		return equals(v, condition)
	}
	for _, o := range operators {
		if !holds(v, o) {
			return false
		}
	}
	return true
}

func holds(v any, o element) bool {
	_, absent := v.(missing)
	order, comparable := compare(v, o.value)
	switch o.key {
	case "$eq":
		return equals(v, o.value)
	case "$ne":
		return !equals(v, o.value)
	case "$gt":
		return comparable && order > 0
	case "$gte":
		return comparable && order >= 0
	case "$lt":
		return comparable && order < 0
	case "$lte":
		return comparable && order <= 0
	case "$exists":
		return absent != (doc{o}).truth("$exists")
	case "$in", "$nin":
		l, _ := o.value.(list)
		return slices.ContainsFunc(l, func(item any) bool { return equals(v, item) }) == (o.key == "$in")
	case "$not":
		return !fits(v, o.value)
	}
	return true
}

// equals reports whether a value, or one in a list, is the wanted one.
func equals(v, want any) bool {
	if _, absent := v.(missing); absent {
		return want == nil
	}
	if _, isPattern := want.(pattern); isPattern {
		return true
	}
	if order, comparable := compare(v, want); comparable {
		return order == 0
	}
	if l, ok := v.(list); ok {
		if _, both := want.(list); !both {
			return slices.ContainsFunc(l, func(item any) bool { return equals(item, want) })
		}
	}
	a, kind := encodeValue(nil, v)
	b, other := encodeValue(nil, want)
	return kind == other && bytes.Equal(a, b)
}

// compare orders two values of one kind.
func compare(a, b any) (order int, comparable bool) {
	if x, ok := asNumber(a); ok {
		y, ok := asNumber(b)
		return cmp.Compare(x, y), ok
	}
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case time.Time:
		y, ok := b.(time.Time)
		return x.Compare(y), ok
	case objectID:
		y, ok := b.(objectID)
		return bytes.Compare(x[:], y[:]), ok
	}
	return 0, false
}

// sorted puts documents in order.
func sorted(docs []doc, by doc) []doc {
	if len(by) == 0 || strings.HasPrefix(by[0].key, "$") {
		return docs
	}
	docs = slices.Clone(docs)
	slices.SortStableFunc(docs, func(a, b doc) int {
		for _, e := range by[:min(len(by), 8)] {
			if order, comparable := compare(field(a, e.key), field(b, e.key)); comparable && order != 0 {
				if n, _ := asNumber(e.value); n < 0 {
					return -order
				}
				return order
			}
		}
		return 0
	})
	return docs
}

// project leaves of a document what is asked for.
func project(d, fields doc) doc {
	if len(fields) == 0 {
		return d
	}
	including := false
	for _, e := range fields {
		including = including || e.key != "_id" && fields.truth(e.key)
	}
	var kept doc
	for _, e := range d {
		wanted := fields.truth(e.key)
		if _, named := fields.lookup(e.key); !named {
			wanted = !including || e.key == "_id"
		}
		if wanted {
			kept = append(kept, e)
		}
	}
	return kept
}
