package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/testutil"
)

type credentialRow struct {
	Username, Password string
	Services           []string
	Attempts           int64
	Attackers          int64
	FirstSeen          string `json:"first_seen"`
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	var events []repo.Event
	for i, user := range []string{"root", "root", "Admin", "root", "<b>\x00"} {
		e := testutil.Event(i)
		e.Service = []string{"ssh", "telnet"}[i%2]
		e.Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: fmt.Sprintf(`{"password":"p","username":%s}`, quoted(user))}}
		events = append(events, e)
	}
	w.Commit(events...)
	list := func(query ...string) testutil.Page[credentialRow] {
		return testutil.Decode[testutil.Page[credentialRow]](w.Viewer.Get("/api/v1/credentials", query...).OK())
	}
	all := list()
	require.EqualValues(t, 3, all.Total)
	assert.Equal(t, credentialRow{"root", "p", []string{"ssh", "telnet"}, 3, 3, "2026-04-17T12:00:00Z"}, all.Data[0])
	assert.Equal(t, "<b>\x00", list("sort_by", "recent").Data[0].Username)
	assert.Equal(t, "Admin", list("search", "ADMIN").Data[0].Username)
	assert.EqualValues(t, 1, list("service", "telnet").Total)
	assert.Equal(t, all.Data[1:], list("offset", "1").Data)
	assert.NotContains(t, string(w.Viewer.Get("/api/v1/credentials").OK().Body), "<b>", "harmless")
	w.Viewer.Get("/api/v1/credentials", "sort_by", "name").Want(422)
}

func quoted(s string) string { return string(testutil.JSON(s)) }

func TestRejects_SayWhereALineWent(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	at := time.Date(2026, 4, 17, 19, 0, 0, 0, time.UTC)
	require.NoError(t, w.Store.Commit(t.Context(), &repo.Batch{Rejects: []repo.Reject{
		{Path: "/var/log/a", Offset: 7, Reason: "not_json", Detail: "The line is not JSON.", Line: []byte("\xff<script>\x1b[2J"), Size: 1 << 20, SeenAt: at},
		{Path: "/var/log/b", Reason: "no_timestamp", Line: []byte("{}"), Size: 2},
	}}))
	type row struct {
		ID           int64
		Source       string
		Offset, Size int64
		Reason, Line string
		SeenAt       *string `json:"seen_at"`
	}
	list := func(query ...string) testutil.Page[row] {
		return testutil.Decode[testutil.Page[row]](w.Viewer.Get("/api/v1/ingest/rejects", query...).OK())
	}
	all := list()
	require.EqualValues(t, 2, all.Total)
	assert.Equal(t, row{2, "/var/log/b", 0, 2, "no_timestamp", "{}", nil}, all.Data[0], "newest first")
	assert.Equal(t, "\ufffd<script>\x1b[2J", all.Data[1].Line)
	assert.Equal(t, "2026-04-17T19:00:00Z", *all.Data[1].SeenAt)
	assert.Equal(t, all.Data[1:], list("reason", "not_json").Data)
	assert.Equal(t, all.Data[:1], list("source", "/var/log/b").Data)
	assert.NotContains(t, string(w.Viewer.Get("/api/v1/ingest/rejects").OK().Body), "<script>")
}
