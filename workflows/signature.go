package workflows

import (
	"encoding/json"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// The workflow takes signatures along and judges none: the activity that is asked to act
// does (activities/signature.go).

const updatePrefix = "update/"

// textOf is the JSON of a payload, nil for what is none.
func textOf(payload converter.RawValue) json.RawMessage {
	if data := payload.Payload().GetData(); json.Valid(data) {
		return data
	}
	return nil
}

// signatureOf is a payload's signature, "" for none and for what is too long to be one.
func signatureOf(payload converter.RawValue) string {
	signature := payload.Payload().GetMetadata()[offboarding.SignatureField]
	if len(signature) > offboarding.MaxSignature {
		return ""
	}
	return string(signature)
}

// sentAs is a message for who judges its signature.
func sentAs(ctx workflow.Context, m message) *offboarding.Sent {
	info := workflow.GetInfo(ctx)
	s := &offboarding.Sent{
		Namespace: info.Namespace, WorkflowID: info.WorkflowExecution.ID, RunID: info.FirstRunID, Kind: offboarding.KindSignal, Name: m.Name,
		Digest: m.Digest, Signature: m.Signature, HandledAs: m.ID,
	}
	if id, update := strings.CutPrefix(m.ID, updatePrefix); update {
		s.Kind, s.ID = offboarding.KindUpdate, id
	}
	if m.At != nil {
		s.At = *m.At
	}
	return s
}

// asked is what a workflow keeps of its start until it is admitted, by whichever run.
type asked struct {
	Start *offboarding.Sent `json:"start,omitempty"`
}

// startedBy is the start of the workflow, for who judges its signature.
func startedBy(ctx workflow.Context, payload converter.RawValue) *offboarding.Sent {
	info := workflow.GetInfo(ctx)
	s := &offboarding.Sent{
		Namespace: info.Namespace, WorkflowID: info.WorkflowExecution.ID, Kind: offboarding.KindStart, Name: info.WorkflowType.Name,
		Signature: signatureOf(payload), At: info.WorkflowStartTime.UTC(), HandledAs: info.FirstRunID,
	}
	if s.Signature != "" {
		s.Digest = offboarding.Digest(payload.Payload().GetData())
	}
	return s
}
