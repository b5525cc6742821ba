"""Tensors that students give back: reading, comparing and telling them."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Feedback, shown


def tensor(value: Any, like: torch.Tensor) -> torch.Tensor | None:
    """The answer as a float64 tensor of the shape of ``like``; None for anything else."""
    if not isinstance(value, torch.Tensor) or value.shape != like.shape or value.is_complex():
        return None
    return value.detach().double()


def not_a_tensor(value: Any, like: torch.Tensor, what: str) -> Feedback:
    return Feedback(shown(value), f"{what}: a tensor of shape {tuple(like.shape)}",
                    "give a tensor of the shape of the weights back, one number for each of them")


def near(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-6, atol=1e-9)


def told(values: torch.Tensor) -> str:
    """The first numbers of a tensor."""
    few = values.flatten()[:6]
    return "[" + ", ".join(f"{v:.4g}" for v in few.tolist()) + ("" if values.numel() <= 6 else ", ...") + "]"
