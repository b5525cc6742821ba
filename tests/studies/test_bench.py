"""The measurement of the loop's overhead runs, and refuses contestants that do other work."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

BENCH = Path(__file__).parents[2] / "bench"
#: Lightning is in bench/requirements.txt only.
ABSENT = [] if importlib.util.find_spec("lightning") else ["fabric", "lightning"]


@pytest.fixture
def bench(monkeypatch):
    """The modules ``(loop_overhead, contestants, timing)`` with models of a few hundred weights."""
    pytest.importorskip("accelerate")
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("HF_HUB_OFFLINE", "OMP_NUM_THREADS", "TQDM_DISABLE"):
        monkeypatch.setenv(name, "1")  # so that what the script sets does not outlive the test
    import contestants
    import loop_overhead
    import timing
    from transformers import logging

    tiny = timing.Shape(layers=1, width=8, heads=2, context=6, batch=2, vocabulary=50)
    monkeypatch.setattr(timing, "SHAPES", {"small": tiny, "medium": replace(tiny, batch=4)})
    verbosity = logging.get_verbosity()
    yield loop_overhead, contestants, timing
    logging.set_verbosity(verbosity)
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


def test_help_explains_the_command():
    run = subprocess.run([sys.executable, BENCH / "loop_overhead.py", "--help"], capture_output=True, text=True)
    assert run.returncode == 0
    assert all(word in run.stdout for word in ("--json", "--rounds", "--steps", "--without", "fabric"))


def test_the_results_have_a_median_and_a_minimum_for_each(bench, tmp_path, capsys):
    loop_overhead, *_ = bench
    without = ["--without", *ABSENT] if ABSENT else []
    loop_overhead.main(["--json", str(tmp_path / "r.json"), "--rounds", "2", "--steps", "3", *without])
    results = json.loads((tmp_path / "r.json").read_text("utf8"))
    about = results.pop("about")
    wanted = {"bare", "bare_again", "lmtune", "fabric", "accelerate", "hf", "lightning"} - set(ABSENT)
    assert set(results) == wanted
    for name, of in results.items():
        assert set(of) == {"small", "medium"}
        for model, seconds in of.items():
            each = about["each_round"][name][model]
            assert seconds == {"median": pytest.approx(sum(each) / 2), "min": min(each)} and min(each) > 0
    assert about["rounds"] == 2 and about["steps"] == {"small": 3, "medium": 3}
    assert (
        torch.__version__.startswith(about["versions"]["torch"].partition("+")[0])
        and about["processor"]
        and about["date"]
    )
    said = capsys.readouterr().out
    assert "reach the same losses" in said and all(name in said for name in wanted)


@pytest.mark.parametrize("setting, other", [("CLIP", 1e9), ("DECAY", 0.0), ("WARMUP", 1), ("LR", 9e-3)])
def test_a_contestant_with_another_setting_is_refused(bench, monkeypatch, setting, other):
    _, contestants, timing = bench

    def other_work(model, work):
        with monkeypatch.context() as patch:
            patch.setattr(contestants, setting, other)
            return contestants.train_bare(model, work)

    adamw = timing.lmtunes_adamw()
    timing.refuse_other_work("small", ["bare", "lmtune"], adamw)
    monkeypatch.setitem(timing.CONTESTANTS, "hf", other_work)
    with pytest.raises(SystemExit, match="hf does other work than bare"):
        timing.refuse_other_work("small", ["bare", "hf"], adamw)


def test_the_others_use_the_adamw_of_lmtune(bench, monkeypatch):
    _, contestants, timing = bench
    adamw = timing.lmtunes_adamw()
    model, work = timing.prepare(timing.SHAPES["small"], 3, adamw)
    optimizer, _ = contestants.optimizer_and_schedule(model, work)
    assert adamw["betas"] == (0.9, 0.95)
    assert {name: optimizer.defaults[name] for name in adamw} == adamw
    monkeypatch.setattr(timing, "train_lmtune", lambda model, work: torch.optim.SGD(model.parameters()).step())
    with pytest.raises(SystemExit, match="lmtune uses SGD"):
        timing.lmtunes_adamw()


def test_the_first_steps_are_left_out_and_an_extra_call_is_noticed(bench, monkeypatch):
    _, contestants, timing = bench
    start, work = timing.prepare(timing.SHAPES["small"], 6, {})
    now = iter([0.0, 100.0, 200.0, 201.0, 202.0, 203.0])  # the first two steps are slow
    with monkeypatch.context() as patch:
        patch.setattr(timing.time, "perf_counter", lambda: next(now))
        assert timing.seconds_per_step("bare", start, work) == 1.0
    monkeypatch.setitem(
        timing.CONTESTANTS,
        "hf",
        lambda model, work: [contestants.loss_of(model, contestants.collate(work.rows[:2])) for _ in range(7)],
    )
    with pytest.raises(SystemExit, match="hf called the model 7 times in 6 steps"):
        timing.seconds_per_step("hf", start, work)


def test_a_missing_library_is_named_with_the_remedy(bench, monkeypatch):
    loop_overhead, *_ = bench
    monkeypatch.setitem(loop_overhead.NEEDS, "lightning", "no_such_library")
    with pytest.raises(SystemExit) as refusal:
        loop_overhead.refuse_missing(["hf", "lightning"])
    said = str(refusal.value)
    assert "no_such_library" in said and "pip install -r bench/requirements.txt" in said
    assert said.endswith("--without lightning.")
    loop_overhead.refuse_missing(["hf"])


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--steps", "2"], "at least 1 round and 3 steps"),
        (["--rounds", "0"], "at least 1 round"),
        (["--json", "no/such/folder/r.json"], "there is no folder"),
        (["--without", "bare"], "invalid choice"),
    ],
)
def test_arguments_that_cannot_work_are_refused(bench, capsys, arguments, words):
    with pytest.raises(SystemExit):
        bench[0].main(arguments)
    assert words in capsys.readouterr().err


def test_the_script_for_gpus_says_that_it_needs_one_and_can_be_rehearsed():
    pytest.importorskip("accelerate")
    script = [sys.executable, BENCH / "gpu.py"]
    if not torch.cuda.is_available():
        run = subprocess.run(script, capture_output=True, text=True)
        assert run.returncode == 2 and "needs an NVIDIA GPU" in run.stderr and "Traceback" not in run.stderr
    run = subprocess.run([*script, "--rehearse"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    assert all(f"{name} " in run.stdout for name in ("bare", "lmtune", "trainer"))
