"""The settings of a training run."""
from __future__ import annotations

import functools
import math
import numbers
from dataclasses import dataclass, fields
from typing import Callable

import torch
from torch import nn

from lmtune.arguments import refuse
from lmtune.devices.precision import PRECISIONS
from lmtune.optim.schedules import SCHEDULES, Plateau, Schedule


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

    def __post_init__(self):
        refuse(self.steps is not None and self.epochs is not None, "steps and epochs",
               (self.steps, self.epochs), "only one of them")
        for name in ("steps", "epochs", "evaluate_every", "patience", "save_every", "log_every"):
            value = getattr(self, name)
            refuse(value is not None and not _whole(value, 1), name, value,
                   "a whole number of at least 1, or None")
        for name, least in (("batch_size", 1), ("accumulate", 1), ("warmup", 0), ("seed", 0)):
            value = getattr(self, name)
            refuse(not _whole(value, least), name, value, f"a whole number of at least {least}")
        for name in ("gradient_checkpointing", "compile", "deterministic"):
            value = getattr(self, name)
            refuse(not isinstance(value, bool), name, value, "True or False")
        refuse(self.seed >= 2**32, "seed", self.seed, "below 2**32")
        refuse(self.patience is not None and self.evaluate_every is None, "evaluate_every", None,
               "with patience, a whole number of updates between evaluations")
        self._refuse_numbers()
        self._refuse_choices()
        for field in fields(self):  # numpy's numbers as Python's, which can be saved
            value = getattr(self, field.name)
            if isinstance(value, numbers.Real) and not isinstance(value, bool):
                object.__setattr__(self, field.name, int(value) if _whole(value, 0) else float(value))
        object.__setattr__(self, "betas", tuple(float(b) for b in self.betas))

    def _refuse_numbers(self) -> None:
        refuse(not (_finite(self.lr) and self.lr > 0), "lr", self.lr,
               "a finite number above 0; 1e-3 is a usual start for small models")
        for name in ("weight_decay", "min_delta"):
            value = getattr(self, name)
            refuse(not (_finite(value) and value >= 0), name, value, "a finite number of at least 0")
        refuse(self.clip is not None and not (_finite(self.clip) and self.clip > 0), "clip",
               self.clip, "a finite number above 0, or None for no clipping")
        refuse(self.ema is not None and not (_finite(self.ema) and 0 <= self.ema < 1), "ema",
               self.ema, "from 0 up to but not including 1, or None for no average")
        refuse(not (_finite(self.loss_scale) and self.loss_scale > 0), "loss_scale", self.loss_scale,
               "a finite number above 0")
        two = isinstance(self.betas, (tuple, list)) and len(self.betas) == 2
        refuse(not (two and all(_finite(b) and 0 <= b < 1 for b in self.betas)),
               "betas", self.betas, "two numbers from 0 up to but not including 1")

    def _refuse_choices(self) -> None:
        given = self.schedule if isinstance(self.schedule, str) else ""
        refuse(given not in SCHEDULES and (isinstance(self.schedule, type) or not callable(self.schedule)),
               "schedule", self.schedule, f"one of {', '.join(map(repr, SCHEDULES))}, or a "
               "schedule of lmtune.optim.schedules such as Cyclic(half_cycle=20)")
        refuse(isinstance(self.schedule, Plateau) and self.evaluate_every is None, "evaluate_every", None,
               "with a Plateau schedule, a whole number of updates between evaluations")
        refuse(self.precision not in PRECISIONS, "precision", self.precision,
               f"one of {', '.join(map(repr, PRECISIONS))}")
        refuse(self.optimizer is not None and (isinstance(self.optimizer, type) or not callable(self.optimizer)),
               "optimizer", self.optimizer,
               "None for AdamW, or a function (model, config) -> optimizer such as lmtune.optim.optimizers.adamw")

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

    def described(self) -> dict:
        """The settings that decide the result, as plain data: what a resumed run must agree with."""
        plain = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("log_every", "save_every"):
                continue
            plain[field.name] = name_of(value) if callable(value) else value
        return plain


def name_of(function) -> str:
    """What a callable is called in a checkpoint, the same in another process.

    A schedule of lmtune shows its fields, a partial its arguments, any other object its class.
    """
    if isinstance(function, functools.partial):
        return f"{name_of(function.func)} with {function.args} {function.keywords}"
    name = getattr(function, "__qualname__", None)
    if name is None:
        name = type(function).__qualname__ if " at 0x" in repr(function) else repr(function)
    return name


def _whole(value, least: int) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least


def _finite(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
