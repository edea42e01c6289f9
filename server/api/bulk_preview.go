package api

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// BulkPreviewInput asks what a list would do.
type BulkPreviewInput struct {
	OriginInput
	Body BulkBody
}

// BulkCSVPreviewInput asks what a CSV file would do.
type BulkCSVPreviewInput struct {
	OriginInput
	BulkOptions
	RawBody []byte `contentType:"text/csv" doc:"As starter bulk takes it: columns email, last_day, reason and, if wanted, disposition and new_owner_email"`
}

// BulkPreviewOutput says what a list would do.
type BulkPreviewOutput struct{ Body offboarding.BulkPreview }

func (a *API) bulkPreviews() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: bulkPath + "/preview", OperationID: "preview-bulk", Summary: "Preview a bulk run", Tags: []string{"Bulk"},
		Description: "What a run with the same body would do, without doing it: whether it would be admitted, what would become of each member and of how many " +
			"documents, credentials and sessions.",
		Metadata: maps.Clone(changesNothing), MaxBodyBytes: maxBulkBody, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, c *auth.Caller, in *BulkPreviewInput) (*BulkPreviewOutput, error) {
		return a.previewBulk(ctx, c, in.Body.Members, in.Body.PlanBody, in.Body.BulkOptions, in.OriginInput)
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: bulkPath + "/csv/preview", OperationID: "preview-bulk-csv", Summary: "Preview a CSV file of leavers", Tags: []string{"Bulk"},
		Description: "As the preview of a list in JSON. Malformed rows are refused in the preview, among the others in the order of the file; with them the file would not be taken.",
		Metadata:    maps.Clone(changesNothing), MaxBodyBytes: maxBulkBody, Errors: []int{http.StatusConflict},
	}, a.previewBulkCSV)
}

// previewBulk previews a list; what is wrong with a member of it is for the preview to say.
func (a *API) previewBulk(
	ctx context.Context, c *auth.Caller, members []BulkMemberBody, plan PlanBody, o BulkOptions, from OriginInput,
) (*BulkPreviewOutput, error) {
	r, err := a.bulkRequest(ctx, c, a.newID(ctx, "bulk"), members, plan, o, from)
	if err != nil {
		return nil, err
	}
	preview, err := a.store.PreviewBulk(ctx, r, a.now().UTC())
	for i := range preview.Items { // in its order; an address is known only here
		if row := &preview.Items[i]; row.MemberID == "" {
			row.Reference = members[i].MemberID
		}
	}
	return &BulkPreviewOutput{preview}, err
}

func (a *API) previewBulkCSV(ctx context.Context, c *auth.Caller, in *BulkCSVPreviewInput) (*BulkPreviewOutput, error) {
	leavers, wrong := offboarding.ReadLeavers(bytes.NewReader(in.RawBody))
	out := &BulkPreviewOutput{offboarding.BulkPreview{
		Violations: []offboarding.Violation{}, Documents: map[offboarding.Disposition]int{}, Items: []offboarding.BulkPreviewRow{},
	}}
	if len(leavers) > 0 {
		var err error
		if out, err = a.previewBulk(ctx, c, membersOfFile(leavers), PlanBody{}, in.BulkOptions, in.OriginInput); err != nil {
			return nil, err
		}
	}
	p := &out.Body
	if len(leavers)+len(wrong) == 0 {
		p.Violations = append(p.Violations, contradiction("B1", "members", "the file names nobody"))
	}
	for i := range p.Items {
		p.Items[i].Line = leavers[i].Line
		p.Items[i].Reference = strings.TrimPrefix(p.Items[i].Reference, emailPrefix)
	}
	for _, row := range wrong {
		if row.Line <= 1 { // the file as a whole
			if row.Line == 1 && row.Field == "" {
				row.Reason = "line 1: " + row.Reason
			}
			p.Violations = append(p.Violations, contradiction("B1", row.Field, row.Reason))
			continue
		}
		refused := offboarding.BulkPreviewRow{
			Line: row.Line, Reference: row.Name, Outcome: offboarding.BulkMemberRefused, Violations: []offboarding.Violation{contradiction("B1", row.Field, row.Reason)},
		}
		if last := len(p.Items) - 1; last >= 0 && p.Items[last].Line == row.Line && p.Items[last].Position == 0 {
			p.Items[last].Violations = append(p.Items[last].Violations, refused.Violations...)
		} else {
			p.Items = append(p.Items, refused)
		}
	}
	slices.SortStableFunc(p.Items, func(a, b offboarding.BulkPreviewRow) int { return a.Line - b.Line })
	for i := range p.Items {
		p.Items[i].Position = i + 1
	}
	p.Count(in.AllOrNothing)
	p.Allowed = p.Allowed && len(wrong) == 0 && len(p.Violations) == 0
	return out, nil
}
