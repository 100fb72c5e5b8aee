package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/contract"
)

func TestLoad_Tmp(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(decnet.OpenAPI())
	require.NoError(t, err)
	for _, o := range c.Operations() {
		t.Log(o.Method, o.Path, o.ID, o.Role, o.Statuses)
	}
}
