package console

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

// Access says who may open a page. The zero value is nobody.
type Access string

// The accesses.
const (
	// AccessMember is any active member who has signed in.
	AccessMember Access = "member"
	// AccessAdmin is an owner or admin who has signed in.
	AccessAdmin Access = "admin"
)

// Route is a page or an action, and who may open it.
type Route struct {
	Pattern string
	Access  Access
}

// maxForm bounds what a form may hold, in bytes.
const maxForm = 256 << 10

// maxStrangers is how many forms that may hold more are read at once of people who are
// not signed in: they are kept whole until they are.
const maxStrangers = 4

// route adds a page or an action: a pattern with one method. handle answers, or
// returns what went wrong, which people are told on a page.
func (c *Console) route(mux *http.ServeMux, pattern string, access Access, handle func(*visit) error) {
	c.routeWithin(mux, pattern, access, maxForm, handle)
}

// routeWithin is route for a form that may hold so many bytes.
func (c *Console) routeWithin(mux *http.ServeMux, pattern string, access Access, limit int64, handle func(*visit) error) {
	if access != AccessMember && access != AccessAdmin {
		panic(pattern + " does not say who may open it")
	}
	c.Routes = append(c.Routes, Route{pattern, access})
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		defer problem.SetRoute(r.Context(), pattern) // calls of the API have said theirs
		v := c.visit(w, r)
		defer v.recovered()
		if err := v.begin(access, limit); err != nil {
			v.failed(err)
			return
		}
		if v.caller == nil {
			return // told to sign in
		}
		if err := handle(v); err != nil {
			v.failed(err)
		}
	})
}

// recovered tells somebody on a page that it failed inside, where a handler or a
// template panics.
func (v *visit) recovered() {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // the very value is what net/http looks for
		panic(p)
	}
	v.status = 0
	v.failed(fmt.Errorf("a page panicked: %v\n%s", p, debug.Stack()))
}

// begin finds out who looks, and reads the form. Nobody is told more than to sign in
// before that; what was typed is kept until they have.
func (v *visit) begin(access Access, limit int64) error {
	v.secure()
	caller, err := auth.From(v.r.Context())
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, limit)
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		if err := v.auth.SameOrigin(v.r); err != nil {
			return v.worded(problem.From(v.r.Context(), v.log, err))
		}
		if caller == nil && limit > maxForm {
			select {
			case v.strangers <- struct{}{}:
				defer func() { <-v.strangers }()
			case <-v.r.Context().Done():
				return v.r.Context().Err()
			}
		}
		if err := v.read(); err != nil {
			return err
		}
	}
	var p *problem.Problem
	switch {
	case errors.As(err, &p) && p.Status != http.StatusUnauthorized:
		return v.worded(p)
	case err != nil && p == nil:
		return err
	case caller == nil, caller.SessionID == "": // credentials are for programs
		return v.signIn()
	case len(caller.Organizations) == 0:
		return errors.New("the caller reaches no organization")
	case access == AccessAdmin && !caller.Admin():
		return offboarding.Refuse("A1", offboarding.CodeNotAuthorized, "", v.T("error.admins_only"))
	}
	v.caller = caller
	if !v.ownForm() {
		return problem.New(v.r.Context(), offboarding.CodeNotAuthorized, v.T("error.of_another"))
	}
	return nil
}

// read reads the form, within its bounds.
func (v *visit) read() error {
	err := v.r.ParseMultipartForm(maxForm) // begin has bounded the body
	if errors.Is(err, http.ErrNotMultipart) {
		err = nil // it has been read all the same
	}
	if v.r.MultipartForm != nil {
		defer func() { _ = v.r.MultipartForm.RemoveAll() }() // net/http forgets the files of a request that was wrapped
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return offboarding.Refuse("", problem.CodeTooLarge, "", v.T("error.too_large"))
	case err != nil:
		return offboarding.Refuse("", offboarding.CodeInvalidArgument, "", v.T("error.form"))
	}
	return v.readFiles()
}

// readFiles makes the text of each file a value of its field, so that it is kept as
// what is typed is.
func (v *visit) readFiles() error {
	if v.r.MultipartForm == nil {
		return nil
	}
	for field, files := range v.r.MultipartForm.File {
		for _, file := range files {
			f, err := file.Open()
			if err != nil {
				return fmt.Errorf("a file that was sent: %w", err)
			}
			text, err := io.ReadAll(f)
			_ = f.Close() // it was only read
			if err != nil {
				return fmt.Errorf("a file that was sent: %w", err)
			}
			v.r.PostForm.Add(field, string(text))
		}
	}
	return nil
}

// signIn sends somebody to sign in. Who has sent a form gets it back with a button that
// sends it again, for when they have signed in: nothing that was typed is lost.
func (v *visit) signIn() error {
	switch {
	case v.stream(): // so that console.js says it, and does not ask again and again
		v.w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(v.w, "event: ended\ndata: the session\n\n") // nobody is left to tell
		return nil
	case v.r.Header.Get("HX-Request") != "", v.background(): // likewise
		v.w.WriteHeader(http.StatusUnauthorized)
		return nil
	case v.r.Method == http.MethodGet || v.r.Method == http.MethodHead:
		return v.redirect("/auth/login?" + url.Values{"return_to": {v.r.URL.RequestURI()}}.Encode())
	}
	if v.r.URL.Path == SignOut { // they are, then
		return v.show("signed-out", nil)
	}
	v.status = http.StatusUnauthorized
	return v.show("expired", v.r.PostForm)
}

// background reports whether a script asks. Neither it nor a stream can sign in, and each
// try would spoil the one that somebody is at.
func (v *visit) background() bool {
	mode := v.r.Header.Get("Sec-Fetch-Mode")
	return mode != "" && mode != "navigate"
}

// stream reports whether the browser follows what changes.
func (v *visit) stream() bool {
	return strings.Contains(v.r.Header.Get("Accept"), "text/event-stream")
}

// failed tells somebody what went wrong.
func (v *visit) failed(err error) { v.fail(err, "failed") }

// fail is failed on a page of its own.
func (v *visit) fail(err error, page string) {
	p := problem.From(v.r.Context(), v.log, err)
	if p.Code == problem.CodeInternal || p.Code == offboarding.CodeTryAgain {
		p = v.worded(p) // nobody has refused it, so that nobody has said it to the reader
	}
	v.status = p.Status
	for name, values := range p.GetHeaders() {
		v.w.Header()[name] = values
	}
	if err := v.show(page, p); err != nil {
		v.log.ErrorContext(v.r.Context(), "a page that says what went wrong was not made", "error", err, "ref_id", problem.RefID(v.r.Context()))
		http.Error(v.w, v.T("error.internal"), http.StatusInternalServerError)
	}
}

// routes answers for what no page is at, in the console's way.
func (c *Console) routes(mux *http.ServeMux, patterns ...string) {
	for _, pattern := range patterns {
		c.route(mux, pattern, AccessMember, func(v *visit) error {
			return problem.New(v.r.Context(), problem.CodeNotFound, v.T("error.no_page"))
		})
	}
}
