//go:build !unix

package api_test

import "time"

// cpuTime is 0 where the system has no simple answer.
func cpuTime() time.Duration { return 0 }
