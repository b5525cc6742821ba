"""Early stopping, by scripted validation losses."""

import copy
import math

import pytest
import torch

from lmtune.training import loop
from lmtune.training.early_stopping import EarlyStopping
from lmtune.training.evaluation import Evaluation
from lmtune.training.history import Evaluated
from lmtune.training.loop import Config, fit, run
from tests.tiny import ragged_examples, tiny_gpt2

EXAMPLES = ragged_examples([5, 6, 7])
HELD_OUT = ragged_examples([5, 6], seed=1)


def script(monkeypatch, losses):
    """Let the evaluations of a run return these losses, and record the weights at each."""
    remaining, states = iter(losses), []

    def scripted(model, data, *_, **__):
        states.append(copy.deepcopy(model.state_dict()))
        return Evaluation(next(remaining), 1, 1)

    monkeypatch.setattr(loop, "measure", scripted)
    return states


def equal(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


def test_row_19_patience_counts_evaluations_since_the_last_improvement(monkeypatch):
    script(monkeypatch, [5, 4, 4.5, 3, 3.5, 3.6, 9])
    history = fit(tiny_gpt2(), EXAMPLES, steps=50, evaluate_every=1, patience=2, validation=HELD_OUT)
    assert len(history.evaluations) == 6 and len(history.steps) == 5


def test_row_19_two_runs_in_a_row_know_nothing_of_each_other(monkeypatch):
    model = tiny_gpt2()
    for losses in ([1, 2, 3], [9, 8, 7, 8, 9]):
        script(monkeypatch, losses)
        history = fit(model, EXAMPLES, steps=50, evaluate_every=1, patience=2, validation=HELD_OUT)
        assert len(history.evaluations) == len(losses)


def test_row_19_nan_is_never_the_best(monkeypatch):
    states = script(monkeypatch, [math.nan, 5, math.nan, math.nan, 1])
    model = tiny_gpt2()
    history = fit(model, EXAMPLES, steps=50, evaluate_every=1, patience=2, validation=HELD_OUT)
    assert len(history.evaluations) == 4 and equal(model.state_dict(), states[1])


def test_row_19_small_steps_down_count_once_they_add_up():
    memory, model = EarlyStopping(patience=3, min_delta=0.1), torch.nn.Linear(1, 1)
    steady = [(memory.note(i, 5 - 0.06 * i, model), memory.enough)[1] for i in range(30)]
    assert not any(steady)
    memory = EarlyStopping(patience=3, min_delta=0.1)
    slow = [(memory.note(i, 5 - 0.02 * i, model), memory.enough)[1] for i in range(30)]
    assert slow.index(True) == 3


def test_row_20_the_weights_given_back_are_those_of_the_best_evaluation(monkeypatch):
    for losses, steps in (([5, 4, 3, 3.5, 3.6], 50), ([5, 4, 3, 3.5], 3), ([5, 4, 3, 2], 3)):
        states = script(monkeypatch, losses)
        model = tiny_gpt2()
        history = fit(model, EXAMPLES, steps=steps, evaluate_every=1, patience=2, validation=HELD_OUT)
        assert equal(model.state_dict(), states[losses.index(min(losses))])
        assert history.best.result.loss == min(losses)


def test_without_patience_the_last_weights_stay(monkeypatch):
    states = script(monkeypatch, [1, 2, 3, 4])
    model = tiny_gpt2()
    events = list(run(model, EXAMPLES, Config(steps=3, evaluate_every=1), HELD_OUT))
    assert sum(isinstance(e, Evaluated) for e in events) == 4 and equal(model.state_dict(), states[-1])


@pytest.mark.parametrize(
    "settings, words",
    [
        (dict(patience=0, evaluate_every=1), "patience is 0"),
        (dict(patience=2), "with patience"),
        (dict(patience=2, evaluate_every=1, min_delta=-1.0), "min_delta"),
        (dict(patience=2, evaluate_every=1), "no validation data"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        fit(tiny_gpt2(), EXAMPLES, steps=2, **settings)
