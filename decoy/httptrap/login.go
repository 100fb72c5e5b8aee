package httptrap

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"decnet/decoy/trap"
)

// login is a name and its password.
type login struct{ username, password string }

// findLogins finds credentials, wherever they are: in the header, the target,
// a form, JSON, or calls of XML-RPC.
func (r *Request) findLogins() []login {
	var all []login
	all = append(all, r.authorization("Authorization")...)
	all = append(all, r.authorization("Proxy-Authorization")...)
	r.readForm()
	if l, ok := formLogin(r.Form); ok {
		all = append(all, l)
	} else if l, ok := formLogin(parseForm(r.Query)); ok {
		all = append(all, l)
	}
	if strings.Contains(string(r.Body), "<methodCall") {
		all = append(all, xmlLogins(string(r.Body))...)
	}
	if len(all) > 0 {
		r.Username, r.Password, r.HasLogin = all[0].username, all[0].password, true
	}
	return all
}

// authorization reads the header of that name. What is no password becomes a
// detail of its own.
func (r *Request) authorization(name string) []login {
	scheme, rest, _ := strings.Cut(r.Get(name), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "basic":
		b, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			b, err = base64.RawStdEncoding.DecodeString(rest)
		}
		if user, password, ok := strings.Cut(string(b), ":"); err == nil && ok {
			return []login{{user, password}}
		}
	case "bearer", "apikey", "token":
		r.Note("token", rest)
	case "digest":
		for key, value := range digestParams(rest) {
			if key == "username" {
				r.Note("username", value)
			} else if slices.Contains([]string{"realm", "nonce", "uri", "response", "qop", "nc", "cnonce", "algorithm"}, key) {
				r.Note("digest_"+key, value)
			}
		}
	}
	return nil
}

// digestParams yields key="value" pairs, in the order of the client.
func digestParams(s string) func(yield func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		for s != "" {
			key, rest, ok := strings.Cut(s, "=")
			if !ok {
				return
			}
			var value string
			if quoted, is := strings.CutPrefix(rest, `"`); is {
				value, rest, _ = strings.Cut(quoted, `"`)
				_, s, _ = strings.Cut(rest, ",")
			} else {
				value, s, _ = strings.Cut(rest, ",")
			}
			if !yield(strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)) {
				return
			}
		}
	}
}

// readForm reads a body that is a form or a JSON object.
func (r *Request) readForm() {
	if len(r.Form) > 0 || len(r.Body) == 0 {
		return
	}
	kind := strings.ToLower(r.Get("Content-Type"))
	switch {
	case strings.Contains(kind, "json"):
		var object map[string]any
		if json.Unmarshal(r.Body, &object) != nil {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if text, ok := object[key].(string); ok {
				r.Form = append(r.Form, trap.Field{Key: key, Value: text})
			}
		}
	case strings.Contains(kind, "urlencoded"), kind == "" && strings.Contains(string(r.Body), "="):
		r.Form = parseForm(string(r.Body))
	}
}

// maxPairs bounds the fields of a form.
const maxPairs = 200

// parseForm reads a form as lenient as PHP does: what can't be unescaped stays as
// it is.
func parseForm(s string) []trap.Field {
	var form []trap.Field
	for pair := range strings.SplitSeq(s, "&") {
		if len(form) == maxPairs {
			break
		}
		key, value, ok := strings.Cut(pair, "=")
		if ok {
			form = append(form, trap.Field{Key: unescape(key), Value: unescape(value)})
		}
	}
	return form
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// formLogin finds a name and a password among the fields of a form.
func formLogin(form []trap.Field) (login, bool) {
	user, hasUser := firstOf(form, "log", "pma_username", "username", "user", "user_name", "login", "email", "uname", "userid", "usr", "name", "j_username")
	password, hasPassword := firstOf(form, "pwd", "pma_password", "password", "pass", "passwd", "psw", "passwort", "user_pass", "j_password")
	return login{user, password}, hasUser && hasPassword
}

// firstOf returns the value of the first name that the form has.
func firstOf(form []trap.Field, names ...string) (string, bool) {
	for _, name := range names {
		for i := range form {
			if strings.EqualFold(form[i].Key, name) {
				return form[i].Value, true
			}
		}
	}
	return "", false
}

// Field returns the value of a form's field, or "".
func (r *Request) Field(name string) string {
	value, _ := firstOf(r.Form, name)
	return value
}

// xmlValue finds the names of methods and the strings in calls of XML-RPC, in
// their order.
var xmlValue = regexp.MustCompile(`(?s)<(?:string|value|methodName|name)>\s*(?:<string>)?([^<]*)</`)

// maxLogins bounds the logins of one request; a multicall can have thousands.
const maxLogins = 500

// xmlLogins finds the two strings that follow the name of a WordPress method that
// wants them.
func xmlLogins(body string) []login {
	var all []login
	var values []string
	for _, m := range xmlValue.FindAllStringSubmatch(body, 4*maxLogins) {
		values = append(values, xmlText(m[1]))
	}
	for i := 0; i < len(values) && len(all) < maxLogins; i++ {
		method := values[i]
		if !strings.HasPrefix(method, "wp.") && !strings.HasPrefix(method, "metaWeblog.") && !strings.HasPrefix(method, "blogger.") {
			continue
		}
		var args []string
		for _, v := range values[i+1:] {
			if v == "params" || len(args) == 0 && v == "" {
				continue // the name of a multicall's member
			}
			if v == "methodName" {
				break
			}
			args = append(args, v)
		}
		if method != "wp.getUsersBlogs" && len(args) > 2 {
			args = args[1:] // the number of the blog comes first
		}
		if len(args) >= 2 {
			all = append(all, login{args[0], args[1]})
		}
	}
	return all
}

func xmlText(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&#039;", "'", "&amp;", "&").Replace(s)
}
