//go:build fuzz

package fuzz

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/api"
	"decnet/fuzz/engine"
)

// The paths that defects are planted at.
const (
	pathStats     = "/api/v1/stats"
	pathLogs      = "/api/v1/logs"
	pathHistogram = "/api/v1/logs/histogram"
	pathBounty    = "/api/v1/bounty"
	pathDeckies   = "/api/v1/deckies"
	pathConfig    = "/api/v1/config"
	pathUsers     = "/api/v1/config/users"
	pathSensors   = "/api/v1/sensors"
	pathStream    = "/api/v1/stream"
	pathReinit    = "/api/v1/config/reinit"
	pathIngest    = "/api/v1/ingest"
	pathLimit     = "/api/v1/config/deployment-limit"
)

// defects is the table of the scorecard.
func defects() []defect {
	return slices.Concat(
		aimed(answerDefects(), "createUser", "getStats", "listLogs", "listBounties", "openStream"),
		aimed(errorDefects(), "listLogs", "listBounties", "getAttacker", "createUser", "setUserRole"),
		aimed(inputDefects(), "listLogs", "getHistogram", "setDeploymentLimit"),
		aimed(methodDefects(), "getStats", "listLogs"),
		aimed(accessDefects(), "listDeckies", "listSensors", "setDeploymentLimit", "getStats", "listLogs", "setUserRole"),
		aimed(secretDefects(), "getConfig", "createUser"),
		aimed(listDefects(), "listLogs", "listBounties", "listAttackers", "getHistogram"),
		aimed(filterDefects(), "listLogs", "listBounties"),
		aimed(cacheDefects(), "getStats", "getHistogram", "getConfig", "listBounties", "setDeploymentLimit", "deleteUser", "reinit"),
		aimed(writeDefects(), "changePassword", "resetUserPassword", "createUser", "setUserRole", "deleteSensor"),
		documentDefects(),
		foreignDefects(),
	)
}

// aimed attacks only the operations that a group is about, which saves most of
// the time.
func aimed(list []defect, ids ...string) []defect {
	for i := range list {
		if list[i].aim == nil {
			list[i].aim = at(ids...)
		}
	}
	return list
}

func get(path string) matcher { return on(http.MethodGet, path) }

// answerDefects are answers that break the document.
func answerDefects() []defect {
	return []defect{
		{name: "undocumented status", want: "status_code_conformance", quick: true, wrap: editOK(on(http.MethodPost, pathUsers), func(a *answer) { a.status = http.StatusCreated })},
		{name: "wrong content type", want: "content_type_conformance", wrap: editOK(get(pathStats), func(a *answer) { a.header.Set("Content-Type", "text/html") })},
		{name: "missing header of an answer", want: "response_headers_conformance", wrap: editOK(get(pathLogs), func(a *answer) { a.header.Del("Cache-Control") })},
		{name: "property with another name", want: "response_schema_conformance", wrap: editOK(get(pathStats), func(a *answer) { a.replace(`"deployed_deckies"`, `"deployed"`) })},
		{name: "null for an empty list", want: "list_never_null", wrap: editOK(get(pathBounty), func(a *answer) { a.replace(`"data":[]`, `"data":null`) })},
		{name: "key twice in an object", want: "well_formed_body", wrap: editOK(get(pathStats), func(a *answer) { a.replace(`{`, `{"total_logs":1,`) })},
		{name: "broken frames in a stream", want: "stream_frames", wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == pathStream {
					w = misspell{w}
				}
				next.ServeHTTP(w, r)
			})
		}},
		{name: "slow answer", want: "max_response_time", wrap: instead(get(pathBounty), func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(2 * time.Second):
			case <-r.Context().Done():
			}
			next.ServeHTTP(w, r)
		}), aim: func(t testing.TB, c *engine.Config) {
			t.Helper()
			c.Slow, c.Shrink, c.Plan = 1500*time.Millisecond, 2, operations("listBounties")
			c.Phases, c.Forged, c.Relations = []string{engine.PhaseExamples}, nil, nil
			only("max_response_time")(t, c)
		}},
	}
}

// errorDefects are refusals of the wrong kind.
func errorDefects() []defect {
	return []defect{
		{name: "500 on odd input", want: "not_a_server_error", wrap: edit(hasQuery(pathLogs, "search", `"`), func(a *answer) { a.status = http.StatusInternalServerError })},
		{name: "panic on odd input", want: "not_a_server_error", wrap: instead(hasQuery(pathBounty, "search", "\x00"), func(http.Handler, http.ResponseWriter, *http.Request) { panic("planted") })},
		{name: "wrong detail in a problem", want: "problem_in_catalogue", wrap: edit(get("/api/v1/attackers/*"), func(a *answer) { a.replace("not found", "unknown") })},
		{name: "400 for a thing that is not there", wrap: edit(get("/api/v1/attackers/*"), func(a *answer) {
			if a.status == http.StatusNotFound {
				a.status = http.StatusBadRequest
			}
		})},
		{name: "404 for a thing that was just made", wrap: edit(on(http.MethodPut, pathUsers+"/*"), func(a *answer) {
			if a.ok() {
				a.status = http.StatusNotFound
			}
		})},
		{name: "a text for not given is refused", wrap: edit(hasQuery(pathLogs, "limit", "undefined"), func(a *answer) { a.status = http.StatusUnprocessableEntity })},
	}
}

// inputDefects are bounds that are off and input that is not looked at.
func inputDefects() []defect {
	return []defect{
		{name: "upper bound one too high", want: "negative_data_rejection", wrap: offByOne},
		{name: "upper bound one too low", want: "positive_data_acceptance", wrap: instead(on(http.MethodPut, pathLimit), func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(readBody(r)), "500", "501", 1)))
			next.ServeHTTP(w, r)
		})},
		{name: "lower bound one too low", want: "negative_data_rejection", wrap: editRequest(hasQuery(pathLogs, "limit", "0"), func(r *http.Request) {
			setQuery(r, func(q url.Values) {
				if q.Get("limit") == "0" {
					q.Set("limit", "1")
				}
			})
		})},
		{name: "lower bound one too high", want: "positive_data_acceptance", wrap: editRequest(hasQuery(pathHistogram, "interval_minutes", "1"), func(r *http.Request) {
			setQuery(r, func(q url.Values) {
				if q.Get("interval_minutes") == "1" {
					q.Set("interval_minutes", "0")
				}
			})
		})},
		{name: "a parameter given twice is taken", want: "negative_data_rejection", wrap: editRequest(get(pathLogs), func(r *http.Request) {
			setQuery(r, func(q url.Values) {
				if len(q["offset"]) > 1 {
					q.Set("offset", "0")
				}
			})
		})},
		{name: "wrong media type is taken", want: "negative_data_rejection", wrap: editRequest(on(http.MethodPut, pathLimit), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") })},
		{name: "415 for a value that is wrong", want: "negative_data_rejection", wrap: edit(on(http.MethodPut, pathLimit), func(a *answer) {
			if a.status == http.StatusUnprocessableEntity {
				a.status = http.StatusUnsupportedMediaType
			}
		})},
	}
}

// methodDefects are about methods and paths.
func methodDefects() []defect {
	return []defect{
		{name: "undocumented method is served", want: "unsupported_method", wrap: editRequest(on(http.MethodPatch, pathStats), func(r *http.Request) { r.Method = http.MethodGet })},
		{name: "404 where 405 must be", want: "unsupported_method", wrap: edit(on(http.MethodDelete, pathStats), func(a *answer) { a.status = http.StatusNotFound })},
		{name: "405 without Allow", want: "unsupported_method", wrap: edit(on(http.MethodPost, pathStats), func(a *answer) { a.header.Del("Allow") })},
		{name: "Allow names too many", want: "allow_header_conformance", wrap: edit(on(http.MethodPost, pathStats), func(a *answer) { a.header.Set("Allow", "GET, HEAD, DELETE") })},
		{name: "path confusion", want: "unknown_path_not_found", wrap: editRequest(anyRequest, func(r *http.Request) {
			r.URL.Path = "/" + strings.Trim(r.URL.Path, "/")
			r.URL.RawPath = ""
		})},
		{name: "HEAD is refused", want: "head_is_get_without_body", wrap: edit(on(http.MethodHead, pathStats), func(a *answer) { a.status = http.StatusMethodNotAllowed })},
		{name: "HEAD lacks a header of GET", want: "head_is_get_without_body", wrap: edit(on(http.MethodHead, pathLogs), func(a *answer) { a.header.Del("Content-Type") })},
	}
}

// accessDefects let in who must stay out.
func accessDefects() []defect {
	return []defect{
		{name: "no token needed on one route", want: "ignored_auth", quick: true, wrap: asAdmin(get(pathDeckies), http.StatusUnauthorized)},
		{name: "role check missing on one route", want: "role_is_needed", wrap: asAdmin(get(pathSensors), http.StatusForbidden)},
		{name: "role check missing on one write", want: "role_is_needed", wrap: asAdmin(on(http.MethodPut, pathLimit), http.StatusForbidden)},
		{name: "who must change the password may read first", want: "password_change_is_needed", wrap: asAdmin(get(pathStats), http.StatusForbidden)},
		{name: "token in the query taken on other routes", wrap: editRequest(get(pathLogs), func(r *http.Request) {
			if token := r.URL.Query().Get("token"); token != "" && r.Header.Get("Authorization") == "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
		}), want: "query_token_is_ignored"},
		{name: "stale token after demotion or a new password", modelFirst: true, store: func(s api.Store) api.Store { return versionIgnored{s} }},
	}
}

// documentDefects are what the document does not tell, or tells wrongly. The
// service is whole.
func documentDefects() []defect {
	const timeBound = ", pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-"
	return []defect{
		{name: "431 is not documented", want: "status_code_conformance", aim: undocumented("listLogs", "        '431': {$ref: '#/components/responses/HeaderTooLarge'}\n", "")},
		{name: "format of our own without a pattern", want: "format_is_told", aim: undocumented("listLogs", timeBound, ", x-pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-")},
		{name: "object in YAML that is documented as text", want: "response_schema_conformance", aim: undocumented(
			"getSpecYAML", "            application/yaml:\n              schema: {}\n", "            application/yaml:\n              schema: {type: string}\n")},
	}
}

// undocumented aims the run at one operation, by a document that differs from ours
// wherever a text of it stands.
func undocumented(id, from, to string) func(t testing.TB, c *engine.Config) {
	return func(t testing.TB, c *engine.Config) {
		t.Helper()
		ours := string(decnet.OpenAPI())
		require.Contains(t, ours, from)
		c.Spec, c.Plan = specOf(t, []byte(strings.ReplaceAll(ours, from, to))), operations(id)
	}
}

// secretDefects show what must not be seen.
func secretDefects() []defect {
	return []defect{
		{name: "password hash in an answer", want: "no_secret_in_response", wrap: editOK(get(pathConfig), func(a *answer) {
			a.replace(`{"uuid"`, `{"password_hash":"$2a$10$abcdefghijklmnopqrstuv","uuid"`)
		})},
		{name: "password repeated in a problem", want: "no_secret_in_response", wrap: instead(on(http.MethodPost, pathUsers), func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			raw := readBody(r)
			a := ask(next, r)
			if a.status >= http.StatusBadRequest {
				a.header.Set("X-Debug", strings.ToValidUTF8(string(raw), "?"))
			}
			a.send(w)
		})},
	}
}

// listDefects are pages, totals and bars that don't fit together.
func listDefects() []defect {
	return []defect{
		{name: "total off by one", quick: true, want: "pages_join_to_whole", store: func(s api.Store) api.Store { return totalOff{s} }},
		{name: "event lost at a page's border", want: "pages_join_to_whole", store: func(s api.Store) api.Store { return bordersOff{s} }},
		{name: "duplicate row", want: "pages_join_to_whole", store: func(s api.Store) api.Store { return repeatsRow{s} }},
		{name: "nondeterministic order", store: func(s api.Store) api.Store { return flips{s, new(atomic.Int64)} }},
		{name: "histogram lacks a bucket", want: "histogram_sums_to_total", store: func(s api.Store) api.Store { return losesBucket{s} }},
		{name: "ranking counts one too many", want: "ranking_counts_the_list", store: func(s api.Store) api.Store { return ranksOff{s} }, aim: at("getRanking")},
		{name: "credentials of a range are of all time", want: "ranking_counts_attempts", store: func(s api.Store) api.Store { return triedEver{s} }, aim: at("getRanking")},
		{
			name: "export lacks its last event", want: "export_is_the_list", aim: at("exportLogs"),
			wrap: editOK(get("/api/v1/logs/export"), func(a *answer) {
				lines := strings.SplitAfter(string(a.body), "\n")
				a.body = []byte(strings.Join(lines[:max(0, len(lines)-2)], ""))
			}),
		},
		{
			name: "histogram one bucket late", want: "bars_hold_their_rows", store: func(s api.Store) api.Store { return shiftsBuckets{s} }, aim: at("getHistogram"),
		},
		{
			name: "stream loses the first event of a batch", want: "stream_goes_on", store: func(s api.Store) api.Store { return streamSkips{s} }, aim: at("openStream"),
		},
	}
}

// filterDefects choose the wrong rows.
func filterDefects() []defect {
	return []defect{
		{name: "search injection", want: "search_agrees_with_rows", wrap: editRequest(hasQuery(pathLogs, "search", "'"), dropSearch), aim: often("listLogs")},
		{name: "search wildcard", want: "search_agrees_with_rows", wrap: editRequest(hasQuery(pathLogs, "search", "%"), dropSearch), aim: often("listLogs")},
		{name: "end of a time range exclusive", want: "bounds_are_exact", store: func(s api.Store) api.Store { return boundsExclusive{Store: s, end: 1} }, aim: at("listLogs")},
		{name: "start of a time range exclusive", want: "bounds_are_inclusive", store: func(s api.Store) api.Store { return boundsExclusive{Store: s, start: 1} }, aim: at("listLogs")},
		{name: "filtered total above the unfiltered", want: "filtered_is_subset", store: func(s api.Store) api.Store { return filterRaises{s} }, aim: func(_ testing.TB, c *engine.Config) {
			c.Relations = slices.DeleteFunc(c.Relations, func(r engine.Relation) bool { return r.Name != "filtered_is_subset" })
		}},
		{
			name: "filter by service ignored for attackers", want: "attackers_have_the_service", store: func(s api.Store) api.Store { return serviceIgnored{s} }, aim: at("listAttackers"),
		},
		{name: "a text for not given is searched for", want: "absent_is_default", wrap: editRequest(hasQuery(pathLogs, "search", "undefined"), func(r *http.Request) {
			setQuery(r, func(q url.Values) { q.Set("search", "undefined ") })
		})},
	}
}

func dropSearch(r *http.Request) { setQuery(r, func(q url.Values) { q.Del("search") }) }

// cacheDefects are answers from before.
func cacheDefects() []defect {
	put := on(http.MethodPut, pathLimit)
	return []defect{
		{name: "lost Reset of a cache", wrap: keptForever(get(pathStats), keyOf)},
		{name: "cache key lacks the query", wrap: keptForever(get(pathHistogram), func(r *http.Request) string { return r.Header.Get("Authorization") })},
		{name: "cache without generation", store: func(s api.Store) api.Store {
			return slowLoad{s, new(sync.Mutex), map[string]string{}}
		}},
		{name: "write does not drop the settings", want: "write_is_visible", wrap: staleOnce(put, get(pathConfig))},
		{name: "write does not drop the users", want: "write_is_visible", wrap: staleOnce(on(http.MethodDelete, pathUsers+"/*"), get(pathConfig))},
		{name: "purge does not drop the bounties", want: "write_is_visible", wrap: staleOnce(on(http.MethodDelete, pathReinit), get(pathBounty))},
		{name: "ETag is not taken back", want: "etag_revalidates", wrap: editRequest(get(pathStats), func(r *http.Request) { r.Header.Del("If-None-Match") })},
		{name: "same request, another answer", want: "warm_answer_is_cold_answer", wrap: everySecond},
	}
}

// everySecond tells of another number of decoys each second time.
func everySecond(next http.Handler) http.Handler {
	var n atomic.Int64
	return editOK(get(pathStats), func(a *answer) {
		if n.Add(1)%2 == 0 {
			a.replace(`"active_deckies":`, `"active_deckies":1`)
		}
	})(next)
}

// writeDefects are writes that are answered and not done.
func writeDefects() []defect {
	return []defect{
		{name: "new password is not stored", want: "password_is_changed", store: func(s api.Store) api.Store { return passwordLost{s} }},
		{name: "reset password need not be changed", want: "write_is_visible", store: func(s api.Store) api.Store { return flagLost{s} }},
		{name: "taken name is answered 200", modelFirst: true, store: func(s api.Store) api.Store { return conflictSwallowed{s} }},
		{name: "two administrators demote each other", want: "an_administrator_remains", store: func(s api.Store) api.Store { return lastAdminSwallowed{s, make(chan struct{})} }, aim: at("setUserRole")},
		{name: "last event of a batch is lost", want: "batch_adds_up", wrap: editRequest(on(http.MethodPost, pathIngest), func(r *http.Request) {
			whole := string(readBody(r))
			if i := strings.LastIndex(strings.TrimSuffix(whole, "\n"), "\n"); i >= 0 {
				whole = whole[:i]
			}
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(whole)), int64(len(whole))
		}), aim: at("pushEvents")},
		{name: "token of a deleted sensor works", want: "write_is_visible", store: func(s api.Store) api.Store { return sensorStays{s} }},
	}
}

// foreignDefects are planted in another service, since ours has no place for them.
func foreignDefects() []defect {
	return []defect{
		{name: "required header is optional (notes service)", want: "missing_required_header", aim: onNotes("missing_required_header", func(n *notes) { n.headerOptional = true })},
		{name: "deleted thing is still there (notes service)", want: "use_after_free", aim: onNotes("use_after_free", func(n *notes) { n.undead = true })},
		{name: "made thing is not there (notes service)", want: "ensure_resource_availability", aim: onNotes("ensure_resource_availability", func(n *notes) { n.forgetful = true })},
	}
}
