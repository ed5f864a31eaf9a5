// What the pages do beyond plain HTML: follow changes, keys, theme, copying,
// and Retry without a reload. Every page works without this file.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const announce = (text) => { $("#announce").textContent = text; };

  const notice = (ok, text) => {
    const p = document.createElement("p");
    p.className = "notice " + (ok ? "ok" : "bad");
    p.textContent = text;
    $("#notice").replaceChildren(p);
  };

  // Theme: the system's, until somebody chooses.
  for (const button of $$("[data-theme-toggle]")) {
    button.addEventListener("click", () => {
      const html = document.documentElement;
      const dark = html.dataset.theme ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      html.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("agentxchain-theme", html.dataset.theme); } catch { /* for this page only */ }
    });
  }

  // morph makes one element like another, and leaves alone what is the same:
  // focus, selected text and open parts survive.
  const key = (node) => (node.nodeType === 1 && node.id) || "";
  const morph = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || key(old) !== key(fresh)) { old.replaceWith(fresh); return; }
    if (old.nodeType !== 1) { old.nodeValue = fresh.nodeValue; return; }
    const before = old.dataset.status;
    const mine = (name) => name === "open" && old.nodeName === "DETAILS"; // the reader's choice
    for (const { name, value } of [...fresh.attributes]) if (!mine(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes]) if (!mine(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    if (before && before !== old.dataset.status) changed(old);
    const known = new Map([...old.childNodes].filter(key).map((n) => [key(n), n]));
    let place = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const id = key(next);
      const same = id ? known.get(id) : place && !key(place) ? place : null;
      if (same) {
        if (same === place) place = place.nextSibling; else old.insertBefore(same, place);
        morph(same, next);
      } else {
        old.insertBefore(next, place);
        if (id.startsWith("d-")) next.classList.add("fresh");
      }
    }
    while (place) { const rest = place.nextSibling; place.remove(); place = rest; }
  };

  const changed = (row) => {
    row.classList.remove("changed");
    void row.offsetWidth; // lets the animation begin anew
    row.classList.add("changed");
    const event = $(".open", row) || $("h1", row);
    announce(`${event ? event.textContent : "The delivery"} is ${row.dataset.status} now`);
  };

  const state = (name, text) => {
    const live = $("#live-state");
    if (live) { live.dataset.state = name; $(".live-text", live).textContent = text; }
  };

  // refresh fetches the part of this page that changes. One at a time, and the
  // slower the server the rarer.
  let busy = false, again = false, rest = 0, ended = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true; again = false;
    const begun = performance.now();
    try {
      const answer = await fetch(location.href, { headers: { "X-Fragment": "live" }, cache: "no-store", redirect: "error" });
      if (answer.status === 401) { ended = true; state("down", "Logged out"); notice(false, "Your session has ended. Reload the page to log in again."); return; }
      if ((answer.headers.get("Content-Type") || "").startsWith("text/html")) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const fresh of $$("[data-live]", page)) { const old = document.getElementById(fresh.id); if (old) morph(old, fresh); }
      }
      state(answer.ok || answer.status === 400 ? "on" : "down", answer.ok || answer.status === 400 ? "Live" : "Log unreadable");
    } catch { state("down", "Offline"); } finally {
      rest = Math.min(30000, 4 * (performance.now() - begun));
      setTimeout(() => { busy = false; if (again) refresh(); }, rest);
    }
  };

  // follow listens for changes. A browser opens few connections to one server,
  // so one tab listens for all of them.
  const follow = (url) => {
    const channel = "BroadcastChannel" in window ? new BroadcastChannel("agentxchain-live") : null;
    const hear = (m) => { if (m.down) state("down", "Log unreadable"); else refresh(); };
    if (channel) channel.onmessage = (e) => { state("on", "Live"); if (e.data.hello) return; hear(e.data); };
    let last = null;
    const listen = () => new Promise((done) => {
      const source = new EventSource(url);
      const tell = (m) => { if (channel) channel.postMessage(m); hear(m); };
      source.onopen = () => state("on", "Live");
      source.addEventListener("version", (e) => { state("on", "Live"); if (last !== e.data) { last = e.data; tell({}); } });
      source.addEventListener("down", () => { last = ""; tell({ down: true }); });
      source.onerror = () => {
        state("down", "Reconnecting");
        if (source.readyState === EventSource.CLOSED) { source.close(); refresh(); setTimeout(() => { if (!ended) done(); }, 10000); }
      };
      addEventListener("pagehide", () => source.close(), { once: true });
    });
    const lead = async () => { for (;;) await listen(); };
    if (channel && navigator.locks) { state("on", "Live"); navigator.locks.request("agentxchain-live", lead); } else lead();
    addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  };
  if (document.body.dataset.liveUrl && "EventSource" in window) follow(document.body.dataset.liveUrl);

  // Retry without leaving the page.
  document.addEventListener("submit", async (e) => {
    const form = e.target;
    if (!(form instanceof HTMLFormElement) || !form.hasAttribute("data-retry")) return;
    e.preventDefault();
    const button = $("button", form);
    if (button.disabled) return;
    button.disabled = true;
    button.textContent = "Retrying…";
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { "X-Fragment": "retry" }, body: new URLSearchParams(new FormData(form)), redirect: "error" });
      const said = await answer.json();
      notice(said.ok, said.message);
    } catch { notice(false, "The server can't be reached. Nothing is known of the retry; the page shows it when it is."); }
    button.disabled = false;
    button.textContent = form.closest("tr") ? "Retry" : "Retry now";
    refresh();
  });

  // Copy the exact bytes: they are fetched, because a page can't hold every one.
  document.addEventListener("click", async (e) => {
    const copy = e.target.closest("[data-copy]");
    if (copy) {
      try {
        const answer = await fetch(copy.dataset.copy);
        if (!answer.ok) throw new Error(answer.statusText);
        await navigator.clipboard.writeText(await answer.text());
        copy.textContent = "Copied";
        announce("Copied");
      } catch { copy.textContent = "Use Download"; }
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
      return;
    }
    if (e.target.closest("[data-help]")) { $("#help").showModal(); return; }
    const row = e.target.closest("tr[data-row]");
    if (row && !e.target.closest("a,button,form") && !String(getSelection())) $(".open", row).click();
  });

  // Keys.
  const move = (by) => {
    const rows = $$("tr[data-row]");
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement && document.activeElement.closest("tr[data-row]"));
    const row = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by))];
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };
  const keys = {
    j: () => move(1), k: () => move(-1),
    "/": () => { const f = $("#filters [name=agent_id]"); if (f) f.focus(); },
    "?": () => { const d = $("#help"); if (d) d.showModal(); },
    u: () => { const b = $("[data-back]"); if (b) b.click(); },
    r: () => {
      const row = document.activeElement.closest("[data-row]") || $("div[data-row]");
      const form = row && $("form[data-retry]", row);
      if (form) form.requestSubmit(); else if (row) announce("There is nothing to retry here");
    },
  };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || document.querySelector("dialog[open]")) return;
    if (e.target.matches("input,select,textarea")) { if (e.key === "Escape") e.target.blur(); return; }
    if (e.key === "Enter" && e.target.matches("tr[data-row]")) { e.preventDefault(); $(".open", e.target).click(); return; }
    if (e.repeat && e.key === "r") return;
    const act = keys[e.key];
    if (act) { e.preventDefault(); act(); }
  });

  // Numbers beside the bar one points at.
  const tip = $("#tip");
  document.addEventListener("pointermove", (e) => {
    const bar = e.target.closest && e.target.closest("[data-tip]");
    tip.hidden = !bar;
    if (!bar) return;
    const native = $("title", bar); // else the browser shows its own as well
    if (native) native.remove();
    tip.textContent = bar.dataset.tip;
    // The style is set by script on the object, which the policy allows.
    tip.style.left = Math.min(e.clientX + 12, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = e.clientY + 16 + "px";
  }, { passive: true });
})();
