"""The learning-rate range test (Smith 2017, arXiv:1506.01186).

Train for a few updates while the rate rises from far too small to far too large,
and read from the losses where learning begins and where it ends.  The test trains
a copy, so the model, the random state and the order of the data stay as they were.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from tqdm.auto import tqdm

from lmtune.arguments import refuse, whole
from lmtune.bars import shown
from lmtune.data.kinds import Example
from lmtune.training.config import Config
from lmtune.training.loop import run
from lmtune.training.losses import Loss

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class RangeTest:
    """Rates and the training loss (nats per label) that each update had; three readings."""

    rates: list[float]
    losses: list[float]
    smoothing: float = 0.8  #: weight of the past in the smoothed curve, in [0, 1)

    @property
    def smoothed(self) -> list[float]:
        """Exponential moving average of the losses, corrected for its start."""
        average, curve = 0.0, []
        for n, loss in enumerate(self.losses, start=1):
            average = self.smoothing * average + (1 - self.smoothing) * loss
            curve.append(average / (1 - self.smoothing**n))
        return curve

    def steepest(self) -> float:
        """The rate where the smoothed loss falls fastest as the rate's logarithm grows."""
        curve = self.smoothed
        slopes = [curve[i + 1] - curve[i - 1] for i in range(1, len(curve) - 1)]
        return self.rates[1 + slopes.index(min(slopes))]

    def minimum_over_ten(self) -> float:
        """A tenth of the rate at which the smoothed loss is least."""
        curve = self.smoothed
        return self.rates[curve.index(min(curve))] / 10

    def valley(self) -> float:
        """The rate two thirds down the longest fall of the smoothed loss.

        The fall is the longest run of updates, not necessarily neighbours, each of which
        has a lower loss than the one before.
        """
        curve = self.smoothed
        length, begins = [1] * len(curve), list(range(len(curve)))
        for i, loss in enumerate(curve):
            for j in range(i):
                if curve[j] > loss and length[j] + 1 > length[i]:
                    length[i], begins[i] = length[j] + 1, begins[j]
        end = length.index(max(length))
        return self.rates[begins[end] + (end - begins[end]) * 2 // 3]

    def plot(self) -> Figure:
        """Loss against rate, with the three readings."""
        from lmtune.plots import figure

        fig, ax = figure()
        ax.plot(self.rates, self.losses, linewidth=1, alpha=0.5, label="loss of each update")
        ax.plot(self.rates, self.smoothed, label="smoothed")
        for name, marker in (("steepest", "s"), ("valley", "^"), ("minimum_over_ten", "D")):
            rate = getattr(self, name)()
            nearest = min(range(len(self.rates)), key=lambda i: abs(math.log(self.rates[i] / rate)))
            ax.plot(rate, self.smoothed[nearest], marker, markersize=8, label=name.replace("_", " "))
        ax.set(
            xscale="log",
            xlabel="learning rate",
            ylabel="training loss (nats per token)",
            ylim=(0.95 * min(self.losses), 1.15 * self.losses[0]),
        )
        ax.legend()
        return fig


def range_test(
    model: torch.nn.Module,
    train: Sequence[Example],
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
    loss: Loss | None = None,
    progress: bool = True,
    **settings,
) -> RangeTest:
    """Try rates from ``low`` to ``high``, one update each, evenly spaced in their logarithm.

    It ends early where the smoothed loss exceeds four times its least, or is not finite.
    ``settings`` are further fields of :class:`lmtune.Config`, such as ``batch_size``.
    """
    refuse(not 0 < low < high < math.inf, "low and high", (low, high), "0 < low < high")
    steps = whole("steps", steps, 10)

    def rising(step: int, total: int) -> float:
        return (low / high) ** (1 - step / (total - 1))

    taken = sorted({"lr", "schedule", "log_every"} & set(settings))
    if taken:
        raise ValueError(f"The range test sets {', '.join(taken)} itself; give low, high and steps.")
    config = Config(steps=steps, lr=high, schedule=rising, log_every=1, **settings)
    devices = range(torch.cuda.device_count())
    rates, losses = [], []
    with (
        torch.random.fork_rng(devices=devices),
        tqdm(total=steps, desc="range test", leave=False, delay=1.0, **shown(progress)) as bar,
    ):
        try:
            for event in run(copy.deepcopy(model), train, config, loss=loss):
                rates.append(event.lr)
                losses.append(event.loss)
                bar.update()
                curve = RangeTest(rates, losses).smoothed
                if curve[-1] > 4 * min(curve):
                    break
        except FloatingPointError:
            pass  # the rate at which training breaks down is what was looked for
    if len(losses) < 3:
        raise ValueError(f"Training broke down after {len(losses)} updates, at a rate of {low:g}; give a smaller low.")
    return RangeTest(rates, losses)
