// Comfort on every page; nothing here is needed to use the console.
"use strict";

(function () {
  // Times in the reader's own zone.
  const long = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  function localTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      if (time.title) time.title = long.format(at);
      else time.textContent = long.format(at);
    }
  }
  localTimes(document);
  document.addEventListener("console:changed", (event) => localTimes(event.target));

  // One press sends a form once; what goes to a frame leaves the page, and so the form, where it is.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.submitter?.formTarget) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // The new token is ready to be copied.
  for (const field of document.querySelectorAll("[data-secret]")) field.addEventListener("focus", () => field.select());

  // The menu of small screens closes by Escape.
  document.addEventListener("keydown", (event) => {
    const menu = document.querySelector(".menu[open]");
    if (event.key === "Escape" && menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });
})();
