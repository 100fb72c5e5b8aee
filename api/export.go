package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"decnet/repo"
)

const (
	// exportsAtOnce bounds the exports under way: each keeps a reader of the store
	// busy for as long as it lasts.
	exportsAtOnce = 2
	// retryExport is how long a client is told to wait for a place.
	retryExport = 10 * time.Second
	// exportRows is how many events an export reads at once, exportWrite how long a
	// client may take to accept them.
	exportRows  = 500
	exportWrite = time.Minute
)

// exportForm is a format of an export.
type exportForm struct {
	contentType, extension, head string
	row                          func(b []byte, l *repo.Log) []byte
}

func exportForms() map[string]exportForm {
	return map[string]exportForm{
		"ndjson": {"application/x-ndjson", "ndjson", "", appendNDJSON},
		// Spreadsheets know UTF-8 by the mark at the beginning.
		"csv": {"text/csv; charset=utf-8", "csv", "\ufeffid,timestamp,decky,service,event_type,attacker_ip,msg,fields,raw_line\r\n", appendCSV},
	}
}

// export answers GET /logs/export. It walks the events in the order of the list,
// newest first, some at a time, so that its memory is bounded and what arrives
// meanwhile moves nothing.
func (s *Server) export(c *call) (answer, error) {
	filter, err := logFilter(c.params)
	if err != nil {
		return answer{}, err
	}
	x := &export{server: s, form: exportForms()[c.params.String("format")], token: bearer(c.Request), query: repo.LogQuery{LogFilter: filter, Limit: exportRows}}
	return answer{stream: x.serve}, nil
}

// export is one export under way.
type export struct {
	server *Server
	form   exportForm
	token  string
	query  repo.LogQuery
	// sift chooses among all events, where no index finds what is searched for; nil
	// when the store chooses.
	sift repo.Expr
	w    http.ResponseWriter
	ctrl *http.ResponseController
}

func (x *export) serve(w http.ResponseWriter, r *http.Request) error {
	s := x.server
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
	default:
		return errTooManyExports
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.base, cancel)() //nolint:contextcheck // the server ends the export, not the request
	x.w, x.ctrl = w, http.NewResponseController(w)
	// The first events are read before the header is sent: what cannot be read is
	// a problem like any other.
	rows, more, err := x.next(ctx)
	if err != nil {
		return err
	}
	x.header(w.Header())
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_ = x.ctrl.SetReadDeadline(time.Time{}) // the server's own is for answers that end soon
	err = x.run(ctx, rows, more)
	if err == nil || r.Context().Err() != nil {
		return nil
	}
	s.Log.LogAttrs(ctx, slog.LevelWarn, "an export was cut off", slog.Any("error", err))
	// Half a file must not look whole.
	panic(http.ErrAbortHandler)
}

func (x *export) header(h http.Header) {
	h["Content-Type"] = []string{x.form.contentType}
	h["Content-Disposition"] = []string{`attachment; filename="decnet-events.` + x.form.extension + `"`}
	h["Cache-Control"] = []string{"no-store"}
}

func (x *export) run(ctx context.Context, rows []repo.Log, more bool) error {
	buf := []byte(x.form.head)
	for {
		for i := range rows {
			buf = x.form.row(buf, &rows[i])
		}
		if err := x.write(buf); err != nil || !more {
			return err
		}
		// Who may no longer read is not told the rest.
		if _, err := x.server.admit(ctx, accessViewer, x.token); err != nil {
			return err
		}
		var err error
		if rows, more, err = x.next(ctx); err != nil {
			return err
		}
		buf = buf[:0]
	}
}

// next reads the next events. A search that is too broad for the store is looked
// for event by event: whoever exports has asked for all.
func (x *export) next(ctx context.Context) (rows []repo.Log, more bool, err error) {
	rows, err = x.server.Store.Logs(ctx, x.query)
	if errors.Is(err, repo.ErrTooBroad) && x.sift == nil {
		x.sift, x.query.Search = x.query.Search, nil
		rows, err = x.server.Store.Logs(ctx, x.query)
	}
	if err != nil {
		return nil, false, fmt.Errorf("export: %w", err)
	}
	if more = len(rows) == exportRows; more {
		x.query.After = rows[len(rows)-1].Place()
	}
	if x.sift == nil {
		return rows, more, nil
	}
	found := rows[:0]
	for i := range rows {
		if x.sift.Match(&rows[i]) {
			found = append(found, rows[i])
		}
	}
	return found, more, nil
}

func (x *export) write(b []byte) error {
	_ = x.ctrl.SetWriteDeadline(time.Now().Add(exportWrite))
	if len(b) == 0 {
		return nil
	}
	if _, err := x.w.Write(b); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	// Who can't flush sends all at once.
	if err := x.ctrl.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("flush the export: %w", err)
	}
	return nil
}

// appendNDJSON appends an event without loss: the fields as they are, and what is
// not UTF-8 beside its readable form.
func appendNDJSON(b []byte, l *repo.Log) []byte {
	exact := map[string][]byte{}
	column := func(b []byte, name, text string, appendText func(b []byte, s string) []byte) []byte {
		if !utf8.ValidString(text) {
			exact[name] = []byte(text)
		}
		b = append(append(append(b, `,"`...), name...), `":`...)
		return appendText(b, text)
	}
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, l.ID, 10)
	b = append(b, `,"timestamp":`...)
	b = appendTime(b, l.Time)
	b = column(b, "decky", l.Decky, appendString)
	b = column(b, "service", l.Service, appendString)
	b = column(b, "event_type", l.EventType, appendString)
	b = column(b, "attacker_ip", l.AttackerIP, appendString)
	b = column(b, "raw_line", l.RawLine, appendString)
	b = append(b, `,"fields":`...)
	if json.Valid([]byte(l.Fields)) {
		b = appendEscaped(b, l.Fields, true)
	} else {
		b = appendString(b, l.Fields)
	}
	b = column(b, "msg", l.Msg, appendOptional)
	b = column(b, "trace_id", l.TraceID, appendOptional)
	b = column(b, "span_id", l.SpanID, appendOptional)
	if len(l.Original) > 0 {
		exact["original"] = l.Original
	}
	if len(exact) > 0 {
		if encoded, err := json.Marshal(exact); err == nil { // bytes always encode, as base64
			b = append(append(b, `,"base64":`...), encoded...)
		}
	}
	return append(b, "}\n"...)
}

func appendCSV(b []byte, l *repo.Log) []byte {
	b = strconv.AppendInt(b, l.ID, 10)
	b = append(b, ',')
	b = l.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	for _, text := range [...]string{l.Decky, l.Service, l.EventType, l.AttackerIP, l.Msg, l.Fields, l.RawLine} {
		b = append(b, ',')
		b = appendCell(b, strings.ToValidUTF8(text, "\ufffd"))
	}
	return append(b, "\r\n"...)
}

// appendCell appends a text as a cell of CSV. A spreadsheet takes one that begins
// like a formula, perhaps behind space or what nobody sees, for a formula: such a
// text gets an apostrophe before it.
func appendCell(b []byte, s string) []byte {
	blank := func(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zs) }
	begins := strings.TrimLeftFunc(s, blank)
	defused := begins != "" && strings.ContainsAny(begins[:1], "=+-@") || strings.ContainsAny(s[:min(1, len(s))], "\t\r\n")
	for _, wide := range [...]string{"＝", "＋", "－", "＠"} {
		defused = defused || strings.HasPrefix(begins, wide)
	}
	if !strings.ContainsAny(s, "\",\r\n") && strings.TrimFunc(s, blank) == s {
		if defused {
			b = append(b, '\'')
		}
		return append(b, s...)
	}
	b = append(b, '"')
	if defused {
		b = append(b, '\'')
	}
	for {
		before, after, found := strings.Cut(s, `"`)
		b = append(b, before...)
		if !found {
			return append(b, '"')
		}
		b = append(b, `""`...)
		s = after
	}
}
