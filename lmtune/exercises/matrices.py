"""Tensors that students give back: reading, comparing and telling them."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Feedback, shown


def wrong_kind(value: Any, like: torch.Tensor, name: str) -> Feedback | None:
    """What is wrong with the type or the shape of an answer, if anything."""
    if not isinstance(value, torch.Tensor) or value.is_complex():
        return Feedback(shown(value), f"{name}, a tensor of shape {tuple(like.shape)}",
                        f"{name} must be a tensor: give one back")
    if value.shape != like.shape:
        return Feedback(shown(value), f"{name} of shape {tuple(like.shape)}",
                        f"the shape of {name} is not the one asked for: read in the docstring what each "
                        "dimension counts")
    return None


def near(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a.detach().double(), b.double(), rtol=1e-6, atol=1e-9)


def told(values: torch.Tensor) -> str:
    """The first numbers of a tensor."""
    few = values.detach().double().flatten()[:6]
    return "[" + ", ".join(f"{v:.4g}" for v in few.tolist()) + ("" if values.numel() <= 6 else ", ...") + "]"
