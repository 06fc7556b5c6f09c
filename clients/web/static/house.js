// SPDX-License-Identifier: Apache-2.0
// What scripts add: GOV.UK's components, a warning before the time-out, and no double click.
// Everything works without them.

const own = document.querySelector("script[data-govuk]");
const { initAll } = await import(own.dataset.govuk);
initAll();

const dialog = document.getElementById("timeout");
if (dialog) {
  const WARN_SECONDS = 120;
  let ends = Date.now() + Number(dialog.dataset.seconds) * 1000;
  const stay = async () => {
    dialog.close();
    const answer = await fetch("/still-here", { cache: "no-store" });
    const { seconds } = await answer.json();
    ends = Date.now() + seconds * 1000;
  };
  document.getElementById("timeout-stay").addEventListener("click", stay);
  dialog.addEventListener("cancel", stay);
  setInterval(() => {
    const left = ends - Date.now();
    if (left <= 0 && "shared" in dialog.dataset) {
      // Nothing is kept here, and whoever comes next must not read it.
      location.replace("/welcome-back?lapsed=yes");
    } else if (left <= 0) {
      // What stands in a form is sent with the form, and kept for her: only the page of it goes.
      if (!document.querySelector("main form")) location.reload();
    } else if (left < WARN_SECONDS * 1000 && !dialog.open) {
      dialog.showModal();
    }
  }, 1000);
}

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 3000);
  });
}
window.addEventListener("pageshow", (event) => {
  // A page out of the browser's memory may be somebody else's by now.
  if (event.persisted) location.reload();
});
