package api

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"handover/server/problem"
)

var (
	//go:embed docs.html
	docsText string
	//go:embed docs.css
	docsStyle []byte

	docsPage = template.Must(template.New("docs").Funcs(template.FuncMap{"prose": prose}).Parse(docsText))
)

// docs serves the readable form of the OpenAPI document, which has all routes by now:
// made once, without scripts, open to everybody.
func (a *API) docs(mux conditional) {
	var page bytes.Buffer
	if err := docsPage.Execute(&page, a.docsData()); err != nil {
		panic(fmt.Sprintf("the page of the documentation: %v", err)) // the template and the document are in this build
	}
	serve := func(kind string, text []byte) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			problem.SetRoute(r.Context(), "GET /docs")
			h := w.Header()
			h.Set("Content-Type", kind)
			h.Set("Cache-Control", "public, max-age=300")
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write(text) // the caller has gone; nobody is left to tell
		}
	}
	mux.HandleFunc("GET /docs", serve("text/html; charset=utf-8", page.Bytes()))
	mux.HandleFunc("GET /docs/style.css", serve("text/css; charset=utf-8", docsStyle))
}

// prose is a description with what is between backticks as code.
func prose(text string) template.HTML {
	parts := strings.Split(text, "`")
	for i := range parts {
		parts[i] = template.HTMLEscapeString(parts[i])
		if i%2 == 1 {
			parts[i] = "<code>" + parts[i] + "</code>"
		}
	}
	return template.HTML(strings.Join(parts, "")) //nolint:gosec // each part is escaped
}

type docsData struct {
	Title, Description string
	Chapters           []docsChapter
	Codes              []problem.Meaning
}

type docsChapter struct {
	Name, Anchor, Description string
	Routes                    []docsRoute
}

type docsRoute struct {
	ID, Method, Path, Summary, Description string
	Who                                    string
	Parameters, Body, Answer               []docsField
	Statuses                               []docsStatus
	Curl                                   string
}

type docsField struct {
	Name, In, Type, Description string
	Required                    bool
}

type docsStatus struct{ Code, Description string }

func (a *API) docsData() docsData {
	doc := a.OpenAPI()
	data := docsData{Title: doc.Info.Title, Description: doc.Info.Description, Codes: problem.Meanings}
	who, place := map[string]Access{}, map[string]int{}
	for i, route := range a.Routes {
		who[route.Method+" "+route.Path], place[route.Method+" "+route.Path] = route.Access, i
	}
	chapters := map[string][]docsRoute{}
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				chapters[op.Tags[0]] = append(chapters[op.Tags[0]], docsOf(doc.Components.Schemas, path, op, who[op.Method+" "+path]))
			}
		}
	}
	for _, tag := range doc.Tags {
		routes := chapters[tag.Name]
		slices.SortFunc(routes, func(a, b docsRoute) int { // as they were registered
			return cmp.Or(place[a.Method+" "+a.Path]-place[b.Method+" "+b.Path], strings.Compare(a.Path+a.Method, b.Path+b.Method))
		})
		data.Chapters = append(data.Chapters, docsChapter{tag.Name, anchor(tag.Name), tag.Description, routes})
	}
	return data
}

func anchor(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }

func docsOf(r huma.Registry, path string, op *huma.Operation, access Access) docsRoute {
	out := docsRoute{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Description: op.Description, Curl: curl(r, path, op)}
	switch {
	case access == AccessAdmin:
		out.Who = "owners and admins"
	case access == AccessMember:
		out.Who = "every active member, within the rules"
	case len(op.Security) > 0:
		out.Who = "who shows a credential"
	default:
		out.Who = "everybody"
	}
	for _, p := range op.Parameters {
		out.Parameters = append(out.Parameters, docsField{p.Name, p.In, typeOf(r, p.Schema), p.Description, p.Required})
	}
	if op.RequestBody != nil {
		for _, media := range op.RequestBody.Content {
			out.Body = fieldsOf(r, "", media.Schema, maxNesting)
		}
	}
	for code, response := range op.Responses {
		status, _ := strconv.Atoi(code)
		out.Statuses = append(out.Statuses, docsStatus{code, http.StatusText(status)})
		if media := response.Content["application/json"]; media != nil && status < 300 && out.Answer == nil {
			out.Answer = fieldsOf(r, "", media.Schema, maxNesting)
		}
	}
	slices.SortFunc(out.Statuses, func(a, b docsStatus) int { return strings.Compare(a.Code, b.Code) })
	return out
}

// fieldsOf lists the fields of a schema, those of objects in it below them.
func fieldsOf(r huma.Registry, prefix string, s *huma.Schema, depth int) []docsField {
	if s != nil && s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	if s == nil || depth == 0 {
		return nil
	}
	if s.Type == huma.TypeArray {
		return fieldsOf(r, prefix+"[]", s.Items, depth)
	}
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := slices.Contains(s.Required, a), slices.Contains(s.Required, b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var out []docsField
	for _, name := range names {
		of := s.Properties[name]
		full := name
		if prefix != "" {
			full = prefix + "." + name
		}
		out = append(out, docsField{Name: full, Type: typeOf(r, of), Description: of.Description, Required: slices.Contains(s.Required, name)})
		out = append(out, fieldsOf(r, full, of, depth-1)...)
	}
	return out
}

func typeOf(r huma.Registry, s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return typeOf(r, r.SchemaFromRef(s.Ref))
	case s.Type == huma.TypeArray:
		return "list of " + typeOf(r, s.Items)
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, word := range s.Enum {
			words[i] = fmt.Sprint(word)
		}
		return strings.Join(words, ", ")
	case s.Format == "date-time":
		return "time"
	}
	return s.Type
}

// curl is how a route is called from a shell.
func curl(r huma.Registry, path string, op *huma.Operation) string {
	for _, p := range op.Parameters {
		if p.In == "path" {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", fmt.Sprint(exampleOfParam(r, p)))
		}
	}
	text := `curl`
	if len(op.Security) > 0 {
		text += ` -u "$CLIENT_ID:$CLIENT_SECRET"`
	}
	if op.Method != http.MethodGet {
		text += " -X " + op.Method
	}
	text += ` "$HANDOVER` + path + `"`
	if op.RequestBody == nil {
		return text
	}
	if media := op.RequestBody.Content["application/json"]; media != nil {
		if body, err := json.Marshal(media.Example); err == nil {
			text += " \\\n  -H 'Content-Type: application/json' \\\n  -d '" + strings.ReplaceAll(string(body), "'", `'\''`) + "'"
		}
	}
	return text
}

func exampleOfParam(r huma.Registry, p *huma.Param) any {
	if p.Example != nil {
		return p.Example
	}
	return exampleOf(r, p.Name, p.Schema, 1)
}
