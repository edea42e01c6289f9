package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/client"
	"handover/offboarding"
	"handover/server/auth"
)

// CancelInput cancels a case that waits for its time.
type CancelInput struct {
	CasePath
	OriginInput
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why, without personal data"`
	}
}

// RescheduleInput moves the effective time.
type RescheduleInput struct {
	CasePath
	OriginInput
	Body struct {
		EffectiveAt string `json:"effective_at" minLength:"1" maxLength:"100" doc:"A time with its zone, or a date for the end of that day (rule L1)" example:"2026-04-30"`
	}
}

// ExtendInput moves the end of the grace.
type ExtendInput struct {
	CasePath
	OriginInput
	Body struct {
		Until string `json:"until" minLength:"1" maxLength:"100" doc:"Later than the present end: a time with its zone, or a date for the end of that day" example:"2026-04-30"`
	}
}

// ReactivateInput makes the leaver active again.
type ReactivateInput struct {
	CasePath
	OriginInput
	Body *ReturnBody
}

// ReturnBody says what comes back with a member.
type ReturnBody struct {
	ReturnDocuments bool `json:"return_documents,omitempty" doc:"Also give back what the case moved, unless it was passed on since"`
}

// TransferInput moves documents of the leaver.
type TransferInput struct {
	CasePath
	OriginInput
	Body struct {
		NewOwnerID  string   `json:"new_owner_id,omitempty" maxLength:"400" doc:"A member, or manager for the leaver's; the caller unless given (rules N1, N2)"`
		DocumentIDs []string `json:"document_ids,omitempty" maxItems:"1000" doc:"IDs; all that the leaver still owns unless given"`
	}
}

func (a *API) caseMessages() {
	operation := func(id, path, summary, description string) huma.Operation {
		return huma.Operation{
			Method: http.MethodPost, Path: "/v1/offboardings/{id}/" + path, OperationID: id, Summary: summary, Description: description,
			Tags: []string{"Offboardings"}, Errors: []int{http.StatusNotFound, http.StatusConflict},
		}
	}
	register(a, AccessMember, operation("cancel-offboarding", "cancel", "Cancel a case", "Ends a case that still waits for its effective time."),
		func(ctx context.Context, c *auth.Caller, in *CancelInput) (*OutcomeOutput, error) {
			m := offboarding.Cancel{AdminID: c.Member.ID}
			if in.Body != nil {
				m.Reason = in.Body.Reason
			}
			return message(ctx, a, c, in.ID, in.OriginInput, &m, &m.Origin, func(row offboarding.CaseRow, by client.Option) (offboarding.Outcome, error) {
				return a.cases.Cancel(ctx, row.WorkflowID, m, by)
			})
		})
	register(a, AccessMember, operation("reschedule-offboarding", "reschedule", "Reschedule a case", "Moves the effective time of a case that still waits for it; the past is now."),
		func(ctx context.Context, c *auth.Caller, in *RescheduleInput) (*OutcomeOutput, error) {
			m := offboarding.Reschedule{AdminID: c.Member.ID, EffectiveAt: in.Body.EffectiveAt}
			return message(ctx, a, c, in.ID, in.OriginInput, &m, &m.Origin, func(row offboarding.CaseRow, by client.Option) (offboarding.Outcome, error) {
				return a.cases.Reschedule(ctx, row.WorkflowID, m, by)
			})
		})
	register(a, AccessMember, operation("extend-grace", "extend-grace", "Extend the grace", "Moves the end of the grace period later."),
		func(ctx context.Context, c *auth.Caller, in *ExtendInput) (*OutcomeOutput, error) {
			m := offboarding.ExtendGrace{AdminID: c.Member.ID, Until: in.Body.Until}
			return message(ctx, a, c, in.ID, in.OriginInput, &m, &m.Origin, func(row offboarding.CaseRow, by client.Option) (offboarding.Outcome, error) {
				return a.cases.Extend(ctx, row.WorkflowID, m, by)
			})
		})
	register(a, AccessMember, operation("reactivate-offboarding", "reactivate", "Reactivate the leaver of an open case",
		"Makes the leaver active again, or puts them back into the workspace. After the case has closed: POST /v1/members/{id}/reactivate."),
		func(ctx context.Context, c *auth.Caller, in *ReactivateInput) (*OutcomeOutput, error) {
			m := offboarding.Reactivate{AdminID: c.Member.ID, ReturnDocuments: in.Body != nil && in.Body.ReturnDocuments}
			return message(ctx, a, c, in.ID, in.OriginInput, &m, &m.Origin, func(row offboarding.CaseRow, by client.Option) (offboarding.Outcome, error) {
				return a.cases.Reactivate(ctx, row.WorkflowID, m, by)
			})
		})
	register(a, AccessMember, operation("transfer-offboarding", "transfer", "Transfer documents of the leaver",
		"Gives some or all of what the leaver still owns to a new owner (rule T1)."),
		func(ctx context.Context, c *auth.Caller, in *TransferInput) (*OutcomeOutput, error) {
			m := offboarding.TransferDocuments{AdminID: c.Member.ID, NewOwnerID: in.Body.NewOwnerID, DocumentIDs: in.Body.DocumentIDs}
			return message(ctx, a, c, in.ID, in.OriginInput, &m, &m.Origin, func(row offboarding.CaseRow, by client.Option) (offboarding.Outcome, error) {
				n := a.naming(ctx, c)
				m.NewOwnerID = n.newOwner(in.Body.NewOwnerID, row.OrganizationID, "new_owner_id")
				if err := n.err(); err != nil {
					return offboarding.Outcome{}, err
				}
				return a.cases.Transfer(ctx, row.WorkflowID, m, by)
			})
		})
}

// message sends a message to a case that the caller may see. Its form is judged
// here, so that nothing malformed is sent.
func message(
	ctx context.Context, a *API, c *auth.Caller, id string, o OriginInput, m interface {
		Check() []offboarding.Violation
	}, origin *string,
	send func(offboarding.CaseRow, client.Option) (offboarding.Outcome, error),
) (*OutcomeOutput, error) {
	n := a.naming(ctx, c)
	*origin = n.origin(o)
	row, err := a.findCase(ctx, c, id)
	if err != nil {
		n.keep(err, "id")
	}
	n.add(m.Check()...)
	if err := n.err(); err != nil {
		return nil, err
	}
	out, err := send(row, client.WithUpdateID(a.updateID(ctx)))
	return &OutcomeOutput{out}, err
}
