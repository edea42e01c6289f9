package e2e_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestASearchIsNotTakenAway from who is still writing it: they are told that something
// has changed, and see it when they ask.
func TestASearchIsNotTakenAway(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0169"), "/console/leavers")
	b.fill("#field-q", "half a na")
	id := s.offboard(t, "m0338")
	b.until("it says so", `!document.querySelector("#stale").hidden`)
	require.Equal(t, "half a na", value[string](b, `document.querySelector("#field-q").value`))
	b.click("#stale button")
	b.until("the leaver", `!!document.querySelector("#case-`+id+`")`)
	b.until("it says so no more", `document.querySelector("#stale").hidden && document.activeElement.id === "main"`)
	require.Empty(t, value[string](b, `document.querySelector("#field-q").value`))
}

// TestWhatAClickCameToIsSaidOnce: it stays while others change the page, and does not
// come back over what came later; who uses the keyboard is not sent back to the top.
func TestWhatAClickCameToIsSaidOnce(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	document, _ := s.document(t, "m0351", "m0366") // who can open few, so that one page has them all
	s.offboard(t, "m0351")
	b := newBrowser(t, site, true)
	b.signIn(address("m0366"), "/console/documents?notice=requested")
	b.see("You have asked for the document.")
	require.Empty(t, value[string](b, `location.search`), "who loads the page again is not told again")
	value[float64](b, `htmx.config.defaultSettleDelay = 1000`) // the page is made anew before what the click came to has settled
	b.click("#document-" + document + " button.primary")
	b.see("The document is yours now.")
	b.until("the button has gone, the focus has not", `document.activeElement.id === "main"`)
	other, _ := s.document(t, "m0245", "m0366")
	s.offboard(t, "m0245")
	b.until("another change", `!!document.querySelector("#document-`+other+`")`)
	b.see("The document is yours now.")
	require.NotContains(t, b.text(), "You have asked for the document.")
}

// TestASessionEndsWhileSomebodyLooks: the page says it by itself, without a click, and
// goes on where it was for who signs in again.
func TestASessionEndsWhileSomebodyLooks(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0202"), "/console/leavers")
	other := b.tab()
	other.open("/console/documents")
	other.click(".me button")
	other.see("You are signed out")
	b.front()
	id := s.offboard(t, "m0358") // the server looks again who follows, when there is something to say
	b.until("it says so", `!document.querySelector("#ended").hidden`)
	again := b.opens(func() { b.click(`#ended a`) })
	again.who(address("m0202"))
	again.see("You are signed in")
	b.front()
	b.looked(true)
	b.until("the page goes on", `document.querySelector("#ended").hidden && !!document.querySelector("#case-`+id+`")`)
}

// TestALeaverIsToldWhenTheyLook that their session has ended, as soon as it has.
func TestALeaverIsToldWhenTheyLook(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0262"), "/console/documents?show=mine")
	s.offboard(t, "m0262")
	b.until("it says so", `!document.querySelector("#ended").hidden`)
}

// TestAChangeComesBeforeTheAnswerToAClick that has made it, and takes away the very form
// that was sent: what the click has come to is said all the same, on one page.
func TestAChangeComesBeforeTheAnswerToAClick(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	document, _ := s.document(t, "m0360", "m0364")
	s.offboard(t, "m0360")
	b := newBrowser(t, site, true)
	b.signIn(address("m0364"), "/console/documents")
	button := `document.querySelector("#document-` + document + ` button.primary")`
	b.until("the button", "!!"+button)
	answer := b.hold("*/console/documents?notice=claimed", func() { b.do(chromedp.Evaluate[chromedp.Void](button + ".click()")) })
	b.until("the change", "!"+button)
	answer(0)
	b.see("The document is yours now.")
	require.Equal(t, 1, value[int](b, `document.querySelectorAll("main").length`))
}

// TestALivePageIsTriedAgain where it could not be made anew: nothing else may change for
// long.
func TestALivePageIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0244"), "/console/leavers?phase=grace")
	var id string
	b.hold("*/console/leavers?phase=grace", func() { id = s.offboard(t, "m0230") })(http.StatusServiceUnavailable)
	b.until("the leaver", `!!document.querySelector("#case-`+id+`")`)
	require.True(t, value[bool](b, `document.querySelector("#failed").hidden`), "nobody has asked")
}

// TestSomebodyElseSignsIn in another window: the page says whose it is now.
func TestSomebodyElseSignsIn(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0244"), "/console/leavers")
	require.Equal(t, "Member 0244", value[string](b, `document.querySelector(".who").textContent`))
	other := b.tab()
	other.open("/console/documents")
	other.click(".me button")
	other.see("You are signed out")
	other.signIn(address("m0169"), "/console/documents")
	b.front()
	s.offboard(t, "m0136")
	b.until("whose it is", `document.querySelector(".who").textContent === "Member 0169"`)
	require.Equal(t, 1, value[int](b, `document.querySelectorAll("header").length`))
}

// TestSuggestionsThatFail leave the form as it is.
func TestSuggestionsThatFail(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0202"), "/console/members/"+s.id(t, "m0002")+"/deactivate")
	b.do(chromedp.Evaluate[chromedp.Void](`document.addEventListener("htmx:afterRequest", (e) => { window.answered = e.detail.xhr.status; })`))
	b.hold("*/console/people*", func() { b.fill("#field-new_owner_id", "m023") })(http.StatusInternalServerError)
	b.until("the answer", `window.answered === 500`)
	require.Equal(t, "m023", value[string](b, `document.querySelector("#field-new_owner_id").value`))
	require.Equal(t, 1, value[int](b, `document.querySelectorAll("main").length`))
	b.press("6")
	b.until("Member 0236 is suggested", `!!document.querySelector('datalist option[value="`+address("m0236")+`"]')`)
}
