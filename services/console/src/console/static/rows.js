// Rows of a form (conditions, parameters): the spare ones are put away, and come back one by one.
"use strict";

(function () {
  for (const list of document.querySelectorAll("[data-rows]")) manage(list);

  function manage(list) {
    const part = list.closest("fieldset");
    const add = part.querySelector("[data-add]");
    const none = part.querySelector("[data-none]");
    const rows = () => [...list.children];
    const values = (row) => [...row.querySelectorAll("[data-value]")]; // a row may offer several ways to give its value

    function tell() {
      if (none) none.hidden = rows().some((row) => values(row).some((field) => field.value.trim() !== ""));
    }

    function number() {
      rows().forEach((row, index) => row.setAttribute("aria-label", `${list.dataset.rows} ${index + 1}`));
    }

    const pattern = list.lastElementChild.cloneNode(true); // a spare one, without errors
    for (const row of list.querySelectorAll("[data-spare]")) row.remove();
    for (const row of rows()) row.querySelector(".remove").hidden = false;
    while (rows().length < Number(list.dataset.least || 0)) append();
    add.hidden = false;

    function append() {
      const row = pattern.cloneNode(true);
      row.removeAttribute("data-spare");
      for (const field of row.querySelectorAll("input")) field.value = "";
      row.querySelector(".remove").hidden = false;
      list.append(row);
      number();
      return row;
    }

    add.addEventListener("click", (event) => {
      event.preventDefault();
      append().querySelector("select").focus();
    });
    list.addEventListener("click", (event) => {
      const button = event.target.closest(".remove");
      if (!button) return;
      button.closest("[role=group]").remove();
      number();
      tell();
      add.focus();
    });
    list.addEventListener("input", tell);
  }
})();
