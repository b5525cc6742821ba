"""Schedules are closed forms; torch's own schedulers are their oracles."""

import pytest
import torch
from torch.optim import lr_scheduler as oracle

from lmtune.optim import schedules as s
from lmtune.training.loop import Config

TOTAL = 50
PAIRS = {
    "constant": (s.Constant(), lambda o: oracle.ConstantLR(o, factor=1.0)),
    "linear": (s.Linear(floor=0.2), lambda o: oracle.LinearLR(o, 1.0, 0.2, total_iters=TOTAL)),
    "cosine": (s.Cosine(floor=0.1), lambda o: oracle.CosineAnnealingLR(o, TOTAL, eta_min=0.1)),
    "step": (s.StepDecay(every=7, gamma=0.5), lambda o: oracle.StepLR(o, 7, 0.5)),
    "exponential": (s.Exponential(0.97), lambda o: oracle.ExponentialLR(o, 0.97)),
    "triangular": (s.Cyclic(6, 0.1), lambda o: oracle.CyclicLR(o, 0.1, 1.0, 6, cycle_momentum=False)),
    "triangular2": (
        s.Cyclic(6, 0.1, "triangular2"),
        lambda o: oracle.CyclicLR(o, 0.1, 1.0, 6, mode="triangular2", cycle_momentum=False),
    ),
    "exp_range": (
        s.Cyclic(6, 0.1, "exp_range", 0.98),
        lambda o: oracle.CyclicLR(o, 0.1, 1.0, 6, mode="exp_range", gamma=0.98, cycle_momentum=False),
    ),
    "one-cycle": (s.OneCycle(), lambda o: oracle.OneCycleLR(o, 1.0, TOTAL, cycle_momentum=False)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_closed_form_equals_torchs_scheduler(name):
    schedule, build = PAIRS[name]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = build(optimizer), []
    for _ in range(TOTAL):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < TOTAL:
            scheduler.step()
    assert [schedule(i, TOTAL) for i in range(TOTAL)] == pytest.approx(rates, abs=1e-9)


def test_stable_decay_is_flat_and_then_a_line():
    factors = [s.StableDecay(decay=0.4)(i, 10) for i in range(10)]
    assert factors == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("schedule", [*s.SCHEDULES, s.Cyclic(3), s.StepDecay(4), lambda step, total: 0.5])
def test_row_14_a_warm_up_stands_before_each_and_begins_above_zero(schedule):
    config = Config(schedule=schedule, warmup=4, lr=0.8)
    rates = [config.rate(i, 20) for i in range(20)]
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    factor = s.SCHEDULES.get(schedule, schedule) if isinstance(schedule, str) else schedule
    assert rates[4:] == pytest.approx([0.8 * factor(i, 16) for i in range(16)])
    assert all(rate >= 0 for rate in rates)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda: s.Cyclic(0), "half_cycle is 0"),
        (lambda: s.Cyclic(3, mode="square"), "'triangular2'"),
        (lambda: s.OneCycle(rising=1.0), "below 1"),
        (lambda: s.StableDecay(decay=0.0), "above 0"),
        (lambda: s.StepDecay(every=0), "at least 1 update"),
        (lambda: s.Exponential(1.5), "at most 1"),
        (lambda: Config(schedule="cosin"), "'one-cycle'"),
        (lambda: Config(schedule=3), "'one-cycle'"),
    ],
)
def test_wrong_values_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


@pytest.mark.parametrize("total", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("rising", [0.1, 0.3, 0.5, 0.9])
def test_one_cycle_serves_runs_of_few_updates(total, rising):
    factors = [s.OneCycle(rising=rising)(i, total) for i in range(total)]
    assert all(0 < f <= 1 for f in factors)


def test_row_15_a_cyclic_rate_leaves_the_betas_alone():
    from lmtune.optim.optimizers import adamw
    from lmtune.training.loop import fit
    from tests.tiny import ragged_examples, tiny_gpt2

    made = []

    def remembered(model, config):
        made.append(adamw(model, config))
        return made[0]

    seen = []
    for schedule in (s.Cyclic(3), s.OneCycle()):
        made.clear()
        fit(tiny_gpt2(), ragged_examples([5, 6]), steps=7, schedule=schedule, optimizer=remembered, betas=(0.8, 0.9))
        seen += [group["betas"] for group in made[0].param_groups]
    assert seen == [(0.8, 0.9)] * 4


def test_row_16_one_cycle_is_as_long_as_the_run_is_in_updates():
    from lmtune.training.loop import fit
    from tests.tiny import ragged_examples, tiny_gpt2

    history = fit(
        tiny_gpt2(), ragged_examples([4] * 10), epochs=3, batch_size=1, accumulate=4, schedule="one-cycle", lr=0.1
    )
    rates = [step.lr for step in history.steps]
    assert len(rates) == 9 and rates == pytest.approx([0.1 * s.OneCycle()(i, 9) for i in range(9)])
    assert rates[-1] < 1e-6 and max(rates) > 0.09


@pytest.mark.parametrize("patience, min_delta", [(0, 0.0), (2, 0.0), (1, 0.3), (3, 0.1)])
def test_row_17_plateau_agrees_with_torchs_after_each_evaluation(patience, min_delta):
    losses = [5, 4, 4.2, 4.1, 3.9, 3.95, 3.9, 3.8, 3.8, 3.8, 3.8, 3.7, 9, float("nan"), 3.0, 3.1, 3.2, 3.3]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = oracle.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, threshold=min_delta, threshold_mode="abs", eps=0.0
    )
    plateau = s.Plateau(factor=0.5, patience=patience, min_delta=min_delta)
    for i, loss in enumerate(losses):
        scheduler.step(loss)
        assert plateau.after(losses[: i + 1]) == optimizer.param_groups[0]["lr"]


def test_row_17_the_rate_comes_down_after_an_evaluation_and_only_then(monkeypatch):
    from lmtune.training import loop
    from lmtune.training.evaluation import Evaluation
    from tests.tiny import ragged_examples, tiny_gpt2

    losses = iter([5.0, 5.0, 4.0, 4.5, 4.6])
    monkeypatch.setattr(loop, "measure", lambda *_, **__: Evaluation(next(losses), 1, 1))
    history = loop.fit(
        tiny_gpt2(),
        ragged_examples([5, 6]),
        steps=12,
        evaluate_every=3,
        lr=0.8,
        warmup=2,
        schedule=s.Plateau(factor=0.5, patience=0),
        validation=ragged_examples([4], seed=1),
    )
    assert [step.lr for step in history.steps] == pytest.approx([0.4] + [0.8] * 2 + [0.4] * 6 + [0.2] * 3)


def test_a_plateau_needs_evaluations():
    with pytest.raises(ValueError, match="with a Plateau schedule"):
        Config(schedule=s.Plateau())
    for wrong in (dict(factor=1.0), dict(patience=-1), dict(min_delta=-0.1)):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            s.Plateau(**wrong)
