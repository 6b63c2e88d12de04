// Keyboard shortcuts of the tickets' pages; they can be switched off, and never act while somebody types.
"use strict";

(function () {
  const STORED = "keys-off";
  const box = document.querySelector("[data-keys-on]");
  const rows = () => [...document.querySelectorAll(".tickets tbody tr")];
  const link = (row) => row && row.querySelector(".title a");

  box.checked = localStorage.getItem(STORED) === null;
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, "yes");
  });

  function step(by) {
    const all = rows();
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = link(all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]);
    if (next) next.focus();
  }

  function tick() {
    const row = document.activeElement.closest(".tickets tbody tr");
    if (row) row.querySelector("input[name=id]").click();
  }

  // A choice of what to write leads into its box; links are followed, fields entered.
  function go(key) {
    const target = document.querySelector(`[data-key="${CSS.escape(key)}"]:not(details)`);
    if (!target) return false;
    if (target.type === "radio") {
      target.click();
      document.getElementById(target.dataset.into).focus();
    } else if (target.tagName === "A") target.click();
    else target.focus();
    return true;
  }

  const ACTS = { j: () => step(1), k: () => step(-1), x: tick };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select");
    if (!box.checked || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (ACTS[event.key] && rows().length) {
      ACTS[event.key]();
      event.preventDefault();
    } else if (event.key.length === 1 && go(event.key)) event.preventDefault();
  });
})();
