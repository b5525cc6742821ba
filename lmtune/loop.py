"""The training loop.  Read :func:`run` from top to bottom: that is the order of events."""
from __future__ import annotations

import math
import numbers
import time
from dataclasses import dataclass
from functools import partial
from typing import Iterator, NamedTuple, Sequence

import torch
from torch import nn
from tqdm.auto import tqdm

from lmtune.data import Example, collate, in_batches, order, refuse_unreadable
from lmtune.evaluation import Evaluation, evaluate
from lmtune.history import History
from lmtune.losses import Loss, count_targets, next_token_loss, sum_and_count, without_additions
from lmtune.schedules import SCHEDULES, Schedule
from lmtune.settings import refuse
from lmtune.stopping import EarlyStopping


@dataclass(frozen=True)
class Config:
    """What a training run needs to know.  A wrong value is refused on construction."""

    steps: int | None = None
    """Updates of the weights.  Give this or ``epochs``; with neither, one epoch."""
    epochs: int | None = None
    """Passes over the training examples."""
    batch_size: int = 8
    """Examples in one micro-batch: what must fit into memory at once."""
    accumulate: int = 1
    """Micro-batches in one update."""
    lr: float = 1e-3
    """Peak learning rate of AdamW (Loshchilov and Hutter 2019)."""
    schedule: str | Schedule = "linear"
    """The rate after the warm-up: a name or an object of :mod:`lmtune.schedules`, or a function
    ``(step, total) -> factor`` of your own."""
    warmup: int = 0
    """Updates over which the rate rises; the first update has ``lr / warmup``, not zero."""
    weight_decay: float = 0.0
    """Decoupled weight decay of matrices and embeddings; vectors (biases, norms) have none."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay rates of the first and second moment."""
    clip: float | None = 1.0
    """Largest norm of the whole gradient; ``None`` for no clipping."""
    evaluate_every: int | None = None
    """Updates between evaluations; by default only before the first and after the last."""
    patience: int | None = None
    """Stop after so many evaluations without improvement, and restore the best weights; ``None``
    for no early stopping.  Needs validation data and ``evaluate_every``."""
    min_delta: float = 0.0
    """What counts as an improvement for ``patience``, in nats per label."""
    seed: int = 0
    """Decides the order of the examples and, through torch's generator, dropout."""

    def __post_init__(self):
        refuse(self.steps is not None and self.epochs is not None, "steps and epochs",
               (self.steps, self.epochs), "only one of them")
        for name in ("steps", "epochs", "evaluate_every", "patience"):
            value = getattr(self, name)
            refuse(value is not None and not _whole(value, 1), name, value,
                   "a whole number of at least 1, or None")
        for name, least in (("batch_size", 1), ("accumulate", 1), ("warmup", 0), ("seed", 0)):
            value = getattr(self, name)
            refuse(not _whole(value, least), name, value, f"a whole number of at least {least}")
        refuse(not (_finite(self.lr) and self.lr > 0), "lr", self.lr,
               "a finite number above 0; 1e-3 is a usual start for small models")
        refuse(not (_finite(self.weight_decay) and self.weight_decay >= 0), "weight_decay",
               self.weight_decay, "a finite number of at least 0")
        refuse(not (_finite(self.min_delta) and self.min_delta >= 0), "min_delta", self.min_delta,
               "a finite number of at least 0")
        refuse(self.patience is not None and self.evaluate_every is None, "evaluate_every", None,
               "with patience, a whole number of updates between evaluations")
        refuse(self.clip is not None and not (_finite(self.clip) and self.clip > 0), "clip",
               self.clip, "a finite number above 0, or None for no clipping")
        refuse(self.schedule not in tuple(SCHEDULES) and not callable(self.schedule),
               "schedule", self.schedule, f"one of {', '.join(map(repr, SCHEDULES))}, or a "
               "schedule of lmtune.schedules such as Cyclic(half_cycle=20)")
        two = isinstance(self.betas, (tuple, list)) and len(self.betas) == 2
        refuse(not (two and all(_finite(b) and 0 <= b < 1 for b in self.betas)),
               "betas", self.betas, "two numbers from 0 up to but not including 1")

    def total_steps(self, examples: int) -> int:
        """Updates of a whole run: per epoch, ceil(micro-batches / accumulate)."""
        per_epoch = math.ceil(math.ceil(examples / self.batch_size) / self.accumulate)
        return self.steps if self.steps is not None else (self.epochs or 1) * per_epoch

    def rate(self, step: int, total: int) -> float:
        """The learning rate of update ``step`` (from 0) in a run of ``total`` updates."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        factor = SCHEDULES[self.schedule] if isinstance(self.schedule, str) else self.schedule
        return self.lr * factor(step - self.warmup, max(1, total - self.warmup))


class Step(NamedTuple):
    """One update of the weights."""

    step: int  #: how many updates have been made, this one included
    loss: float  #: mean loss in nats over all labels of the update
    labels: int  #: how many labels that were
    lr: float  #: the rate that this update used
    norm: float  #: norm of the gradient before clipping
    seconds: float  #: since the run began


class Evaluated(NamedTuple):
    """One look at the validation data."""

    step: int  #: how many updates had been made
    result: Evaluation


def run(
    model: nn.Module, train: Sequence[Example], config: Config,
    validation: Sequence[Example] | None = None, loss: Loss = next_token_loss,
) -> Iterator[Step | Evaluated]:
    """Train ``model`` in place and yield an event after each update and evaluation.

    Between two events the caller may do anything: print, plot, generate text, stop.
    Validation measures the loss without what :mod:`lmtune.losses` added for training
    (smoothing, penalties, a teacher), so that runs can be compared.

    Raises ``FloatingPointError`` at the first loss or gradient that is not finite;
    the weights are then those of the last good update.  With ``config.patience`` the
    weights at the end are those of the best evaluation.
    """
    _refuse_unusable(model, train, config, validation)
    torch.manual_seed(config.seed)
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(parameter_groups(model, config.weight_decay),
                                  lr=config.lr, betas=config.betas)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    total = config.total_steps(len(train))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: config.rate(step, total) / config.lr)
    look = partial(evaluate, model, validation, batch_size=config.batch_size,
                   loss=without_additions(loss), progress=False)
    stopping = EarlyStopping(config.patience, config.min_delta) if config.patience else None
    flags = {module: module.training for module in model.modules()}
    began = time.perf_counter()
    try:
        for step, window in enumerate(updates(train, config)):
            if validation and _evaluation_due(step, config):
                yield (seen := Evaluated(step, look()))
                if stopping and stopping.stops(step, seen.result.loss, model):
                    break
            model.train()
            optimizer.zero_grad()  # here, so that no gradient from before the run enters it

            # All micro-batches of the update first: the loss of each is divided by the
            # labels of all, so how they are cut changes nothing.
            batches = [collate(examples, device) for examples in window]
            labels = sum(count_targets(batch) for batch in batches)
            summed = counted = 0
            for batch in batches:
                batch_sum, batch_count = sum_and_count(loss, model, batch)
                (batch_sum / max(1, labels)).backward()
                summed, counted = summed + batch_sum.detach(), counted + batch_count
            _refuse_other_count(counted, labels)

            norm = torch.nn.utils.clip_grad_norm_(parameters, config.clip or math.inf)
            _refuse_not_finite(step, summed, norm)
            lr = schedule.get_last_lr()[0]
            optimizer.step()
            schedule.step()
            yield Step(step + 1, summed.item() / max(1, labels), labels, lr, norm.item(),
                       time.perf_counter() - began)
        else:  # the run was not stopped early
            if validation:
                yield (seen := Evaluated(total, look()))
                if stopping:
                    stopping.stops(total, seen.result.loss, model)
        if stopping:
            stopping.restore(model)
    finally:
        for module, flag in flags.items():
            module.training = flag


def fit(
    model: nn.Module, train: Sequence[Example], config: Config | None = None, *,
    validation: Sequence[Example] | None = None, loss: Loss = next_token_loss,
    progress: bool = True, **settings,
) -> History:
    """Train ``model`` in place and return the :class:`~lmtune.history.History` of the run.

    ``train`` and ``validation`` are examples made by :func:`lmtune.windows`,
    :func:`lmtune.pairs` or :func:`lmtune.labelled`.  Settings are the fields of
    :class:`Config`, given as one ``config`` or by name: ``fit(model, train, steps=80)``.
    """
    if config is not None and settings:
        raise ValueError(f"config was given together with {', '.join(sorted(settings))}; "
                         "put every setting into one of them.")
    if config is not None and not isinstance(config, Config):
        raise TypeError(f"config is a {type(config).__name__}; give a lmtune.Config, or settings by "
                        "name (validation data are given as validation=...).")
    if config is None:
        unknown = sorted(set(settings) - set(Config.__dataclass_fields__))
        if unknown:
            raise ValueError(f"fit knows no setting {', '.join(unknown)}; it knows: "
                             f"{', '.join(Config.__dataclass_fields__)}.")
        config = Config(**settings)
    history = History()
    with tqdm(total=config.total_steps(len(train)), desc="fit", unit="step", leave=False,
              disable=not progress) as bar:
        for event in run(model, train, config, validation, loss):
            history.add(event)
            if isinstance(event, Step):
                bar.update()
                bar.set_postfix(loss=f"{event.loss:.3f}", refresh=False)
    return history


def updates(train: Sequence[Example], config: Config) -> Iterator[list[Sequence[Example]]]:
    """Yield, for each update of the run, its micro-batches.

    Each epoch has its own order.  An update never reaches into the next epoch, so
    the last one of an epoch may be smaller; nothing is dropped or carried over.
    """
    left = config.total_steps(len(train))
    epoch = 0
    while left > 0:
        shuffled = [train[i] for i in order(len(train), config.seed, epoch)]
        micro_batches = list(in_batches(shuffled, config.batch_size))
        for window in in_batches(micro_batches, config.accumulate):
            if left == 0:
                return
            yield window
            left -= 1
        epoch += 1


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Trainable parameters, each once: matrices with weight decay, vectors without."""
    trainable = [p for p in model.parameters() if p.requires_grad]  # tied weights come once
    return [
        {"params": [p for p in trainable if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.dim() < 2], "weight_decay": 0.0},
    ]


def _evaluation_due(step: int, config: Config) -> bool:
    return step == 0 or (config.evaluate_every is not None and step % config.evaluate_every == 0)


def _refuse_unusable(
    model: nn.Module, train: Sequence[Example], config: Config, validation: Sequence[Example] | None,
) -> None:
    if len(train) == 0:
        raise ValueError("There are no training examples; were the texts empty?")
    refuse_unreadable(model, train)
    refuse_unreadable(model, validation or [])
    if not any(count_targets(collate([e])) for e in train):
        raise ValueError("Every label of the training examples is ignored, so there is nothing to "
                         "learn; check the mask, and that texts have at least one token.")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("Every parameter of the model is frozen; set requires_grad on some.")
    total = config.total_steps(len(train))
    if config.patience is not None and not validation:
        raise ValueError(f"patience is {config.patience} and there are no validation data to wait for; "
                         "give validation=..., or patience=None.")
    if config.warmup > total:
        raise ValueError(f"warmup is {config.warmup} updates and the whole run has {total}; "
                         f"allowed: at most {total}.")


def _refuse_other_count(counted: torch.Tensor | int, labels: int) -> None:
    if int(counted) != labels:
        raise ValueError(
            f"The loss counted {int(counted)} labels where the batches have {labels}. A loss returns "
            "(sum, count) with the number of labels that are not ignored as count; scale the sum instead.")


def _refuse_not_finite(step: int, summed: torch.Tensor, norm: torch.Tensor) -> None:
    """Checked before the optimizer steps, so that the weights stay as they were."""
    if not (math.isfinite(summed.item()) and math.isfinite(norm.item())):
        raise FloatingPointError(
            f"The update number {step + 1} has loss {summed.item()} (sum) and gradient norm "
            f"{norm.item()}; the weights are those before it. Usual causes: a learning rate that is "
            "too high, no warm-up, or a loss of your own that divides by zero.")


def _whole(value, least: int) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least


def _finite(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
