package privacy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// delete deletes two for good, one of the data set and one who was provisioned, and looks
// for them in every column of the database (rule X1).
func (h *house) delete(t *testing.T) {
	h.call(h.admin, http.MethodPatch, "/v1/settings", object{"attribution": "anonymous"}, http.StatusOK)
	quirina := h.text(`SELECT id FROM members WHERE email = 'quirina@devdocs.example'`)
	gone := &needles{texts: map[string]string{}, codes: map[string]bool{deleted: true}}
	for what, text := range map[string]string{
		"the address": email(deleted), "the name": "Member 0008", "the name of a credential": "api-" + deleted, "what was written about them": writtenOfDel,
		"the address of the other": "quirina@", "the name of the other": "zweifel", "the provider's ID of the other": "okta-quirina-7",
	} {
		gone.add(what, text)
	}
	waitFor(t, "their cases are closed", func() error {
		if open := h.text(`SELECT count(*) FROM cases WHERE member_id IN ($1, $2) AND closed_at IS NULL`, h.id(deleted), quirina); open != "0" {
			return fmt.Errorf("%s are open", open)
		}
		return nil
	})
	require.GreaterOrEqual(t, len(gone.known(h.everything(t))), 7, "they are known before")
	id := h.id(deleted)
	for member, address := range map[string]string{id: email(deleted), quirina: "quirina@devdocs.example"} {
		h.call(h.admin, http.MethodDelete, "/v1/members/"+member, nil, http.StatusBadRequest, "Handover-Confirm-Email", email(maker))
		h.call(h.admin, http.MethodDelete, "/v1/members/"+member, nil, http.StatusOK, "Handover-Confirm-Email", address, "Idempotency-Key", "delete-"+address)
	}
	left := h.everything(t)
	require.Contains(t, left, id, "the member is referred to as before")
	require.Contains(t, left, email(leaver), "others are known as before")
	require.Empty(t, gone.known(left))
}

// everything is every column of every table, also of those that are bytes.
func (h *house) everything(t *testing.T) string {
	t.Helper()
	var columns []struct{ Table, List string }
	require.NoError(t, h.db.Select(&columns, `SELECT table_name AS table, string_agg(CASE data_type
			WHEN 'bytea' THEN format('encode(%I, ''escape'')', column_name) ELSE format('%I::text', column_name) END, ', ') AS list
		FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE' GROUP BY table_schema, table_name`))
	require.Greater(t, len(columns), 20)
	var b strings.Builder
	for _, c := range columns {
		var rows []string
		require.NoError(t, h.db.Select(&rows, fmt.Sprintf(`SELECT concat_ws(' ', %s) FROM %q`, c.List, c.Table)))
		for _, row := range rows {
			fmt.Fprintf(&b, "%s: %s\n", c.Table, row)
		}
	}
	return b.String()
}
