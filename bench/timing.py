"""Whether the contestants do the same work, and how long a step takes each of them."""

from __future__ import annotations

import contextlib
import copy
import gc
import os
import sys
import time
import warnings
from dataclasses import dataclass

import torch
import transformers
from contestants import CONTESTANTS, SEED, Work, train_lmtune
from torch.optim.optimizer import register_optimizer_step_pre_hook

from lmtune.data.batches import order

#: After so many steps no loss and no weight may be further than this from ``bare``.
CHECKED_STEPS, TOLERANCE = 5, 1e-4


@dataclass(frozen=True)
class Shape:
    """A GPT-2 and its micro-batch: ``batch`` rows of ``context`` tokens."""

    layers: int
    width: int
    heads: int
    context: int
    batch: int
    vocabulary: int = 4096


SHAPES = {
    "small": Shape(layers=2, width=32, heads=2, context=16, batch=2),
    "medium": Shape(layers=4, width=256, heads=4, context=128, batch=8),
}


def prepare(shape: Shape, steps: int, adamw: dict) -> tuple[torch.nn.Module, Work]:
    """A model with random weights, and random rows for ``steps`` updates."""
    torch.manual_seed(0)
    # Dropout would tie the losses to how often each library draws random numbers; a cache
    # would be filled under every library but the Trainer, which turns it off.
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=shape.vocabulary,
            n_positions=shape.context,
            n_embd=shape.width,
            n_layer=shape.layers,
            n_head=shape.heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=0,
            use_cache=False,
        )
    )
    ids = torch.randint(2, shape.vocabulary, (steps * shape.batch, shape.context)).tolist()
    examples = [{"input_ids": row, "labels": list(row), "characters": len(row)} for row in ids]
    rows = [examples[i] for i in order(len(examples), SEED, epoch=0)]
    return model.train(), Work(steps, shape.batch, rows, examples, adamw)


def lmtunes_adamw() -> dict:
    """How lmtune sets its AdamW, seen at its first step: the others must do the same."""
    seen = []
    hook = register_optimizer_step_pre_hook(lambda optimizer, *_: seen.append(optimizer))
    with quiet():
        train_lmtune(*prepare(SHAPES["small"], 3, {}))
    hook.remove()
    if type(seen[0]) is not torch.optim.AdamW:
        sys.exit(
            f"lmtune uses {type(seen[0]).__name__} where the others use AdamW; write its "
            "optimizer into optimizer_and_schedule of bench/contestants.py."
        )
    return {name: seen[0].param_groups[0][name] for name in ("fused", "foreach", "betas", "eps")}


def refuse_other_work(name: str, contestants: list[str], adamw: dict) -> None:
    """Exit unless all contestants reach the losses and weights of ``bare`` from the same start."""
    start, work = prepare(SHAPES[name], CHECKED_STEPS, adamw)
    reached = {}
    for contestant in contestants:
        model = copy.deepcopy(start)
        with quiet():
            losses = CONTESTANTS[contestant](model, work)
        reached[contestant] = (torch.tensor(losses), torch.cat([p.detach().flatten() for p in model.parameters()]))
    for contestant, pair in reached.items():
        of_losses, of_weights = (_distance(a, b) for a, b in zip(pair, reached["bare"]))
        if not max(of_losses, of_weights) <= TOLERANCE:
            sys.exit(
                f"On the {name} model {contestant} does other work than bare: within {CHECKED_STEPS} "
                f"steps losses differ by {of_losses:.1e} and weights by {of_weights:.1e} (allowed: "
                f"{TOLERANCE:.0e}). Make order, schedule, decay and clipping equal in "
                "bench/contestants.py, or leave it out with --without."
            )


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max()) if a.shape == b.shape else float("inf")


def seconds_per_step(contestant: str, start: torch.nn.Module, work: Work) -> float:
    """Seconds from one call of the model to its last call, per step; the first few are left out.

    The model itself looks at the clock, so every library is timed alike, set-up does not
    count, and nothing that a library does between two steps is missed.
    """
    model, clock = copy.deepcopy(start), []
    # A look at the model before training, in evaluation mode, is no step.
    model.register_forward_pre_hook(lambda module, _: clock.append(time.perf_counter()) if module.training else None)
    gc.collect()
    with quiet():
        CONTESTANTS[contestant](model, work)
    if len(clock) != work.steps or torch.get_num_threads() != 1:
        sys.exit(
            f"{contestant} called the model {len(clock)} times in {work.steps} steps, on "
            f"{torch.get_num_threads()} thread(s); only one call a step on one thread can be compared."
        )
    first = min(10, work.steps // 3)
    return (clock[-1] - clock[first]) / (work.steps - 1 - first)


def measure(steps: dict[str, int], contestants: list[str], rounds: int, adamw: dict) -> dict:
    """Seconds per step in each round: ``{contestant: {model: [...]}}``.

    Each round has each contestant once, and begins one contestant later than the round before.
    """
    seconds = {contestant: {name: [] for name in steps} for contestant in contestants}
    gc.collect()
    gc.freeze()  # what all libraries together have imported is not walked in anybody's steps
    for name in steps:
        start, work = prepare(SHAPES[name], steps[name], adamw)
        for done in range(rounds):
            turn = done % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                seconds[contestant][name].append(seconds_per_step(contestant, start, work))
            print(f"{name}: round {done + 1} of {rounds}", file=sys.stderr, flush=True)
    gc.unfreeze()
    return seconds


@contextlib.contextmanager
def quiet():
    """Progress bars and messages are written, but nobody sees them."""
    with (
        open(os.devnull, "w") as null,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(null),
        contextlib.redirect_stderr(null),
    ):
        warnings.simplefilter("ignore")
        yield
