"""The page on which open answers are marked: its style, its one script, and the HTML around what students wrote."""

STYLE = """
:root { color-scheme: light dark; --text: #111; --page: #fff; --box: #f3f3f3; --line: #767676; --strong: #1d4f91; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8e8e8; --page: #16181c; --box: #24272d; --line: #8c8f94; --strong: #9cc4ff; }
}
* { box-sizing: border-box; }
html { scroll-padding-bottom: 6rem; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem 1rem 6rem;
  color: var(--text); background: var(--page); overflow-wrap: anywhere; }
article { border-top: 1px solid var(--line); padding: 0.5rem 0 1rem; }
pre { white-space: pre-wrap; background: var(--box); padding: 0.75rem; font: inherit; }
label { display: block; margin: 0.5rem 0; }
input, textarea, button { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line);
  border-radius: 0.25rem; padding: 0.4rem 0.6rem; }
input { display: block; width: 8rem; }
textarea { display: block; width: 100%; min-height: 3.5rem; }
button { border-color: var(--strong); color: var(--strong); font-weight: bold; min-height: 2.75rem; }
:focus-visible { outline: 3px solid var(--strong); outline-offset: 2px; }
.bar { position: fixed; bottom: 0; left: 0; right: 0; padding: 0.5rem 1rem; background: var(--box);
  border-top: 1px solid var(--line); display: flex; gap: 0.25rem 1rem; align-items: center; flex-wrap: wrap; }
.bar p { margin: 0; }
[hidden] { display: none; }
"""

SCRIPT = r"""
"use strict";
const form = document.getElementById("marks");
const said = document.getElementById("said");
const columns = JSON.parse(form.dataset.columns);
let typed = false;

function tell(more) {
  const fields = [...form.querySelectorAll("input")];
  const marked = fields.filter((field) => field.value !== "").length;
  said.textContent = `${marked} of ${fields.length} marked. ${more}`;
}

// A spreadsheet would run a cell that begins with one of these as a formula.
const harmless = (text) => (/^[=+\-@\t\r]/.test(text) ? "'" + text : text);
const cell = (text) => (/[",;\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text);

function row(element) {
  const cells = JSON.parse(element.dataset.row);
  for (const field of element.querySelectorAll("[data-column]")) {
    const at = columns.indexOf(field.dataset.column);
    cells[at] = field.dataset.column === "points" ? field.value : harmless(field.value.replace(/\s+/g, " ").trim());
  }
  return cells.map(cell).join(",");
}

form.addEventListener("input", () => { typed = true; tell("Not saved yet."); });
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const lines = [columns.map(cell).join(","), ...[...form.querySelectorAll("[data-row]")].map(row)];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
  link.download = "open.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  typed = false;
  tell("Saved as open.csv: put it into the report's folder, over the one there, and grade again.");
});
window.addEventListener("beforeunload", (event) => { if (typed) event.preventDefault(); });
document.getElementById("save").hidden = false;
tell("");
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Open answers: {title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}: open answers</h1>
<p>Give points, and a comment where you like; then save <code>open.csv</code>, put it into the folder of this page, over
the one there, and run the same <code>lmtune grade</code> again. Nothing that you type here leaves this page before you
save.</p>
<noscript><p>This browser runs no script here, so nothing can be saved from this page: write the points into
<code>open.csv</code> itself, which has a line for each student.</p></noscript>
<form id="marks" data-columns="{columns}">
<section>
<h2>Open question</h2>
<p>{question}</p>
<ul>
{rubric}
</ul>
{answers}
{silent}
</section>
<div class="bar"><button id="save" hidden>Save open.csv</button><p id="said" role="status"></p></div>
</form>
</main>
<script>{script}</script>
</body>
</html>
"""
