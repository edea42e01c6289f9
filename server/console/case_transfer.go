package console

import (
	"net/url"

	"handover/offboarding"
)

const actionTransfer = "transfer"

// The steps of a transfer. Any other is the form.
const (
	stepReview = "review"
	stepDo     = "do"
)

// Whom a transfer can name beside those who are suggested.
const (
	ownerMe    = "me"
	ownerOther = "other"
)

// caseTransfer is what the pages of a transfer show.
type caseTransfer struct {
	caseDetail
	Action  string
	Preview *offboarding.Preview // with who is suggested for all documents
	Owner   string               // what is chosen: an ID, ownerMe or ownerOther
	// All is false where documents were to be ticked: Chosen are those that still wait, and
	// Missing is how many do not any more.
	All     bool
	Chosen  []offboarding.DocumentRow
	Missing int
	// Review asks for a confirmation: NewOwner gets the documents.
	Review   bool
	NewOwner *offboarding.Member
}

// transferCase gives documents of a leaver to a new owner: all, or those that were
// ticked. Who gets them is chosen, shown with the numbers, and confirmed.
func (v *visit) transferCase() error {
	c, err := v.oneCase()
	if err != nil {
		return err
	}
	if !v.Posted() && !c.Gone() {
		return v.redirect(casePath(c.ID))
	}
	ticked := v.r.PostForm["document"]
	t := caseTransfer{caseDetail: c, Action: actionTransfer, All: !v.r.PostForm.Has("show")}
	switch {
	case !t.All && len(ticked) == 0: // naming none means all
		v.fault("", v.T("case.transfer.none"))
	case v.Value("step") == stepDo:
		if t.NewOwner, err = v.nameNewOwner(); err != nil {
			return err
		}
		if t.NewOwner == nil {
			break // why is on the page
		}
		if t.Shown() != v.Value("shown") {
			v.notAsShown()
			t.Review = true
			break
		}
		body := map[string]any{"new_owner_id": t.NewOwner.ID, "document_ids": ticked}
		err := v.post(at("/v1/offboardings/%s/transfer", c.ID), body, nil)
		if !v.refused(err, "new_owner_id", "new_owner", "document_ids", "") {
			if err != nil {
				return err
			}
			return v.done(casePath(c.ID)+"?show="+string(offboarding.DocumentMoved), "case_transferred")
		}
	}
	if !t.All {
		if err := v.chosen(&t); err != nil {
			return err
		}
	}
	if t.Preview, err = v.previewOf(c, "1"); err != nil {
		return err
	}
	if v.Value("step") == stepReview && (t.All || len(t.Chosen) > 0) {
		if t.NewOwner, err = v.nameNewOwner(); err != nil {
			return err
		}
		t.Review = t.NewOwner != nil
	}
	t.Owner = v.Value("owner")
	if t.Owner == "" {
		t.Owner = ownerMe
		if t.Preview != nil && t.Preview.Successors != nil && len(t.Preview.Successors.Suggestions) > 0 {
			t.Owner = t.Preview.Successors.Suggestions[0].MemberID
		}
	}
	return v.show("case-transfer", t)
}

// Shown names what is confirmed: who gets the documents, which the form names.
func (t caseTransfer) Shown() string { return shown(t.ID, t.NewOwner.ID) }

// chosen finds those of the ticked documents that still wait, on the page of the list
// on which they were ticked.
func (v *visit) chosen(t *caseTransfer) error {
	var page offboarding.Page[offboarding.DocumentRow]
	state := string(offboarding.DocumentWaiting)
	if v.Value("show") == string(offboarding.DocumentReadOnly) {
		state = string(offboarding.DocumentReadOnly)
	}
	if err := v.get("/v1/documents", v.documentsOf(t.ID, state, v.Value("cursor")), &page); err != nil {
		return err
	}
	for _, d := range page.Items {
		if v.Checked("document", d.ID) {
			t.Chosen = append(t.Chosen, d)
		}
	}
	t.Missing = len(v.r.PostForm["document"]) - len(t.Chosen)
	return nil
}

// newOwner is how the API knows whom the reader has chosen.
func (v *visit) newOwner() string {
	if owner := v.Value("owner"); owner != ownerOther {
		return owner
	}
	return who(v.Value("new_owner"))
}

// nameNewOwner finds whom the reader has chosen; nil where there is nobody of that name,
// which the page says.
func (v *visit) nameNewOwner() (*offboarding.Member, error) {
	ref := v.newOwner()
	switch {
	case v.Value("owner") != ownerOther && v.Value("new_owner") != "":
		v.fault("new_owner", v.T("case.owner_both"))
		return nil, nil //nolint:nilnil // said above
	case ref == "":
		v.fault("new_owner", v.T("case.owner_missing"))
		return nil, nil //nolint:nilnil // said above
	}
	var m offboarding.Member
	err := v.get(at("/v1/members/%s", ref), nil, &m)
	if v.refused(err, "id", "new_owner") {
		return nil, nil //nolint:nilnil // why is on the page
	}
	return &m, err
}

// Carried are the fields that go along from step to step.
func (t caseTransfer) Carried(v *visit) url.Values {
	out := url.Values{}
	for _, d := range t.Chosen {
		out.Add("document", d.ID)
	}
	if !t.All {
		out.Set("show", v.Value("show"))
		out.Set("cursor", v.Value("cursor"))
	}
	return out
}
