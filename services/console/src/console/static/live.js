// Keeps a list or a ticket as it is now: the server tells that a ticket changed, the part is fetched again.
"use strict";

(function () {
  const place = document.querySelector("[data-live]");
  if (!place || !window.EventSource) return;
  const state = document.querySelector("[data-live-state]");
  const only = place.dataset.ticket;
  const PAUSE_MS = 300;
  let waiting = 0;

  function ticked() {
    return new Set([...place.querySelectorAll("input[name=id]:checked")].map((box) => box.value));
  }

  function restore(chosen, known, focused) {
    for (const box of place.querySelectorAll("input[name=id]")) {
      box.checked = chosen.has(box.value);
      if (known.size && !known.has(box.value)) box.closest("tr").classList.add("fresh");
    }
    const again = focused && place.querySelector(`[href="${CSS.escape(focused)}"]`);
    if (again) again.focus();
  }

  async function refresh() {
    waiting = 0;
    // Somebody reads quoted text or a formatted mail: do not close it under their eyes unless something is new.
    const response = await fetch(place.dataset.live, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (!response.ok || response.redirected) return;
    const html = await response.text();
    const chosen = ticked();
    const known = new Set([...place.querySelectorAll("input[name=id]")].map((box) => box.value));
    const open = [...place.querySelectorAll("details")].map((details) => details.open);
    const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const parsed = new DOMParser().parseFromString(html, "text/html");
    if (parsed.body.innerHTML.trim() === place.innerHTML.trim()) return;
    place.replaceChildren(...parsed.body.childNodes);
    [...place.querySelectorAll("details")].forEach((details, index) => { details.open = Boolean(open[index]); });
    restore(chosen, known, focused);
    place.dispatchEvent(new Event("console:changed", { bubbles: true }));
  }

  function soon() {
    if (!waiting) waiting = window.setTimeout(() => refresh().catch(() => {}), PAUSE_MS);
  }

  const source = new EventSource("/live");
  source.addEventListener("open", () => {
    if (state) state.hidden = false;
    soon(); // what was missed since the page was made, or while the line was down
  });
  source.addEventListener("error", () => { if (state) state.hidden = true; });
  source.addEventListener("reload", soon);
  source.addEventListener("ticket", (event) => {
    if (!only || String(JSON.parse(event.data).ticket_id) === only) soon();
  });
  window.addEventListener("pagehide", () => source.close());
})();
