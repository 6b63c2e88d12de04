// Tells how many tickets are ticked.
"use strict";

(function () {
  const place = document.getElementById("ticket-list");

  function tell() {
    const bar = place.querySelector(".mass");
    if (!bar) return;
    const count = place.querySelectorAll("input[name=id]:checked").length;
    bar.querySelector("[data-ticked]").textContent = count === 1 ? "1 ticket ticked:" : `${count} tickets ticked:`;
  }

  place.addEventListener("change", tell);
  place.addEventListener("console:changed", tell);
  tell();
})();
