// The order of a list by drag: one PUT of the whole order, for the version that is shown. The arrows do the same without a pointer.
"use strict";

(function () {
  const list = document.querySelector("[data-order]");
  if (!list) return;
  const form = document.getElementById("order-form");
  const told = document.querySelector("[data-order-told]");
  const said = document.querySelector("[data-order-said]");
  const ids = () => [...list.children].map((item) => item.dataset.id);
  const EDGE = 60; // pixels from the window's edge within which dragging scrolls
  const STEP = 14;
  let dragged = null; // { item, before, pointer }
  let busy = false;

  function arrange(order) {
    const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
    list.append(...order.map((id) => known.get(id)));
    number();
  }

  function number() {
    [...list.children].forEach((item, index) => { item.querySelector("[data-grip]").textContent = index + 1; });
  }

  // --- dragging ---------------------------------------------------------------------------------------------------------------

  list.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest("[data-grip]");
    if (!grip || event.button !== 0 || busy) return;
    event.preventDefault();
    dragged = { item: grip.closest("[data-id]"), before: ids(), pointer: event.pointerId };
    list.setPointerCapture(event.pointerId);
    dragged.item.classList.add("dragged");
  });

  list.addEventListener("pointermove", (event) => {
    if (!dragged || event.pointerId !== dragged.pointer) return;
    const after = [...list.children].find((item) => {
      const box = item.getBoundingClientRect();
      return item !== dragged.item && event.clientY < box.top + box.height / 2;
    });
    const place = after || null;
    if (dragged.item.nextElementSibling === place) return;
    list.insertBefore(dragged.item, place);
    number();
  });

  list.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    if (event.clientY < EDGE) window.scrollBy(0, -STEP);
    else if (event.clientY > window.innerHeight - EDGE) window.scrollBy(0, STEP);
  });

  function end(keep) {
    if (!dragged) return;
    const { item, before } = dragged;
    item.classList.remove("dragged");
    dragged = null;
    if (!keep) arrange(before);
    else if (ids().join() !== before.join()) save(item.dataset.id, before);
  }

  list.addEventListener("pointerup", () => end(true));
  list.addEventListener("pointercancel", () => end(false));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") end(false); });

  // --- saving -----------------------------------------------------------------------------------------------------------------

  async function save(id, before) {
    busy = true;
    told.hidden = true;
    try {
      const response = await fetch(list.dataset.order, {
        method: "PUT",
        credentials: "same-origin",
        headers: {
          "Content-Type": "application/json",
          "If-Match": `"${form.elements.version.value}"`,
          "X-CSRF-Token": form.elements.csrf_token.value,
        },
        body: JSON.stringify({ rule_ids: ids() }),
      });
      if (response.ok) await refresh(id);
      else await refused(await response.json(), before);
    } catch {
      putBack("The console does not answer. Look whether you are online, then try again.", before);
    }
    busy = false;
  }

  async function refused(problem, before) {
    if (problem.broken) ask();
    else if (problem.status === 412) {
      putBack("Somebody changed the rules meanwhile, so nothing was moved. These are the rules of now.", before);
      await refresh();
    } else putBack(problem.detail || problem.title, before);
  }

  function putBack(why, before) {
    arrange(before);
    told.textContent = why;
    told.hidden = false;
  }

  // An example would break: the page that asks is made by the server.
  function ask() {
    for (const id of ids()) {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "rule_id", value: id });
      form.append(field);
    }
    form.submit();
  }

  // Places, arrows and hints hang on the order: the list is shown as the server tells it.
  async function refresh(id) {
    const response = await fetch(location.href, { credentials: "same-origin" });
    if (!response.ok || response.redirected) return;
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    list.replaceChildren(...parsed.querySelector("[data-order]").children);
    form.elements.version.value = parsed.querySelector("#order-form [name=version]").value;
    list.dispatchEvent(new Event("console:changed", { bubbles: true }));
    const moved = id && [...list.children].find((item) => item.dataset.id === id);
    if (moved) said.textContent = `“${moved.querySelector("h2 a").textContent}” is now number ${ids().indexOf(id) + 1}.`;
  }

  list.classList.add("draggable");
})();
