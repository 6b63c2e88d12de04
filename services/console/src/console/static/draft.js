// What is being written survives a reload: kept in this tab until it is sent.
"use strict";

(function () {
  const sent = new URLSearchParams(location.search).get("sent");
  for (const form of document.querySelectorAll("[data-draft]")) keep(form);
  if (sent) {
    const clean = new URL(location.href);
    clean.searchParams.delete("sent");
    history.replaceState(history.state, "", clean);
  }

  function keep(form) {
    const name = `draft-${form.dataset.draft}`;
    const field = form.querySelector("textarea");
    const key = form.elements.key;
    const fresh = key.value;
    if (sent && form.dataset.draft.startsWith(`${sent}-`)) sessionStorage.removeItem(name);
    const kept = JSON.parse(sessionStorage.getItem(name) || "null");
    if (kept && !field.value) {
      field.value = kept.text;
      // Sent already, and nobody knows whether it arrived: under the same key it does so once.
      if (kept.sent) key.value = kept.sent;
      const choice = document.getElementById(`write-${form.dataset.draft.split("-")[0]}`);
      if (choice && kept.chosen) choice.checked = true;
    }

    function store(more) {
      if (field.value) sessionStorage.setItem(name, JSON.stringify({ text: field.value, chosen: true, ...more }));
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
