"""The memory estimate with controls that work in any page, with or without a kernel."""

from __future__ import annotations

import hashlib
import html
import json

from lmtune.diagnostics.memory import SHAPES, STATE, T4, activation_bytes
from lmtune.plots import publish

_WAYS = {
    "fp32": ("fp32", False),
    "fp32, checkpointing": ("fp32", True),
    "half precision": ("bf16", False),
    "half precision, checkpointing": ("bf16", True),
}


_TOKENS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]


_PARTS = ("weights", "gradients", "optimizer state", "activations")


_SCRIPT = """
document.querySelectorAll('[data-explorer="HASH"]:not([data-awake])').forEach(root => {
  const {tokens, models, state, half, limit, parts} = JSON.parse(root.dataset.numbers);
  const control = name => root.querySelector(`[data-name="${name}"]`);
  const update = () => {
    const model = models[control("model").value], way = control("way").value;
    const n = tokens[control("tokens").value], slider = control("tokens");
    slider.setAttribute("aria-valuetext", n + " tokens");
    slider.closest("label").querySelector("output").value = n;
    const bytes = [model.parameters * (half[way] ? 6 : 4), 4 * model.parameters,
                   state[control("optimizer").value] * model.parameters, n * model.token[way]];
    const gib = bytes.map(b => b / 2 ** 30), total = gib.reduce((a, b) => a + b);
    const said = g => g < 0.1 ? `${(1024 * g).toFixed(1)} MiB` : `${g.toFixed(2)} GiB`;
    const line = (name, value) => `<tr><th scope="row" style="text-align:left">${name}</th>` +
      `<td style="text-align:right;padding:0 1em">${said(value)}</td><td style="width:50%">` +
      `<div aria-hidden="true" style="height:.8em;background:currentColor;opacity:.6;` +
      `width:${Math.min(100, 100 * value / limit)}%"></div></td></tr>`;
    const verdict = total <= limit ? `fits ${limit} GiB` : `does not fit ${limit} GiB`;
    root.querySelector(".lmtune-frames").innerHTML = `<table style="width:100%">` +
      gib.map((g, i) => line(parts[i], g)).join("") + line("total", total) + `</table><p>${verdict}</p>`;
    root.querySelector(".lmtune-now").textContent = `total ${said(total)}, ${verdict}`;
  };
  root.dataset.awake = "";
  root.addEventListener("input", update);
  update();
});
"""


_UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"


def explore_memory(goal: str) -> None:
    """Show the estimate with controls that work in any page, with or without a kernel.

    The script multiplies and adds; the bytes for each parameter and each token come from
    :func:`estimate` and :func:`activation_bytes`.
    """
    numbers = explorer_numbers()
    mark = hashlib.blake2b(goal.encode(), digest_size=6).hexdigest()
    selects = "".join(
        _select(label, name, options)
        for label, name, options in (
            ("model", "model", SHAPES),
            ("optimizer", "optimizer", STATE),
            ("how", "way", _WAYS),
        )
    )
    slider = (
        '<label>tokens in a micro-batch <input type="range" data-name="tokens" autocomplete="off" '
        f'min="0" max="{len(_TOKENS) - 1}" step="1" value="3"> <output aria-live="off">'
        f"{_TOKENS[3]}</output></label>"
    )
    publish(
        f'<div class="lmtune-explorer" data-explorer="{mark}" data-numbers="{html.escape(json.dumps(numbers))}" '
        f'role="group" aria-label="{html.escape(goal)}"><p class="lmtune-goal">Goal: {html.escape(goal)}</p>'
        f'<div>{selects}{slider}</div><div class="lmtune-frames"></div>'
        f'<p class="lmtune-now" aria-live="polite" style="{_UNSEEN}"></p>'
        f"<script>{_SCRIPT.replace('HASH', mark)}</script></div>",
        f"Explorer of the memory estimate, live in the page. Goal: {goal}",
    )


def explorer_numbers() -> dict:
    """What the explorer's script is given: parameters, and bytes for each parameter and token."""
    models = {
        name: {
            "parameters": shape.parameters,
            "token": {way: activation_bytes(shape, *how) for way, how in _WAYS.items()},
        }
        for name, shape in SHAPES.items()
    }
    return {
        "tokens": _TOKENS,
        "models": models,
        "state": STATE,
        "limit": T4,
        "parts": _PARTS,
        "half": {way: how[0] != "fp32" for way, how in _WAYS.items()},
    }


def _select(label: str, name: str, options) -> str:
    first = {"model": "gpt2", "optimizer": "adamw"}.get(name)
    made = "".join(f"<option{' selected' if o == first else ''}>{html.escape(o)}</option>" for o in options)
    return f'<label>{label} <select data-name="{name}" autocomplete="off">{made}</select></label> '
