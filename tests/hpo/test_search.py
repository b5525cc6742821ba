"""Hyperparameter search: what is drawn, what is survived, and one study for many processes."""

import gc
import logging
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import weakref
from functools import partial

import numpy as np
import optuna
import pytest
import torch

import lmtune
from lmtune import Float, Integer
from lmtune.hpo import search as search_module
from lmtune.training.history import Evaluated
from tests.tiny import ragged_examples, tiny_gpt2

search = partial(lmtune.search, progress=False)
LINE = {"x": Float(-5, 5)}


@pytest.fixture(autouse=True)
def quick_collection():
    """The search collects garbage after each trial: let it pass over what the imports made."""
    gc.freeze()
    yield
    gc.unfreeze()


def bowl(settings, report):
    return (settings["x"] - 1) ** 2


def drawn(result):
    return [t.params for t in result.trials if t.state.name != "FAIL"]


# -- what is drawn ------------------------------------------------------------


def test_the_best_settings_and_the_table():
    result = search(
        lambda s, _: (s["x"] - 1) ** 2 + s["n"] + (s["kind"] == "bad"),
        {"x": Float(-5, 5), "n": Integer(0, 3), "kind": ["bad", "good"]},
        30,
    )
    table = result.table()
    assert list(table) == ["x", "n", "kind", "state", "value", "step", "seconds", "error"]
    assert len(table) == 30 and set(table["state"]) == {"complete"} and (table["seconds"] >= 0).all()
    best = table.loc[table["value"].idxmin()]
    assert result.value == best["value"] == table["value"].min()
    assert result.settings == {"x": best["x"], "n": best["n"], "kind": best["kind"]}
    assert "30 complete" in repr(result) and "kind=" in repr(result)
    importances = optuna.importance.get_param_importances(result.study)
    assert set(importances) == {"x", "n", "kind"}


def test_what_is_drawn_lies_within_the_space():
    seen = []
    space = {"lr": Float(1e-4, 1e-1, log=True), "n": Integer(1, 4), "k": np.array([0.5, 1.5]), "none": [None, True]}
    search(lambda s, _: seen.append(s) or 0.0, space, 40, sampler="random")
    assert all(1e-4 <= s["lr"] <= 1e-1 and type(s["lr"]) is float for s in seen)
    assert {s["n"] for s in seen} == {1, 2, 3, 4} and {s["k"] for s in seen} == {0.5, 1.5}
    assert all(type(s["k"]) is float and list(s) == ["lr", "n", "k", "none"] for s in seen)
    assert {s["none"] for s in seen} == {None, True}
    assert 0.25 < sum(s["lr"] < 10**-2.5 for s in seen) / 40 < 0.75  # half below the geometric middle


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_same_seed_draws_the_same_settings_in_the_same_order(sampler):
    draw = partial(search, bowl, LINE, 13, sampler=sampler)
    first = drawn(draw(seed=3))
    assert drawn(draw(seed=3)) == first != drawn(draw(seed=4))
    assert len({p["x"] for p in first}) == 13


def test_tpe_learns_where_random_does_not():
    def late(sampler):  # how far from the best the settings are after the first ten trials
        runs = [drawn(search(bowl, LINE, 30, sampler=sampler, seed=seed))[10:] for seed in range(4)]
        return np.mean([abs(p["x"] - 1) for run in runs for p in run])

    assert late("tpe") < 0.75 * late("random")


def test_a_grid_is_walked_once_in_order():
    space = {"a": [1, 2, 3], "b": ["u", "v"]}
    seen = []
    for trials in (None, 50):
        seen.clear()
        result = search(lambda s, _: seen.append((s["a"], s["b"])) or s["a"], space, trials, sampler="grid")
        assert seen == [(1, "u"), (1, "v"), (2, "u"), (2, "v"), (3, "u"), (3, "v")]
    assert result.settings == {"a": 1, "b": "u"}


def test_one_setting_may_decide_which_others_there_are():
    def space(trial):
        if trial.suggest_categorical("optimizer", ["adamw", "sgd"]) == "sgd":
            return {"optimizer": "sgd", "momentum": 1 - trial.suggest_float("slack", 0.1, 0.5)}
        return {"optimizer": "adamw"}

    seen = []
    result = search(lambda s, _: seen.append(s) or s.get("momentum", 2.0), space, 12)
    assert {len(s) for s in seen} == {1, 2}
    assert result.settings in seen and result.settings["momentum"] == result.value
    assert result.table()["slack"].isna().sum() == sum(len(s) == 1 for s in seen)


def test_samplers_and_pruners_of_optuna_are_taken_as_they_are():
    sampler = optuna.samplers.RandomSampler(seed=1)
    result = search(bowl, LINE, 3, sampler=sampler, pruner=optuna.pruners.ThresholdPruner(upper=1))
    assert result.study.sampler is sampler and len({p["x"] for p in drawn(result)}) == 3


# -- pruning ------------------------------------------------------------------


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_hopeless_trials_end_early(pruner):
    steps = []

    def objective(settings, report):
        for step in range(1, 17):
            steps.append(step)
            report(step, settings["x"])
        return settings["x"]

    space = {"x": list(range(12))}
    full = search(objective, space, sampler="grid")
    assert len(steps) == 12 * 16 and set(full.table()["state"]) == {"complete"}
    steps.clear()
    table = search(objective, space, sampler="grid", pruner=pruner).table()
    assert len(steps) < 12 * 16 * 0.7
    pruned = table[table["state"] == "pruned"]
    assert len(pruned) >= 5 and 0 not in pruned["x"].values  # the best is never pruned
    assert (pruned["step"] < 16).all() and (pruned["value"] == pruned["x"]).all()


def test_a_run_reports_its_evaluations():
    examples, held_out = ragged_examples([5, 6]), ragged_examples([7, 8], seed=1)

    def objective(settings, report):
        config = lmtune.Config(steps=2, evaluate_every=1, **settings)
        for event in lmtune.run(tiny_gpt2(), examples, config, held_out):
            if isinstance(event, Evaluated):
                report(event.step, event.result.loss)
        return event.result.loss

    result = search(objective, {"lr": [1e-2, 1e-9]}, sampler="grid")
    assert all(list(t.intermediate_values) == [0, 1, 2] for t in result.trials)
    values = [t.intermediate_values[2] for t in result.trials]
    assert values[0] != values[1] and result.value == min(values)
    assert list(result.table()["step"]) == [2, 2]


# -- failures and memory ------------------------------------------------------


def test_failed_trials_are_recorded_and_survived():
    def objective(settings, report):
        if settings["x"] == 1:
            raise ZeroDivisionError("no such thing")
        return [5.0, None, math.nan, math.inf, -math.inf, 4.0, torch.tensor(3.0)][settings["x"]]

    result = search(objective, {"x": range(7)}, sampler="grid")
    table = result.table()
    assert list(table["state"]) == ["complete", *["failed"] * 4, "complete", "complete"]
    assert result.settings == {"x": 6} and result.value == 3.0 and type(result.value) is float
    assert list(table["error"][1:5]) == [
        "ZeroDivisionError: no such thing",
        "the value is nan",
        "the value is inf",
        "the value is -inf",
    ]
    assert "in objective" in result.trials[1].user_attrs["traceback"]


def test_without_any_value_the_first_failure_is_told():
    def objective(settings, report):
        raise ValueError(f"x was {settings['x']}")

    with pytest.raises(RuntimeError, match=r"3 failed, 0 were pruned.*ValueError: x was 7\."):
        search(objective, {"x": [7, 8, 9]}, sampler="grid")


def test_no_number_at_all_ends_the_search_at_once():
    for wrong in (None, "0.5", True, torch.ones(2), [1.0]):
        calls = []
        with pytest.raises(TypeError, match="return one number"):
            search(lambda *_: calls.append(1) or wrong, LINE, 5)
        assert len(calls) == 1


class Cycle(torch.nn.Linear):
    """Ten parameters in a reference cycle, which only the garbage collector can free."""

    def __init__(self):
        super().__init__(9, 1)
        self.cycle = [self]


def test_row_31_the_model_is_dead_after_each_trial():
    models, alive = [], []

    def objective(settings, report):
        alive.append(sum(model() is not None for model in models))
        model = Cycle() if settings["cycle"] else torch.nn.Linear(9, 1)
        models.append(weakref.ref(model))
        if settings["end"] == "raise":
            try:
                raise KeyError("first")
            except KeyError as error:
                raise RuntimeError("second") from error
        if settings["end"] == "prune":
            raise optuna.TrialPruned
        loss = model(torch.ones(9)).square().sum()
        return loss if settings["end"] == "tensor" else loss.item()

    gc.disable()  # so that nothing but the search collects
    try:
        result = search(
            objective, {"end": ["raise", "prune", "tensor", "float"], "cycle": [True, False]}, sampler="grid"
        )
        alive.append(sum(model() is not None for model in models))
    finally:
        gc.enable()
    assert alive == [0] * 9 and len(result.trials) == 8


def test_optuna_is_quiet_and_the_verbosity_is_put_back():
    told, handler = [], logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    before = optuna.logging.get_verbosity()
    logging.getLogger("optuna").addHandler(handler)
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        search(bowl, LINE, 2)
        with pytest.raises(TypeError):
            search(lambda *_: None, LINE, 2)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO and told == []
    finally:
        logging.getLogger("optuna").removeHandler(handler)
        optuna.logging.set_verbosity(before)


def test_the_bar_counts_trials_and_goes_away(monkeypatch):
    bars = []
    monkeypatch.setattr(
        search_module,
        "tqdm",
        lambda tqdm=search_module.tqdm, **settings: (
            bars.append((settings, tqdm(**{**settings, "file": open(os.devnull, "w")}))) or bars[-1][1]
        ),
    )
    lmtune.search(lambda s, _: 1 / s["x"], {"x": [0, 1]}, sampler="grid")
    [(settings, bar)] = bars
    assert settings["leave"] is False and bar.n == settings["total"] == 2
    assert bar.postfix == "best=1, failed=1"


# -- kept in a file -----------------------------------------------------------

CHILD = """
import os, sys, time
from pathlib import Path
from lmtune import search
from lmtune.hpo.space import Float, Plan

folder, role = Path(sys.argv[1]), sys.argv[2]

def hangs(settings, report):  # in the third trial, until it is killed
    (folder / "calls").open("a").write("x")
    if (folder / "calls").stat().st_size == 3:
        print("hanging", flush=True)
        time.sleep(60)
    return settings["x"]

def shared(settings, report):
    time.sleep(0.02)
    (folder / role).open("a").write(repr(settings) + "\\n")
    return settings["x"]

if role == "hangs":
    search(hangs, {"x": Float(0, 1)}, 6, sampler="random", storage=folder / "s.db", progress=False)
else:
    ask = Plan.ask  # slowly, so that two who ask at once would get in each other's way
    Plan.ask = lambda *given: time.sleep(0.03) or ask(*given)
    (folder / f"{role}-ready").touch()
    while len(list(folder.glob("*-ready"))) < 2:
        time.sleep(0.01)
    result = search(shared, {"x": Float(0, 1)}, 10, storage=folder / "s.db", progress=False)
    grid = search(shared, {"x": [1, 2, 3], "y": [4, 5, 6]}, sampler="grid", storage=folder / "s.db",
                  name="grid", progress=False)
    print(result.value, len(result.trials), len(grid.trials), flush=True)
"""


def child(folder, role):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), role],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def kill_in_the_third_trial(folder):
    with child(folder, "hangs") as process:
        assert process.stdout.readline() == "hanging\n"
        process.kill()


def test_killed_half_way_and_resumed_no_trial_is_lost(tmp_path):
    kill_in_the_third_trial(tmp_path)
    left = optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path / 's.db'}").trials
    assert [t.state.name for t in left] == ["COMPLETE", "COMPLETE", "RUNNING"]

    (tmp_path / f"s.db.{'0' * 32}.lock").touch()  # of a process that died between two trials
    (tmp_path / "s.db.other.lock").touch()  # of another storage
    go_on = partial(search, lambda s, _: s["x"], {"x": Float(0, 1)}, 6, sampler="random")
    result = go_on(storage=tmp_path / "s.db")
    assert [(t.params, t.value) for t in result.trials[:2]] == [(t.params, t.value) for t in left[:2]]
    assert list(result.table()["state"]) == ["complete"] * 2 + ["interrupted"] + ["complete"] * 4
    # The cut trial's settings first, then those that an unbroken search would have drawn.
    assert drawn(result) == drawn(go_on())
    assert drawn(result)[2] == left[2].params
    assert sorted(os.listdir(tmp_path)) == ["calls", "s.db", "s.db.lock", "s.db.other.lock"]

    calls = []
    again = search(lambda *_: calls.append(1), {"x": Float(0, 1)}, 6, storage=tmp_path / "s.db")
    assert not calls and again.value == result.value and len(again.trials) == 7


def test_cut_short_while_it_draws_it_draws_the_same_again(tmp_path, monkeypatch):
    go_on = partial(search, bowl, {"x": Float(0, 1), "y": Float(0, 1)}, 3, sampler="random")
    sample, calls = optuna.samplers.RandomSampler.sample_independent, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 4:  # the second setting of the second trial
            raise KeyboardInterrupt
        return sample(*given)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.samplers.RandomSampler, "sample_independent", interrupted)
        with pytest.raises(KeyboardInterrupt):
            go_on(storage=tmp_path / "s.db")
    result = go_on(storage=tmp_path / "s.db")
    assert list(result.table()["state"]) == ["complete", "interrupted", "complete", "complete"]
    assert drawn(result) == drawn(go_on())


def test_a_live_process_keeps_its_trial_and_a_dead_one_is_taken_over(tmp_path):
    calls = []
    with child(tmp_path, "hangs") as other:
        assert other.stdout.readline() == "hanging\n"
        timer = threading.Timer(1.0, other.kill)
        timer.start()
        result = search(
            lambda s, _: calls.append((s["x"], timer.finished.is_set())) or s["x"],
            {"x": Float(0, 1)},
            4,
            sampler="random",
            storage=tmp_path / "s.db",
        )
        timer.join()
    assert [killed for _, killed in calls] == [False, True]
    assert sorted(os.listdir(tmp_path)) == ["calls", "s.db", "s.db.lock"]
    assert list(result.table()["state"]) == ["complete", "complete", "interrupted", "complete", "complete"]
    assert calls[1][0] == result.trials[2].params["x"]


def test_two_processes_share_one_study(tmp_path):
    both = [child(tmp_path, role) for role in ("one", "two")]
    told = [process.communicate()[0].split() for process in both]
    lines = [(tmp_path / role).read_text().splitlines() for role in ("one", "two")]
    assert all(len(own) >= 3 for own in lines)  # both took part
    alone = [line for own in lines for line in own if "y" not in line]
    grid = [line for own in lines for line in own if "y" in line]
    assert len(alone) == len(set(alone)) == 10 and len(grid) == len(set(grid)) == 9
    assert told[0] == told[1] and told[0][1:] == ["10", "9"]
    trials = optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path / 's.db'}").trials
    assert [t.number for t in trials] == list(range(10)) and {t.state.name for t in trials} == {"COMPLETE"}


def test_an_interrupt_comes_through_and_its_settings_are_tried_again_at_most_three_times(tmp_path):
    seen = []

    def objective(settings, report):
        seen.append(settings["x"])
        if settings["x"] == 2:
            raise KeyboardInterrupt
        return settings["x"]

    go_on = partial(search, objective, {"x": [1, 2, 3]}, sampler="grid", storage=tmp_path / "s.db")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            go_on()
    table = go_on().table()
    assert seen == [1, 2, 2, 2, 3]
    assert list(table["state"]) == ["complete", "interrupted", "interrupted", "failed", "complete"]
    assert table["error"][3] == "cut short 3 times"


def test_row_41_an_interrupt_during_a_run_ends_the_search_and_not_the_run_alone(tmp_path):
    """fit takes note of the first Ctrl-C and returns; its trial is not complete all the same."""
    from lmtune.training.losses import next_token_loss

    pressed, updates = [], []

    def objective(settings, report):
        def loss(model, batch):
            updates.append(settings["x"])
            if settings["x"] == 2 and not pressed:
                pressed.append(os.kill(os.getpid(), signal.SIGINT))
            return next_token_loss(model, batch)

        lmtune.fit(tiny_gpt2(), ragged_examples([5, 6]), steps=2, batch_size=2, loss=loss, progress=False)
        return settings["x"]

    before = signal.getsignal(signal.SIGINT)
    go_on = partial(search, objective, {"x": [1, 2, 3]}, sampler="grid", storage=tmp_path / "s.db")
    with pytest.raises(KeyboardInterrupt):
        go_on()
    assert updates == [1, 1, 2] and signal.getsignal(signal.SIGINT) is before
    assert list(go_on().table()["state"]) == ["complete", "interrupted", "complete", "complete"]


def test_row_41_in_another_thread_a_search_leaves_the_signal_alone():
    found = []
    worker = threading.Thread(target=lambda: found.append(search(bowl, LINE, trials=2)))
    worker.start()
    worker.join()
    assert len(found[0].trials) == 2


def test_more_trials_and_another_name_in_the_same_file(tmp_path):
    go_on = partial(search, bowl, LINE, sampler="random", storage=str(tmp_path / "a b.db"))
    first = go_on(trials=2)
    assert drawn(go_on(trials=4)) == drawn(search(bowl, LINE, 4, sampler="random"))
    assert len(go_on(trials=2, name="other").trials) == len(first.trials) == 2


# -- bad input ----------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Float(2, 1), "low is 2.0; allowed: at most high, which is 1.0"),
        (lambda: Integer(2, 1), "low is 2; allowed: at most high, which is 1"),
        (lambda: Float(0, 1, log=True), "low is 0.0; allowed: with log=True"),
        (lambda: Integer(0, 1, log=True), "low is 0; allowed: with log=True"),
        (lambda: Float(math.nan, 1), "low is nan; allowed: a finite number"),
        (lambda: Float(0, math.inf), "high is inf"),
        (lambda: Float("0", 1), "low is '0'"),
        (lambda: Integer(0, 1.5), "high is 1.5; allowed: a whole number"),
        (lambda: Integer(True, 2), "low is True"),
        (lambda: search(bowl, {}), r"space is \{\}; allowed: a dict such as"),
        (lambda: search(bowl, {}, sampler="grid"), r"space is \{\}; allowed: a dict such as"),
        (lambda: search(bowl, [1, 2]), "allowed: a dict such as"),
        (lambda: search(bowl, {"x": []}, sampler="grid"), r"space\['x'\] is \[\]; allowed: a list with"),
        (lambda: search(bowl, {"x": 0.1}), r"space\['x'\] is 0.1; allowed: a Float"),
        (lambda: search(bowl, {"x": "abc"}), r"space\['x'\] is 'abc'; allowed: a Float"),
        (lambda: search(bowl, {"x": [(0.9, 0.95)]}), "name other things and look them up"),
        (lambda: search(bowl, {"x": [1, math.nan]}), r"space\['x'\] is \[1, nan\]"),
        (lambda: search(bowl, {"x": [1, 2, 1.0]}), "each choice once"),
        (lambda: search(bowl, {1: [1]}), "names that are text"),
        (lambda: search(bowl, {"value": [1]}), "columns of the table"),
        (lambda: search(bowl, LINE, sampler="grid"), "with sampler='grid', a dict of lists"),
        (lambda: search(bowl, lambda t: {}, sampler="grid"), "with sampler='grid', a dict of lists"),
        (lambda: search(bowl, {"x": [1, 2, 3]}, 2, sampler="grid"), "trials is 2; .*the 3 combinations"),
        (lambda: search(bowl, LINE, sampler="bayes"), "sampler is 'bayes'; allowed: 'grid', 'random', 'tpe'"),
        (lambda: search(bowl, LINE, sampler=None), "sampler is None"),
        (lambda: search(bowl, LINE, pruner="mean"), "pruner is 'mean'; allowed: 'median', 'halving', None"),
        (lambda: search(bowl, LINE, pruner=[]), r"pruner is \[\]"),
        (lambda: search(bowl, LINE, trials=0), "trials is 0; allowed: a whole number of at least 1"),
        (lambda: search(bowl, LINE, seed=-1), "seed is -1"),
        (lambda: search(3, LINE), "objective is 3; allowed: a function"),
        (lambda: search(bowl, LINE, name=""), "name is ''"),
        (lambda: search(bowl, LINE, storage=3), "storage is 3; allowed: the path of a file"),
        (lambda: search(bowl, LINE, storage="sqlite:///s.db"), "allowed: the path of a file"),
        (lambda: search(bowl, LINE, storage="no/such/folder/s.db"), "a folder that exists and can be written"),
        (lambda: search(bowl, LINE, storage="."), "a folder that exists and can be written"),
        (lambda: search(bowl, LINE, storage="a?b.db"), "a path without"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_space_that_fails_is_told():
    with pytest.raises(RuntimeError, match="return a dict of settings"):
        search(bowl, lambda trial: trial.suggest_float("x", 0, 1), 1)
    with pytest.raises(RuntimeError, match="The first failure was ValueError.*low=2"):
        search(bowl, lambda trial: {"x": trial.suggest_int("x", 2, 1)}, 1)
    with pytest.raises(RuntimeError, match="columns of the table"):
        search(bowl, lambda trial: {"x": trial.suggest_int("state", 1, 2)}, 1)


def test_a_file_that_is_no_study_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("These are notes. " * 200)
    with pytest.raises(ValueError, match="no study that Optuna can open .*give another path"):
        search(bowl, LINE, 1, storage=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "These are notes. " * 200
    database = sqlite3.connect(tmp_path / "songs.db")
    database.execute("create table songs (title text)")
    database.close()
    before = (tmp_path / "songs.db").read_bytes()
    with pytest.raises(ValueError, match="a file that Optuna made"):
        search(bowl, LINE, 1, storage=tmp_path / "songs.db")
    assert (tmp_path / "songs.db").read_bytes() == before


def test_a_study_of_another_space_or_maker_is_refused(tmp_path):
    path = tmp_path / "s.db"
    search(bowl, LINE, 1, storage=path)
    with pytest.raises(ValueError, match=r"space is \{x: Float\(.*high=6.0.*'search' in s.db has .*5.0"):
        search(bowl, {"x": Float(-5, 6)}, 1, storage=path)
    for name, direction in (("up", "maximize"), ("down", "minimize")):
        study = optuna.create_study(storage=f"sqlite:///{path}", study_name=name, direction=direction)
        if name == "down":
            study.ask()
        with pytest.raises(ValueError, match=f"name is '{name}'; .*lmtune.search did not make"):
            search(bowl, LINE, 2, storage=path, name=name)
    assert [t.state.name for t in study.trials] == ["RUNNING"]
