"""The plan of a run: what it will do, decided and refused once, before anything is changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from lmtune.data.batches import fetch, in_batches, permutation
from lmtune.data.kinds import Example, Kind
from lmtune.data.wellformed import Judge, Row, Summary, on_disk
from lmtune.devices.distributed import rank_and_size
from lmtune.devices.precision import resolve
from lmtune.training.config import Config
from lmtune.training.losses import Loss, counts_as_meant, meant_loss
from lmtune.training.preflight import refuse_unusable
from lmtune.training.probes import refuse_model_that_looks_ahead


@dataclass(frozen=True)
class Plan:
    """What a run will do; see :func:`planned`."""

    model: nn.Module
    train: Sequence[Example]
    validation: Sequence[Example] | None
    config: Config
    loss: Loss
    precision: str  #: "fp32", "bf16" or "fp16"
    rank: int
    processes: int
    seen: Summary  #: of the training examples
    held_out: Summary | None  #: of the validation examples
    judge: Judge  #: of training examples that were not read beforehand

    @property
    def kind(self) -> Kind:
        """The kind of the examples."""
        return self.seen.kind

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    @property
    def total(self) -> int:
        """Updates of the whole run."""
        return self.config.total_steps(self.seen.rows, self.processes)

    @property
    def log_every(self) -> int:
        """Updates between two readings from the device."""
        return self.config.log_every or (1 if self.device.type == "cpu" else 10)

    @property
    def exact(self) -> bool:
        """Whether the labels that the loss counts are known before it is computed."""
        return counts_as_meant(self.loss, self.kind)

    def updates(self, start: int = 0) -> Iterator[tuple[int, list[list[Example]]]]:
        """Each update's number, from ``start``, and its micro-batches for all processes."""
        lazy = on_disk(self.train)
        for step, places in windows_of_places(self.seen.rows, self.config, self.processes, start):
            micro_batches = [fetch(self.train, some) for some in places]
            if lazy:
                for example, place in zip((e for some in micro_batches for e in some), sum(places, [])):
                    self._refuse_repeated(place, self.judge.row(place, example))
            yield step, micro_batches

    def _refuse_repeated(self, place: int, row: Row) -> None:
        if self.held_out and any(document in self.held_out.documents for document in row.documents):
            raise ValueError(
                f"Training example number {place} is a validation example too, so the validation loss says nothing "
                "about new text. Split the texts before making examples."
            )


def planned(
    model: nn.Module,
    train: Sequence[Example],
    config: Config,
    validation: Sequence[Example] | None,
    loss: Loss | None,
    folder: str | Path | None,
    resume: bool,
) -> Plan:
    """Refuse data, model and settings that do not go together, and say what the run will do."""
    seen, held_out, judge = refuse_unusable(model, train, config, validation, folder, resume)
    loss = loss or meant_loss(seen.kind)
    refuse_model_that_looks_ahead(model, judge.first, loss)
    rank, processes = rank_and_size()
    precision = resolve(config.precision, next(model.parameters()).device)
    return Plan(model, train, validation, config, loss, precision, rank, processes, seen, held_out, judge)


def windows_of_places(
    rows: int, config: Config, processes: int = 1, start: int = 0
) -> Iterator[tuple[int, list[list[int]]]]:
    """Yield each update's number, from ``start``, and where the examples of its micro-batches stand.

    Each epoch has its own order.  An update never reaches into the next epoch, so
    the last one of an epoch may be smaller; nothing is dropped or carried over.
    """
    per_epoch, total = config.steps_per_epoch(rows, processes), config.total_steps(rows, processes)
    window = config.batch_size * config.accumulate * processes
    for epoch in range(start // per_epoch, math.ceil(total / per_epoch)):
        order = permutation(rows, config.seed, epoch)
        for step in range(max(start, epoch * per_epoch), min(total, (epoch + 1) * per_epoch)):
            at = (step - epoch * per_epoch) * window
            yield step, [list(some) for some in in_batches(order[at : at + window].tolist(), config.batch_size)]
