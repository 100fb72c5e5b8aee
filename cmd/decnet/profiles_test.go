package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:6060": true, "[::1]:0": true, "localhost:1": true, "127.9.9.9:1": true,
		":6060": false, "0.0.0.0:6060": false, "192.0.2.1:6060": false, "127.0.0.1": false, "": false, "example.org:1": false,
	} {
		assert.Equal(t, want, isLoopback(address), address)
	}
}
