"""Stopping and going on: bit for bit the run that never stopped, whatever happened to the disk."""

import json
import os
import resource
import shutil
import signal
import subprocess
import warnings
from pathlib import Path

import pytest
import torch

from lmtune.optim.schedules import Plateau
from lmtune.training import checkpoint
from lmtune.training.checkpoint import CheckpointError
from lmtune.training.history import History
from lmtune.training.loop import Config, fit, run
from tests.tiny import ragged_examples, tiny_gpt2

EXAMPLES, HELD_OUT = ragged_examples([5, 9, 7, 4, 6, 8, 3]), ragged_examples([6, 8], seed=1)
#: Dropout, shuffling, a partial window, average, plateau and patience: all that a resume may lose.
SETTINGS = dict(
    steps=9,
    batch_size=2,
    accumulate=2,
    lr=0.02,
    warmup=2,
    ema=0.7,
    patience=4,
    evaluate_every=2,
    save_every=1,
    schedule=Plateau(factor=0.5, patience=0, min_delta=0.5),
    weight_decay=0.1,
    seed=5,
    loss_scale=2.0**23,
)


def model_with_dropout():
    return tiny_gpt2(resid_pdrop=0.2, embd_pdrop=0.2)


def begin(folder, stop_after=None, resume=False, precision="auto", **changes):
    """Run with a folder; stop as Ctrl-C would after so many updates.  Returns weights and history."""
    model, history = model_with_dropout(), History()
    if precision == "fp16":
        model.float()
    config = Config(**{**SETTINGS, **changes, "precision": precision})
    done = 0
    for _ in run(
        model,
        EXAMPLES,
        config,
        HELD_OUT,
        folder=folder,
        resume=resume,
        history=history,
        stop=lambda: len(history.steps) + 1 >= (stop_after or 99),
    ):
        done += 1
    return torch.cat([p.detach().flatten() for p in model.parameters()]), history


def without_times(history):
    return repr([s[:-1] for s in history.steps]), history.evaluations  # as text, a NaN equals itself


@pytest.mark.parametrize("precision", ["auto", "fp16"])
def test_row_21_stopped_at_each_update_and_resumed_the_weights_are_bitwise_equal(tmp_path, precision):
    weights, history = begin(None, precision=precision)
    assert not all(s.skipped for s in history.steps)
    assert any(s.skipped for s in history.steps) == (precision == "fp16")
    assert len({s.lr for s in history.steps}) > 3, "the plateau never came down, so its resume is not tested"
    for update in range(1, len(history.steps)):
        folder = tmp_path / f"{precision}-{update}"
        _, before = begin(folder, stop_after=update, precision=precision)
        assert before.interrupted and len(before.steps) == update
        torch.rand(update)  # what is drawn meanwhile must not matter
        again, resumed = begin(folder, resume=True, precision=precision)
        assert torch.equal(again, weights)
        assert without_times(resumed) == without_times(history)


def test_row_21_what_the_caller_draws_between_two_updates_changes_nothing():
    def weights(noise):
        model = model_with_dropout()
        for _ in run(model, EXAMPLES, Config(steps=4, batch_size=2)):
            torch.rand(noise)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(0), weights(17))


def test_row_21_a_finished_run_resumed_is_the_same_again(tmp_path):
    weights, history = begin(tmp_path)
    again, resumed = begin(tmp_path, resume=True)
    assert torch.equal(weights, again) and without_times(history) == without_times(resumed)


def test_row_25_tied_weights_are_saved_once_and_stay_tied(tmp_path):
    fit(model_with_dropout(), EXAMPLES, steps=2, folder=tmp_path)
    saved = checkpoint.read(checkpoint.existing(tmp_path)[-1])["state"]["weights"]
    assert set(saved) == {name for name, _ in model_with_dropout().named_parameters()}
    assert "transformer.wte.weight" in saved and "lm_head.weight" not in saved
    model = model_with_dropout()
    fit(model, EXAMPLES, steps=2, folder=tmp_path, resume=True)
    assert model.lm_head.weight is model.transformer.wte.weight
    assert torch.equal(model.lm_head.weight, saved["transformer.wte.weight"])


def in_a_child(work):
    """Run ``work`` in a copy of this process, and return what ended it: 0, or the signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fatal_from(monkeypatch, call):
    """Let the disk operation with this number, of those that a save consists of, kill the process."""
    calls = iter(range(1, 10_000))

    def counted(original):
        def operation(*arguments, **options):
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        return operation

    for module, name in ((os, "fsync"), (os, "rename"), (shutil, "rmtree"), (checkpoint, "sha256_of")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))


def test_row_21_killed_during_a_save_and_resumed_the_weights_are_bitwise_equal(tmp_path, monkeypatch):
    weights, _ = begin(None)
    for call in range(12, 36):  # a save is about ten operations: each stage of the second and third
        folder = tmp_path / str(call)
        with monkeypatch.context() as patch:
            fatal_from(patch, call)
            assert in_a_child(lambda: begin(folder)) == -signal.SIGKILL
        assert checkpoint.existing(folder), "the kill came before the first save"
        assert torch.equal(begin(folder, resume=True)[0], weights)
        assert not list(folder.glob(".step-*"))


def damaged(tmp_path, name, change):
    begin(tmp_path, stop_after=3)
    newest = checkpoint.existing(tmp_path)[-1]
    path = newest / name
    path.write_bytes(change(path.read_bytes()))
    return newest


@pytest.mark.parametrize("name", ["state.safetensors", "state.json", "SHA256SUMS"])
@pytest.mark.parametrize(
    "change",
    [lambda b: b[:-7], lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:], lambda b: b""],
    ids=["truncated", "one bit", "empty"],
)
def test_a_damaged_checkpoint_is_refused_by_name_and_the_last_good_one_offered(tmp_path, name, change):
    newest = damaged(tmp_path, name, change)
    with pytest.raises(CheckpointError) as refusal:
        begin(tmp_path, resume=True)
    message = str(refusal.value)
    assert f"{newest} is damaged" in message and f"{tmp_path / 'step-00000002'}: remove step-00000003" in message
    shutil.rmtree(newest)  # the remedy
    assert torch.equal(begin(tmp_path, resume=True)[0], begin(None)[0])


def test_a_missing_file_is_named(tmp_path):
    newest = damaged(tmp_path, "state.json", lambda b: b)
    (newest / "state.json").unlink()
    with pytest.raises(CheckpointError, match="state.json is missing"):
        begin(tmp_path, resume=True)


def test_a_full_disk_loses_neither_the_run_nor_the_last_checkpoint(tmp_path, monkeypatch):
    folder, said = tmp_path / "run", tmp_path / "said"
    write = checkpoint.write

    def limited(to, step, state):
        if step == 3:  # from now on no file may grow beyond 20 kB, as on a disk that is full
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        return write(to, step, state)

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _, history = begin(folder)
        said.write_text(f"{len(history.steps)}\n{caught[0].message}")

    monkeypatch.setattr(checkpoint, "write", limited)
    assert in_a_child(work) == 0
    monkeypatch.undo()
    updates, message = said.read_text().split("\n", 1)
    assert updates == "9"
    assert "step-00000003 could not be written" in message and "Free some disk space" in message
    assert [p.name for p in checkpoint.existing(folder)] == ["step-00000001", "step-00000002"]
    assert not list(folder.glob(".step-*"))
    assert torch.equal(begin(folder, resume=True)[0], begin(None)[0])


def test_an_early_stop_is_saved_and_resumed_as_it_ended(tmp_path):
    settings = dict(steps=50, batch_size=4, lr=1.0, evaluate_every=1, patience=2, folder=tmp_path, validation=HELD_OUT)
    first, second = tiny_gpt2(), tiny_gpt2()
    history = fit(first, EXAMPLES, **settings)
    assert 0 < len(history.steps) < 50
    assert checkpoint.existing(tmp_path)[-1].name == f"step-{len(history.steps):08d}"
    again = fit(second, EXAMPLES, resume=True, **settings)
    assert without_times(again) == without_times(history)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters()))


def test_files_that_are_no_checkpoints_stay(tmp_path):
    for name in ("step-0", ".step-notes", "step-7", ".step-7.part", "step-00000001x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes").write_text("mine")
    (tmp_path / ".step-file").write_text("mine")
    begin(tmp_path)
    begin(tmp_path, resume=True)
    assert len(list(tmp_path.glob("*/notes"))) == 5 and (tmp_path / ".step-file").exists()
    assert [p.name for p in checkpoint.existing(tmp_path)] == ["step-00000008", "step-00000009"]


def test_a_run_on_frozen_weights_saves_the_trained_ones_and_knows_the_others(tmp_path):
    def frozen(seed=0):
        torch.manual_seed(seed)
        model = tiny_gpt2() if seed == 0 else tiny_gpt2().apply(lambda m: None)
        for name, p in model.named_parameters():
            p.requires_grad_("mlp" in name)
            if seed and not p.requires_grad:
                p.data += 1.0
        return model

    fit(frozen(), EXAMPLES, steps=2, folder=tmp_path)
    saved = checkpoint.read(checkpoint.existing(tmp_path)[-1])["state"]["weights"]
    assert saved and all("mlp" in name for name in saved)
    with pytest.raises(ValueError, match="other frozen weights"):
        fit(frozen(1), EXAMPLES, steps=2, folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match="other trained parameters"):
        fit(tiny_gpt2(), EXAMPLES, steps=2, folder=tmp_path, resume=True)


def test_another_loss_or_precision_cannot_be_resumed(tmp_path, monkeypatch):
    from lmtune.training import plan
    from lmtune.training.losses import smoothed

    fit(tiny_gpt2(), EXAMPLES, steps=2, folder=tmp_path)
    with pytest.raises(ValueError, match="loss = 'next_token_loss'"):
        fit(tiny_gpt2(), EXAMPLES, steps=2, folder=tmp_path, resume=True, loss=smoothed(0.1))
    monkeypatch.setattr(plan, "resolve", lambda precision, device: "fp16")
    with pytest.raises(ValueError, match="precision = 'fp32'"):
        fit(tiny_gpt2(), EXAMPLES, steps=2, folder=tmp_path, resume=True)


def test_a_schedule_of_ones_own_is_known_again_in_another_process():
    import functools

    from lmtune.optim.schedules import Cosine
    from lmtune.training.config import name_of

    class Own:
        def __call__(self, step, total):
            return 1.0

    def half(step, total, floor=0.0):
        return 0.5

    names = [name_of(f) for f in (half, functools.partial(half, floor=0.1), Own(), Cosine(floor=0.2))]
    assert len(set(names)) == 4 and not any(" at 0x" in name for name in names)


def test_two_checkpoints_are_kept_and_sha256sum_agrees(tmp_path):
    begin(tmp_path)
    assert [p.name for p in checkpoint.existing(tmp_path)] == ["step-00000008", "step-00000009"]
    newest = checkpoint.existing(tmp_path)[-1]
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=newest, capture_output=True).returncode == 0


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path):
    begin(tmp_path, stop_after=2)
    with pytest.raises(FileExistsError, match="resume=True to go on with it, or another folder"):
        begin(tmp_path)
    assert checkpoint.existing(tmp_path)[-1].name == "step-00000002"


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(lr=0.5), "lr = 0.02 and this run has 0.5"),
        (dict(steps=20), "steps = 9"),
        (dict(schedule="cosine"), "schedule"),
        (dict(seed=6), "seed = 5"),
    ],
)
def test_another_run_cannot_be_resumed(tmp_path, changes, words):
    begin(tmp_path, stop_after=2)
    with pytest.raises(ValueError, match=words):
        begin(tmp_path, resume=True, **changes)


def test_other_data_or_another_model_cannot_be_resumed(tmp_path):
    fit(tiny_gpt2(), EXAMPLES, steps=2, folder=tmp_path)
    with pytest.raises(ValueError, match="other training data"):
        fit(tiny_gpt2(), EXAMPLES[:-1], steps=2, folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match="other trained parameters"):
        fit(tiny_gpt2(n_layer=1), EXAMPLES, steps=2, folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match="other trained parameters"):
        fit(tiny_gpt2(n_positions=40), EXAMPLES, steps=2, folder=tmp_path, resume=True)


def test_how_often_to_save_and_log_may_change(tmp_path):
    begin(tmp_path, stop_after=2)
    assert torch.equal(begin(tmp_path, resume=True, save_every=None, log_every=3)[0], begin(None)[0])


def test_a_folder_that_cannot_be_written_to_is_refused_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    model = tiny_gpt2()
    before = model.lm_head.weight.clone()
    for folder in (tmp_path / "file", tmp_path / "file" / "run", "/proc/run"):
        with pytest.raises(CheckpointError, match="cannot be written to"):
            fit(model, EXAMPLES, steps=1, folder=folder)
    assert torch.equal(model.lm_head.weight, before)


def test_resuming_without_a_folder_is_refused():
    with pytest.raises(ValueError, match="no folder is given"):
        fit(tiny_gpt2(), EXAMPLES, steps=1, resume=True)


def test_resuming_in_an_empty_folder_begins_a_run(tmp_path):
    assert torch.equal(begin(tmp_path / "new", resume=True)[0], begin(None)[0])


def test_a_checkpoint_keeps_tuples_keys_and_numbers(tmp_path):
    state = {"a": (1, [2.5, float("inf")]), 3: {"x": None, "y": True}, "t": torch.arange(3)}
    again = checkpoint.read(checkpoint.write(tmp_path, 7, state))
    assert torch.equal(again.pop("t"), state.pop("t")) and again == state
    with pytest.raises(TypeError, match="plain data"):
        checkpoint.write(tmp_path, 8, {"x": object()})
    assert json.loads((tmp_path / "step-00000007" / "state.json").read_text())
    assert os.listdir(tmp_path) == ["step-00000007"]


def test_row_49_another_number_of_processes_is_named_first():
    from lmtune.training.checkpoint import _refuse_other_run

    saved = {"settings": {"evaluate_every": 5, "processes": 2}}
    with pytest.raises(ValueError, match="processes = 2 and this run has 1"):
        _refuse_other_run(Path("step-1"), saved, {"settings": {"evaluate_every": 10, "processes": 1}})
