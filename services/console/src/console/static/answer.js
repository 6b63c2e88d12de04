// The box of an answer: its draft is kept by the service while somebody types, and canned answers go where the cursor is.
"use strict";

(function () {
  const form = document.querySelector("form[data-kept]");
  if (!form) return;
  const PAUSE_MS = 800;
  const MOST_KEPT_ALIVE = 15_000; // characters: at most 64 KiB of bytes
  const place = form.closest(".write");
  const field = form.elements.answer;
  const note = place.querySelector("#note");
  const state = form.querySelector("[data-draft-state]");
  const discard = form.querySelector("[data-throw]");
  let version = form.dataset.version;
  let mode = "info";
  let waiting = 0;
  let saving = null;
  let last = "";
  let over = false; // it is sent, or another window has the draft

  for (const plain of form.querySelectorAll("[data-plain]")) plain.hidden = true;

  // The answer; a note only where no answer is begun, for there is one draft.
  function content() {
    const data = new FormData(form);
    if (data.has("mode") && data.get("mode") !== "note") mode = data.get("mode");
    const attachments = [...new Set(data.getAll("attachment"))];
    if (!field.value.trim() && !attachments.length && note && note.value.trim()) return { body: note.value, mode: "note" };
    const cc = data.has("copies") ? data.getAll("cc") : null;
    return { body: field.value, mode, cc, attachments };
  }

  function request(wanted) {
    const headers = { "X-CSRF-Token": form.elements.csrf_token.value, "Content-Type": "application/json" };
    if (version) headers["If-Match"] = `"${version}"`;
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

  async function take(response) {
    if (response.status === 412) {
      over = true;
      tell("This draft was changed in another window. Load the page again to see it.");
    } else if (!response.ok) {
      tell(`Draft not saved: ${(await response.json()).detail}`);
    } else {
      const gone = response.status === 204;
      version = gone ? "" : String((await response.json()).version);
      form.dataset.version = version;
      discard.hidden = gone;
      tell(gone ? "" : "Draft saved");
    }
  }

  async function save() {
    const wanted = content();
    if (over || JSON.stringify(wanted) === last) return;
    last = JSON.stringify(wanted);
    try {
      const response = await request(wanted);
      if (response) await take(response);
    } catch {
      last = "";
      tell("Draft not saved: the console does not answer. It is kept in this window.");
    }
  }

  function soon() {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => {
      waiting = 0;
      if (saving) soon();
      else saving = save().finally(() => { saving = null; });
    }, PAUSE_MS);
  }

  function stop() {
    over = true;
    window.clearTimeout(waiting);
  }

  last = JSON.stringify(content());
  if (field.value !== field.defaultValue) {
    last = "";
    soon();
  }
  place.addEventListener("input", soon);
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
    const response = await fetch(choice.dataset.canned + encodeURIComponent(choice.value), { credentials: "same-origin" });
    const told = await response.json();
    problem.hidden = response.ok;
    problem.textContent = response.ok ? "" : told.detail;
    if (!response.ok) return;
    field.setRangeText(told.text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
