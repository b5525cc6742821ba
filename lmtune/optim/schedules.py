"""Learning-rate schedules: the rate as a closed-form function of the update.

A schedule is called as ``schedule(step, total)`` with ``step`` from 0 to
``total - 1``, counted in updates of the weights after the warm-up, and returns a
factor of the peak rate.  A function of your own with these arguments serves as
well.  Being closed forms they need no state: resuming a run is a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lmtune.arguments import ABOVE_ZERO_TO_ONE, BETWEEN_ZERO_AND_ONE, NOT_NEGATIVE, finite, one_of, whole

#: Called as ``schedule(step, total)``; returns a factor of the peak rate.
Schedule = Callable[[int, int], float]


@dataclass(frozen=True)
class Constant:
    """The peak rate throughout."""

    def __call__(self, step: int, total: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Linear:
    """A straight line from the peak towards ``floor``, as ``torch.optim.lr_scheduler.LinearLR``."""

    floor: float = 0.0  #: factor at the end

    def __call__(self, step: int, total: int) -> float:
        return 1.0 + (self.floor - 1.0) * step / total


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from the peak towards ``floor`` (Loshchilov and Hutter 2017, SGDR)."""

    floor: float = 0.0  #: factor at the end

    def __call__(self, step: int, total: int) -> float:
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * step / total))


@dataclass(frozen=True)
class StepDecay:
    """Multiplied by ``gamma`` once every ``every`` updates, as ``StepLR`` counted in updates."""

    every: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        whole("every", self.every, unit="updates")

    def __call__(self, step: int, total: int) -> float:
        return self.gamma ** (step // self.every)


@dataclass(frozen=True)
class Exponential:
    """Multiplied by ``gamma`` at each update, as ``ExponentialLR`` counted in updates."""

    gamma: float

    def __post_init__(self) -> None:
        finite("gamma", self.gamma, *ABOVE_ZERO_TO_ONE)

    def __call__(self, step: int, total: int) -> float:
        return self.gamma**step


@dataclass(frozen=True)
class Cyclic:
    """Up and down between ``floor`` and the peak (Smith 2017, arXiv:1506.01186).

    ``half_cycle`` is the number of updates from a trough to the next peak.  ``mode``
    is ``"triangular"``; ``"triangular2"``, where each cycle's height is half of the
    one before; or ``"exp_range"``, where it shrinks by ``gamma`` at each update.
    """

    half_cycle: int
    floor: float = 0.1  #: factor in the troughs
    mode: str = "triangular"
    gamma: float = 0.99994

    def __post_init__(self) -> None:
        whole("half_cycle", self.half_cycle, unit="updates")
        one_of("mode", self.mode, ("triangular", "triangular2", "exp_range"))

    def __call__(self, step: int, total: int) -> float:
        cycle = math.floor(1 + step / (2 * self.half_cycle))
        height = max(0.0, 1 - abs(step / self.half_cycle - 2 * cycle + 1))
        if self.mode == "triangular2":
            height /= 2 ** (cycle - 1)
        elif self.mode == "exp_range":
            height *= self.gamma**step
        return self.floor + (1.0 - self.floor) * height


@dataclass(frozen=True)
class OneCycle:
    """Up to the peak and down to almost nothing (Smith and Topin 2019, arXiv:1708.07120).

    As ``OneCycleLR`` with cosine phases, sized in updates.  It warms up by itself.
    """

    rising: float = 0.3  #: share of the run up to the peak
    start: float = 1 / 25  #: factor at the first update
    end: float = 4e-6  #: factor at the last update

    def __post_init__(self) -> None:
        finite("rising", self.rising, *BETWEEN_ZERO_AND_ONE)

    def __call__(self, step: int, total: int) -> float:
        top = self.rising * total - 1
        if top > 0 and step <= top:
            return _half_cosine(self.start, 1.0, step / top)
        return _half_cosine(1.0, self.end, (step - top) / (total - 1 - top))


@dataclass(frozen=True)
class StableDecay:
    """The peak rate, then a straight line towards ``floor`` over the last part of the run.

    With a warm-up before it: warm-up, stable, decay (Hu et al. 2024, arXiv:2404.06395).
    """

    decay: float = 0.2  #: share of the run that decays
    floor: float = 0.0  #: factor at the end

    def __post_init__(self) -> None:
        finite("decay", self.decay, *ABOVE_ZERO_TO_ONE)

    def __call__(self, step: int, total: int) -> float:
        begins = (1.0 - self.decay) * total
        return 1.0 + (self.floor - 1.0) * max(0.0, step - begins) / (total - begins)


@dataclass(frozen=True)
class Plateau:
    """The peak rate, multiplied by ``factor`` whenever validation stops improving.

    As ``ReduceLROnPlateau``: after more than ``patience`` evaluations without a loss more than
    ``min_delta`` nats below the best.  It depends on the validation losses so far and on nothing
    else, so it too needs no state of its own; :func:`lmtune.run` asks after each evaluation.
    """

    factor: float = 0.5
    patience: int = 2
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        finite("factor", self.factor, *BETWEEN_ZERO_AND_ONE)
        whole("patience", self.patience, 0, unit="evaluations")
        finite("min_delta", self.min_delta, *NOT_NEGATIVE)

    def __call__(self, step: int, total: int) -> float:
        return 1.0

    def after(self, losses: Sequence[float]) -> float:
        """The factor once these validation losses have been seen, oldest first."""
        best, waited, reductions = math.inf, 0, 0
        for loss in losses:
            if loss < best - self.min_delta:
                best, waited = loss, 0
            else:
                waited += 1
            if waited > self.patience:
                waited, reductions = 0, reductions + 1
        return self.factor**reductions


def _half_cosine(a: float, b: float, share: float) -> float:
    return b + (a - b) * 0.5 * (1.0 + math.cos(math.pi * share))


#: Schedules that can be given by name.
SCHEDULES: dict[str, Schedule] = {
    "constant": Constant(),
    "linear": Linear(),
    "cosine": Cosine(),
    "one-cycle": OneCycle(),
    "stable-decay": StableDecay(),
}
