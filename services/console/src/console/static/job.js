// Follows a job until it ends.
"use strict";

(function () {
  const place = document.querySelector("[data-job-url]");
  if (!place) return;
  const PAUSE_MS = 700;

  function running() {
    const job = place.querySelector("[data-job]");
    return job !== null && (job.dataset.job === "queued" || job.dataset.job === "running");
  }

  async function look() {
    const response = await fetch(place.dataset.jobUrl, { credentials: "same-origin" });
    if (response.ok && !response.redirected) {
      const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
      place.replaceChildren(...parsed.body.childNodes);
    }
    if (running()) window.setTimeout(() => look().catch(() => {}), PAUSE_MS);
  }

  if (running()) window.setTimeout(() => look().catch(() => {}), PAUSE_MS);
})();
