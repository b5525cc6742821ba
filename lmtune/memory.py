"""Memory of a training step: on paper, measured, and as an explorer that is live in the page.

The estimate is for models of GPT-2's architecture without dropout, with fused attention, whose
weights are fp32; precisions other than fp32 mean ``torch.autocast``.
"""
from __future__ import annotations

import hashlib
import html
import json
from typing import NamedTuple

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from lmtune.data import Batch
from lmtune.losses import next_token_loss
from lmtune.plots import publish
from lmtune.precision import autocast
from lmtune.settings import refuse

GIB = 2**30
#: What PyTorch can use of a T4, in GiB.
T4 = 14.5
#: Bytes that each optimizer keeps for a trained parameter.
STATE = {"sgd": 0, "momentum": 4, "adamw": 8}


class Shape(NamedTuple):
    """The sizes of a model of GPT-2's architecture with tied embeddings."""

    layers: int
    width: int
    vocabulary: int
    positions: int

    @property
    def parameters(self) -> int:
        """Embeddings, 12 width² + 13 width in each layer, and the last norm."""
        d = self.width
        return (self.vocabulary + self.positions) * d + self.layers * (12 * d * d + 13 * d) + 2 * d


SHAPES = {
    "pocket-mini": Shape(2, 128, 4096, 256), "pocket": Shape(4, 256, 4096, 256),
    "gpt2": Shape(12, 768, 50257, 1024), "gpt2-medium": Shape(24, 1024, 50257, 1024),
    "gpt2-large": Shape(36, 1280, 50257, 1024), "gpt2-xl": Shape(48, 1600, 50257, 1024),
}


class Estimate(NamedTuple):
    """Bytes."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """The four together."""
        return sum(self)


def shape_of(model: nn.Module) -> Shape:
    """The sizes of a loaded GPT-2."""
    c = model.config
    return Shape(c.n_layer, c.n_embd, c.vocab_size, c.n_positions)


def estimate(
    shape: Shape, tokens: int, *, optimizer: str = "adamw", precision: str = "fp32",
    checkpointing: bool = False,
) -> Estimate:
    """What training needs at the moment when the forward pass ends, for a micro-batch of ``tokens``.

    All parameters are trained.  Half precision adds a half copy of the weights, which autocast
    makes for the forward pass.
    """
    refuse(optimizer not in STATE, "optimizer", optimizer, "one of " + ", ".join(map(repr, STATE)))
    n, half = shape.parameters, precision != "fp32"
    return Estimate(n * (6 if half else 4), 4 * n, STATE[optimizer] * n,
                    tokens * activation_bytes(shape, precision, checkpointing))


def activation_bytes(shape: Shape, precision: str = "fp32", checkpointing: bool = False) -> int:
    """What the backward pass needs of one token's forward pass, in bytes.

    A layer keeps 16 numbers for each unit of width: the inputs of two norms and two copies after
    them, query, key, value, what attention gave, and four times the width before and after the
    activation function.  In half precision all but the norms' inputs have two bytes.  With
    checkpointing a layer keeps its input alone, and one layer at a time is computed again.  The
    head keeps log-probabilities over the vocabulary in fp32, however the rest is computed.
    """
    refuse(precision not in ("fp32", "bf16", "fp16"), "precision", precision, "'fp32', 'bf16' or 'fp16'")
    layer, head = (64, 8) if precision == "fp32" else (36, 6)
    layers = 4 * shape.layers + layer if checkpointing else layer * shape.layers
    return shape.width * (layers + head) + 4 * shape.vocabulary


def saved_bytes(model: nn.Module, batch: Batch, precision: str = "fp32", loss=next_token_loss) -> int:
    """Measure what a forward pass keeps for the backward pass, in bytes, parameters not counted.

    Each storage once, through ``torch.autograd.graph.saved_tensors_hooks``; it is the same on every
    device and needs no GPU.  The model stays in the mode that it is in.
    """
    known = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
    kept: dict[int, torch.Tensor] = {}  # the tensors too, or freed storages would be counted twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor), autocast(precision, batch["input_ids"].device):
        total, _ = loss(model, batch)
    del total
    return sum(t.untyped_storage().nbytes() for t in kept.values())


_WAYS = {"fp32": ("fp32", False), "fp32, checkpointing": ("fp32", True),
         "half precision": ("bf16", False), "half precision, checkpointing": ("bf16", True)}
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
    selects = "".join(_select(label, name, options) for label, name, options in (
        ("model", "model", SHAPES), ("optimizer", "optimizer", STATE), ("how", "way", _WAYS)))
    slider = ('<label>tokens in a micro-batch <input type="range" data-name="tokens" autocomplete="off" '
              f'min="0" max="{len(_TOKENS) - 1}" step="1" value="3"> <output aria-live="off">'
              f'{_TOKENS[3]}</output></label>')
    publish(
        f'<div class="lmtune-explorer" data-explorer="{mark}" data-numbers="{html.escape(json.dumps(numbers))}" '
        f'role="group" aria-label="{html.escape(goal)}"><p class="lmtune-goal">Goal: {html.escape(goal)}</p>'
        f'<div>{selects}{slider}</div><div class="lmtune-frames"></div>'
        f'<p class="lmtune-now" aria-live="polite" style="{_UNSEEN}"></p>'
        f'<script>{_SCRIPT.replace("HASH", mark)}</script></div>',
        f"Explorer of the memory estimate, live in the page. Goal: {goal}")


def explorer_numbers() -> dict:
    """What the explorer's script is given: parameters, and bytes for each parameter and token."""
    models = {name: {"parameters": shape.parameters,
                     "token": {way: activation_bytes(shape, *how) for way, how in _WAYS.items()}}
              for name, shape in SHAPES.items()}
    return {"tokens": _TOKENS, "models": models, "state": STATE, "limit": T4, "parts": _PARTS,
            "half": {way: how[0] != "fp32" for way, how in _WAYS.items()}}


def _select(label: str, name: str, options) -> str:
    first = {"model": "gpt2", "optimizer": "adamw"}.get(name)
    made = "".join(f'<option{" selected" if o == first else ""}>{html.escape(o)}</option>' for o in options)
    return f'<label>{label} <select data-name="{name}" autocomplete="off">{made}</select></label> '
