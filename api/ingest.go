package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"decnet/contract"
	"decnet/repo"
)

const (
	// pushBody bounds a batch, as it is sent and as it is after gzip.
	pushBody = 16 << 20
	// pushesAtOnce bounds the batches that are in memory before the pipeline has
	// taken them.
	pushesAtOnce = 8
	// explainMaxBody leaves room for the longest line and its escapes.
	explainMaxBody = 512 << 10
	// maxPushKey bounds an Idempotency-Key, in bytes.
	maxPushKey = 128
)

// push answers POST /ingest.
func (s *Server) push(c *call) (answer, error) {
	if s.Ingest == nil {
		return answer{}, errNotReady
	}
	select {
	case s.pushes <- struct{}{}:
		defer func() { <-s.pushes }()
	default:
		return answer{}, errTooManyEvents
	}
	p := repo.Push{
		Sensor: c.sensor.UUID, Source: c.sensor.Name, Key: c.Header.Get("Idempotency-Key"), Format: c.params.String("format"),
	}
	if err := checkPushKey(p.Key); err != nil {
		return answer{}, err
	}
	raw, err := readPush(c)
	if err != nil {
		return answer{}, err
	}
	hash := sha256.Sum256(raw)
	p.BodyHash = hash[:]
	if p.Lines, err = linesOf(c.Header.Get("Content-Type"), raw); err != nil {
		return answer{}, err
	}
	receipt, err := s.Ingest.Push(c.Context(), p)
	var busy *PushBusyError
	switch {
	case errors.As(err, &busy):
		return answer{}, errTooManyEvents.because(err).after(busy.After)
	case errors.Is(err, ErrPushKeyReused):
		return answer{}, errKeyReused.because(err)
	case errors.Is(err, ErrPushTooLarge):
		return answer{}, errBodyTooLarge.because(err)
	case errors.Is(err, ErrPushFormat):
		return answer{}, &contract.Violations{Status: http.StatusUnprocessableEntity, List: []contract.Violation{{
			In: contract.InQuery, Name: "format", Keyword: "enum", Detail: "Query parameter format must name a known format",
		}}}
	case err != nil:
		return answer{}, fmt.Errorf("push: %w", err)
	}
	return jsonAnswer(newReceiptBody(&receipt))
}

// checkPushKey wants what the contract says of an Idempotency-Key: printable ASCII,
// of which a character is a byte, so that everybody counts alike.
func checkPushKey(key string) error {
	v := contract.Violation{In: "header", Name: "Idempotency-Key"}
	switch {
	case len(key) > maxPushKey:
		v.Keyword, v.Detail = "maxLength", fmt.Sprintf("Header Idempotency-Key must have at most %d bytes", maxPushKey)
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }):
		v.Keyword, v.Detail = "pattern", "Header Idempotency-Key must consist of printable ASCII characters"
	default:
		return nil
	}
	return &contract.Violations{Status: http.StatusUnprocessableEntity, List: []contract.Violation{v}}
}

// readPush reads a body, unpacking it where it is packed.
func readPush(c *call) ([]byte, error) {
	if !c.op.Accepts(c.Header.Get("Content-Type")) {
		return nil, errPushType
	}
	var body io.Reader = c.Body
	switch c.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, packedBadly(err)
		}
		body = z
	default:
		return nil, errPushType
	}
	raw, err := io.ReadAll(io.LimitReader(body, pushBody+1))
	if err != nil {
		return nil, packedBadly(err)
	}
	if len(raw) > pushBody {
		return nil, errBodyTooLarge
	}
	return raw, nil
}

func packedBadly(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fmt.Errorf("read the batch: %w", err)
	}
	return bodyViolation("encoding", "Body must be readable as its Content-Encoding says")
}

func bodyViolation(keyword, detail string) error {
	return &contract.Violations{Status: http.StatusBadRequest, List: []contract.Violation{{
		In: contract.InBody, Keyword: keyword, Detail: detail,
	}}}
}

// linesOf splits a batch: JSON into its values, or the elements of its array;
// anything else at line ends.
func linesOf(contentType string, raw []byte) ([][]byte, error) {
	if media, _, _ := mime.ParseMediaType(contentType); media != "application/json" {
		raw = bytes.TrimSuffix(raw, []byte("\n"))
		if len(raw) == 0 {
			return nil, nil
		}
		lines := bytes.Split(raw, []byte("\n"))
		for i := range lines {
			lines[i] = bytes.TrimSuffix(lines[i], []byte("\r"))
		}
		return lines, nil
	}
	var values []json.RawMessage
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		if err := json.Unmarshal(raw, &values); err != nil {
			return nil, bodyViolation(contract.KeywordJSON, "Body must be one JSON array, or JSON values one after the other")
		}
	} else {
		dec := json.NewDecoder(bytes.NewReader(raw))
		for {
			var v json.RawMessage
			err := dec.Decode(&v)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, bodyViolation(contract.KeywordJSON, "Body must be one JSON array, or JSON values one after the other")
			}
			values = append(values, v)
		}
	}
	lines := make([][]byte, len(values))
	for i, v := range values {
		// A line has no line ends; inside JSON they are white space.
		var compact bytes.Buffer
		if err := json.Compact(&compact, v); err != nil {
			return nil, bodyViolation(contract.KeywordJSON, "Body must be one JSON array, or JSON values one after the other")
		}
		lines[i] = compact.Bytes()
	}
	return lines, nil
}

type receiptBody struct {
	Accepted  int64               `json:"accepted"`
	Duplicate int64               `json:"duplicate"`
	Rejected  int64               `json:"rejected"`
	Ignored   int64               `json:"ignored"`
	Rejects   []receiptRejectBody `json:"rejects"`
}

type receiptRejectBody struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
	Detail text   `json:"detail"`
}

func newReceiptBody(r *repo.Receipt) receiptBody {
	body := receiptBody{
		Accepted: r.Accepted, Duplicate: r.Duplicate, Rejected: r.Rejected, Ignored: r.Ignored,
		Rejects: make([]receiptRejectBody, len(r.Rejects)),
	}
	for i, x := range r.Rejects {
		body.Rejects[i] = receiptRejectBody{Line: x.Line, Reason: x.Reason, Detail: text(x.Detail)}
	}
	return body
}

type sourceBody struct {
	Name       text             `json:"name"`
	Kind       string           `json:"kind"`
	State      string           `json:"state"`
	Format     *string          `json:"format"`
	LastLine   wireTime         `json:"last_line"`
	LastEvent  wireTime         `json:"last_event"`
	Rate       float64          `json:"rate"`
	LagBytes   int64            `json:"lag_bytes"`
	LagSeconds float64          `json:"lag_seconds"`
	Lines      int64            `json:"lines"`
	Accepted   int64            `json:"accepted"`
	Duplicate  int64            `json:"duplicate"`
	Rejected   int64            `json:"rejected"`
	Ignored    int64            `json:"ignored"`
	RejectedBy map[string]int64 `json:"rejected_by"`
	IgnoredBy  map[string]int64 `json:"ignored_by"`
	Problem    *text            `json:"problem"`
}

type ingestStatusBody struct {
	Lines      int64        `json:"lines"`
	Accepted   int64        `json:"accepted"`
	Duplicate  int64        `json:"duplicate"`
	Rejected   int64        `json:"rejected"`
	Ignored    int64        `json:"ignored"`
	LastCommit wireTime     `json:"last_commit"`
	Problem    *text        `json:"problem"`
	Sources    []sourceBody `json:"sources"`
}

// optional is nil for "".
func optional(s string) *text {
	if s == "" {
		return nil
	}
	t := text(s)
	return &t
}

// ingestStatus answers GET /ingest/status.
func (s *Server) ingestStatus(*call) (answer, error) {
	if s.Ingest == nil {
		return answer{}, errNotReady
	}
	st := s.Ingest.Status()
	body := ingestStatusBody{
		Lines: st.Lines, Accepted: st.Accepted, Duplicate: st.Duplicate, Rejected: st.Rejected, Ignored: st.Ignored,
		LastCommit: wireTime(st.LastCommit), Problem: optional(st.Problem), Sources: make([]sourceBody, len(st.Sources)),
	}
	for i := range st.Sources {
		x := &st.Sources[i]
		b := sourceBody{
			Name: text(x.Name), Kind: x.Kind, State: x.State, LastLine: wireTime(x.LastLine), LastEvent: wireTime(x.LastEvent),
			Rate: x.Rate, LagBytes: x.LagBytes, LagSeconds: x.LagSeconds, Lines: x.Lines, Accepted: x.Accepted,
			Duplicate: x.Duplicate, Rejected: x.Rejected, Ignored: x.Ignored,
			RejectedBy: x.RejectedBy, IgnoredBy: x.IgnoredBy, Problem: optional(x.Problem),
		}
		if x.Format != "" {
			b.Format = &x.Format
		}
		if b.RejectedBy == nil {
			b.RejectedBy = map[string]int64{}
		}
		if b.IgnoredBy == nil {
			b.IgnoredBy = map[string]int64{}
		}
		body.Sources[i] = b
	}
	return jsonAnswer(body)
}

type explainBody struct {
	Line   string `json:"line"`
	Format string `json:"format"`
}

type explainedEvent struct {
	Timestamp wireTime          `json:"timestamp"`
	Decky     text              `json:"decky"`
	Service   text              `json:"service"`
	EventType text              `json:"event_type"`
	Attacker  text              `json:"attacker_ip"`
	Fields    objectText        `json:"fields"`
	Msg       *text             `json:"msg"`
	Command   *text             `json:"command"`
	Bounties  []explainedBounty `json:"bounties"`
}

type explainedBounty struct {
	Type    string     `json:"bounty_type"`
	Payload objectText `json:"payload"`
}

type explanationBody struct {
	Format  *string          `json:"format"`
	Events  []explainedEvent `json:"events"`
	Ignored *text            `json:"ignored"`
	Reason  *text            `json:"reason"`
	Detail  *text            `json:"detail"`
	Notes   []text           `json:"notes"`
}

// explain answers POST /ingest/explain. It stores nothing.
func (s *Server) explain(c *call) (answer, error) {
	var in explainBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	if s.Ingest == nil {
		return answer{}, errNotReady
	}
	x := s.Ingest.Explain([]byte(in.Line), in.Format)
	body := explanationBody{
		Events: make([]explainedEvent, len(x.Events)), Ignored: optional(x.Ignored), Reason: optional(x.Reason),
		Detail: optional(x.Detail), Notes: texts(x.Notes),
	}
	if x.Format != "" {
		body.Format = &x.Format
	}
	for i := range x.Events {
		e := &x.Events[i]
		out := explainedEvent{
			Timestamp: wireTime(e.Time), Decky: text(e.Decky), Service: text(e.Service), EventType: text(e.EventType),
			Attacker: text(e.AttackerIP), Fields: objectText(e.Fields), Msg: optional(e.Msg), Command: optional(e.Command),
			Bounties: make([]explainedBounty, len(e.Bounties)),
		}
		for k := range e.Bounties {
			out.Bounties[k] = explainedBounty{Type: e.Bounties[k].Type, Payload: objectText(e.Bounties[k].Payload)}
		}
		body.Events[i] = out
	}
	return jsonAnswer(body)
}

// retryPush is how long a sensor is asked to wait.
const retryPush = 2 * time.Second
