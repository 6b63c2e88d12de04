// The box of an answer: its draft is kept by the service while somebody types, and canned answers go where the cursor is.
"use strict";

(function () {
  const form = document.querySelector("form[data-kept]");
  if (!form) return;
  const PAUSE_MS = 800;
  const AGAIN_MS = 5_000; // after a failure, then twice as long each time
  const MOST_AGAIN_MS = 60_000;
  const MOST_KEPT_ALIVE = 15_000; // characters: at most 64 KiB of bytes
  const place = form.closest(".write");
  const field = form.elements.answer;
  const note = place.querySelector("#note");
  const state = form.querySelector("[data-draft-state]");
  const discard = [...place.querySelectorAll("[data-throw]")];
  let version = form.dataset.version;
  let mode = "info";
  let waiting = 0;
  let again = AGAIN_MS;
  let saving = null;
  let last = "";
  let base = null; // what is kept, as far as this window knows
  let over = false; // it is sent, or another window has the draft

  for (const plain of form.querySelectorAll("[data-plain]")) plain.hidden = true;

  // The answer; a note only where no answer is begun, for there is one draft.
  function content() {
    const data = new FormData(form);
    if (data.has("mode") && data.get("mode") !== "note") mode = data.get("mode");
    const attachments = [...new Set(data.getAll("attachment"))];
    if (!field.value.trim() && !attachments.length && note && note.value.trim()) return { body: note.value, mode: "note" };
    const cc = data.has("copies") ? data.getAll("cc") : null;
    return { body: field.value, mode, cc, attachments, quote: !data.has("quotable") || data.has("quote") };
  }

  function request(wanted) {
    // Version 0: there is no draft yet, and none of another window may be overwritten unseen.
    const headers = { "X-CSRF-Token": form.elements.csrf_token.value, "Content-Type": "application/json", "If-Match": `"${version || 0}"` };
    const empty = !wanted.body.trim() && !(wanted.attachments || []).length;
    if (empty && !version) return null;
    const what = empty ? { method: "DELETE" } : { method: "PUT", body: JSON.stringify(wanted) };
    // It goes on when the page goes, as far as browsers do that.
    const keepalive = (what.body || "").length < MOST_KEPT_ALIVE;
    return fetch(form.dataset.kept, { ...what, headers, keepalive, credentials: "same-origin" });
  }

  function tell(text) {
    if (state.textContent !== text) state.textContent = text;
  }

  function know(known, kind) {
    version = known;
    form.dataset.version = known;
    form.elements.draft_version.value = known;
    for (const button of discard) button.hidden = !known || (kind === "note") !== !form.contains(button);
  }

  function same(one, other) {
    return one.body === other.body && JSON.stringify(one.attachments || []) === JSON.stringify(other.attachments || []);
  }

  // A draft this window went on from is no other's, though its version is news: this page kept it as it went, before it came again.
  async function caughtUp() {
    const response = await fetch(form.dataset.kept, { credentials: "same-origin" });
    const there = response.ok ? await response.json() : null;
    if (!there || !same(there, base)) return false;
    know(String(there.version), there.mode);
    return true;
  }

  // Whether that is all: another try by itself only where the service broke down.
  async function take(response, wanted) {
    if (response.status === 412) {
      if (await caughtUp()) return take(await request(wanted), wanted);
      over = true;
      tell("This draft was changed in another window. Load the page again to see it.");
      return true;
    }
    if (!response.ok) {
      const told = await response.json();
      tell(`Draft not saved: ${told.detail}`);
      return response.status < 500;
    }
    const gone = response.status === 204;
    base = wanted;
    know(gone ? "" : String((await response.json()).version), wanted.mode);
    tell(gone ? "" : "Draft saved");
    return true;
  }

  async function save() {
    const wanted = content();
    if (over || JSON.stringify(wanted) === last) return;
    let settled = false;
    try {
      const response = await request(wanted);
      settled = !response || await take(response, wanted);
    } catch {
      tell("Draft not saved: the console does not answer. It is kept in this window.");
    }
    if (settled) {
      last = JSON.stringify(wanted);
      again = AGAIN_MS;
    } else if (!waiting && !over) {
      soon(again);
      again = Math.min(again * 2, MOST_AGAIN_MS);
    }
  }

  function soon(pause) {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => {
      waiting = 0;
      if (saving) soon(PAUSE_MS);
      else saving = save().finally(() => { saving = null; });
    }, pause);
  }

  function stop() {
    over = true;
    window.clearTimeout(waiting);
  }

  base = content();
  last = JSON.stringify(base);
  if (field.value !== field.defaultValue) {
    last = "";
    soon(PAUSE_MS);
  }
  place.addEventListener("input", () => soon(PAUSE_MS));
  for (const sender of place.querySelectorAll("form")) {
    sender.addEventListener("submit", (event) => {
      const under = saving;
      stop();
      if (!under) return;
      // A draft on its way must not come after the answer that ends it.
      event.preventDefault();
      event.stopImmediatePropagation();
      under.finally(() => sender.requestSubmit(event.submitter));
    });
  }
  window.addEventListener("pagehide", () => {
    if (!over && waiting) request(content());
  });

  const insert = form.querySelector("[data-insert]");
  if (!insert) return;
  const choice = form.querySelector("[data-canned]");
  const problem = form.querySelector("[data-canned-error]");
  insert.addEventListener("click", async (event) => {
    event.preventDefault();
    if (!choice.value) {
      choice.focus();
      return;
    }
    const { text, wrong } = await filledIn(choice.dataset.canned + encodeURIComponent(choice.value));
    problem.hidden = !wrong;
    problem.textContent = wrong;
    if (wrong) return;
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  async function filledIn(address) {
    try {
      const response = await fetch(address, { credentials: "same-origin" });
      const told = await response.json();
      return response.ok ? { text: told.text, wrong: "" } : { text: "", wrong: told.detail };
    } catch {
      return { text: "", wrong: "Nothing was put in: the console does not answer. Try again shortly." };
    }
  }
})();
