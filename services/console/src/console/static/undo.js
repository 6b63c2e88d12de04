// How long an answer can still be taken back, second by second.
"use strict";

(function () {
  function count(bar) {
    const end = performance.now() + Number(bar.dataset.undo) * 1000;
    const told = bar.querySelector("[data-count]");
    const clock = window.setInterval(() => {
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left <= 0 || !bar.isConnected) {
        window.clearInterval(clock);
        bar.remove();
      } else told.textContent = `${left} s`;
    }, 200);
  }

  function countAll(root) {
    for (const bar of root.querySelectorAll("[data-undo]")) count(bar);
  }
  countAll(document);
  document.addEventListener("console:changed", (event) => countAll(event.target));
})();
