"""The tabular benchmark: what is looked up is what was measured."""

import itertools
import math

import numpy as np
import pytest

import lmtune
from lmtune.chapters import recorded
from lmtune.hpo.benchmark import Table

RATES, WARMUPS, DECAYS, LOOKS = [1e-3, 1e-2, 1e-1], [0, 4], [0.01, 1.0], [2, 5]


def loss(lr, warmup, decay, look):
    return (math.log10(lr) + 2) ** 2 + warmup / 10 + decay / 100 + 1 / look


@pytest.fixture
def table():
    rows = [[*at, *(loss(*at, look) for look in LOOKS)] for at in itertools.product(RATES, WARMUPS, DECAYS)]
    np.random.default_rng(0).shuffle(rows)
    return Table.of({"design": {"looks": LOOKS}, "results": {"rows": rows}})


@pytest.mark.parametrize("lr, warmup, decay", list(itertools.product(RATES, WARMUPS, DECAYS)))
def test_where_it_was_measured_the_curve_is_what_was_measured(table, lr, warmup, decay):
    curve = table.curve({"lr": lr, "warmup": warmup, "weight_decay": decay})
    assert curve == pytest.approx([loss(lr, warmup, decay, look) for look in LOOKS])


def test_between_two_rates_it_is_straight_in_the_logarithm_and_else_the_nearest(table):
    middle = table.curve({"lr": 10**-2.5, "warmup": 1, "weight_decay": 0.09})
    ends = [table.curve({"lr": lr, "warmup": 0, "weight_decay": 0.01}) for lr in (1e-3, 1e-2)]
    assert middle == pytest.approx(np.mean(ends, axis=0))
    assert table.curve({"lr": 1e-2, "warmup": 3, "weight_decay": 0.11}) == pytest.approx(
        [loss(1e-2, 4, 1.0, look) for look in LOOKS]
    )


def test_the_objective_reports_each_look_and_can_be_pruned(table):
    told = []
    value = table.objective({"lr": 1e-2}, lambda *given: told.append(given))
    assert [step for step, _ in told] == LOOKS and told[-1][1] == value
    space = {"lr": RATES, "warmup": WARMUPS}
    result = lmtune.search(table.objective, space, sampler="grid", progress=False)
    assert result.settings == {"lr": 1e-2, "warmup": 0}


def test_what_was_not_measured_is_refused(table):
    for lr in (0.9e-3, 0.2):
        with pytest.raises(ValueError, match="lr is .*; allowed: from 0.001 to 0.1"):
            table.curve({"lr": lr})
    with pytest.raises(ValueError, match="record is '2 rows'; allowed: a row for each of the 4"):
        Table.of({"design": {"looks": [1]}, "results": {"rows": [[1, 0, 1, 3], [2, 0, 2, 3]]}})


def test_an_unknown_study_is_refused():
    with pytest.raises(ValueError, match="name is 'nothing'; allowed: one of"):
        recorded("nothing")
    assert recorded("hyperparameter_tuning/table")["results"]["rows"]
