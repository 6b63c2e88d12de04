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

  // What is chosen for the ticked tickets and not sent yet.
  function choices() {
    return [...place.querySelectorAll("select[id]")].map((select) => [select.id, select.value]);
  }

  function restore(chosen, picked, known, focused) {
    for (const [id, value] of picked) {
      const select = place.querySelector(`#${CSS.escape(id)}`);
      if (select && [...select.options].some((option) => option.value === value)) select.value = value;
    }
    for (const box of place.querySelectorAll("input[name=id]")) {
      box.checked = chosen.has(box.value);
      if (known.size && !known.has(box.value)) box.closest("tr").classList.add("fresh");
    }
    const again = focused && place.querySelector(focused);
    if (again) again.focus();
  }

  function path(element) {
    if (element.id) return `#${CSS.escape(element.id)}`;
    const href = element.getAttribute("href");
    return href && `[href="${CSS.escape(href)}"]`;
  }

  // What somebody opened, ticked or chose stays so, and what has the focus keeps it.
  function replace(part, fresh) {
    if (fresh.innerHTML.trim() === part.innerHTML.trim()) return;
    const open = new Set([...part.querySelectorAll("details[open]")].map((details) => details.dataset.key));
    const chosen = ticked();
    const picked = choices();
    const known = new Set([...part.querySelectorAll("input[name=id]")].map((box) => box.value));
    const focused = part.contains(document.activeElement) ? path(document.activeElement) : null;
    part.replaceChildren(...fresh.childNodes);
    for (const details of part.querySelectorAll("details[data-key]")) details.open = details.open || open.has(details.dataset.key);
    restore(chosen, picked, known, focused);
    part.dispatchEvent(new Event("console:changed", { bubbles: true }));
  }

  async function refresh() {
    waiting = 0;
    const response = await fetch(place.dataset.live, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (!response.ok || response.redirected) return;
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    const parts = [...parsed.querySelectorAll("[data-part]")];
    if (!parts.length) replace(place, parsed.body);
    for (const fresh of parts) replace(place.querySelector(`[data-part="${fresh.dataset.part}"]`), fresh);
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
