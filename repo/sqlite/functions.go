package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"modernc.org/sqlite"

	"decnet/repo"
)

// newDriver returns a driver whose connections know our SQL functions. They are
// the conditions of package repo themselves, so that SQL and
// [repo.Expr.Match] cannot disagree; LIKE would stop at a NUL, and takes bytes
// that are not UTF-8 for one another.
//
// All arguments point into memory of SQLite and must not be kept.
func newDriver() (*sqlite.Driver, error) {
	d := &sqlite.Driver{}
	for _, f := range []struct {
		name string
		args int32
		call func(args []driver.Value) driver.Value
	}{
		// contains_fold(needle, text, …): any text contains needle.
		{"contains_fold", -1, truth(containsFold)},
		// packed_contains_fold(needle, packed): any string of pack contains needle.
		{"packed_contains_fold", 2, truth(packedContainsFold)},
		// field_equals(key, value, fields)
		{"field_equals", 3, truth(fieldEquals)},
		// credential_hash(username, password), for the migration
		{"credential_hash", 2, hashCredential},
		// packed_hex(list): pack of a list of hexadecimal strings with commas between
		// them, for the migration
		{"packed_hex", 1, packHex},
		// quarters_sum(counts, more), quarters_less(counts, fewer): counts of a day
		{"quarters_sum", 2, quartersSum},
		{"quarters_less", 2, quartersLess},
		// quarters_of(list), for the migration
		{"quarters_of", 1, quartersOf},
	} {
		err := d.RegisterFunction(f.name, &sqlite.FunctionImpl{
			NArgs:         f.args,
			Deterministic: true,
			VolatileArgs:  true,
			Scalar: func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
				return f.call(args), nil
			},
		})
		if err != nil {
			return nil, fmt.Errorf("register the SQL function %s: %w", f.name, err)
		}
	}
	return d, nil
}

// truth makes a condition of SQL of one of Go.
func truth(call func(args []driver.Value) bool) func(args []driver.Value) driver.Value {
	return func(args []driver.Value) driver.Value {
		if call(args) {
			return int64(1)
		}
		return int64(0)
	}
}

// text returns the bytes of a text or blob.
func text(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func containsFold(args []driver.Value) bool {
	needle := text(args[0])
	for _, a := range args[1:] {
		if repo.ContainsFold(text(a), needle) {
			return true
		}
	}
	return false
}

func packedContainsFold(args []driver.Value) bool {
	needle := text(args[0])
	for rest := text(args[1]); rest != ""; {
		n, size := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
		if size <= 0 || n > uint64(len(rest)-size) {
			return false
		}
		end := size + int(n)
		if repo.ContainsFold(rest[size:end], needle) {
			return true
		}
		rest = rest[end:]
	}
	return false
}

// pack joins strings so that no search finds a text across two of them.
func pack(texts ...string) []byte {
	var b []byte
	for _, t := range texts {
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
	}
	return b
}

// unpack returns the strings of pack, as far as it can read them.
func unpack(b []byte) []string {
	list := []string{}
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			break
		}
		list = append(list, string(b[size:size+int(n)]))
		b = b[size+int(n):]
	}
	return list
}

func packHex(args []driver.Value) driver.Value {
	var list []string
	for part := range strings.SplitSeq(text(args[0]), ",") {
		if b, err := hex.DecodeString(part); err == nil {
			list = append(list, string(b))
		}
	}
	slices.Sort(list)
	return pack(list...)
}

func fieldEquals(args []driver.Value) bool {
	l := repo.Log{Fields: text(args[2])}
	return repo.FieldEquals{Key: text(args[0]), Value: text(args[1])}.Match(&l)
}
