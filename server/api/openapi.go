package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"handover/server/problem"
)

// describe completes the OpenAPI document once all routes are in it: what fields mean,
// examples, chapters, and the answers that are alike everywhere.
func (a *API) describe() {
	doc := a.OpenAPI()
	doc.Servers = []*huma.Server{{URL: "/", Description: "Where this document was found"}}
	for _, schema := range doc.Components.Schemas.Map() {
		for name, field := range schema.Properties {
			if field.Ref == "" && field.Description == "" {
				field.Description = words[name]
			}
			giveExample(doc.Components.Schemas, name, field)
		}
		giveExample(doc.Components.Schemas, "", schema)
	}
	doc.Components.Responses = map[string]*huma.Response{}
	used := map[string]bool{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, tag := range op.Tags {
				used[tag] = true
			}
			describeBodies(op)
			describeTag(op)
			describeExamples(doc.Components.Schemas, op)
			shareProblems(doc.Components.Responses, op)
		}
	}
	for _, tag := range tags {
		if used[tag.name] {
			doc.Tags = append(doc.Tags, &huma.Tag{Name: tag.name, Description: tag.description})
		}
	}
}

// giveExample gives an example to a list, and to an object of which nothing is
// required: nobody could tell otherwise what it looks like.
func giveExample(r huma.Registry, name string, s *huma.Schema) {
	if len(s.Examples) == 0 && (s.Type == huma.TypeArray || s.Type == huma.TypeObject && len(s.Required) == 0) {
		s.Examples = []any{exampleOf(r, name, s, maxNesting)}
	}
}

// describeBodies adds what is answered to a body before anybody looks at it, and takes
// away what huma supposes and nobody answers.
func describeBodies(op *huma.Operation) {
	if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, op.Method) {
		delete(op.Responses, "422")
	}
	if op.RequestBody == nil {
		return
	}
	if op.RequestBody.Description == "" {
		op.RequestBody.Description = "What is asked for"
	}
	for _, status := range []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType} {
		if code := strconv.Itoa(status); op.Responses[code] == nil {
			op.Responses[code] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
				problem.ContentType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}},
			}}
		}
	}
}

// describeTag says of a read that it has an ETag.
func describeTag(op *huma.Operation) {
	ok := op.Responses["200"]
	if op.Method != http.MethodGet || ok == nil || ok.Content["application/json"] == nil {
		return
	}
	const example = `W/"6f1c2a9e0b7d4c58a3e5f2b1d09c8e77"`
	tag := &huma.Param{Description: "Of the answer: the same while nothing has changed", Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	if ok.Headers == nil {
		ok.Headers = map[string]*huma.Param{}
	}
	ok.Headers["ETag"] = tag
	op.Responses["304"] = &huma.Response{Description: "Nothing has changed since the answer with that ETag", Headers: map[string]*huma.Param{"ETag": tag}}
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Description: "ETag of an answer that the caller has: 304 while nothing has changed",
		Schema: &huma.Schema{Type: huma.TypeString}, Example: example,
	})
}

func describeExamples(r huma.Registry, op *huma.Operation) {
	fill := func(content map[string]*huma.MediaType) {
		for kind, media := range content {
			if media.Schema != nil && media.Example == nil && len(media.Examples) == 0 && (kind == "application/json" || kind == formType) {
				media.Example = exampleOf(r, "", media.Schema, maxNesting)
			}
		}
	}
	if op.RequestBody != nil {
		fill(op.RequestBody.Content)
	}
	for _, response := range op.Responses {
		fill(response.Content)
	}
	for _, p := range op.Parameters {
		if p.Example == nil && p.Schema != nil {
			p.Example = exampleOf(r, p.Name, p.Schema, 1)
		}
	}
}

// shareProblems keeps the problem of a status in one place.
func shareProblems(shared map[string]*huma.Response, op *huma.Operation) {
	for code, response := range op.Responses {
		media := response.Content[problem.ContentType]
		if media == nil || len(response.Content) > 1 || len(response.Headers) > 0 {
			continue
		}
		name := "Problem" + code
		if shared[name] == nil {
			status, _ := strconv.Atoi(code) // a key that huma or we have made of one
			shared[name] = &huma.Response{
				Description: http.StatusText(status),
				Content:     map[string]*huma.MediaType{problem.ContentType: {Schema: media.Schema, Example: exampleProblem(status)}},
			}
		}
		op.Responses[code] = &huma.Response{Ref: "#/components/responses/" + name}
	}
}

// exampleProblem is a problem with the first code of a status.
func exampleProblem(status int) any {
	for _, m := range problem.Meanings {
		if m.Status == status {
			return problem.Problem{
				Type: "/docs#" + string(m.Code), Title: m.Title, Status: status, Detail: m.Title, Message: m.Title, Code: m.Code, ErrorCode: m.Number,
				RefID: sampleID, Errors: []problem.Fault{{Code: m.Code, ErrorCode: m.Number, Message: m.Title}},
			}
		}
	}
	return nil
}
