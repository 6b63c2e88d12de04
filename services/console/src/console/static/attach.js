// Files for an answer: chosen or dropped, looked at before they are sent, and shown while they go up.
"use strict";

(function () {
  const place = document.querySelector("[data-uploads]");
  if (!place) return;
  const form = place.closest("form");
  const input = place.querySelector("input[type=file]");
  const list = place.querySelector(".chosen");
  const state = place.querySelector("[data-upload-state]");
  const most = Number(place.dataset.most);
  const total = Number(place.dataset.total);
  const refused = place.dataset.refused.split(",").filter(Boolean);
  let under = 0;

  place.querySelector("[data-scripted]").hidden = false;

  function size(bytes) {
    return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
  }

  function taken() {
    return [...form.querySelectorAll("[name=attachment]:checked")].reduce((sum, box) => sum + Number(box.dataset.size), 0);
  }

  // Why a file is not taken, in words; nothing where it is.
  function refusal(file) {
    const ending = file.name.toLowerCase().split(".").pop();
    if (refused.includes(ending) || refused.includes(file.type)) return `“${file.name}” is not taken: mail programs refuse such files. Send a link instead.`;
    if (file.size > most) return `“${file.name}” has ${size(file.size)}; a file may have ${size(most)}. Send a link instead.`;
    if (taken() + file.size > total) return `“${file.name}” is too much: the files of an answer may have ${size(total)} together.`;
    return "";
  }

  function tell(text) {
    const line = document.createElement("p");
    line.className = "field-error";
    line.textContent = text;
    state.append(line);
  }

  function row(name) {
    const item = document.createElement("li");
    const bar = document.createElement("progress");
    const label = document.createElement("span");
    const cancel = document.createElement("button");
    label.textContent = name;
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", `Sending ${name}`);
    cancel.type = "button";
    cancel.className = "quiet small";
    cancel.textContent = "Stop";
    cancel.setAttribute("aria-label", `Stop sending ${name}`);
    item.append(label, bar, cancel);
    list.append(item);
    return { item, bar, cancel };
  }

  function tick(item, made) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    const name = document.createElement("span");
    const bytes = document.createElement("span");
    Object.assign(box, { type: "checkbox", name: "attachment", value: made.id, checked: true });
    box.dataset.size = made.size;
    name.textContent = made.name;
    bytes.textContent = size(made.size);
    bytes.className = "muted";
    label.append(box, " ", name, " ", bytes);
    item.replaceChildren(label);
    box.dispatchEvent(new Event("input", { bubbles: true })); // the draft has one file more
  }

  function reason(call) {
    try {
      return JSON.parse(call.responseText).detail;
    } catch {
      return "the console does not answer. Try again.";
    }
  }

  function send(file) {
    const { item, bar, cancel } = row(file.name);
    const call = new XMLHttpRequest(); // fetch tells no progress
    under += 1;
    call.open("POST", `${place.dataset.uploads}?name=${encodeURIComponent(file.name)}`);
    call.setRequestHeader("X-CSRF-Token", form.elements.csrf_token.value);
    call.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    call.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
    cancel.addEventListener("click", () => call.abort());
    call.addEventListener("loadend", () => {
      under -= 1;
      if (call.status === 201) tick(item, JSON.parse(call.responseText));
      else item.remove();
    });
    call.addEventListener("load", () => { if (call.status !== 201) tell(`“${file.name}” was not taken: ${reason(call)}`); });
    call.addEventListener("error", () => tell(`“${file.name}” was not sent: the line broke. Try again.`));
    call.send(file);
  }

  function take(files) {
    state.replaceChildren();
    for (const file of files) {
      const why = refusal(file);
      if (why) tell(why);
      else send(file);
    }
  }

  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  form.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    form.classList.add("dropping");
  });
  for (const name of ["dragleave", "drop"]) form.addEventListener(name, () => form.classList.remove("dropping"));
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
  form.addEventListener("submit", (event) => {
    if (!under) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    state.replaceChildren();
    tell("A file is still on its way. Wait until it is there, or stop it.");
  });
})();
