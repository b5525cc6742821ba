// The formulas of the page "Formulas to try". book/site/formula_check.py holds each against lmtune in a browser.
"use strict";
(() => {
// The 97.5 % quantile of Student's t with 1 to 30 degrees of freedom.
const T = [
  12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139,
  2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963,
  2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407, 2.045230, 2.042272,
];

const halfCosine = (a, b, share) => b + (a - b) * 0.5 * (1 + Math.cos(Math.PI * share));

// The factor of the peak rate at an update after the warm-up, of so many updates.
const SHAPES = {
  "constant": () => 1,
  "linear": (step, total) => 1 - step / total,
  "cosine": (step, total) => halfCosine(1, 0, step / total),
  "one-cycle": (step, total) => {
    const top = 0.3 * total - 1;
    return top > 0 && step <= top ? halfCosine(1 / 25, 1, step / top)
      : halfCosine(1, 4e-6, (step - top) / (total - 1 - top));
  },
  "stable-decay": (step, total) => 1 - Math.max(0, step - 0.8 * total) / (0.2 * total),
  "triangular": (step, total, half) => {
    const cycle = Math.floor(1 + step / (2 * half));
    return 0.1 + 0.9 * Math.max(0, 1 - Math.abs(step / half - 2 * cycle + 1));
  },
};

const figures = (value, digits = 4) => String(Number(value.toPrecision(digits)));

const FORMULAS = {
  units: ({loss, characters}) => ({
    perplexity: figures(Math.exp(loss)),
    bits: figures(loss / Math.LN2),
    bpc: figures(loss / Math.LN2 / characters),
  }),
  schedule: ({shape, updates, warmup, half, peak, at}, root) => {
    if (warmup >= updates) throw "the warm-up must be shorter than the run";
    if (at > updates) throw "there is no such update in the run";
    const factor = step => step < warmup ? (step + 1) / warmup
      : SHAPES[shape](step - warmup, updates - warmup, half);
    const all = Array.from({length: updates}, (_, step) => factor(step));
    const x = step => 10 + 580 * (updates > 1 ? step / (updates - 1) : 0), y = share => 150 - 140 * share;
    root.querySelector("path").setAttribute("d", "M" + all.map((share, step) => `${x(step)},${y(share)}`).join("L"));
    root.querySelector("circle").setAttribute("cx", x(at - 1));
    root.querySelector("circle").setAttribute("cy", y(all[at - 1]));
    return {rate: figures(peak * all[at - 1]), mean: figures(all.reduce((a, b) => a + b) / updates)};
  },
  interval: ({better, worse}) => {
    if (/\d,\d/.test(better + " " + worse)) throw "write numbers with a point, apart by blanks: 3.51 3.48";
    const [a, b] = [better, worse].map(text => text.split(/[\s;,]+/).filter(Boolean).map(Number));
    if (![...a, ...b].every(Number.isFinite)) throw "write numbers with a point, apart by blanks: 3.51 3.48";
    if (a.length !== b.length) throw `${a.length} losses and ${b.length}: give the same seeds in both`;
    if (a.length < 2 || a.length > 31) throw "an interval needs 2 to 31 pairs";
    const d = a.map((value, i) => value - b[i]), n = d.length;
    const mean = d.reduce((x, y) => x + y) / n;
    const spread = Math.sqrt(d.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1));
    const half = T[n - 2] * spread / Math.sqrt(n);
    if (!Number.isFinite(half)) throw "these numbers are too large";
    const apart = Math.abs(mean) > half;
    return {difference: figures(mean), halfwidth: figures(half, 3),
            verdict: apart ? `${mean < 0 ? "A" : "B"} is lower, and the interval leaves out zero`
              : "the interval holds zero: no difference was seen"};
  },
};

const value = control => {
  if (control.type !== "number" || control.parentElement.hidden) return control.value;
  if (!control.validity.valid || control.value === "")
    throw `${control.labels[0].textContent.trim()}: ${control.step === "1" ? "a whole number " : ""}from ${control.min}` +
      ` to ${control.max}`;
  return Number(control.value);
};

document.querySelectorAll("[data-formula]").forEach(root => {
  const outputs = [...root.querySelectorAll("[data-out]")], problem = root.querySelector("[data-problem]");
  const update = () => {
    const half = root.querySelector("[name=half]");
    if (half) half.parentElement.hidden = root.querySelector("[name=shape]").value !== "triangular";
    let found = {};
    problem.textContent = "";
    try {
      const given = Object.fromEntries([...root.querySelectorAll("[name]")].map(c => [c.name, value(c)]));
      found = FORMULAS[root.dataset.formula](given, root);
    } catch (error) {
      if (typeof error !== "string") throw error;
      problem.textContent = error;
    }
    outputs.forEach(output => { output.value = found[output.dataset.out] ?? "–"; });
  };
  root.addEventListener("input", update);
  update();
});
})();
