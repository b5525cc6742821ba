"""Which layers of a pretrained model train, and at which rates.

The *depth* of a parameter is 0 for the embeddings, i for the i-th layer from the input, and one more
than the last layer's for the head.  What stands between the last layer and the head, such as the
last norm, counts with that layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from lmtune.arguments import ABOVE_ZERO_TO_ONE, finite, whole

if TYPE_CHECKING:
    from lmtune.training.config import Config

#: What heads are called: lmtune's, the language models', and two of transformers' classifiers.
HEADS = ("head.", "lm_head.", "score.", "classifier.")


def depths(model: nn.Module) -> dict[str, int]:
    """The depth of each parameter, by name; tied weights stand once, with the embeddings.

    Raises ``ValueError`` for a model without a list of layers.
    """
    lists = {name: m for name, m in model.named_modules() if isinstance(m, nn.ModuleList)}
    if not lists:
        raise ValueError(
            f"{type(model).__name__} has no list of layers (nn.ModuleList), so its parameters have "
            "no depth; give a model of transformers, or a classifier on one."
        )
    blocks = max(lists, key=lambda name: len(lists[name]))
    found, deepest = {}, len(lists[blocks])
    inside = False
    for name, _ in model.named_parameters():  # in the order in which data flows: embeddings, layers, rest
        if name.startswith(blocks + "."):
            inside, depth = True, int(name[len(blocks) + 1 :].split(".")[0]) + 1
        elif _is_head(name):
            depth = deepest + 1
        else:
            depth = deepest if inside else 0
        found[name] = depth
    return found


def freeze_body(model: nn.Module) -> None:
    """Freeze everything but a classifier's head; of a language model everything."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("head."))


def unfreeze(model: nn.Module, layers: int) -> int:
    """Train the head and the last ``layers`` layers, freeze the rest, and count what is trained.

    With ``layers=0`` the head alone, with one more than there are layers the embeddings too.  For
    gradual unfreezing (Howard and Ruder 2018, arXiv:1801.06146) call it between two calls of ``fit``.
    """
    found = depths(model)
    head = max(found.values()) if any(map(_is_head, found)) else max(found.values()) + 1
    layers = whole("layers", layers, 0, head)
    chosen = [name for name, depth in found.items() if depth >= head - layers]
    if not chosen:
        raise ValueError(
            "layers is 0 and the model has no head of its own (a language model's is tied to its "
            "embeddings), so nothing would train; give layers=1 or more."
        )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in chosen)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def layerwise(decay: float) -> Callable[[nn.Module, Config], torch.optim.Optimizer]:
    """A maker for ``Config.optimizer``: AdamW whose rate falls by ``decay`` with each layer downwards.

    The head has the rate of the config, the last layer ``decay`` times that, the one below
    ``decay ** 2`` times (Howard and Ruder 2018, arXiv:1801.06146, with 1 / 2.6).  Vectors have no
    weight decay.
    """
    finite("decay", decay, *ABOVE_ZERO_TO_ONE)

    def maker(model: nn.Module, config: Config) -> torch.optim.Optimizer:
        found = depths(model)
        # One more than the last layer's, also where no head of its own is trained.
        top = max(found.values()) + (not any(map(_is_head, found)))
        groups: dict[tuple[int, bool], list] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((found[name], parameter.dim() >= 2), []).append(parameter)
        return torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "lr": config.lr * decay ** (top - depth),
                    "weight_decay": config.weight_decay if matrix else 0.0,
                }
                for (depth, matrix), parameters in groups.items()
            ],
            lr=config.lr,
            betas=config.betas,
        )

    maker.__qualname__ = f"layerwise({decay})"  # what a checkpoint remembers
    return maker


def _is_head(name: str) -> bool:
    return name.startswith(HEADS)
