// What scrolls sideways can be reached by keyboard, and what does not is no stop on the way.
"use strict";
(() => {
const mark = () => {
  const wide = ".highlight > pre, .lmtune-figure, mjx-container[display], .text_html, .pst-scrollable-table-container";
  document.querySelectorAll(`.bd-article :is(${wide})`).forEach(part => {
    if (part.scrollWidth > part.clientWidth + 1) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  });
};
const ready = () => {
  mark();
  const typeset = window.MathJax && window.MathJax.startup && window.MathJax.startup.promise;
  if (typeset) typeset.then(mark);
};
addEventListener("load", ready);
addEventListener("resize", mark);
document.addEventListener("toggle", mark, true);  // a fold that was opened
})();
