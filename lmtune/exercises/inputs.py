"""Tensors for the cases of an exercise, drawn from its generator."""

from __future__ import annotations

import random

import torch


def normal(rng: random.Random, *shape: int) -> torch.Tensor:
    """Standard normal numbers of a shape, fp64."""
    made = torch.Generator().manual_seed(rng.getrandbits(32))
    return torch.randn(shape, generator=made, dtype=torch.float64)


def integers(rng: random.Random, low: int, high: int, *shape: int) -> torch.Tensor:
    """Whole numbers from ``low`` up to but not including ``high`` of a shape, int64."""
    made = torch.Generator().manual_seed(rng.getrandbits(32))
    return torch.randint(low, high, shape, generator=made)
