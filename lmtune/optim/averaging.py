"""An exponential moving average of the weights (Polyak and Juditsky 1992 average all of them alike).

The average of the weights over the last updates is often better than the last
weights, because the noise of single updates cancels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class Average:
    """``average = decay * average + (1 - decay) * weights`` after each update.

    It starts with the weights of the first update, as
    ``torch.optim.swa_utils.AveragedModel`` does, and holds the trainable parameters only.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.updates = 0
        self._live: dict[str, torch.Tensor] = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._average = {n: p.detach().clone() for n, p in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the model's weights into the average."""
        average, live = list(self._average.values()), list(self._live.values())
        if self.updates == 0:
            torch._foreach_copy_(average, live)
        else:
            torch._foreach_lerp_(average, live, 1 - self.decay)
        self.updates += 1

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """The model has the averaged weights inside, and its own again afterwards."""
        own = {n: p.detach().clone() for n, p in self._live.items()}
        self.apply()
        try:
            yield
        finally:
            self._write(own)

    def apply(self) -> None:
        """Give the model the averaged weights for good."""
        self._write(self._average)

    @torch.no_grad()
    def _write(self, values: dict[str, torch.Tensor]) -> None:
        for name, parameter in self._live.items():
            parameter.copy_(values[name])

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "average": self._average}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        for name, average in self._average.items():
            average.copy_(state["average"][name])
