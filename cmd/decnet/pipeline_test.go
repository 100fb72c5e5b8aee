package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestServe_ASensorSendsEvents goes the whole way: a sensor is made, sends a
// batch, sends it again, and is deleted.
func TestServe_ASensorSendsEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir, withAdmin(), "--batch-max-wait-ms=1")
	admin := p.admin(t)
	code, text := admin.status(t, http.MethodPost, "/api/v1/sensors", map[string]string{"name": "web-01"})
	require.Equal(t, http.StatusOK, code, text)
	var made struct{ UUID, Token string }
	require.NoError(t, json.Unmarshal([]byte(text), &made))
	sensor := p.client(t)
	sensor.token = made.Token

	events := openStream(t, admin, "/api/v1/stream")
	events.next(t, "stats")
	batch := []json.RawMessage{
		json.RawMessage(`{"event_id":"a","timestamp":"2026-04-17 19:30:11","decky":"web-01","service":"ssh","event_type":"auth_attempt","attacker_ip":"203.0.113.7","fields":{"username":"root","password":"123456"},"msg":"","raw_line":""}`),
		json.RawMessage(`{"no":"format of ours"}`),
		json.RawMessage(`{"event_id":"b","eventid":"cowrie.login.failed","username":"root","password":"x","timestamp":"2026-04-17T19:30:12Z","src_ip":"203.0.113.8","session":"a1b2c3d4e5f6","sensor":"pot"}`),
	}
	for _, want := range []string{
		`{"accepted":2,"duplicate":0,"rejected":1,"ignored":0,"rejects":[{"line":1,"reason":"unknown_format","detail":"No known format recognises the line."}]}`,
		`{"accepted":0,"duplicate":2,"rejected":1,"ignored":0,"rejects":[{"line":1,"reason":"unknown_format","detail":"No known format recognises the line."}]}`,
	} {
		code, text = sensor.status(t, http.MethodPost, "/api/v1/ingest", batch)
		require.Equal(t, http.StatusOK, code, text)
		assert.JSONEq(t, want, text)
	}
	assert.Contains(t, events.next(t, "logs"), "203.0.113.7")
	var page logPage
	admin.get(t, "/api/v1/logs", &page)
	assert.EqualValues(t, 2, page.Total, "sent twice, stored once")
	var tried, rejects struct{ Total int64 }
	admin.get(t, "/api/v1/credentials?search=123456", &tried)
	assert.EqualValues(t, 1, tried.Total)
	admin.get(t, "/api/v1/ingest/rejects?reason=unknown_format", &rejects)
	assert.EqualValues(t, 2, rejects.Total, "a line that gave nothing can be found")
	var status struct {
		Lines, Accepted, Duplicate, Rejected, Ignored int64
		Sources                                       []struct{ Name, Kind string }
	}
	admin.get(t, "/api/v1/ingest/status", &status)
	assert.EqualValues(t, 6, status.Lines)
	assert.Equal(t, status.Lines, status.Accepted+status.Duplicate+status.Rejected+status.Ignored)
	require.Len(t, status.Sources, 1)
	assert.Equal(t, "sensor", status.Sources[0].Kind)

	code, _ = admin.status(t, http.MethodDelete, "/api/v1/sensors/"+made.UUID, nil)
	require.Equal(t, http.StatusOK, code)
	code, _ = sensor.status(t, http.MethodPost, "/api/v1/ingest", batch)
	assert.Equal(t, http.StatusUnauthorized, code)
}

func TestServe_ExplainsALine(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), withAdmin())
	c := p.admin(t)
	code, text := c.status(t, http.MethodPost, "/api/v1/ingest/explain", map[string]string{
		"line": `{"eventid":"cowrie.command.input","input":"uname -a","timestamp":"2026-04-17T19:30:12Z","src_ip":"203.0.113.8","session":"a1b2c3d4e5f6","sensor":"pot"}`,
	})
	require.Equal(t, http.StatusOK, code, text)
	var x struct {
		Format string
		Events []struct{ Command string }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &x))
	assert.Equal(t, "cowrie", x.Format)
	require.Len(t, x.Events, 1)
	assert.Equal(t, "uname -a", x.Events[0].Command)
	var page logPage
	c.get(t, "/api/v1/logs", &page)
	assert.Zero(t, page.Total, "nothing is stored")
}
