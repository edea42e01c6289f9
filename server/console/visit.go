package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/nicksnyder/go-i18n/v2/i18n"

	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

// visit is one request of a person, and what the page that answers it knows: templates
// see it as $.
type visit struct {
	*Console
	w      http.ResponseWriter
	r      *http.Request
	caller *auth.Caller // nil where nobody has signed in
	speak  *i18n.Localizer
	status int // of the answer, 0 for 200

	// What templates see.
	Name string // of the template
	Data any    // of the page
	Live bool   // the page follows what changes
	// Stamp is what had changed last when the page was made, "" where it is not live.
	Stamp  string
	Faults []Fault // what is wrong with what was sent
}

// Fault is one mistake, and the field that it stands beside, "" for none.
type Fault struct{ Field, Message string }

func (c *Console) visit(w http.ResponseWriter, r *http.Request) *visit {
	return &visit{Console: c, w: w, r: r, speak: i18n.NewLocalizer(c.words, r.Header.Get("Accept-Language"), fallback.String())}
}

// redirect sends the browser to a page of ours, after an action too.
func (v *visit) redirect(to string) error {
	http.Redirect(v.w, v.r, to, http.StatusSeeOther) // callers begin it with a path of ours
	return nil
}

// opens makes the answer to an action a page of ours, as if it had been opened: its
// links lead on from there, and it can be live. What was typed is not on it.
func (v *visit) opens(path string) {
	v.r = v.r.WithContext(v.r.Context())
	v.r.Method, v.r.URL = http.MethodGet, &url.URL{Path: path}
}

// done ends an action: the browser goes to a page, which says what was done. notice is
// the part after "notice." of the words' ID.
func (v *visit) done(to, notice string) error {
	separator := "?"
	if strings.Contains(to, "?") {
		separator = "&"
	}
	return v.redirect(to + separator + url.Values{"notice": {notice}}.Encode())
}

// Notice is what an action has come to, "" for none.
func (v *visit) Notice() string {
	id := v.r.URL.Query().Get("notice")
	if id == "" {
		return ""
	}
	text, err := v.speak.Localize(&i18n.LocalizeConfig{MessageID: "notice." + id})
	if err != nil {
		return "" // somebody has typed it
	}
	return text
}

// refused reports whether a call of the API was refused for what somebody sent, and
// keeps what was wrong for the page that is shown again. Fields go by the API's names,
// unless they are given as pairs: the API's, the form's.
func (v *visit) refused(err error, fields ...string) bool {
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status >= 500 || p.Status == http.StatusUnauthorized || p.Status == http.StatusTooManyRequests {
		return false
	}
	v.status = p.Status
	for _, e := range p.Errors {
		field := e.Field
		for i := 0; i+1 < len(fields); i += 2 {
			if fields[i] == e.Field {
				field = fields[i+1]
			}
		}
		v.fault(field, e.Message)
	}
	return true
}

// shown names what a review has shown, for the form that confirms it.
func shown(what ...any) string {
	text, err := json.Marshal(what)
	if err != nil {
		panic(err) // they are ours
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// notAsShown says that what somebody has confirmed is not what they were shown.
func (v *visit) notAsShown() {
	v.status = http.StatusConflict
	v.fault("", v.T("review.changed"))
}

// fault notes a mistake.
func (v *visit) fault(field, message string) {
	if v.status == 0 {
		v.status = http.StatusBadRequest
	}
	v.Faults = append(v.Faults, Fault{field, message})
}

// Fault is what is wrong with a field.
func (v *visit) Fault(field string) (messages []string) {
	for _, f := range v.Faults {
		if f.Field == field {
			messages = append(messages, f.Message)
		}
	}
	return messages
}

// Mendable reports whether something is wrong with what was typed, and not only with
// what was asked for.
func (v *visit) Mendable() bool {
	return slices.ContainsFunc(v.Faults, func(f Fault) bool { return f.Field != "" })
}

// Value is what was typed into a field.
func (v *visit) Value(field string) string { return v.r.PostFormValue(field) }

// Checked reports whether a box with that value was ticked.
func (v *visit) Checked(field, value string) bool {
	for _, have := range v.r.PostForm[field] {
		if have == value {
			return true
		}
	}
	return false
}

// Key is what a form is sent with, so that it does once what it is sent for twice, and
// for nobody but who has filled it in.
func (v *visit) Key() string { return uuid.NewString() + "." + v.Me() }

// ownForm reports whether who sends a form is who was given it: it may have outlived a
// session, and somebody else has signed in on the same browser since.
func (v *visit) ownForm() bool {
	_, member, said := strings.Cut(v.Value("key"), ".")
	return !said || member == v.Me()
}

// Self is the address of the page. To open that again does not say again what an action
// has come to.
func (v *visit) Self() string {
	query := v.r.URL.Query()
	if !query.Has("notice") {
		return v.r.URL.RequestURI()
	}
	query.Del("notice")
	return address(v.r.URL.Path, query)
}

// Path is the address without what narrows the page.
func (v *visit) Path() string { return v.r.URL.Path }

// Query is what narrows the page.
func (v *visit) Query(name string) string { return v.r.URL.Query().Get(name) }

// With is the address of the page with something else that narrows it: pairs of a name
// and a value, "" for none. It begins at the first page again, and has no notice.
func (v *visit) With(pairs ...string) string {
	query := v.r.URL.Query()
	query.Del("cursor")
	query.Del("notice")
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Del(pairs[i])
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return address(v.r.URL.Path, query)
}

func address(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// Posted reports whether the page answers a form.
func (v *visit) Posted() bool { return v.r.Method == http.MethodPost }

// SignedIn is the name of who has signed in, "" where nobody has.
func (v *visit) SignedIn() string {
	if v.caller == nil {
		return ""
	}
	return v.caller.Member.DisplayName
}

// Address is an email address, "" where the member has been deleted and has none.
func (v *visit) Address(email string) string {
	if offboarding.ErasedAddress(email) {
		return ""
	}
	return email
}

// Me is the ID of who has signed in.
func (v *visit) Me() string { return v.caller.Member.ID }

// Admin reports whether an owner or admin has signed in.
func (v *visit) Admin() bool { return v.caller != nil && v.caller.Admin() }

// Maker reports whether who has signed in may own documents.
func (v *visit) Maker() bool { return v.caller != nil && v.caller.Member.MayOwn() }

// Under reports whether the page is in that part of the console.
func (v *visit) Under(path string) bool {
	return v.r.URL.Path == path || strings.HasPrefix(v.r.URL.Path, path+"/")
}

// Option is one of some values to choose from.
type Option struct {
	Value, Label string
	Count        int // how many there are, 0 for none or unknown
}

// options are values with their words: the words' ID is that of the kind, a dot, and
// the value.
func options[T ~string](v *visit, kind string, values ...T) []Option {
	out := make([]Option, len(values))
	for i, value := range values {
		out[i] = Option{Value: string(value), Label: v.T(kind + "." + string(value))}
	}
	return out
}

// pageSize is how many rows a page shows.
const pageSize = "50"

// who is how the API knows somebody whom the reader has typed: an email address is told
// from an external ID by its @.
func who(typed string) string {
	typed = strings.TrimSpace(typed)
	switch {
	case typed == "", typed == offboarding.NewOwnerManager, uuid.Validate(typed) == nil, strings.Contains(typed, ":"):
		return typed
	case strings.Contains(typed, "@"):
		return "email:" + typed
	}
	return "external:" + typed
}
