"""Early stopping: stop when validation no longer improves, and give back the best weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from lmtune.training.snapshot import restore, snapshot


class EarlyStopping:
    """The memory of one run: its best evaluation, and how long nothing has improved.

    ``patience`` counts evaluations without improvement.  An improvement is a loss more than
    ``min_delta`` below the loss at the last improvement, so many small steps down count once
    they add up.  The weights kept are always those of the least loss.  A loss that is not a
    number never improves anything (Prechelt 1998, "Early Stopping - But When?").
    """

    def __init__(self, patience: int, min_delta: float = 0.0):
        self.patience, self.min_delta = patience, min_delta
        self.waited = 0
        self.reference = self.best_loss = math.inf
        self.best_step: int | None = None
        self._weights: dict[str, torch.Tensor] = {}

    @property
    def enough(self) -> bool:
        """Is it time to stop?"""
        return self.waited >= self.patience

    def note(self, step: int, loss: float, model: nn.Module) -> None:
        """Take note of an evaluation, and of the weights where it is the best so far."""
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, step
            self._weights = snapshot(model)
        if loss < self.reference - self.min_delta:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1

    def restore(self, model: nn.Module) -> None:
        """Give the model its best weights; without any finite evaluation it keeps its own."""
        if self._weights:
            restore(model, self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {
            "waited": self.waited,
            "reference": self.reference,
            "best_loss": self.best_loss,
            "best_step": self.best_step,
            "weights": self._weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.waited, self.reference = state["waited"], state["reference"]
        self.best_loss, self.best_step = state["best_loss"], state["best_step"]
        self._weights = state["weights"]
