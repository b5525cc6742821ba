"""LoRA (Hu et al. 2021, arXiv:2106.09685): a frozen matrix, and beside it a trained update of low rank."""

from __future__ import annotations

import math

import torch
from torch import nn

from lmtune.arguments import POSITIVE, finite, whole
from lmtune.models.layers import freeze_body

#: What the attention's projections are called in GPT-2, in Llama and Qwen, and in BERT: the layers
#: that get an update where none are named.
TARGETS = ("c_attn", "q_proj", "v_proj", "query", "value")


class LoRALinear(nn.Module):
    """A frozen linear layer W plus ``alpha / rank * B A``, of which A and B are trained.

    A has the shape (rank, in) and is random; B has (out, rank) and is zero, so that at first the
    layer gives exactly what ``base`` gives.
    """

    def __init__(self, base: nn.Module, rank: int, alpha: float):
        super().__init__()
        columns, rows = base.weight.shape if _is_transposed(base) else base.weight.shape[::-1]
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        self.a = nn.Parameter(torch.empty(rank, columns).to(base.weight))
        self.b = nn.Parameter(torch.zeros(rows, rank).to(base.weight))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))  # as peft and the paper's code draw it

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (..., in) to (..., out)."""
        return self.base(x) + self.scale * (x @ self.a.T @ self.b.T)

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """``base`` with the update added to its weight, in place."""
        update = self.scale * (self.b @ self.a)
        self.base.weight += update.T if _is_transposed(self.base) else update
        return self.base


def add_lora(
    model: nn.Module, rank: int = 8, alpha: float = 16.0, targets: tuple[str, ...] = TARGETS, seed: int = 0
) -> list[str]:
    """Freeze a model, put a trained update of low rank beside its attention's matrices, and name them.

    Works in place.  A layer gets one where the last part of its name is in ``targets``; a
    classifier's head stays trainable.  ``seed`` draws the A of each.

    Raises ``ValueError`` when no layer has such a name, when a layer shares its weight with another (a head
    tied to the embeddings), or when the model has updates already.
    """
    rank, alpha = whole("rank", rank), finite("alpha", alpha, *POSITIVE)
    if any(isinstance(m, LoRALinear) for m in model.modules()):
        raise ValueError("The model has LoRA updates already; merge them first with lmtune.merge_lora(model).")
    linear = [name for name, m in model.named_modules() if isinstance(m, nn.Linear) or _is_transposed(m)]
    names = [name for name in linear if name.split(".")[-1] in targets]
    if not names:
        there = sorted({name.split(".")[-1] for name in linear})
        raise ValueError(
            f"targets is {targets!r}, and no linear layer of {type(model).__name__} has such a "
            f"name; it has: {', '.join(there)}."
        )
    _refuse_shared(model, names)
    freeze_body(model)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for name in names:
            _replace(model, name, LoRALinear(model.get_submodule(name), rank, alpha))
    return names


def _refuse_shared(model: nn.Module, names: list[str]) -> None:
    """A merge changes a weight in place, and with it whatever else uses that weight."""
    owners: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owners.setdefault(id(parameter), []).append(name.rpartition(".")[0])
    for name in names:
        others = [o for o in owners[id(model.get_submodule(name).weight)] if o != name]
        if others:
            raise ValueError(
                f"targets names {name.split('.')[-1]!r}, and {name} shares its weight with {', '.join(others)}: merged "
                "into one, the update would change the other as well. Leave it out of targets."
            )


def merge_lora(model: nn.Module) -> int:
    """Add each update of low rank to its matrix and take it away; the number of matrices changed.

    The model is then of its old class and shape, every weight trainable, and can be saved with
    ``save_pretrained`` and loaded without lmtune.
    """
    found = [name for name, module in model.named_modules() if isinstance(module, LoRALinear)]
    if not found:
        raise ValueError(f"{type(model).__name__} has no LoRA update to merge; put them in with lmtune.add_lora.")
    for name in found:
        _replace(model, name, model.get_submodule(name).merged())
    model.requires_grad_(True)
    return len(found)


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


def _is_transposed(module: nn.Module) -> bool:
    """GPT-2's linear layers keep their weight as (in, out)."""
    return type(module).__name__ == "Conv1D" and hasattr(module, "nf")
