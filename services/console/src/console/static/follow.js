// Parts of a page that follow what goes on: fetched again every few seconds while somebody looks at the page.
"use strict";

(function () {
  const state = document.querySelector("[data-live-state]");
  for (const place of document.querySelectorAll("[data-follow]")) follow(place);

  function follow(place) {
    const said = () => (place.querySelector("[data-tell]") || { textContent: "" }).textContent.trim();
    const teller = document.createElement("p"); // what changed, for screen readers: not the whole part each time
    teller.className = "hidden";
    teller.setAttribute("role", "status");
    place.after(teller);
    let shown = null;

    function show(html) {
      if (html === shown) return;
      shown = html;
      const before = said();
      const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
      const parsed = new DOMParser().parseFromString(html, "text/html");
      place.replaceChildren(...parsed.body.childNodes);
      const again = focused && document.getElementById(focused);
      if (again) again.focus();
      if (said() !== before) teller.textContent = said();
      place.dispatchEvent(new Event("console:changed", { bubbles: true }));
    }

    async function look() {
      if (document.hidden) return true;
      const response = await fetch(place.dataset.follow, { credentials: "same-origin" });
      if (response.redirected) return false; // the session has ended
      if (response.ok) show(await response.text());
      if (state) state.hidden = !response.ok;
      return response.status !== 404;
    }

    function next() {
      if (place.querySelector("[data-ended]")) return;
      window.setTimeout(() => {
        look().then((goes) => { if (goes) next(); else if (state) state.hidden = true; }, () => { if (state) state.hidden = true; next(); });
      }, Number(place.dataset.pause));
    }
    if (state && !place.querySelector("[data-ended]")) state.hidden = false;
    next();
  }
})();
