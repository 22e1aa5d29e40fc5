// The editor: one file at a time, Tab indents, what is not kept is not lost by leaving unasked.

const studio = document.querySelector("#studio");
const form = () => document.querySelector("#draft");
const sheets = () => [...form().querySelectorAll(".sheet")];
const text = (sheet) => sheet.querySelector("textarea");
const differs = (area) => area.value !== area.defaultValue || "edited" in area.dataset;
let leaving = false;
let escaped = false;

studio.addEventListener("click", (event) => {
  const file = event.target.closest("[data-file].file");
  const go = event.target.closest("[data-go]");
  if (file) show(file.dataset.file);
  if (go) text(show(go.dataset.go)).focus();
  if (go?.dataset.line) select(text(shown()), Number(go.dataset.line));
});

studio.addEventListener("keydown", (event) => {
  if (event.target.localName !== "textarea") return;
  if (event.key === "Tab" && !event.shiftKey && !escaped) {
    event.preventDefault();
    event.target.setRangeText("  ", event.target.selectionStart, event.target.selectionEnd, "end");
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  }
  escaped = event.key === "Escape";
});

studio.addEventListener("input", mark);
studio.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("selectionchange", place);
document.addEventListener("htmx:beforeOnLoad", (event) => {
  leaving = event.detail.xhr.getResponseHeader("HX-Redirect") !== null;
});
document.addEventListener("htmx:afterSettle", (event) => event.target === studio && mark());
addEventListener("beforeunload", (event) => {
  if (!leaving && sheets().some((sheet) => differs(text(sheet)))) event.preventDefault();
});
mark();

const shown = () => sheets().find((sheet) => !sheet.hidden);

function show(name) {
  for (const sheet of sheets()) sheet.hidden = sheet.dataset.file !== name;
  for (const file of form().querySelectorAll(".file")) {
    if (file.dataset.file === name) file.setAttribute("aria-current", "true");
    else file.removeAttribute("aria-current");
  }
  return shown();
}

function mark() {
  for (const sheet of sheets()) {
    const file = form().querySelector(`.file[data-file="${CSS.escape(sheet.dataset.file)}"]`);
    file.querySelector(".changed").hidden = !differs(text(sheet));
  }
}

function place() {
  const area = document.activeElement;
  if (area?.localName !== "textarea" || !form().contains(area)) return;
  document.querySelector("#place").value = area.value.slice(0, area.selectionStart).split("\n").length;
}

function select(area, line) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  area.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  area.scrollTop = (area.scrollHeight / lines.length) * Math.max(0, line - 4);
}
