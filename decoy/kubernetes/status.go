package kubernetes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"

	"decnet/decoy/httptrap"
)

// status is the object that tells an outcome.
type status struct {
	Kind       string   `json:"kind"`
	APIVersion string   `json:"apiVersion"`
	Metadata   struct{} `json:"metadata"`
	Status     string   `json:"status"`
	Message    string   `json:"message"`
	Reason     string   `json:"reason"`
	Details    *details `json:"details,omitempty"`
	Code       int      `json:"code"`
}

type details struct {
	Name  string `json:"name,omitempty"`
	Group string `json:"group,omitempty"`
	Kind  string `json:"kind,omitempty"`
}

func failure(code int, reason, message string, d *details) status {
	return status{Kind: "Status", APIVersion: "v1", Status: "Failure", Message: message, Reason: reason, Details: d, Code: code}
}

func unauthorized() status {
	return failure(http.StatusUnauthorized, "Unauthorized", "Unauthorized", nil)
}

// resource is a path below /api or /apis: the group, maybe a namespace, a kind,
// maybe a name and what is below it.
var resource = regexp.MustCompile(`^/(?:api/v1|apis/([^/]+)/[^/]+)(?:/(?:watch/)?namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?(?:/([^/]+))?$`)

// namespaces is the same for a namespace itself.
var namespaces = regexp.MustCompile(`^/api/v1/namespaces(?:/([^/]+))?$`)

// forbidden is what the authorizer says of a request of somebody without a name.
func forbidden(r *httptrap.Request) status {
	const who = `User "system:anonymous" cannot `
	path := strings.TrimSuffix(r.Path, "/")
	if m := namespaces.FindStringSubmatch(path); m != nil {
		return denied(who, verb(r.Method, m[1] != ""), "namespaces", "", m[1], m[1])
	}
	m := resource.FindStringSubmatch(path)
	if m == nil {
		return failure(http.StatusForbidden, "Forbidden",
			fmt.Sprintf("forbidden: %s%s path %q", who, verbOfPath(r.Method), r.Path), &details{})
	}
	kind := m[3]
	if m[5] != "" {
		kind += "/" + m[5]
	}
	v := verb(r.Method, m[4] != "")
	if m[5] != "" && r.Method == "POST" {
		v = "create"
	}
	return denied(who, v, kind, m[1], m[2], m[4])
}

func denied(who, verb, kind, group, namespace, name string) status {
	plain, _, _ := strings.Cut(kind, "/")
	subject := plain
	if group != "" {
		subject += "." + group
	}
	if name != "" {
		subject += fmt.Sprintf(" %q", name)
	}
	where := "at the cluster scope"
	if namespace != "" {
		where = fmt.Sprintf("in the namespace %q", namespace)
	}
	return failure(http.StatusForbidden, "Forbidden",
		fmt.Sprintf("%s is forbidden: %s%s resource %q in API group %q %s", subject, who, verb, kind, group, where),
		&details{Name: name, Group: group, Kind: plain})
}

func verb(method string, named bool) string {
	switch method {
	case "POST":
		return "create"
	case "PUT":
		return "update"
	case "PATCH":
		return "patch"
	case "DELETE":
		if !named {
			return "deletecollection"
		}
		return "delete"
	default:
		if !named {
			return "list"
		}
		return "get"
	}
}

func verbOfPath(method string) string { return strings.ToLower(method) }

// version is what /version tells.
type version struct {
	Major        string `json:"major"`
	Minor        string `json:"minor"`
	GitVersion   string `json:"gitVersion"`
	GitCommit    string `json:"gitCommit"`
	GitTreeState string `json:"gitTreeState"`
	BuildDate    string `json:"buildDate"`
	GoVersion    string `json:"goVersion"`
	Compiler     string `json:"compiler"`
	Platform     string `json:"platform"`
}

func theVersion() version {
	return version{
		Major: "1", Minor: "28", GitVersion: "v1.28.2", GitCommit: "89a4ea3e1e4ddd7f7572286090359983e0387b2f", GitTreeState: "clean",
		BuildDate: "2023-09-13T09:29:07Z", GoVersion: "go1.20.8", Compiler: "gc", Platform: "linux/amd64",
	}
}

// encode writes an object: for people, as the server takes those to be who come
// with a browser or curl, on several lines.
func encode(r *httptrap.Request, v any) []byte {
	ua := r.Get("User-Agent")
	if strings.HasPrefix(ua, "curl") || strings.HasPrefix(ua, "Wget") || strings.HasPrefix(ua, "Mozilla/5.0") {
		return indented(v)
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return nil // only what can't be written at all, which these types can
	}
	return b.Bytes()
}

func indented(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil
	}
	return b
}

// uuid is a new random id.
func uuid() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(rand.Uint32()) //nolint:gosec // it guards nothing
	}
	return dashed(hex.EncodeToString(b[:]))
}

// dashed writes 32 digits as an id of version 4.
func dashed(s string) string {
	return s[:8] + "-" + s[8:12] + "-4" + s[13:16] + "-a" + s[17:20] + "-" + s[20:]
}
