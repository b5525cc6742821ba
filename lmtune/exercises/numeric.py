"""Numbers that students give back: reading, comparing and telling them."""
from __future__ import annotations

import math
from typing import Any

import torch

from lmtune.exercises.exercise import Feedback, shown


def near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-7)


def number(value: Any) -> float | None:
    """A number, or a tensor or array that holds one; None for anything else."""
    if isinstance(value, torch.Tensor):
        value = value.detach()  # a loss with its graph is as good an answer
    try:
        return None if isinstance(value, str) else float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def not_a_number(value: Any) -> Feedback:
    return Feedback(shown(value), "one number",
                    "give one number back for all of the text: a float, or a tensor with a "
                    "single element")


def differs(produced: float, truth: float, unit: str, hint: str, given: str) -> Feedback:
    form = ".4f" if f"{produced:.4f}" != f"{truth:.4f}" else ".7g"
    return Feedback(f"{produced:{form}}", f"{truth:{form}} {unit}", hint, given)
