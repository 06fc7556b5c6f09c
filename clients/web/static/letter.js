// SPDX-License-Identifier: Apache-2.0
// Copies a letter, or prints it. Without this she marks it, or prints the page.

for (const button of document.querySelectorAll("[data-copies]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const letter = document.getElementById(button.dataset.copies);
    await navigator.clipboard.writeText(letter.textContent);
    document.getElementById(`${letter.id}-status`).textContent = button.dataset.copied;
  });
}
for (const button of document.querySelectorAll("[data-prints]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
