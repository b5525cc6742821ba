"""The training loop.  Read :func:`run` from top to bottom: that is the order of events.

A run is a sequence of *updates* of the weights.  Everything that an update needs (its
examples, its learning rate, its random numbers) is a function of its number and the seed,
so a run can stop after any update and go on later as if nothing had happened.

The parts, each understandable alone: settings (:mod:`lmtune.training.config`), losses as sums and
counts (:mod:`lmtune.training.losses`), rates (:mod:`lmtune.optim.schedules`), the optimizer
(:mod:`lmtune.optim.optimizers`), number formats (:mod:`lmtune.devices.precision`), several processes
(:mod:`lmtune.devices.distributed`), what a checkpoint holds (:mod:`lmtune.training.state`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lmtune.data.batches import collate
from lmtune.data.kinds import Example
from lmtune.devices.distributed import add_up, rank_and_size, refuse_disagreement, same_start
from lmtune.devices.precision import autocast
from lmtune.models.modes import seed_update, training
from lmtune.optim.averaging import Average
from lmtune.optim.optimizers import adamw, made_optimizer, rescale, set_rate, step_scaled, step_unless
from lmtune.optim.schedules import Plateau
from lmtune.training.checkpoint import Checkpoints
from lmtune.training.config import Config
from lmtune.training.early_stopping import EarlyStopping
from lmtune.training.evaluation import measure
from lmtune.training.history import Evaluated, History, Step
from lmtune.training.interrupt import asked_to_stop
from lmtune.training.log_buffer import Made, Readings
from lmtune.training.losses import Loss, sum_and_count, without_additions
from lmtune.training.plan import Plan, planned
from lmtune.training.preflight import refuse_rate
from lmtune.training.progress_bar import Bar
from lmtune.training.state import State, about_run


def fit(
    model: nn.Module,
    train: Sequence[Example],
    config: Config | None = None,
    *,
    validation: Sequence[Example] | None = None,
    loss: Loss | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Any,
) -> History:
    """Train ``model`` in place and return the :class:`~lmtune.training.history.History` of the run.

    ``train`` and ``validation`` are examples made by :func:`lmtune.windows`,
    :func:`lmtune.pairs`, :func:`lmtune.labelled` or :func:`lmtune.pack`.  Settings are the
    fields of :class:`Config`, given as one ``config`` or by name: ``fit(model, train, steps=80)``.

    With a ``folder`` the run writes checkpoints there, and ``resume=True`` goes on from the
    newest: the weights at the end are bit for bit those of a run that never stopped.  The first
    Ctrl-C ends the run after the update at hand and saves; the second raises at once.  Torch's
    random state is afterwards what it was.
    """
    config, history = _as_config(config, settings), History()
    rank, processes = rank_and_size()
    # Of several processes each would stop at another update; torchrun ends them all instead.
    stopping = asked_to_stop() if processes == 1 else nullcontext(lambda: False)
    with stopping as stop, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        plan = planned(model, train, config, validation, loss, folder, resume)
        with Bar(model, plan.total, shown=progress and rank == 0) as bar:
            for event in _made(plan, folder, resume, history, stop):
                bar.show(event)
    return history


def run(
    model: nn.Module,
    train: Sequence[Example],
    config: Config,
    validation: Sequence[Example] | None = None,
    loss: Loss | None = None,
    *,
    folder: str | Path | None = None,
    resume: bool = False,
    history: History | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Step | Evaluated]:
    """Train ``model`` in place and yield an event after each update and evaluation.

    Between two events the caller may do anything: print, plot, sample text.  A caller that breaks
    off gets the weights as they then are; one that wants those of the best evaluation or of the
    average, and a checkpoint, lets ``stop()`` be true.  (Of several processes in each at once.)  On
    a GPU the events of ``log_every`` updates come together, because reading each would wait for it.
    Validation measures the loss without what :mod:`lmtune.training.losses` added for training
    (smoothing, penalties, a teacher), so that runs can be compared.  ``history``, which must be
    empty, gets every event, those before a resume as well.

    Raises ``FloatingPointError`` at the first loss or gradient that is not finite; the weights
    are then those of the last good update.  With ``config.patience`` the weights at the end are
    those of the best evaluation, with ``config.ema`` those of the average.
    """
    plan = planned(model, train, config, validation, loss, folder, resume)
    yield from _made(plan, folder, resume, history, stop)


def _made(
    plan: Plan, folder: str | Path | None, resume: bool, history: History | None, stop: Callable[[], bool]
) -> Iterator[Step | Evaluated]:
    """Make the updates of a plan: the loop."""
    model, config, validation, loss = plan.model, plan.config, plan.validation, plan.loss
    rank, processes, device, precision, total = plan.rank, plan.processes, plan.device, plan.precision, plan.total
    same_start(model)
    state = _state_at_first(model, config, precision, history)
    optimizer = state.optimizer
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    about = about_run(plan) if folder is not None or processes > 1 else {}
    saved = None if folder is None else Checkpoints(folder, about, writes=rank == 0)
    if saved:
        saved.begin(state, resume)
    refuse_disagreement(device, **about, state=state.step)
    clock = time.perf_counter() - (state.history.steps[-1].seconds if state.history.steps else 0.0)
    log_every, exact = plan.log_every, plan.exact
    readings = Readings(late=log_every > 1, exact=exact)

    with training(model, config):
        for step, window in plan.updates(start=state.step):
            if validation and (step == 0 or _due(config.evaluate_every, step)) and not _looked(state):
                yield _look(state, validation, loss, config, precision)
            if state.stopping and state.stopping.enough:
                if saved:
                    saved.save(state)
                break
            if not model.training:  # whatever the caller did between two events
                model.train()
            seed_update(config.seed, step, rank, device)
            lr = refuse_rate(config.rate(state.made, total) * _slowed(config, state.history), step)
            set_rate(optimizer, lr / config.lr)
            for parameter in trained:  # here, so that no gradient from before the run enters it
                parameter.grad = None

            # The labels of the whole update are counted first, and each loss is divided by that
            # number: how the update is cut into micro-batches and processes changes nothing.
            labels = sum(plan.kind.labels(e) for examples in window for e in examples)
            tokens = sum(plan.kind.tokens(e) for examples in window for e in examples)
            summed = counted = 0  # type: Any  # tensors from the first micro-batch on
            for examples in window[rank::processes]:
                batch = collate(examples, device)
                with autocast(precision, device):
                    batch_sum, batch_count = sum_and_count(loss, model, batch)
                state.scaler.scale(batch_sum / max(1, labels)).backward()  # type: ignore[no-untyped-call]
                summed, counted = summed + batch_sum.detach(), counted + batch_count
            summed, counted = add_up(trained, summed, counted)  # over processes; alone it does nothing
            if not exact:  # a loss of one's own may count something else than labels
                rescale(trained, max(1, labels) / counted.to(summed).clamp(min=1e-30))

            state.scaler.unscale_(optimizer)  # before clipping: the limit is meant for the true gradient
            norm = torch.nn.utils.clip_grad_norm_(trained, config.clip or math.inf)
            broken = readings.judge(labels, summed, norm, counted, may_overflow=precision == "fp16")
            skipped = False
            if precision == "fp16":
                broken = bool(broken)  # the scaler has to wait for the GPU anyway
                skipped = broken or not step_scaled(state.scaler, optimizer)
            else:
                step_unless(broken, optimizer)
            if not skipped:  # a skipped update moves neither the schedule nor the average
                state.made += 1
                if state.average:
                    state.average.update()
            state.step = step + 1
            rows, seconds = sum(map(len, window)), time.perf_counter() - clock
            readings.keep(Made(step + 1, labels, tokens, rows, len(window), lr, skipped, seconds))

            ending = stop() or state.step == total
            saving = saved and (ending or _due(config.save_every, state.step))
            looking = validation and _due(config.evaluate_every, state.step)
            if ending or saving or looking or broken is True or len(readings) >= log_every:
                events, fault = readings.drain()
                state.history.steps.extend(events)
                if saving and not fault:
                    saved.save(state)  # type: ignore[union-attr]  # saving implies saved
                yield from events
                if fault:
                    raise fault
            if ending and state.step < total:
                break
        else:  # neither early stopping nor stop() ended the run
            if validation and not _looked(state):
                yield _look(state, validation, loss, config, precision)
    state.history.interrupted = stop()
    if state.stopping:
        state.stopping.restore(model)
    elif state.average:
        state.average.apply()


def _as_config(config: Config | None, settings: dict[str, Any]) -> Config:
    if config is not None and settings:
        raise ValueError(
            f"config was given together with {', '.join(sorted(settings))}; put every setting into one of them."
        )
    if config is not None and not isinstance(config, Config):
        raise TypeError(
            f"config is a {type(config).__name__}; give a lmtune.Config, or settings by "
            "name (validation data are given as validation=...)."
        )
    unknown = sorted(set(settings) - set(Config.__dataclass_fields__))
    if unknown:
        raise ValueError(
            f"fit knows no setting {', '.join(unknown)}; it knows: {', '.join(Config.__dataclass_fields__)}."
        )
    return config if config is not None else Config(**settings)


def _state_at_first(model: nn.Module, config: Config, precision: str, history: History | None) -> State:
    device = next(model.parameters()).device.type
    if history is not None and (history.steps or history.evaluations):
        raise ValueError(f"The history already holds a run of {len(history.steps)} updates; give an empty one.")
    return State(
        model,
        made_optimizer(config.optimizer or adamw, model, config),
        torch.amp.GradScaler(device, config.loss_scale, enabled=precision == "fp16"),
        history if history is not None else History(),
        Average(model, config.ema) if config.ema is not None else None,
        EarlyStopping(config.patience, config.min_delta) if config.patience is not None else None,
    )


def _due(every: int | None, step: int) -> bool:
    return every is not None and step > 0 and step % every == 0


def _slowed(config: Config, history: History) -> float:
    """What a plateau schedule has made of the rate; it changes after an evaluation only."""
    if not isinstance(config.schedule, Plateau):
        return 1.0
    return config.schedule.after([e.result.loss for e in history.evaluations])


def _looked(state: State) -> bool:
    """Whether the weights as they are have been evaluated, as after a resume they may have been."""
    seen = state.history.evaluations
    return bool(seen) and seen[-1].step == state.step


def _look(state: State, validation: Sequence[Example], loss: Loss, config: Config, precision: str) -> Evaluated:
    """Evaluate the weights that the run would give back, and let early stopping take note."""
    with state.average.swapped_in() if state.average else nullcontext():
        result = measure(state.model, validation, config.batch_size, without_additions(loss), precision, progress=False)
        if state.stopping:
            state.stopping.note(state.step, result.loss, state.model)
    state.history.evaluations.append(Evaluated(state.step, result))
    return state.history.evaluations[-1]
