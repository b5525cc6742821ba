"""Schedules are closed forms; torch's own schedulers are their oracles."""
import pytest
import torch
from torch.optim import lr_scheduler as oracle

from lmtune import schedules as s
from lmtune.loop import Config

TOTAL = 50
PAIRS = {
    "constant": (s.Constant(), lambda o: oracle.ConstantLR(o, factor=1.0)),
    "linear": (s.Linear(floor=0.2), lambda o: oracle.LinearLR(o, 1.0, 0.2, total_iters=TOTAL)),
    "cosine": (s.Cosine(floor=0.1), lambda o: oracle.CosineAnnealingLR(o, TOTAL, eta_min=0.1)),
    "step": (s.StepDecay(every=7, gamma=0.5), lambda o: oracle.StepLR(o, 7, 0.5)),
    "exponential": (s.Exponential(0.97), lambda o: oracle.ExponentialLR(o, 0.97)),
    "triangular": (s.Cyclic(6, 0.1), lambda o: oracle.CyclicLR(o, 0.1, 1.0, 6, cycle_momentum=False)),
    "triangular2": (s.Cyclic(6, 0.1, "triangular2"),
                    lambda o: oracle.CyclicLR(o, 0.1, 1.0, 6, mode="triangular2", cycle_momentum=False)),
    "exp_range": (s.Cyclic(6, 0.1, "exp_range", 0.98),
                  lambda o: oracle.CyclicLR(o, 0.1, 1.0, 6, mode="exp_range", gamma=0.98,
                                            cycle_momentum=False)),
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


@pytest.mark.parametrize("wrong, words", [
    (lambda: s.Cyclic(0), "half_cycle is 0"), (lambda: s.Cyclic(3, mode="square"), "'triangular2'"),
    (lambda: s.OneCycle(rising=1.0), "below 1"), (lambda: s.StableDecay(decay=0.0), "above 0"),
    (lambda: s.StepDecay(every=0), "at least 1 update"), (lambda: s.Exponential(1.5), "at most 1"),
    (lambda: Config(schedule="cosin"), "'one-cycle'"), (lambda: Config(schedule=3), "'one-cycle'"),
])
def test_wrong_values_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


@pytest.mark.parametrize("total", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("rising", [0.1, 0.3, 0.5, 0.9])
def test_one_cycle_serves_runs_of_few_updates(total, rising):
    factors = [s.OneCycle(rising=rising)(i, total) for i in range(total)]
    assert all(0 < f <= 1 for f in factors)
