package console_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// watch opens a stream of changes.
func (p *person) watch(t *testing.T, header ...string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/console/changes?since=nothing", nil)
	require.NoError(t, err)
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := p.client.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response, bufio.NewScanner(response.Body)
}

// event reads on to the next event, and returns its ID and its data; "" where the
// stream has ended.
func event(lines *bufio.Scanner) (id, data string) {
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			id = rest
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return id, rest
		}
	}
	return "", ""
}

// A stream says that something has changed, and nothing about it; it ends when its
// reader's reach is another one.
func TestChanges(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	below := fixture.New(t, d.DB)
	d.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, below.ID, d.ID)
	d.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, d.ID)
	happens := func(organization string) {
		d.Exec(`INSERT INTO audit_events (organization_id, event, origin, subject_kind, subject_id, before, after, at)
			VALUES ($1, 'ChangeSettings', '', 'organization', 'x', '{}', '{}', now())`, organization)
	}
	happens(d.ID)
	response, lines := d.as(d.Admin).watch(t)
	require.Equal(t, http.StatusOK, response.StatusCode)
	first, data := event(lines)
	require.Regexp(t, "^[0-9a-f]+$", first)
	require.NotContains(t, strings.FieldsFunc(data, func(r rune) bool { return r == ',' || r == ';' }),
		d.Text(`SELECT max(id)::text FROM audit_events WHERE organization_id = $1`, d.ID), "the stream names events")
	happens(below.ID)
	second, _ := event(lines)
	require.NotEqual(t, first, second, "what happens below is within reach")
	d.Exec(`UPDATE organizations SET enterprise_plan_manager = false WHERE id = $1`, d.ID)
	happens(below.ID)
	third, _ := event(lines)
	require.Empty(t, third, "what happens out of reach is nobody's")
}

// A stream whose session has ended begins no sign-in: it opens itself again and again,
// and would spoil the one that somebody is at.
func TestAStreamDoesNotSignIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	response, lines := d.as("").watch(t)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.True(t, lines.Scan())
	require.Equal(t, "event: ended", lines.Text(), "the page is told, and can say so")
	response, _ = d.as("").watch(t, "Accept", "*/*", "Sec-Fetch-Mode", "cors")
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	require.Empty(t, response.Header.Get("Location"))
}
