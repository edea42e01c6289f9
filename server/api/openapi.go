package api

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"handover/server/problem"
)

// describe completes the OpenAPI document once all routes are in it.
func (a *API) describe() {
	for _, item := range a.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				describeOperation(op)
			}
		}
	}
}

func describeOperation(op *huma.Operation) {
	if op.RequestBody != nil { // what is answered to a body before anybody looks at it
		for _, status := range []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType} {
			if code := strconv.Itoa(status); op.Responses[code] == nil {
				op.Responses[code] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
					problem.ContentType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}},
				}}
			}
		}
	}
	ok := op.Responses["200"]
	if op.Method != http.MethodGet || ok == nil || ok.Content["application/json"] == nil {
		return
	}
	tag := &huma.Param{Description: "Of the answer: the same while nothing has changed", Schema: &huma.Schema{Type: huma.TypeString}, Example: `W/"6f1c2a9e0b7d4c58a3e5f2b1d09c8e77"`}
	if ok.Headers == nil {
		ok.Headers = map[string]*huma.Param{}
	}
	ok.Headers["ETag"] = tag
	op.Responses["304"] = &huma.Response{Description: "Nothing has changed since the answer with that ETag", Headers: map[string]*huma.Param{"ETag": tag}}
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Description: "ETag of an answer that the caller has: 304 while nothing has changed",
		Schema: &huma.Schema{Type: huma.TypeString},
	})
}
