package testutil

import "errors"

// Agree gives the verdict on a body, and the fault where the judges disagree.
func Agree(refused error, matches bool) (bool, error) {
	var x exchange
	ok := x.agree("body", refused, matches)
	return ok, errors.Join(x.faults...)
}
