// SPDX-License-Identifier: Apache-2.0
// Shows how far a document has come. Without this the form is sent as any other.

const show = (form, text, value) => {
  const box = form.querySelector("[data-progress]");
  box.hidden = false;
  box.querySelector("[role=status]").textContent = text;
  box.querySelector("progress").value = value;
};

const replaceMain = (html) => {
  const found = new DOMParser().parseFromString(html, "text/html");
  document.title = found.title;
  document.querySelector("main").replaceWith(found.querySelector("main"));
  const summary = document.querySelector(".govuk-error-summary");
  summary?.setAttribute("tabindex", "-1");
  summary?.focus();
};

const answered = (request) => {
  const kind = request.getResponseHeader("content-type") ?? "";
  if (kind.startsWith("application/json")) location.assign(JSON.parse(request.responseText).to);
  // Led elsewhere: to the sign-in, where she comes back from.
  else if (request.status < 400) location.assign(request.responseURL);
  else replaceMain(request.responseText);
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-upload]") || !form.querySelector("[type=file]").files.length) return;
  event.preventDefault();
  if (form.dataset.sending) return;
  form.dataset.sending = "yes";
  const said = form.querySelector("[role=status]").dataset;
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("accept", "application/json");
  let told = -1;
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    const percent = Math.floor((100 * loaded) / total);
    // A screen reader reads out each text: ten are enough.
    const step = percent - (percent % 10);
    if (step !== told) show(form, said.progressText.replace("{percent}", step), percent);
    told = step;
  });
  request.upload.addEventListener("load", () => show(form, said.progressKept, 100));
  request.addEventListener("load", () => answered(request));
  const failed = () => {
    delete form.dataset.sending;
    show(form, said.progressFailed, 0);
  };
  request.addEventListener("error", failed);
  request.addEventListener("timeout", failed);
  request.send(new FormData(form));
});
