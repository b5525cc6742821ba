"""Muon for the matrices inside the layers, AdamW for everything else, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lmtune.optim.optimizers import adamw

if TYPE_CHECKING:
    from lmtune.training.config import Config


class Joined(torch.optim.Optimizer):
    """Several optimizers, each with parameters of its own, that step together.

    Their groups are the very same dicts, so whoever sets a rate here sets it there.
    """

    def __init__(self, parts: list[torch.optim.Optimizer]):
        self.parts = parts
        super().__init__([p for part in parts for g in part.param_groups for p in g["params"]], {})
        self.param_groups = [group for part in parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # gives no loss back
        """One step of each part.  A closure is refused: each part would evaluate it anew."""
        if closure is not None:
            raise ValueError("Joined takes no closure; compute the gradients first, then call step().")
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of the parts, in their order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Give each part its state back."""
        given = state_dict.get("parts", [])
        if len(given) != len(self.parts):
            raise ValueError(
                f"The state has {len(given)} parts and this optimizer has {len(self.parts)}; "
                "load a state that muon saved for the same model."
            )
        for part, state in zip(self.parts, given):
            part.load_state_dict(state)
        # torch replaces the groups when it loads.
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def muon(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for ``Config(optimizer=muon)``.

    The weight matrices inside the layers take ``torch.optim.Muon`` (torch 2.9 or newer); embeddings,
    head, biases and norms take :func:`lmtune.optim.optimizers.adamw`, for which orthogonal steps make no
    sense.  Muon's steps are scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982), so
    ``config.lr`` serves both.  Raises ``RuntimeError`` where torch has no Muon.
    """
    if not hasattr(torch.optim, "Muon"):
        raise RuntimeError(
            f"torch {torch.__version__} has no Muon; it came with torch 2.9. Install a newer "
            "torch, or give optimizer=None for AdamW."
        )
    inner = inner_matrices(model)
    if not inner:
        return adamw(model, config)
    chosen = {id(p) for p in inner}
    rest = nn.ParameterList(p for p in model.parameters() if p.requires_grad and id(p) not in chosen)
    first = torch.optim.Muon(inner, lr=config.lr, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw")
    return Joined([first, adamw(rest, config)] if len(rest) else [first])


def inner_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Trainable weight matrices that are no part of an embedding and not the output head."""
    outside = {id(p) for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    for name in ("lm_head", "head"):
        if hasattr(model, name):
            outside |= {id(p) for p in getattr(model, name).parameters()}
    return [p for p in model.parameters() if p.requires_grad and p.dim() == 2 and id(p) not in outside]
