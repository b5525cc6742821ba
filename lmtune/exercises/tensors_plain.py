"""Tensors that students give back: reading, comparing and telling them."""
from __future__ import annotations

from typing import Any, Sequence

import torch

from lmtune.exercises.exercise import Feedback, shown


def tensors(value: Any, like: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
    """``value`` as a list of tensors of the given shapes in fp64, or None when it is something else."""
    if isinstance(value, torch.Tensor) or not isinstance(value, (list, tuple)) or len(value) != len(like):
        return None
    if not all(isinstance(v, torch.Tensor) and v.shape == t.shape for v, t in zip(value, like)):
        return None
    return [v.detach().double() for v in value]


def not_these(value: Any, expected: str, hint: str) -> Feedback:
    """Feedback on what is no list of tensors of these shapes."""
    said = (f"a {type(value).__name__} of {len(value)}: " + ", ".join(map(shown, value))
            if isinstance(value, (list, tuple)) and 0 < len(value) < 4 else shown(value))
    return Feedback(said, expected, hint)


def same(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor], tolerance: float = 1e-5) -> bool:
    """Whether two lists of tensors agree to five digits, measured against the largest entry of each."""
    return all((x - y).abs().max() <= tolerance * max(1e-12, float(y.abs().max())) for x, y in zip(a, b))


def few(tensor: torch.Tensor) -> str:
    """The first numbers of a tensor."""
    values = ", ".join(f"{x:.6g}" for x in tensor.flatten()[:3].tolist())
    return f"[{values}{', ...' if tensor.numel() > 3 else ''}]"
