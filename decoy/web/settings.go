package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
)

// settings are those of a deployment file that change what a site says.
type settings struct {
	serverHeader string
	status       int
	fakeApp      string
	extra        []httptrap.Header
	body         string
	files        map[string]string
}

// readSettings reads them: server_header, response_code, fake_app, extra_headers
// (a JSON object), custom_body, and files (a JSON object of paths and their
// content).
func readSettings(e *trap.Env) (*settings, error) {
	set := &settings{
		serverHeader: oneLine(e.Config["server_header"]), fakeApp: e.Config["fake_app"], body: e.Config["custom_body"],
	}
	if text := e.Config["response_code"]; text != "" {
		code, err := strconv.Atoi(text)
		if err != nil || code < 200 || code > 599 {
			return nil, fmt.Errorf("response_code is %q, not a number from 200 to 599", text)
		}
		set.status = code
	}
	if text := e.Config["extra_headers"]; text != "" {
		extra, err := object(text)
		if err != nil {
			return nil, fmt.Errorf("extra_headers: %w", err)
		}
		for _, h := range extra {
			set.extra = append(set.extra, httptrap.Header{Name: oneLine(h.Name), Value: oneLine(h.Value)})
		}
	}
	if text := strings.TrimSpace(e.Config["files"]); text != "" {
		files, err := object(text)
		if err != nil {
			// Other tools take the name of a directory, which a decoy must not read.
			e.Log.Warn("the setting files is not a JSON object of paths and their content, and is ignored",
				slog.String("service", e.Service))
		}
		set.files = map[string]string{}
		for _, f := range files {
			set.files["/"+strings.TrimPrefix(f.Name, "/")] = f.Value
		}
	}
	return set, nil
}

// errObject is for whoever wrote the settings.
var errObject = errors.New("it is not a JSON object of strings")

// object reads a JSON object of strings and keeps its order.
func object(text string) ([]httptrap.Header, error) {
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errObject
	}
	var all []httptrap.Header
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var value any
		if err != nil || !ok || d.Decode(&value) != nil {
			return nil, errObject
		}
		switch value.(type) {
		case string, float64, bool:
			all = append(all, httptrap.Header{Name: name, Value: fmt.Sprint(value)})
		default:
			return nil, errObject
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errObject
	}
	return all, nil
}

func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", " ").Replace(s) }

// answer is what the settings alone say to a request.
func (set *settings) answer(a *ask, s server) (page, bool) {
	if content, ok := set.files[a.Path]; ok {
		return s.file(a, file{kind: kindOf(a.Path), body: []byte(content)}), true
	}
	if set.status == 0 && set.body == "" {
		return page{}, false
	}
	p := page{status: set.status, kind: "text/html"}
	if p.status == 0 {
		p.status = 200
	}
	if set.body != "" || p.status < 300 {
		p.body = []byte(set.body)
	}
	return p, true
}

// kindOf is the media type of a file.
func kindOf(path string) string {
	for suffix, kind := range map[string]string{
		".txt": "text/plain", ".json": "application/json", ".js": "application/javascript", ".css": "text/css",
		".xml": "text/xml", ".zip": "application/zip", ".gz": "application/gzip", ".sql": "application/octet-stream",
		".bak": "application/octet-stream", ".env": "application/octet-stream",
	} {
		if strings.HasSuffix(path, suffix) {
			return kind
		}
	}
	return "text/html"
}

// dress changes the headers of an answer by the settings.
func (set *settings) dress(resp *httptrap.Response) {
	if set.serverHeader != "" {
		i := slices.IndexFunc(resp.Headers, func(h httptrap.Header) bool { return h.Name == "Server" })
		if i >= 0 {
			resp.Headers[i].Value = set.serverHeader
		} else {
			resp.Headers = slices.Insert(resp.Headers, 0, httptrap.Header{Name: "Server", Value: set.serverHeader})
		}
	}
	for _, extra := range set.extra {
		i := slices.IndexFunc(resp.Headers, func(h httptrap.Header) bool { return strings.EqualFold(h.Name, extra.Name) })
		if i >= 0 {
			resp.Headers[i] = extra
		} else {
			resp.Headers = append(resp.Headers, extra)
		}
	}
}
