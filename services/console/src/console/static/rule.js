// Rows of conditions: the spare ones are put away, and come back one by one.
"use strict";

(function () {
  const list = document.querySelector("[data-conditions]");
  const add = document.querySelector("[data-add]");
  const none = document.querySelector("[data-no-condition]");
  if (!list || !add) return;

  const rows = () => [...list.querySelectorAll(".condition")];
  const value = (row) => row.querySelector("[name=value]");

  function tell() {
    none.hidden = rows().some((row) => value(row).value.trim() !== "");
  }

  function number() {
    rows().forEach((row, index) => row.setAttribute("aria-label", `Condition ${index + 1}`));
  }

  const pattern = rows()[rows().length - 1].cloneNode(true);
  for (const row of list.querySelectorAll("[data-spare]")) row.remove();
  for (const row of rows()) row.querySelector(".remove").hidden = false;
  if (rows().length === 0) append();

  function append() {
    const row = pattern.cloneNode(true);
    row.removeAttribute("data-spare");
    value(row).value = "";
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
    button.closest(".condition").remove();
    number();
    tell();
    add.focus();
  });
  list.addEventListener("input", tell);
})();
