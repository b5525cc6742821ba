"""What a run refuses before it begins, and what stops it: one sentence each, with the remedy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from lmtune.data.kinds import Example
from lmtune.data.reach import reach_of
from lmtune.data.wellformed import Judge, Summary, disjoint, examine, on_disk
from lmtune.devices.distributed import rank_and_size
from lmtune.devices.precision import refuse_half_weights
from lmtune.models.modes import refuse_no_checkpointing
from lmtune.optim.schedules import Plateau
from lmtune.training.config import Config
from lmtune.training.probes import refuse_model_that_mixes


def refuse_no_list(examples: object, what: str = "training") -> None:
    """Refuse what has no length and no order."""
    lists = isinstance(examples, Sequence) and not isinstance(examples, (str, bytes))
    if not lists and not on_disk(examples):
        raise TypeError(
            f"The {what} examples are a {type(examples).__name__}; give a list of examples, made "
            "from texts by lmtune.windows, lmtune.pairs or lmtune.labelled, or a Dataset of the datasets library "
            "with such rows."
        )


def refuse_unusable(
    model: nn.Module,
    train: Sequence[Example],
    config: Config,
    validation: Sequence[Example] | None,
    folder: str | Path | None,
    resume: bool,
) -> tuple[Summary, Summary | None, Judge]:
    """Refuse data, model and settings that do not go together, before anything is changed.

    Returns what was seen of both parts, each example of which is read once, and the judge of rows that
    lie on disk and are read later.
    """
    _refuse_model(model)
    refuse_no_list(train)
    if validation is not None:
        refuse_no_list(validation, "validation")
    if len(train) == 0:
        raise ValueError("There are no training examples; were the texts empty?")
    reach = reach_of(model)
    held_out = examine(validation, reach) if validation else None
    seen = examine(train, reach, held_out.documents if held_out else ())
    _refuse_nothing_to_learn(seen)
    if seen.repeated:
        _refuse_overlap(train, validation or [])
    for part in (seen, held_out):
        if part:
            refuse_model_that_mixes(model, part.packed)
    _refuse_lengths(seen.rows, config)
    refuse_no_checkpointing(model, config.gradient_checkpointing)
    _refuse_settings(config, bool(validation), folder, resume)
    return seen, held_out, Judge(train[0], reach)


def _refuse_model(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"The model is a {type(model).__name__}; load one with lmtune.load.")
    if hasattr(model, "_orig_mod"):
        raise TypeError(
            "The model is what torch.compile(model) returned, whose weights have other names; give "
            "the model itself, with compile=True or after model.compile()."
        )
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("Every parameter of the model is frozen; set requires_grad on some.")
    refuse_half_weights(model)


def _refuse_nothing_to_learn(seen: Summary) -> None:
    if seen.labels == 0:
        raise ValueError(
            "Every label of the training examples is ignored, so there is nothing to "
            "learn; check the mask, and that texts have at least one token."
        )
    if seen.characters == 0:
        raise ValueError(
            "The labels of the training examples spell not one character, so every text is empty; check what was read."
        )


def _refuse_settings(config: Config, validates: bool, folder: str | Path | None, resume: bool) -> None:
    if isinstance(config.schedule, Plateau) and not validates:
        raise ValueError(
            "The schedule waits for a plateau of the validation loss and there are no validation data; "
            "give validation=..., or another schedule."
        )
    if config.patience is not None and not validates:
        raise ValueError(
            f"patience is {config.patience} and there are no validation data to wait for; "
            "give validation=..., or patience=None."
        )
    if folder is not None and not isinstance(folder, (str, Path)):
        raise TypeError(f"folder is {folder!r}; give the path of a folder, such as 'run-1'.")
    if resume and folder is None:
        raise ValueError("resume is True and no folder is given; give the folder=... of the run to go on with.")


def refuse_rate(rate: float, step: int) -> float:
    """The rate of an update, which a schedule of one's own may have got wrong."""
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(
            f"The schedule gives update number {step + 1} the rate {rate}; allowed: a finite number of at "
            "least 0. The weights are those before it."
        )
    return rate


def _refuse_lengths(examples: int, config: Config) -> None:
    _, processes = rank_and_size()
    micro_batches = math.ceil(examples / config.batch_size)
    if config.accumulate > 1 and config.accumulate * processes > micro_batches:
        raise ValueError(
            f"accumulate is {config.accumulate} and an epoch of {examples} examples in batches of "
            f"{config.batch_size} has {micro_batches} micro-batches for {processes} process(es). An "
            "update never reaches into the next epoch; give a smaller accumulate or batch_size."
        )
    total = config.total_steps(examples, processes)
    if config.warmup > total:
        raise ValueError(f"warmup is {config.warmup} updates and the whole run has {total}; allowed: at most {total}.")


def _refuse_overlap(train: Sequence[Example], validation: Sequence[Example]) -> None:
    """A validation example that was trained on says nothing about new text."""
    both = len(validation) - len(disjoint(validation, train))
    if both:
        raise ValueError(
            f"{both} of the {len(validation)} validation examples are training examples too, so their "
            "loss would say nothing about new text. Split the texts before making examples; repeats "
            "are taken out by train = lmtune.disjoint(train, validation). (To watch the training "
            "loss without dropout, call lmtune.evaluate.)"
        )
