// The server's folder names, offered in the fields for folders: asked for when somebody enters one of them.
"use strict";

(function () {
  const part = document.querySelector("[data-folder-names]");
  if (!part) return;
  const offered = part.querySelector("datalist");

  async function load() {
    const response = await fetch(part.dataset.folderNames, { credentials: "same-origin" });
    if (!response.ok || response.redirected) return;
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    offered.replaceChildren(...parsed.querySelectorAll("option"));
  }

  function enter(event) {
    if (!event.target.list) return;
    part.removeEventListener("focusin", enter);
    load().catch(() => {});
  }
  part.addEventListener("focusin", enter);
})();
