"""Loss, norm and count of each update: read at once, or left on the device until they are wanted.

On a GPU each reading waits until the GPU has done everything before it.  Read late, the
question whether an update was sound must be answered where the numbers lie.
"""
from __future__ import annotations

import math

import torch

from lmtune.training.history import Step
from lmtune.training.preflight import fault_of


class Readings:
    """The updates that have been made and not yet been told of."""

    def __init__(self, late: bool):
        self._late = late
        self._broken: bool | torch.Tensor = False
        self._kept: list[tuple] = []

    def judge(
        self, labels: int, summed: torch.Tensor, norm: torch.Tensor, counted: torch.Tensor,
        may_overflow: bool,
    ) -> bool | torch.Tensor:
        """Take the readings of an update, and say whether it, or one before it, is broken.

        From then on no update may change the weights, so that they are those of the last sound
        one when the fault is raised.  fp16's norm may overflow, which breaks nothing.
        """
        if self._late:
            values = torch.stack([summed, norm.to(summed), counted.to(summed)])
            sound = values[:1 if may_overflow else 2].isfinite().all() & (values[2] == labels)
            self._broken = ~sound | self._broken
        else:
            values = summed.item(), norm.item(), counted.item()
            sound = math.isfinite(values[0]) and (may_overflow or math.isfinite(values[1]))
            self._broken = self._broken or not sound or values[2] != labels
        self._values = values
        return self._broken

    def keep(self, step: int, labels: int, tokens: int, lr: float, skipped: bool, seconds: float) -> None:
        """Put what else is known of the update beside its readings."""
        self._kept.append((step, labels, tokens, lr, skipped, seconds, self._values))

    def __len__(self) -> int:
        return len(self._kept)

    def drain(self) -> tuple[list[Step], Exception | None]:
        """The events of all sound updates since the last call, read in one transfer, and what is
        wrong with the one after them, if anything."""
        values = [kept[-1] for kept in self._kept]
        if self._late and values:
            values = torch.stack(values).tolist()
        events, fault = [], None
        for (step, labels, tokens, lr, skipped, seconds, _), (summed, norm, counted) in zip(self._kept, values):
            fault = fault_of(step, labels, summed, norm, counted, skipped)
            if fault:
                break
            events.append(Step(step, summed / max(1, labels), labels, tokens, lr, norm, skipped, seconds))
        self._kept.clear()
        return events, fault
