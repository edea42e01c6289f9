package e2e_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// TestAnOffboardingInTheConsole: an admin offboards a member, a maker claims a
// document, somebody who cannot own any asks for another, and the admin decides.
func TestAnOffboardingInTheConsole(t *testing.T) {
	t.Parallel()
	for _, who := range []struct {
		name           string
		scripts        bool
		leaver, editor string
	}{{"with scripts", true, "m0017", "m0043"}, {"without scripts", false, "m0007", "m0012"}} {
		t.Run(who.name, func(t *testing.T) {
			t.Parallel()
			s, site := sharedConsole.get(t)
			asked, title := s.document(t, who.leaver, who.editor)
			var claimed string
			require.NoError(t, s.db.Get(&claimed, `SELECT g.document_id FROM grants g JOIN documents d ON d.id = g.document_id
				WHERE g.member_id = $1 AND d.owner_id = $2 AND d.id <> $3 LIMIT 1`, s.id(t, theMaker), s.id(t, who.leaver), asked))
			leaver := s.id(t, who.leaver)

			admin := newBrowser(t, site, who.scripts)
			admin.signIn(address(theOwner), "/console/members/"+leaver+"/deactivate")
			admin.click("#disposition-retain")
			admin.fill("#field-reason", "moves on")
			admin.click(`button[value="review"]`)
			admin.click(`button[value="confirm"]`)
			admin.until("the case", `location.pathname.startsWith("/console/leavers/")`)
			s.awaitGrace(t, who.leaver)

			maker := newBrowser(t, site, who.scripts)
			maker.signIn(address(theMaker), s.page(t, claimed))
			maker.click("#document-" + claimed + " button.primary")
			maker.see("The document is yours now.")
			require.Equal(t, s.id(t, theMaker), s.owner(t, claimed))

			editor := newBrowser(t, site, who.scripts)
			editor.signIn(address(who.editor), s.page(t, asked))
			editor.click("#document-" + asked + " th a")
			editor.see(title)
			editor.fill("#field-note", "for Member 0236")
			editor.click("form#request button")
			editor.see("for Member 0236")

			var request string
			require.NoError(t, s.db.Get(&request, `SELECT id FROM ownership_requests WHERE document_id = $1`, asked))
			admin.open("/console/transfers")
			admin.click("#request-" + request + " td.actions a.button")
			admin.axe("a request")
			admin.click("#decision-give")
			admin.fill("#field-new_owner", address(theMaker))
			admin.fill("#field-note", "as you ask")
			admin.click("form#decide button.primary")
			admin.until("the list", `location.pathname === "/console/transfers"`)
			require.Equal(t, s.id(t, theMaker), s.owner(t, asked))
			if !who.scripts { // with them it shows by itself
				editor.open("/console/documents?show=requests")
			}
			editor.see("as you ask")
		})
	}
}

// TestTwoBrowsersRace: both press at the same moment, one has the document, and the
// other reads who that is.
func TestTwoBrowsersRace(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	racers := []string{theMaker, "m0285"}
	document, title := s.document(t, "m0155", racers...)
	s.offboard(t, "m0155")
	browsers := make([]*browser, len(racers))
	button := "#document-" + document + " button.primary"
	for i, racer := range racers {
		browsers[i] = newBrowser(t, site, true)
		browsers[i].signIn(address(racer), s.page(t, document))
		browsers[i].until("the button", `!!document.querySelector("`+button+`")`)
	}
	begin, done := make(chan struct{}), make(chan error)
	for _, b := range browsers {
		go func() {
			<-begin
			done <- chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("`+button+`").click()`))
		}()
	}
	close(begin)
	for range browsers {
		require.NoError(t, <-done)
	}
	winner := 0
	waitFor(t, "one of them has it", func() error {
		owner := s.owner(t, document)
		for winner = range racers {
			if owner == s.id(t, racers[winner]) {
				return nil
			}
		}
		return errors.New("nobody has")
	})
	browsers[winner].see("The document is yours now.")
	browsers[1-winner].see(title)
	browsers[1-winner].see("Member " + racers[winner][1:])
	require.Equal(t, 1, s.count(t, `SELECT count(*) FROM audit_events WHERE event = $1 AND document_id = $2`, offboarding.EventClaimDocOwnership, document))
}

// TestPagesAreLive: a page shows what others have done without being loaded again, but
// not over what somebody is typing.
func TestPagesAreLive(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	document, _ := s.document(t, "m0075", theMaker)
	id := s.offboard(t, "m0075")
	row := `document.querySelector("#document-` + document + `")`
	watcher, claimer := newBrowser(t, site, true), newBrowser(t, site, true)
	watcher.signIn(address("m0169"), "/console/leavers")
	watcher.do(chromedp.Evaluate[chromedp.Void](`window.notLoadedAgain = true`))
	waits := `document.querySelector("#case-` + id + ` td.number").textContent`
	before := value[string](watcher, waits)
	claimer.signIn(address(theMaker), s.page(t, document))
	claimer.until("the document", "!!"+row)
	claimer.click("#document-" + document + " button.primary")
	claimer.see("The document is yours now.")
	watcher.until("one document less waits", waits+` !== "`+before+`"`)
	require.True(t, value[bool](watcher, `window.notLoadedAgain === true`))

	// Who types is told, and nothing is taken from them.
	writer := newBrowser(t, site, true)
	asked, _ := s.document(t, "m0075", "m0184")
	writer.signIn(address("m0184"), "/console/documents/"+asked)
	writer.fill("#field-note", "half a sen")
	another, _ := s.document(t, "m0075", "m0202")
	require.NotEqual(t, asked, another)
	succeed(t, s.dir, nil, "starter", "claim", another, "--as", "m0202")
	writer.until("it says so", `!document.querySelector("#stale").hidden`)
	require.Equal(t, "half a sen", value[string](writer, `document.querySelector("#field-note").value`))
	writer.click("#stale button")
	writer.until("the page is loaded again", `document.querySelector("#stale").hidden && document.querySelector("#field-note")?.value === ""`)
}

// TestACountdownMoves with the case's clock.
func TestACountdownMoves(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	id := s.offboard(t, "m0016")
	b := newBrowser(t, site, true)
	b.signIn(address("m0169"), "/console/leavers/"+id)
	b.see("6 days 23 hours")
	workflow := offboarding.WorkflowID(s.id(t, "m0016"))
	forward(t, s.client, workflow, 5*24*time.Hour)
	b.open("/console/leavers/" + id)
	b.see("1 day 23 hours")
	forward(t, s.client, workflow, 2*24*time.Hour)
	b.see("Read-only")
}

// TestNothingIsLostWhenASessionEnds: what was typed is sent again after signing in.
func TestNothingIsLostWhenASessionEnds(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	leaver := s.id(t, "m0008")
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, site, scripts)
			b.signIn(address("m0202"), "/console/members/"+leaver+"/deactivate")
			b.click("#disposition-retain")
			b.fill("#field-reason", "moves <on>")
			other := b.tab()
			other.open("/console/documents")
			other.click(".me button")
			other.see("You are signed out")

			b.front()
			b.click(`button[value="review"]`)
			b.see("Nothing was done, and nothing that you typed is lost.")
			b.axe("an ended session")
			again := b.opens(func() { b.click(`#main a[target="_blank"]`) })
			again.who(address("m0202"))
			again.see("You are signed in")
			b.front()
			b.click("#main form button")
			b.until("the numbers", `!!document.querySelector("form#confirm")`)
			require.Equal(t, "moves <on>", value[string](b, `document.querySelector("input[name=reason]").value`))
		})
	}
}

// TestAClickWhenTheSessionHasEnded says so on the page, which stays as it is.
func TestAClickWhenTheSessionHasEnded(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	document, _ := s.document(t, "m0153", "m0235")
	s.offboard(t, "m0153")
	b := newBrowser(t, site, true)
	b.signIn(address("m0235"), s.page(t, document))
	b.until("the document", `!!document.querySelector("#document-`+document+` button.primary")`)
	other := b.tab()
	other.open("/console/documents")
	other.click(".me button")
	other.see("You are signed out")
	b.front()
	b.click("#document-" + document + " button.primary")
	b.until("it says so", `!document.querySelector("#ended").hidden`)
	again := b.opens(func() { b.click(`#ended a`) })
	again.who(address("m0235"))
	again.see("You are signed in")
	b.front()
	b.click("#document-" + document + " button.primary")
	b.see("The document is yours now.")
}

// TestKeyboardOnly: past the navigation, to the button, and what came of it.
func TestKeyboardOnly(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	document, _ := s.document(t, "m0196", "m0285")
	s.offboard(t, "m0196")
	b := newBrowser(t, site, true)
	b.open(s.page(t, document))
	b.until("the field is focused", `document.activeElement?.name === "email"`)
	b.press(address("m0285") + kb.Enter)
	b.until("the page", `!!document.querySelector("#main")`)
	b.press(kb.Tab)
	require.Equal(t, "skip", value[string](b, `document.activeElement.className`), "the first stop leads past the navigation")
	b.press(kb.Enter)
	require.Equal(t, "#main", value[string](b, `location.hash`))
	for range 200 {
		b.press(kb.Tab)
		if value[bool](b, `document.activeElement.matches("#document-`+document+` button.primary")`) {
			require.NotEqual(t, "none", value[string](b, `getComputedStyle(document.activeElement).outlineStyle`), "one sees where one is")
			b.press(kb.Enter)
			b.see("The document is yours now.")
			return
		}
	}
	t.Error("the button was not reached")
}

// TestPeopleAreSuggested to who types the beginning of a name, and nothing takes the
// field away meanwhile.
func TestPeopleAreSuggested(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0202"), "/console/members/"+s.id(t, "m0002")+"/deactivate")
	b.click("#disposition-transfer")
	b.fill("#field-new_owner_id", "nobody-at-all")
	b.click(`button[value="review"]`)
	b.until("the mistake has the focus", `document.activeElement.matches(".faults")`)
	require.Equal(t, "nobody-at-all", value[string](b, `document.querySelector("#field-new_owner_id").value`))
	b.click(".faults a")
	require.Equal(t, "field-new_owner_id", value[string](b, `document.activeElement.id`))
	b.fill("#field-new_owner_id", "m0236")
	b.until("Member 0236 is suggested", `!!document.querySelector('datalist option[value="`+address("m0236")+`"]')`)
	require.Equal(t, "field-new_owner_id", value[string](b, `document.activeElement.id`))
}

// tab is another tab of the same browser.
func (b *browser) tab(options ...chromedp.ContextOption) *browser {
	b.t.Helper()
	ctx, leave := chromedp.NewContext(b.ctx, options...)
	b.t.Cleanup(leave)
	tab := &browser{t: b.t, ctx: ctx, site: b.site, scripts: b.scripts}
	tab.front()
	return tab
}

// opens is the tab that something opens.
func (b *browser) opens(what func()) *browser {
	b.t.Helper()
	opened := chromedp.WaitNewTarget(b.ctx, func(i *target.Info) bool { return i.Type == "page" })
	what()
	select {
	case id := <-opened:
		return b.tab(chromedp.WithTargetID(id))
	case <-time.After(patience):
		b.t.Fatal("nothing was opened")
		return nil
	}
}

// TestManyTabs are open: a browser has six connections to a server, and what is live has
// none while nobody looks at it. Who looks again sees what has happened meanwhile.
func TestManyTabs(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0202"), "/console/leavers")
	tab := b
	for range 7 {
		tab.looked(false)
		tab = b.tab()
		tab.open("/console/leavers")
		tab.see("Leavers")
	}
	id := s.offboard(t, "m0045")
	b.front()
	b.looked(true)
	b.until("the leaver", `!!document.querySelector('#main a[href="/console/leavers/`+id+`"]')`)
}

// looked tells the page whether somebody looks at it, as browsers do with a window: one
// without takes all tabs for looked at.
func (b *browser) looked(at bool) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
		`Object.defineProperty(document, "hidden", { value: %t, configurable: true }); document.dispatchEvent(new Event("visibilitychange"))`, !at)))
}
