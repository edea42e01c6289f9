// What the console does beside htmx: times in the reader's zone, countdowns, and seeing
// to it that a page that follows changes takes nothing away that somebody types.
"use strict";
(() => {
  const root = document.documentElement;
  const language = root.lang;
  // What the server's clock is ahead of the browser's.
  const ahead = Date.parse(root.dataset.now) - Date.now();

  const short = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });

  const unit = (n, name) => new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "long" }).format(n);

  // left is how long it is until a moment, in two units at most; "" where it has passed.
  function left(until, now) {
    const seconds = Math.floor((until - now) / 1000);
    if (seconds <= 0) return "";
    const parts = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
    const first = parts.findIndex(([, length]) => seconds >= length);
    return parts.slice(first, first + 2)
      .map(([name, length], i) => [name, i === 0 ? Math.floor(seconds / length) : Math.floor((seconds % parts[first][1]) / length)])
      .filter(([, n]) => n > 0).map(([name, n]) => unit(n, name)).join(" ");
  }

  // A phone shows the rows of a list as cards, and browsers then no longer say that they
  // are a table.
  const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  function tables(within) {
    for (const e of within.querySelectorAll("table.list, table.list :is(thead, tbody, tr, th, td)")) {
      e.setAttribute("role", roles[e.tagName] ?? (e.scope === "row" ? "rowheader" : "columnheader"));
    }
  }

  function times(within) {
    for (const t of within.querySelectorAll("time[datetime]")) {
      const at = new Date(t.dateTime);
      t.title = exact.format(at);
      if ("time" in t.dataset) t.textContent = short.format(at);
      if ("day" in t.dataset) t.textContent = day.format(at);
      if ("countdown" in t.dataset && !t.dataset.clock) t.dataset.clock = Date.parse(t.dataset.from) - Date.now();
    }
    tick();
  }

  // dress does for a page what scripts do for it.
  function dress() {
    tables(document);
    times(document);
  }

  // tick moves the countdowns; each goes by the clock of what it counts.
  function tick() {
    for (const t of document.querySelectorAll("time[data-countdown]")) {
      const until = Date.parse(t.dateTime);
      const now = Date.now() + Number(t.dataset.clock || ahead);
      const text = left(until, now);
      if (text && t.textContent !== text) t.textContent = text;
      t.classList.toggle("soon", until - now < 86400000);
    }
  }

  // dirty reports whether somebody has typed, chosen or ticked something on the page
  // that has not been sent.
  function dirty() {
    return [...document.querySelectorAll("main :is(input, select, textarea)")].some((f) => {
      if (f.type === "checkbox" || f.type === "radio") return f.checked !== f.defaultChecked;
      if (f.tagName === "SELECT") return f.selectedIndex !== Math.max(0, [...f.options].findIndex((o) => o.defaultSelected));
      return f.type !== "hidden" && f.value !== f.defaultValue;
    });
  }

  const show = (id, on) => { const e = document.getElementById(id); if (e) e.hidden = !on; };

  // follow asks for the page again whenever something has changed. The stream that says
  // so is a connection, of which a browser has six to a server: while nobody looks at the
  // page there is none, and who looks again sees what has happened meanwhile.
  function follow(live) {
    const changes = "/console/changes?since=";
    let stamp = live.dataset.stamp, stream, again, wait = 1000;
    let ended = false;
    const close = () => { clearTimeout(again); stream?.close(); };
    const open = () => {
      close();
      ended = false;
      stream = new EventSource(changes + encodeURIComponent(stamp));
      stream.addEventListener("open", () => { wait = 1000; });
      stream.addEventListener("changed", (e) => { stamp = e.lastEventId; show("ended", false); htmx.trigger("#refresh", "refresh"); });
      stream.addEventListener("ended", () => { // until somebody has signed in and looks again
        close();
        ended = true;
        stamp = "";
        show("ended", true);
      });
      stream.addEventListener("error", () => {
        if (stream.readyState !== EventSource.CLOSED) return; // it is opened again by itself
        again = setTimeout(open, wait);
        wait = Math.min(2 * wait, 60000);
      });
    };
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    document.addEventListener("htmx:afterSettle", () => { if (ended) open(); });
    if (!document.hidden) open();
  }

  document.addEventListener("DOMContentLoaded", () => {
    root.dataset.scripts = "on";
    dress();
    setInterval(tick, 1000);
    const live = document.getElementById("live");
    if (live) follow(live);
    if (window.Idiomorph) { // what somebody has opened stays open
      Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
      // What somebody's own click has come to stays until they do something else: what it changed makes the page anew at once.
      Idiomorph.defaults.callbacks.beforeNodeRemoved = (node) => !(refreshing && node.matches?.(".notice, .faults"));
    }
    document.querySelector(".faults")?.focus();
    const here = new URL(location); // who loads the page again, or keeps its address, is not told again
    here.searchParams.delete("notice");
    if (here.href !== location.href) history.replaceState(history.state, "", here);
  });
  // anew reports whether a page asked for itself: no click has.
  const anew = (e) => !!e.detail.requestConfig?.elt?.matches('[hx-trigger="refresh"], [hx-trigger^="every"]');
  let refreshing = false; // what is being swapped in
  document.addEventListener("htmx:beforeSwap", (e) => { refreshing = anew(e); });
  // What is no page takes the place of none: the server is starting, or has too much to do. Nor does what went wrong take the place of what nobody has asked
  // for: a page that is made anew, or names that are suggested.
  document.addEventListener("htmx:beforeSwap", (e) => {
    const { xhr, target } = e.detail;
    const unasked = refreshing && xhr.status >= 500 || target.id !== "main" && xhr.status >= 400;
    if (!e.detail.shouldSwap || xhr.getResponseHeader("Content-Type")?.startsWith("text/html") && !unasked) return;
    e.detail.shouldSwap = false;
    show("failed", !refreshing && target.id === "main");
  });
  // A page that could not be made anew is tried again, later each time, and not by everybody at once.
  let tries = 0, again;
  document.addEventListener("htmx:afterRequest", (e) => {
    const { xhr, requestConfig } = e.detail;
    if (requestConfig.elt.id !== "refresh") return;
    clearTimeout(again);
    const failed = xhr.status === 0 || xhr.status === 429 || xhr.status >= 500;
    tries = failed ? tries + 1 : 0;
    const seconds = Math.max(Math.min(2 ** tries, 60) * (0.5 + Math.random()), Number(xhr.getResponseHeader("Retry-After")));
    if (failed) again = setTimeout(() => htmx.trigger("#refresh", "refresh"), 1000 * seconds);
  });
  // Somebody may begin to type while the page is on its way.
  for (const name of ["htmx:beforeRequest", "htmx:beforeSwap"]) document.addEventListener(name, (e) => {
    if (e.detail.requestConfig?.elt?.id === "refresh" && dirty()) {
      e.preventDefault();
      show("stale", true);
    }
  });
  document.addEventListener("htmx:afterSettle", (e) => {
    dress();
    if (e.detail.target?.id !== "main") return; // suggestions, while somebody types
    show("stale", false);
    show("failed", false);
    show("ended", false);
    if (anew(e)) return; // others may be swapped in by now
    document.querySelector(".faults")?.focus();
    // What had the focus may be gone with what was done about it.
    if (document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
  });
  document.addEventListener("htmx:afterRequest", (e) => { if (e.detail.xhr.status === 401) show("ended", true); });
  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-reload]")) { // as it was, and then anew; no form is sent again
      for (const form of document.querySelectorAll("main form")) form.reset();
      htmx.trigger("#refresh", "refresh");
      document.getElementById("main").focus({ preventScroll: true });
    }
    const all = e.target.closest("[data-check-all]");
    if (all) for (const box of document.querySelectorAll(`input[type=checkbox][name="${all.dataset.checkAll}"]`)) if (!box.disabled) box.checked = all.checked;
  });
})();
