package console

import (
	"net/http"
	"net/url"
	"strings"

	"handover/offboarding"
)

// bulkTicked registers the offboarding of those who were ticked in the list of members:
// it is the run of a list without the file.
func (c *Console) bulkTicked(mux *http.ServeMux) {
	c.route(mux, "POST "+Path+"members/deactivate", AccessAdmin, func(v *visit) error {
		if len(v.r.PostForm["member"]) == 0 {
			return v.done(Path+"members", "nobody_ticked")
		}
		unknown, err := v.unknownOwner()
		if err != nil {
			return err
		}
		var r bulkReview
		err = v.post(bulkAPI+"/preview", v.tickedPlan(), &r.BulkPreview)
		switch {
		case unknown, v.refused(err, "members", ""):
			r.BulkPreview = offboarding.BulkPreview{} // nothing is known of what is mistaken
		case err != nil:
			return err
		case v.Value("step") == "start" && !v.wasShown(r):
			v.notAsShown()
		case v.Value("step") == "start":
			return v.startTicked(r)
		}
		return v.showTicked(r)
	})
}

// tickedPlan is what the form says, as the API takes it.
func (v *visit) tickedPlan() map[string]any {
	ids := v.r.PostForm["member"]
	members := make([]map[string]string, len(ids))
	for i, id := range ids {
		members[i] = map[string]string{"member_id": id}
	}
	body := map[string]any{"members": members}
	for _, name := range []string{"disposition", "effective_at", "reason"} {
		if value := strings.TrimSpace(v.Value(name)); value != "" {
			body[name] = value
		}
	}
	if owner := who(v.Value("new_owner_id")); owner != "" {
		body["new_owner_id"] = owner
	}
	return body
}

func (v *visit) startTicked(r bulkReview) error {
	body := v.tickedPlan()
	body["confirmed"] = v.Checked("confirmed", "true")
	var started struct {
		ID string `json:"bulk_id"`
	}
	if err := v.post(bulkAPI, body, &started); v.refused(err, "members", "", "confirmed", "") {
		return v.showTicked(r)
	} else if err != nil {
		return err
	}
	return v.done(Path+"bulk/"+url.PathEscape(started.ID), "bulk_started")
}

func (v *visit) showTicked(r bulkReview) error {
	r.Ticked = v.r.PostForm["member"]
	r.Choices = append([]Option{{Label: v.T("bulk.as_settings_say")}}, options(v, "disposition", offboarding.Dispositions...)...)
	r.judge()
	return v.show("bulk-ticked", r)
}
