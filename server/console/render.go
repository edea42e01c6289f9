package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed templates
var templateFiles embed.FS

// readTemplates reads each page with the layout and the parts that all pages share.
func readTemplates() map[string]*template.Template {
	shared := template.Must(template.New("layout.html").Funcs(template.FuncMap{"dict": dict, "asset": asset}).
		ParseFS(templateFiles, "templates/layout.html", "templates/parts/*.html"))
	pages, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // they are embedded
	}
	all := map[string]*template.Template{}
	for _, file := range pages {
		if name := file.Name(); !file.IsDir() && name != "layout.html" {
			all[strings.TrimSuffix(name, ".html")] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, path.Join("templates", name)))
		}
	}
	return all
}

// dict makes one value of pairs of a name and a value, for a part of a page.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict takes pairs")
	}
	out := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// policy lets a page load what the console serves, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets what every answer has.
func (v *visit) secure() {
	header := v.w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	header.Add("Vary", "Cookie, HX-Request, Accept-Language")
}

// follow makes the page live: it is made anew whenever something in reach changes. To
// be called before what it shows is read.
func (v *visit) follow() error {
	seen, err := v.look(v.r.Context(), reach(v.caller))
	if err != nil {
		return err
	}
	v.Live, v.Stamp = true, seen.ID()
	return nil
}

// followOpened makes the page live, unless it answers a form: to send that again is not
// to look again.
func (v *visit) followOpened() error {
	if v.Posted() {
		return nil
	}
	return v.follow()
}

// show answers with a page.
func (v *visit) show(name string, data any) error { return v.write(name, "layout.html", data) }

// fragment answers with what goes into a page: the template "fragment" of a file.
func (v *visit) fragment(name string, data any) error { return v.write(name, "fragment", data) }

func (v *visit) write(name, template string, data any) error {
	t, ok := v.templates[name]
	if !ok {
		return fmt.Errorf("there is no page %q", name)
	}
	v.Name, v.Data = name, data
	var page bytes.Buffer // a page that cannot be made is not half sent
	if err := t.ExecuteTemplate(&page, template, v); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if v.status == 0 {
		v.status = http.StatusOK
	}
	v.w.WriteHeader(v.status)
	_, _ = v.w.Write(page.Bytes()) // the browser has gone; nobody is left to tell
	return nil
}

// Time is a time on a page: in the reader's zone, with the exact one beside it.
type Time struct {
	Machine string // RFC 3339
	Text    string // to the minute
	Exact   string // to the second, with its zone
}

// Time writes a time, nil for none.
func (v *visit) Time(at any) *Time {
	var t time.Time
	switch at := at.(type) {
	case time.Time:
		t = at
	case *time.Time:
		if at != nil {
			t = *at
		}
	}
	if t.IsZero() {
		return nil
	}
	t = t.In(v.zone())
	return &Time{Machine: t.UTC().Format(time.RFC3339Nano), Text: t.Format(v.T("format.time")), Exact: t.Format(v.T("format.exact"))}
}

// Day is Time to the day.
func (v *visit) Day(at any) *Time {
	t := v.Time(at)
	if t != nil {
		moment, _ := time.Parse(time.RFC3339Nano, t.Machine) // as Time has written it
		t.Text = moment.In(v.zone()).Format(v.T("format.day"))
	}
	return t
}

// zone is the reader's time zone; browsers with scripts know better.
func (v *visit) zone() *time.Location {
	if v.caller != nil {
		if zone, err := time.LoadLocation(v.caller.Member.TimeZone); err == nil {
			return zone
		}
	}
	return time.UTC
}

// Now is the time at which the page is made.
func (v *visit) Now() time.Time { return v.now().UTC() }

// Left is how long it is until a time, in two units at most; "" where it has passed.
func (v *visit) Left(until, now time.Time) string {
	left := until.Sub(now)
	if left <= 0 {
		return ""
	}
	days, hours, minutes := int(left/(24*time.Hour)), int(left/time.Hour)%24, int(left/time.Minute)%60
	switch {
	case days > 0 && hours > 0:
		return v.T("left.two", "a", v.T("left.days", "n", days), "b", v.T("left.hours", "n", hours))
	case days > 0:
		return v.T("left.days", "n", days)
	case hours > 0 && minutes > 0:
		return v.T("left.two", "a", v.T("left.hours", "n", hours), "b", v.T("left.minutes", "n", minutes))
	case hours > 0:
		return v.T("left.hours", "n", hours)
	case minutes > 0:
		return v.T("left.minutes", "n", minutes)
	}
	return v.T("left.seconds")
}
