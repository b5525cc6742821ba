"""Loss, norm and count of each update: read at once, or left on the device until they are wanted.

On a GPU each reading waits until the GPU has done everything before it.  Read late, the
question whether an update was sound must be answered where the numbers lie.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from lmtune.training.history import Step


class Made(NamedTuple):
    """What is known of an update without asking the device."""

    step: int
    labels: int
    tokens: int
    rows: int
    micro_batches: int
    lr: float
    skipped: bool
    seconds: float


class Readings:
    """The updates that have been made and not yet been told of."""

    def __init__(self, late: bool, exact: bool):
        self._late, self._exact = late, exact
        self._broken: bool | torch.Tensor = False
        self._kept: list[tuple[Made, Any]] = []

    def judge(
        self, labels: int, summed: torch.Tensor, norm: torch.Tensor, counted: torch.Tensor, may_overflow: bool
    ) -> bool | torch.Tensor:
        """Take the readings of an update, and say whether it, or one before it, is broken.

        From then on no update may change the weights, so that they are those of the last sound
        one when the fault is raised.  fp16's norm may overflow, which breaks nothing.
        """
        if self._late:
            values: Any = torch.stack([summed, norm.to(summed), counted.to(summed)])
            counts = values[2] == labels if self._exact else values[2] >= 0
            sound = values[: 1 if may_overflow else 2].isfinite().all() & counts
            self._broken = ~sound | self._broken
        else:
            values = summed.item(), norm.item(), counted.item()
            sound = math.isfinite(values[0]) and (may_overflow or math.isfinite(values[1]))
            counts = values[2] == labels if self._exact else values[2] >= 0
            self._broken = self._broken or not (sound and counts)
        self._values = values
        return self._broken

    def keep(self, made: Made) -> None:
        """Put what else is known of the update beside its readings."""
        self._kept.append((made, self._values))

    def __len__(self) -> int:
        return len(self._kept)

    def drain(self) -> tuple[list[Step], Exception | None]:
        """The events of all sound updates since the last call, read in one transfer, and what is
        wrong with the one after them, if anything."""
        values = [kept[-1] for kept in self._kept]
        if self._late and values:
            values = torch.stack(values).tolist()
        events, fault = [], None
        for (made, _), (summed, norm, counted) in zip(self._kept, values):
            fault = fault_of(made, summed, norm, counted, self._exact)
            if fault:
                break
            loss = summed / counted if counted else 0.0
            events.append(Step(made.step, loss, int(counted), made.tokens, made.lr, norm, made.skipped, made.seconds))
        self._kept.clear()
        return events, fault


def fault_of(made: Made, summed: float, norm: float, counted: float, exact: bool) -> Exception | None:
    """Why an update could not be made, or None; the weights are those before it.

    ``exact``: the loss is known to count the labels.  A loss of one's own may count something else.
    """
    if exact and counted != made.labels:
        return ValueError(
            f"The loss counted {counted:.0f} labels where the batches have {made.labels}. A loss returns (sum, count) "
            "with the number of labels that are not ignored as count; scale the sum instead."
        )
    if counted < 0 or counted == made.micro_batches < made.rows:
        return ValueError(
            f"The loss counted {counted:g} for {made.micro_batches} micro-batches of {made.rows} rows. A loss returns "
            "(sum, count), the sum of the losses over all that it counts and how many that were; a mean with the "
            "count 1 would weigh a short micro-batch as much as a long one."
        )
    if not math.isfinite(summed) or not (made.skipped or math.isfinite(norm)):
        return FloatingPointError(
            f"The update number {made.step} has loss {summed} (sum) and gradient norm {norm}; the weights are "
            "those before it. Usual causes: a learning rate that is too high, no warm-up, or a loss of your "
            "own that divides by zero."
        )
    return None
