package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

// pipeline is an ingester that remembers what it was given. What becomes of
// lines is tested in package ingest; here it is how they come in.
type pipeline struct {
	got  []repo.Push
	fail error
}

func (p *pipeline) Push(_ context.Context, x repo.Push) (repo.Receipt, error) {
	p.got = append(p.got, x)
	return repo.Receipt{
		Accepted: int64(len(x.Lines)), Rejected: 1,
		Rejects: []repo.ReceiptReject{{Line: 3, Reason: "not_json", Detail: "The line is not JSON."}},
	}, p.fail
}

func (p *pipeline) Status() repo.IngestStatus {
	return repo.IngestStatus{
		Lines: 4, Accepted: 3, Rejected: 1, Problem: "The disk is full.", LastCommit: time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC),
		Sources: []repo.SourceStatus{
			{Name: "/var/log/\x1b[2J", Kind: "file", Format: "cowrie", State: "following", Lines: 4, Accepted: 3, Rejected: 1, RejectedBy: map[string]int64{"not_json": 1}},
			{Name: "web-01", Kind: "sensor", State: "following"},
		},
	}
}

func (p *pipeline) Explain(line []byte, format string) repo.Explanation {
	e := testutil.Event(1)
	e.RawLine = string(line)
	return repo.Explanation{Format: format + "decnet", Events: []repo.Event{e}, Notes: []string{"The time has no zone: taken as UTC."}}
}

func ingestWorld(t *testing.T) (*testutil.World, *pipeline, *testutil.Client) {
	t.Helper()
	p := &pipeline{}
	w := testutil.New(t, testutil.With(func(o *api.Options) { o.Ingest = p }))
	made := testutil.Decode[struct{ Token string }](w.Admin.Post("/api/v1/sensors", map[string]string{"name": "web-01"}).OK())
	return w, p, w.WithToken("sensor", made.Token)
}

func send(c *testutil.Client, contentType string, body []byte, header ...string) *testutil.Response {
	r := c.Request(http.MethodPost, "/api/v1/ingest", body)
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return c.Do(r)
}

func packed(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.Bytes()
}

func TestIngest_EveryShapeOfABatchGivesItsLines(t *testing.T) {
	t.Parallel()
	want := []string{`{"a":1}`, `{"b":"x\ny"}`}
	for name, c := range map[string]struct {
		contentType string
		body        []byte
		header      []string
	}{
		"lines":            {"application/x-ndjson", []byte("{\"a\":1}\n{\"b\":\"x\\ny\"}\n"), nil},
		"no last line end": {"text/plain; charset=utf-8", []byte("{\"a\":1}\r\n{\"b\":\"x\\ny\"}"), nil},
		"an array":         {"application/json", []byte(` [ {"a": 1}, {"b":"x\ny"} ] `), nil},
		"values":           {"application/json", []byte("{\n \"a\": 1\n}\n{\"b\":\"x\\ny\"}"), nil},
		"packed":           {"application/x-ndjson", packed(t, []byte("{\"a\":1}\n{\"b\":\"x\\ny\"}\n")), []string{"Content-Encoding", "gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p, sensor := ingestWorld(t)
			r := send(sensor, c.contentType, c.body, append(c.header, "Idempotency-Key", "batch 7")...).OK()
			require.Len(t, p.got, 1)
			got := p.got[0]
			require.Len(t, got.Lines, 2)
			assert.Equal(t, want, []string{string(got.Lines[0]), string(got.Lines[1])})
			assert.Equal(t, "batch 7", got.Key)
			assert.Equal(t, "web-01", got.Source)
			assert.Len(t, got.BodyHash, 32)
			assert.JSONEq(t, `{"accepted":2,"duplicate":0,"rejected":1,"ignored":0,
				"rejects":[{"line":3,"reason":"not_json","detail":"The line is not JSON."}]}`, string(r.Body))
		})
	}
}

func TestIngest_BadBatches(t *testing.T) {
	t.Parallel()
	_, p, sensor := ingestWorld(t)
	lines := []byte("{}\n")
	send(sensor, "application/xml", lines).Want(http.StatusUnsupportedMediaType)
	send(sensor, "application/x-ndjson", lines, "Content-Encoding", "br").Want(http.StatusUnsupportedMediaType)
	send(sensor, "application/x-ndjson", lines, "Content-Encoding", "gzip").Want(http.StatusBadRequest)
	half := packed(t, bytes.Repeat([]byte("0123456789"), 1000))
	send(sensor, "application/x-ndjson", half[:len(half)/2], "Content-Encoding", "gzip").Want(http.StatusBadRequest)
	send(sensor, "application/json", []byte(`[{}`)).Want(http.StatusBadRequest)
	send(sensor, "application/json", []byte(`{} x`)).Want(http.StatusBadRequest)
	send(sensor, "text/plain", make([]byte, 16<<20+1)).Want(http.StatusRequestEntityTooLarge)
	send(sensor, "text/plain", packed(t, make([]byte, 16<<20+1)), "Content-Encoding", "gzip").Want(http.StatusRequestEntityTooLarge)
	send(sensor, "text/plain", lines, "Idempotency-Key", strings.Repeat("k", 129)).Want(http.StatusUnprocessableEntity)
	send(sensor, "text/plain", lines, "Idempotency-Key", "schl\u00fcssel").Want(http.StatusUnprocessableEntity)
	assert.Empty(t, p.got, "nothing of it came in")
	for _, contentType := range []string{"application/json", "text/plain"} {
		send(sensor, contentType, []byte("\n")).OK() // a batch of nothing
	}
	for _, empty := range p.got {
		assert.Empty(t, empty.Lines)
	}
	send(sensor, "text/plain", packed(t, make([]byte, 16<<20)), "Content-Encoding", "gzip").OK() // as large as it may be
	send(sensor, "text/plain", lines, "Idempotency-Key", strings.Repeat("~", 128)).OK()
}

func TestIngest_BusyAndReusedKey(t *testing.T) {
	t.Parallel()
	_, p, sensor := ingestWorld(t)
	p.fail = &api.PushBusyError{After: 1500 * time.Millisecond, Cause: errors.New("the queue is full")}
	r := send(sensor, "text/plain", []byte("x\n"))
	r.WantProblem(http.StatusTooManyRequests, "Too many events at once, try again later")
	assert.Equal(t, "2", r.Header.Get("Retry-After"))
	assert.NotContains(t, string(r.Body), "queue")
	p.fail = api.ErrPushTooLarge
	send(sensor, "text/plain", []byte("x\n")).Want(http.StatusRequestEntityTooLarge)
	p.fail = api.ErrPushFormat
	send(sensor, "text/plain", []byte("x\n")).Want(http.StatusUnprocessableEntity)
	p.fail = api.ErrPushKeyReused
	send(sensor, "text/plain", []byte("x\n")).WantProblem(http.StatusConflict, "The Idempotency-Key was used for another batch")
}

func TestIngest_StatusAndExplain(t *testing.T) {
	t.Parallel()
	w, _, _ := ingestWorld(t)
	status := w.Viewer.Get("/api/v1/ingest/status").OK()
	assert.NotContains(t, string(status.Body), "\x1b")
	got := testutil.Decode[struct {
		Lines   int64
		Problem *string
		Sources []struct {
			Name       string
			Format     *string
			Problem    *string
			RejectedBy map[string]int64 `json:"rejected_by"`
		}
	}](status)
	assert.EqualValues(t, 4, got.Lines)
	require.NotNil(t, got.Problem)
	assert.Equal(t, "The disk is full.", *got.Problem)
	assert.Nil(t, got.Sources[0].Problem, "null where there is none")
	require.NotNil(t, got.Sources[0].Format)
	assert.Equal(t, "cowrie", *got.Sources[0].Format)
	assert.Nil(t, got.Sources[1].Format, "not known yet")
	assert.Equal(t, map[string]int64{"not_json": 1}, got.Sources[0].RejectedBy)

	explained := testutil.Decode[struct {
		Format string
		Events []struct {
			Bounties []struct{ Payload map[string]string }
		}
		Notes []string
	}](w.Viewer.Post("/api/v1/ingest/explain", map[string]string{"line": "a line", "format": "my"}).OK())
	assert.Equal(t, "mydecnet", explained.Format)
	assert.Equal(t, map[string]string{"username": "user1", "password": "pw1"}, explained.Events[0].Bounties[0].Payload)
	assert.Len(t, explained.Notes, 1)
	w.Viewer.Post("/api/v1/ingest/explain", map[string]string{"line": strings.Repeat("x", 65537)}).Want(422)
}

func TestSensors_TokenIsShownOnceAndNeverKept(t *testing.T) {
	t.Parallel()
	w, _, sensor := ingestWorld(t)
	list := w.Admin.Get("/api/v1/sensors").OK()
	assert.NotContains(t, string(list.Body), "decnet_sensor_")
	sensors := testutil.Decode[[]struct{ UUID, Name string }](list)
	require.Len(t, sensors, 1)
	assert.Equal(t, "web-01", sensors[0].Name)
	stored, err := w.Store.Sensors(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, string(stored[0].TokenHash), sensor.Token())
	w.Admin.Post("/api/v1/sensors", map[string]string{"name": "web-01"}).WantProblem(http.StatusConflict, "Sensor name already exists")
	w.Admin.Delete("/api/v1/sensors/6f1a2b3c-0000-4000-8000-000000000000").WantProblem(http.StatusNotFound, "Sensor not found")

	send(sensor, "text/plain", []byte("x\n")).OK()
	w.Admin.Delete("/api/v1/sensors/" + sensors[0].UUID).OK()
	send(sensor, "text/plain", []byte("x\n")).Want(http.StatusUnauthorized)
}
