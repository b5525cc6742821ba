"""The settings of a training run."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from lmtune.arguments import (
    BELOW_ONE,
    NOT_NEGATIVE,
    POSITIVE,
    Range,
    finite,
    is_finite,
    is_whole,
    one_of,
    refuse,
    whole,
)
from lmtune.devices.precision import PRECISIONS
from lmtune.optim.schedules import SCHEDULES, Plateau, Schedule

_RANGES: dict[str, Range] = {
    "lr": (POSITIVE[0], "a finite number above 0; 1e-3 is a usual start for small models"),
    "weight_decay": NOT_NEGATIVE,
    "min_delta": NOT_NEGATIVE,
    "loss_scale": POSITIVE,
}
_RANGES_OR_NONE: dict[str, Range] = {
    "clip": (POSITIVE[0], "a finite number above 0, or None for no clipping"),
    "ema": (BELOW_ONE[0], "from 0 up to but not including 1, or None for no average"),
}


@dataclass(frozen=True)
class Config:
    """What a training run needs to know.  A wrong value is refused on construction."""

    steps: int | None = None
    """Updates of the weights, those that fp16 skips included.  Give this or ``epochs``; with neither, one epoch."""
    epochs: int | None = None
    """Passes over the training examples."""
    batch_size: int = 8
    """Examples in one micro-batch: what must fit into memory at once, on each device."""
    accumulate: int = 1
    """Micro-batches in one update, on each device."""
    lr: float = 1e-3
    """Peak learning rate."""
    optimizer: Callable[[nn.Module, Config], torch.optim.Optimizer] | None = None
    """Makes the optimizer from model and config; by default :func:`lmtune.optim.optimizers.adamw`.  The
    rates that it sets are the peak rates; the schedule multiplies them by ``rate / lr``."""
    schedule: str | Schedule = "linear"
    """The rate after the warm-up: a name or an object of :mod:`lmtune.optim.schedules`, or a function
    ``(step, total) -> factor`` of your own."""
    warmup: int = 0
    """Updates over which the rate rises; the first update has ``lr / warmup``, not zero."""
    weight_decay: float = 0.0
    """Decoupled weight decay of matrices and embeddings; vectors (biases, norms) have none."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay rates of the first and second moment."""
    clip: float | None = 1.0
    """Largest norm of the whole gradient; ``None`` for no clipping."""
    ema: float | None = None
    """Decay of an exponential moving average of the weights, such as 0.99.  Evaluations and the
    weights at the end are then the average's; ``None`` for no average."""
    precision: str = "auto"
    """``"fp32"``, ``"bf16"``, ``"fp16"``, or ``"auto"``: see :mod:`lmtune.devices.precision`."""
    loss_scale: float = 2.0**16
    """fp16 only: what the loss is multiplied by at first; it is halved after an overflow."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    compile: bool = False
    """Compile the model in place; the first updates then take long."""
    deterministic: bool = False
    """Only algorithms that give the same bits each time; an operation without one raises."""
    evaluate_every: int | None = None
    """Updates between evaluations; by default only before the first and after the last."""
    patience: int | None = None
    """Stop after so many evaluations without improvement, and restore the best weights; ``None``
    for no early stopping.  Needs validation data and ``evaluate_every``."""
    min_delta: float = 0.0
    """What counts as an improvement for ``patience``, in nats per label."""
    save_every: int | None = None
    """Updates between checkpoints, for a run that has a folder; by default only the last."""
    log_every: int | None = None
    """Updates between two readings of losses and norms from the device, each of which waits for
    it; by default 1 on the CPU and 10 on a GPU."""
    seed: int = 0
    """Decides the order of the examples and, through torch's generator, dropout."""

    def __post_init__(self) -> None:
        refuse(
            self.steps is not None and self.epochs is not None,
            "steps and epochs",
            (self.steps, self.epochs),
            "only one of them",
        )
        for name in ("steps", "epochs", "evaluate_every", "patience", "save_every", "log_every"):
            value = getattr(self, name)
            refuse(
                value is not None and not (is_whole(value) and value >= 1),
                name,
                value,
                "a whole number of at least 1, or None",
            )
            self._set(name, value if value is None else int(value))
        for name, least, most in (
            ("batch_size", 1, None),
            ("accumulate", 1, None),
            ("warmup", 0, None),
            ("seed", 0, 2**32 - 1),
        ):
            self._set(name, whole(name, getattr(self, name), least, most))
        for name, (within, allowed) in _RANGES.items():
            self._set(name, finite(name, getattr(self, name), within, allowed))
        for name, (within, allowed) in _RANGES_OR_NONE.items():
            if getattr(self, name) is not None:
                self._set(name, finite(name, getattr(self, name), within, allowed))
        for name in ("gradient_checkpointing", "compile", "deterministic"):
            refuse(not isinstance(getattr(self, name), bool), name, getattr(self, name), "True or False")
        two = isinstance(self.betas, (tuple, list)) and len(self.betas) == 2
        refuse(
            not (two and all(is_finite(b) and 0 <= b < 1 for b in self.betas)),
            "betas",
            self.betas,
            "two numbers from 0 up to but not including 1",
        )
        self._set("betas", tuple(float(b) for b in self.betas))
        self._refuse_choices()

    def _set(self, name: str, value: object) -> None:
        """NumPy's numbers become Python's, which can be saved."""
        object.__setattr__(self, name, value)

    def _refuse_choices(self) -> None:
        one_of("precision", self.precision, PRECISIONS)
        schedule, optimizer = self.schedule, self.optimizer
        made = callable(schedule) and not isinstance(schedule, type)
        refuse(
            not (made or isinstance(schedule, str) and schedule in SCHEDULES),
            "schedule",
            schedule,
            f"one of {', '.join(map(repr, SCHEDULES))}, or a schedule of lmtune.optim.schedules such as "
            "Cyclic(half_cycle=20)",
        )
        refuse(
            optimizer is not None and (isinstance(optimizer, type) or not callable(optimizer)),
            "optimizer",
            optimizer,
            "None for AdamW, or a function (model, config) -> optimizer such as lmtune.optim.optimizers.adamw",
        )
        for waits, what in (
            (self.patience is not None, "patience"),
            (isinstance(schedule, Plateau), "a Plateau schedule"),
        ):
            refuse(
                waits and self.evaluate_every is None,
                "evaluate_every",
                None,
                f"with {what}, a whole number of updates between evaluations",
            )

    def steps_per_epoch(self, examples: int, processes: int = 1) -> int:
        """ceil(micro-batches / those of one update): the last update of an epoch may be smaller."""
        return math.ceil(math.ceil(examples / self.batch_size) / (self.accumulate * processes))

    def total_steps(self, examples: int, processes: int = 1) -> int:
        """Updates of a whole run."""
        if self.steps is not None:
            return self.steps
        return (self.epochs or 1) * self.steps_per_epoch(examples, processes)

    def rate(self, step: int, total: int) -> float:
        """The learning rate of update ``step`` (from 0) in a run of ``total`` updates."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        factor = SCHEDULES[self.schedule] if isinstance(self.schedule, str) else self.schedule
        return self.lr * factor(step - self.warmup, max(1, total - self.warmup))

    def described(self) -> dict[str, Any]:
        """The settings that decide the result, as plain data: what a resumed run must agree with."""
        plain: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("log_every", "save_every"):
                continue
            plain[field.name] = name_of(value) if callable(value) else value
        return plain


def name_of(function: Any) -> str:
    """What a callable is called in a checkpoint, the same in another process.

    A schedule of lmtune shows its fields, a partial its arguments, any other object its class.
    """
    if isinstance(function, functools.partial):
        return f"{name_of(function.func)} with {function.args} {function.keywords}"
    name = getattr(function, "__qualname__", None)
    if name is None:
        name = type(function).__qualname__ if " at 0x" in repr(function) else repr(function)
    return name
