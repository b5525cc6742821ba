// What was read and done is kept in this browser and sent nowhere. book/site/progress.py names what can be done,
// book/site/progress_check.py tries it. Where the browser keeps nothing, nothing of this appears.
"use strict";
(() => {
const KEY = "lmtune-progress";
const NAME = /^(?:page|exercise|question):[\w/-]+$/, DAY = /^\d{4}-\d\d-\d\d$/;

// What a text says was done: names with the day; null where it is no such text.
const parse = text => {
  try {
    const given = JSON.parse(text);
    if (given.version !== 1) return null;
    return Object.fromEntries(Object.entries(given.done).filter(([name, day]) => NAME.test(name) && DAY.test(day)));
  } catch { return null; }
};
const read = () => parse(localStorage.getItem(KEY)) || {};
const text = done => JSON.stringify({version: 1, done}, null, 1);
const write = done => localStorage.setItem(KEY, text(done));
const today = () => new Date().toLocaleDateString("sv");  // Sweden writes 2026-01-31

const make = (tag, given = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), given);
  made.append(...inside);
  return made;
};

// A checkbox for one name; the hidden words say to a screen reader what is done.
const box = (name, says, hidden) => {
  const input = make("input", {type: "checkbox", checked: name in read()});
  input.dataset.lmtuneBox = name;
  input.addEventListener("change", () => {
    const done = read();
    if (input.checked) done[name] = today(); else delete done[name];
    write(done);
  });
  const words = make("span", {className: "visually-hidden"}, hidden);
  return make("label", {className: "lmtune-done"}, input, says, words);
};

const mark = article => {
  const page = article.dataset.lmtunePage;
  let question = 0;
  article.querySelectorAll("[data-lmtune-item]").forEach(item => {
    const name = item.dataset.lmtuneItem, asks = name.startsWith("question:");
    item.append(box(name, asks ? "answered" : "done",
      asks ? ` (question ${++question})` : ` (exercise ${name.split("/")[1]})`));
  });
  article.append(make("p", {className: "lmtune-read"}, box(`page:${page}`, "I have read this page", "")));
};

const line = (title, items, done, address) => {
  const count = items.filter(name => name in done).length;
  const bar = make("progress", {max: items.length, value: count});
  bar.setAttribute("aria-label", title);
  return make("li", {}, address ? make("a", {href: address}, title) : title, bar,
    make("span", {className: "lmtune-count"}, `${count} of ${items.length}`));
};

const list = (place, contents) => {
  const done = read();
  place.replaceChildren(...contents.map(part => {
    // An exercise may stand on two pages.
    const made = line(part.title, [...new Set(part.pages.flatMap(page => page.items))], done, part.pages[0].address);
    if (part.pages.length > 1)
      made.append(make("ul", {}, ...part.pages.map(page => line(page.title, page.items, done, page.address))));
    return made;
  }));
};

const landing = root => {
  const contents = JSON.parse(root.dataset.contents);
  const place = make("ul", {className: "lmtune-parts"}), says = make("p", {className: "lmtune-says"});
  says.setAttribute("role", "status");
  const update = said => { list(place, contents); says.textContent = said; };
  const button = (words, click) => {
    const made = make("button", {type: "button"}, words);
    made.addEventListener("click", click);
    return made;
  };
  const file = make("input", {type: "file", accept: ".json,application/json", hidden: true});
  file.setAttribute("aria-label", "A file with progress");
  file.addEventListener("change", async () => {
    const given = file.files.length ? parse(await file.files[0].text()) : null;
    file.value = "";
    if (!given) return update("This file holds no progress of this book; nothing was changed.");
    write({...given, ...read()});
    update(`Taken from the file: ${Object.keys(given).length} marks.`);
  });
  const save = () => {
    const link = make("a", {href: URL.createObjectURL(new Blob([text(read())], {type: "application/json"}))});
    link.download = "lmtune-progress.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    update("Written to lmtune-progress.json.");
  };
  const forget = () => {
    if (!confirm("Forget everything that was marked as read or done in this browser?")) return;
    localStorage.removeItem(KEY);
    update("Forgotten.");
  };
  root.append(make("p", {className: "lmtune-progress-title"}, "How far you have come"),
    make("p", {}, "What you mark as read or done is kept in this browser and sent nowhere. A file takes it to another one."),
    place, make("p", {className: "lmtune-buttons"}, button("Save to a file", save),
      button("Read from a file", () => file.click()), button("Forget all", forget), file), says);
  update("");
  return () => update("");
};

const refresh = () => document.querySelectorAll("[data-lmtune-box]").forEach(input => {
  input.checked = input.dataset.lmtuneBox in read();
});

const ready = () => {
  try { localStorage.setItem(KEY, localStorage.getItem(KEY) ?? text({})); } catch { return; }
  document.querySelectorAll("[data-lmtune-page]").forEach(mark);
  const root = document.querySelector("#lmtune-progress[data-contents]");
  const again = root ? landing(root) : refresh;
  addEventListener("storage", again);  // another window
  addEventListener("pageshow", shown => { if (shown.persisted) again(); });  // the way back
};
addEventListener("DOMContentLoaded", ready);
})();
