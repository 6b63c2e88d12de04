// Operators that fit the field of a condition; the server checks them in any case.
"use strict";

(function () {
  const SIZES = ["greater_than", "less_than"];
  const CHOICES = ["equals", "not_equals"];

  function fits(field, operator) {
    if (field === "attachment_size") return SIZES.includes(operator);
    return field === "kind" ? CHOICES.includes(operator) : !SIZES.includes(operator);
  }

  function fit(row, chosen) {
    const field = row.querySelector("[name=field]").value;
    const operators = row.querySelector("[name=operator]");
    for (const option of operators.options) {
      option.hidden = option.disabled = !fits(field, option.value) && (chosen || !option.selected);
    }
    const first = [...operators.options].find((option) => !option.disabled);
    if (operators.selectedOptions.length === 0 || operators.selectedOptions[0].disabled) operators.value = first.value;
  }

  for (const row of document.querySelectorAll(".condition")) fit(row, false);
  document.addEventListener("change", (event) => {
    const row = event.target.name === "field" && event.target.closest(".condition");
    if (row) fit(row, true);
  });
})();
