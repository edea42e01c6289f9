package privacy_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/client"
	"handover/internal/temporalserver"
	"handover/offboarding"
)

// The cast, by external IDs of the data set. Who leaves is on its list of leavers.
const (
	admin, otherAdmin    = "m0202", "m0169"
	maker, asker         = "m0351", "m0136"
	leaver, rehired      = "m0075", "m0155"
	scheduled, byMessage = "m0016", "m0161"
	deleted              = "m0008"
	onTheList            = "m0007,m0045"

	// What people write, and whom they mistype, is nobody's business either.
	written      = "gone to Lisbon with the red suitcase"
	writtenOfDel = "their father is ill in Porto"
	mistyped     = "nobody.at.all@devdocs.example"
)

func email(externalID string) string { return externalID + "@devdocs.example" }

// tell is a day at the organization: everything that people, programs, the identity
// provider and their mistakes do.
func (h *house) tell() {
	h.needles.add("what somebody has written", written)
	h.needles.add("what somebody has written", writtenOfDel)
	h.needles.add("an address that was mistyped", mistyped)
	h.people()
	h.cases()
	h.list()
	h.messages()
	h.mistakes()
	h.provider()
}

// people look around, in the API and in the console.
func (h *house) people() {
	h.call(h.admin, http.MethodPost, "/v1/members/search", object{"q": email(leaver)}, http.StatusOK)
	h.call(h.admin, http.MethodGet, "/v1/members/email:"+url.PathEscape(email(leaver)), nil, http.StatusOK)
	h.call(h.admin, http.MethodGet, "/v1/members/external:"+leaver, nil, http.StatusOK)
	h.call(h.admin, http.MethodGet, "/v1/offboardings?member="+url.QueryEscape("email:"+email(leaver)), nil, http.StatusOK)
	h.call(h.admin, http.MethodPost, "/v1/credentials", object{"kind": "api", "name": "for " + email(admin)}, http.StatusCreated)
	h.signIn(mistyped, http.StatusForbidden)
	browser := h.signIn(email(otherAdmin), http.StatusOK)
	for _, page := range []string{"overview", "leavers", "members", "documents", "audit", "members/" + h.id(leaver), "documents?q=" + url.QueryEscape(email(leaver))} {
		h.visit(browser, http.MethodGet, h.api+"/console/"+page, nil, http.StatusOK)
	}
	h.visit(browser, http.MethodPost, h.api+"/console/people?field=q", url.Values{"q": {email(leaver)}}, http.StatusOK)
	h.visit(browser, http.MethodPost, h.api+"/console/members", url.Values{"q": {"Member 0075"}}, http.StatusOK)
}

// cases are started, talked about, rescheduled, called off and undone.
func (h *house) cases() {
	start := func(who, at, reason string) {
		h.call(h.admin, http.MethodPost, "/v1/offboardings", object{"member_id": "email:" + email(who), "reason": reason, "disposition": "retain", "effective_at": at},
			http.StatusCreated, "Idempotency-Key", "offboard-"+email(who), "Handover-Integration-Source", "SCRIPT,Devdocs,leavers")
	}
	path := func(who string) string {
		return "/v1/offboardings/" + h.text(`SELECT c.id FROM cases c JOIN members m ON m.id = c.member_id WHERE m.external_id = $1`, who)
	}
	start(leaver, "", written)
	start(rehired, "", written)
	start(scheduled, time.Now().AddDate(1, 0, 0).Format(time.DateOnly), written)
	h.call(h.admin, http.MethodPost, path(scheduled)+"/reschedule", object{"effective_at": time.Now().AddDate(2, 0, 0).Format(time.DateOnly)}, http.StatusOK)
	h.call(h.admin, http.MethodPost, path(scheduled)+"/cancel", object{"reason": written}, http.StatusOK)

	// Who will be deleted asks for something, signs in, leaves, and is talked about.
	h.exec(`INSERT INTO grants (organization_id, document_id, member_id, level) SELECT organization_id, id, $1, 'view' FROM documents WHERE external_id = 'd00205'`, h.id(deleted))
	d := h.credential(deleted)
	h.call(d, http.MethodPost, "/v1/documents/external:d00205/request-ownership", object{"note": writtenOfDel}, http.StatusOK, "Idempotency-Key", "mine-"+email(deleted))
	h.call(d, http.MethodPost, "/v1/credentials", object{"kind": "api", "name": "for " + email(deleted)}, http.StatusCreated, "Idempotency-Key", "key-"+email(deleted))
	h.signIn(email(deleted), http.StatusOK)
	h.call(h.admin, http.MethodPost, "/v1/ownership-requests/"+h.text(`SELECT id FROM ownership_requests`)+"/reject", object{"note": writtenOfDel},
		http.StatusOK, "Idempotency-Key", "no-"+email(deleted))
	start(deleted, "", writtenOfDel)
	h.call(h.admin, http.MethodPost, "/v1/legal-holds", object{"member_id": h.id(deleted), "reason": writtenOfDel}, http.StatusCreated, "Idempotency-Key", "hold-"+email(deleted))
	h.call(h.admin, http.MethodDelete, "/v1/legal-holds/"+h.text(`SELECT id FROM legal_holds`), nil, http.StatusNoContent)
	h.call(h.admin, http.MethodPost, path(deleted)+"/transfer", object{"new_owner_id": "email:" + email(asker)}, http.StatusOK)

	k, a := h.credential(maker), h.credential(asker)
	h.call(k, http.MethodPost, "/v1/documents/external:d00207/claim", nil, http.StatusOK)
	h.call(h.admin, http.MethodPost, "/v1/documents/external:d00207/claim", nil, http.StatusConflict)
	for i, decision := range []string{"reject", "approve"} {
		h.call(a, http.MethodPost, "/v1/documents/external:d00206/request-ownership", object{"note": written},
			http.StatusOK, "Idempotency-Key", fmt.Sprintf("ask-%d-%s", i, email(asker)))
		request := h.text(`SELECT id FROM ownership_requests WHERE status = 'pending'`)
		h.call(h.admin, http.MethodPost, "/v1/ownership-requests/"+request+"/"+decision, object{"note": written}, http.StatusOK)
	}
	h.call(h.admin, http.MethodPost, path(leaver)+"/extend-grace", object{"until": time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}, http.StatusOK)

	workflow := h.text(`SELECT workflow_id FROM cases WHERE member_id = $1`, h.id(rehired))
	require.NoError(h.t, temporalserver.FastForward(h.t.Context(), h.plain, h.temporal.Namespace(), workflow, 8*24*time.Hour))
	waitFor(h.t, "the grace has ended", func() error {
		if phase := h.text(`SELECT phase FROM cases WHERE workflow_id = $1`, workflow); phase != "read_only" {
			return fmt.Errorf("it is in %s", phase)
		}
		return nil
	})
	h.call(h.admin, http.MethodPost, "/v1/members/email:"+email(rehired)+"/reactivate", nil, http.StatusOK)
}

// list offboards some at once, by their addresses, with mistakes.
func (h *house) list() {
	var members []object
	for who := range strings.SplitSeq(onTheList, ",") {
		members = append(members, object{"member_id": "email:" + email(who), "reason": written, "new_owner_id": "manager"})
	}
	for _, wrong := range []string{mistyped, email(admin), email(deleted), "no-such-member-0001+devdocs@gmail.com"} {
		members = append(members, object{"member_id": "email:" + wrong})
	}
	h.call(h.admin, http.MethodPost, "/v1/bulk-offboardings/preview", object{"members": members}, http.StatusOK)
	header, _ := h.call(h.admin, http.MethodPost, "/v1/bulk-offboardings", object{"members": members, "confirmed": true},
		http.StatusAccepted, "Idempotency-Key", "list-"+email(admin))
	waitFor(h.t, "the list has come to its end", func() error {
		_, run := h.call(h.admin, http.MethodGet, header.Get("Location"), nil, http.StatusOK)
		if run["closed_at"] == nil {
			return fmt.Errorf("%v", run)
		}
		return nil
	})
	h.call(h.admin, http.MethodGet, header.Get("Location")+"/members", nil, http.StatusOK)
	h.call(h.admin, http.MethodPost, "/v1/bulk-offboardings/csv", "email,last_day,reason\n"+mistyped+",someday,"+written+"\n", http.StatusBadRequest, "Content-Type", "text/csv")
}

// messages come from a program that has a key and no gateway.
func (h *house) messages() {
	cases := client.New(h.reader)
	_, err := cases.StartAndAwait(h.t.Context(), offboarding.Request{MemberID: h.id(byMessage), RequestedBy: h.id(admin), Reason: written, Disposition: "retain"})
	require.NoError(h.t, err)
	id := offboarding.WorkflowID(h.id(byMessage))
	for _, message := range []object{ // one that a rule refuses, and one that is none
		{"document_id": uuid.NewString(), "member_id": h.id(maker), "note": written}, {"document_id": written, "member_id": 7},
	} {
		require.NoError(h.t, h.reader.SignalWorkflow(h.t.Context(), id, "", offboarding.MessageClaim, message))
	}
	_, err = cases.Claim(h.t.Context(), id, offboarding.ClaimRequest{DocumentID: h.text(`SELECT id FROM documents WHERE external_id = 'd00778'`), MemberID: h.id(asker), Note: written})
	require.NoError(h.t, err)
}

// mistakes are what people send that is wrong, and what the database says when it breaks.
func (h *house) mistakes() {
	h.call(h.admin, http.MethodPost, "/v1/offboardings", object{"member_id": "email:" + mistyped}, http.StatusNotFound, "Idempotency-Key", "x-"+mistyped)
	h.call(h.admin, http.MethodPost, "/v1/offboardings", object{"member_id": "email:no-such-member-0001+devdocs@gmail.com"}, http.StatusConflict)
	h.call(h.admin, http.MethodPost, "/v1/offboardings", object{"member": email(maker), "reason": 7}, http.StatusBadRequest)
	h.call(h.admin, http.MethodPost, "/v1/offboardings", `{"member_id": "`+email(maker), http.StatusBadRequest)
	h.call(h.admin, http.MethodGet, "/v1/offboardings?who="+url.QueryEscape(email(maker)), nil, http.StatusBadRequest)
	h.call(h.admin, http.MethodGet, "/v1/people/"+email(maker), nil, http.StatusNotFound)
	h.call(h.admin, http.MethodGet, "/v1/members/me", nil, http.StatusOK, "User-Agent", email(maker), "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Baggage", "who="+email(maker))
	h.call(key{email(maker), h.admin.secret}, http.MethodGet, "/v1/members/me", nil, http.StatusUnauthorized)
	h.call(key{h.admin.id, "wrong"}, http.MethodGet, "/v1/members/me", nil, http.StatusUnauthorized)

	// A database that quotes people in its errors, in a request and in a step of a case.
	for _, table := range []string{"credentials", "ownership_requests"} {
		h.exec(fmt.Sprintf(`CREATE FUNCTION quote_%[1]s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION 'no room for %[2]s' USING DETAIL = 'Key (email)=(%[2]s)', HINT = 'ask Member 0351', ERRCODE = 'XX000'; END $$;
			CREATE TRIGGER quote BEFORE INSERT ON %[1]s FOR EACH ROW EXECUTE FUNCTION quote_%[1]s()`, table, email(maker)))
	}
	h.call(h.admin, http.MethodPost, "/v1/credentials", object{"kind": "api", "name": "for " + email(admin)}, http.StatusInternalServerError)
	h.exec(`INSERT INTO grants (organization_id, document_id, member_id, level) SELECT organization_id, id, $1, 'view' FROM documents WHERE external_id = 'd00841'`, h.id("m0367"))
	asked := make(chan error, 1)
	go func() {
		_, err := client.New(h.reader).Claim(h.t.Context(), offboarding.WorkflowID(h.id(byMessage)), offboarding.ClaimRequest{
			DocumentID: h.text(`SELECT id FROM documents WHERE external_id = 'd00841'`), MemberID: h.id("m0367"), Note: written,
		})
		asked <- err
	}()
	waitFor(h.t, "the case is in trouble", func() error {
		if h.text(`SELECT trouble_error FROM cases WHERE member_id = $1`, h.id(byMessage)) == "" {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	h.scrape()
	for _, table := range []string{"credentials", "ownership_requests"} {
		h.exec(`DROP TRIGGER quote ON ` + table)
	}
	require.NoError(h.t, <-asked)
}

// provider is what an identity provider writes, about somebody new.
func (h *house) provider() {
	h.exec(`UPDATE organizations SET identity_provider = 'okta', provisioning_admin_id = $1`, h.id(admin))
	organization := h.text(`SELECT id FROM organizations`)
	var err error
	h.scim, _, err = h.store.CreateScimToken(h.t.Context(), organization, h.id(admin), time.Now().UTC())
	require.NoError(h.t, err)
	h.needles.add("the token of the provider", h.scim)
	user := object{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "quirina@devdocs.example", "externalId": "okta-quirina-7", "active": true,
		"name": object{"givenName": "Quirina", "familyName": "Zweifel"}, "displayName": "Quirina Zweifel",
		"emails": []object{{"value": "quirina@devdocs.example", "type": "work", "primary": true}},
	}
	h.needles.add("who was provisioned", "quirina")
	h.needles.add("who was provisioned", "zweifel")
	_, made := h.call(key{}, http.MethodPost, "/scim/v2/Users", user, http.StatusCreated)
	h.call(key{}, http.MethodPost, "/scim/v2/Users", user, http.StatusConflict)
	h.call(key{}, http.MethodGet, "/scim/v2/Users?filter="+url.QueryEscape(`userName eq "quirina@devdocs.example"`), nil, http.StatusOK)
	h.call(key{}, http.MethodGet, "/scim/v2/Users?filter="+url.QueryEscape(`quirina@devdocs.example`), nil, http.StatusBadRequest)
	h.call(key{}, http.MethodGet, "/scim/v2/Users/quirina@devdocs.example", nil, http.StatusNotFound)
	h.exec(`UPDATE documents SET owner_id = $1 WHERE external_id = 'd00001'`, made["id"])
	h.call(key{}, http.MethodPatch, "/scim/v2/Users/"+made["id"].(string), object{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []object{{"op": "replace", "value": object{"active": false}}},
	}, http.StatusOK)
	h.call(h.admin, http.MethodPost, "/v1/documents/transfer", object{"from": made["id"], "new_owner": "email:" + email(maker)}, http.StatusOK)
}

// scrape asks both for their metrics, as a monitoring system does.
func (h *house) scrape() {
	h.t.Helper()
	for _, p := range []*process{h.worker, h.server} {
		text, err := p.page("/metrics")
		require.NoError(h.t, err)
		_, _ = h.metrics.Write([]byte(text))
	}
}
