// What is being written survives a reload: kept in this tab until it is sent. An answer is kept by the service too (answer.js).
"use strict";

(function () {
  const here = new URL(location.href);
  const sent = here.searchParams.get("sent");
  for (const form of document.querySelectorAll("[data-draft]")) keep(form);
  if (sent || here.searchParams.has("undone")) {
    here.searchParams.delete("sent");
    here.searchParams.delete("undone");
    history.replaceState(history.state, "", here);
  }

  // What the service has is newer, unless this tab went on from just that.
  function isNewer(kept, form, field) {
    return !field.value || kept.version === form.dataset.version;
  }

  function keep(form) {
    const name = `draft-${form.dataset.draft}`;
    const field = form.querySelector("textarea");
    const key = form.elements.key;
    const fresh = key.value;
    if (sent && form.dataset.draft.startsWith(`${sent}-`)) sessionStorage.removeItem(name);
    const kept = JSON.parse(sessionStorage.getItem(name) || "null");
    if (kept && isNewer(kept, form, field)) {
      field.value = kept.text;
      // Sent already, and nobody knows whether it arrived: under the same key it does so once.
      if (kept.sent) key.value = kept.sent;
      const note = document.getElementById("write-note");
      if (note && name.startsWith("draft-note-")) note.checked = true;
    }

    function store(more) {
      if (field.value) sessionStorage.setItem(name, JSON.stringify({ text: field.value, version: form.dataset.version, ...more }));
      else sessionStorage.removeItem(name);
    }

    field.addEventListener("input", () => {
      if (kept && kept.sent && field.value !== kept.text) key.value = fresh;
      store({});
    });
    form.addEventListener("submit", () => store({ sent: key.value }));
    // Enter with Ctrl or Command sends, as mail programs do.
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
  }
})();
