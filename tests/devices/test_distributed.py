"""Two gloo processes equal one."""

import os
import time

import psutil
import pytest
import torch
import torch.distributed as dist

from lmtune.data.kinds import IGNORED
from lmtune.training import checkpoint
from lmtune.training.evaluation import evaluate
from lmtune.training.loop import fit
from tests.tiny import largest_difference, ragged_examples, sgd, sgd_step, tiny_gpt2

EXAMPLES = ragged_examples([2, 9, 3, 12, 4, 7, 5])  # 7 rows: the last window has a lonely micro-batch
EXAMPLES[1]["labels"][2:6] = [IGNORED] * 4
HELD_OUT = ragged_examples([6, 3, 8, 2, 9], seed=1)
LIMIT = 60  # seconds until a test gives its processes up


def in_two_processes(tmp_path, work):
    """Run ``work(rank)`` in two gloo processes and return what each returned."""
    children = []
    for rank in range(2):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=rank, world_size=2)
                torch.save(work(rank), tmp_path / f"result-{rank}.pt")
                dist.destroy_process_group()
                code = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    ends = time.monotonic() + LIMIT
    while children and time.monotonic() < ends:
        for child in list(children):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                children.remove(child)
                assert status == 0, "a process failed; its traceback is above"
        time.sleep(0.01)
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert not children, f"the processes did not end within {LIMIT} s: one waits for the other"
    return [torch.load(tmp_path / f"result-{rank}.pt", weights_only=True) for rank in range(2)]


def trained(**settings):
    model = tiny_gpt2()
    settings = {"lr": 0.5, "optimizer": sgd, "clip": 0.3, "schedule": "linear", **settings}
    history = fit(model, EXAMPLES, validation=HELD_OUT, **settings)
    return {
        "weights": {n: p.detach() for n, p in model.named_parameters()},
        "losses": history.losses,
        "norms": [s.norm for s in history.steps],
        "validation": history.final.loss,
    }


def same(a, b, tolerance=1e-6):
    assert largest_difference(a["weights"], b["weights"]) < tolerance
    for name in ("losses", "norms"):
        assert a[name] == pytest.approx(b[name], abs=tolerance)
    assert a["validation"] == pytest.approx(b["validation"], abs=tolerance)


def test_row_05_two_processes_with_ragged_labels_equal_one(tmp_path):
    both = in_two_processes(tmp_path, lambda rank: trained(epochs=3, batch_size=1, accumulate=2))
    alone = trained(epochs=3, batch_size=1, accumulate=4)
    assert len(alone["losses"]) == 6
    same(both[0], both[1], tolerance=1e-15)
    same(both[0], alone, tolerance=1e-12)


def test_row_05_a_process_without_a_share_of_the_last_update_takes_part(tmp_path):
    both = in_two_processes(tmp_path, lambda rank: trained(epochs=2, batch_size=4, ema=0.5, optimizer=None, lr=0.01))
    alone = trained(epochs=2, batch_size=4, accumulate=2, ema=0.5, optimizer=None, lr=0.01)
    same(both[0], alone)


def test_row_27_five_rows_on_two_processes_are_counted_once(tmp_path):
    results = in_two_processes(tmp_path, lambda rank: tuple(evaluate(tiny_gpt2(), HELD_OUT, batch_size=1)))
    alone = evaluate(tiny_gpt2(), HELD_OUT, batch_size=1)
    for result in results:
        assert result[0] == pytest.approx(alone.loss, abs=1e-12) and tuple(result[1:]) == tuple(alone)[1:]


def test_row_27_there_is_one_all_reduce_for_each_update(tmp_path):
    def work(rank):
        original, calls = dist.all_reduce, []
        dist.all_reduce = lambda *a, **k: (calls.append(1), original(*a, **k))[1]
        counts = []
        for steps in (2, 5):
            calls.clear()
            fit(tiny_gpt2(), EXAMPLES, steps=steps, batch_size=1, accumulate=3)
            counts.append(len(calls))
        return counts[1] - counts[0]  # the rest is what the processes tell each other at the start

    assert in_two_processes(tmp_path, work) == [3, 3]


def test_row_05_a_parameter_that_nobody_uses_is_left_alone(tmp_path):
    def work(rank=None):
        model = tiny_gpt2()
        model.unused = torch.nn.Parameter(torch.ones(3, 3, dtype=torch.float64))
        fit(model, EXAMPLES, steps=3, batch_size=1, lr=0.1, weight_decay=0.5)
        return model.unused.detach()

    assert all(torch.equal(w, work()) for w in in_two_processes(tmp_path, work))


@pytest.mark.parametrize("what, words", [("data", "different training data"), ("settings", "different settings")])
def test_processes_that_were_given_different_things_are_told_so(tmp_path, what, words):
    def work(rank):
        examples = EXAMPLES[rank:] if what == "data" else EXAMPLES
        try:
            fit(tiny_gpt2(), examples, steps=2, batch_size=1, lr=1e-3 * (1 + rank * (what == "settings")))
        except ValueError as error:
            return str(error)

    assert all(words in message for message in in_two_processes(tmp_path, work))


def test_processes_that_start_from_other_weights_are_made_equal(tmp_path):
    def work(rank):
        model = tiny_gpt2()
        with torch.no_grad():
            for p in model.parameters():
                p += rank
        fit(model, EXAMPLES, steps=2, batch_size=2)
        return {n: p.detach() for n, p in model.named_parameters()}

    first, second = in_two_processes(tmp_path, work)
    model = tiny_gpt2()
    fit(model, EXAMPLES, steps=2, batch_size=2, accumulate=2)
    assert largest_difference(first, second) == 0.0
    assert largest_difference(first, {n: p.detach() for n, p in model.named_parameters()}) < 1e-6


def test_each_process_draws_dropout_of_its_own(tmp_path):
    twice = [EXAMPLES[3], EXAMPLES[3]]

    def work(rank):
        model = tiny_gpt2(resid_pdrop=0.5)
        seen = []
        model.transformer.h[0].register_forward_hook(
            lambda m, a, output: seen.append((output[0] if isinstance(output, tuple) else output).detach())
        )
        fit(model, twice, steps=1, batch_size=1)
        return seen[-1]

    first, second = in_two_processes(tmp_path, work)
    assert not torch.allclose(first, second)


def test_one_process_writes_and_both_resume(tmp_path):
    folder = tmp_path / "run"
    settings = dict(steps=6, batch_size=1, folder=folder, save_every=2)

    def work(rank):
        from lmtune.training.loop import Config, run

        model = tiny_gpt2()
        for event in run(model, EXAMPLES, Config(steps=6, batch_size=1, save_every=2), folder=folder):
            if event.step == 4:
                break
        dist.barrier()
        model = tiny_gpt2()
        fit(model, EXAMPLES, resume=True, **settings)
        return {n: p.detach() for n, p in model.named_parameters()}

    first, second = in_two_processes(tmp_path, work)
    assert largest_difference(first, second) == 0.0
    assert [p.name for p in checkpoint.existing(folder)] == ["step-00000004", "step-00000006"]
    unbroken = sgd_step(
        tiny_gpt2(), EXAMPLES, steps=6, batch_size=1, accumulate=2, optimizer=None, lr=1e-3, schedule="linear", clip=1.0
    )
    start = {n: p.detach() for n, p in tiny_gpt2().named_parameters()}
    assert largest_difference({n: start[n] - w for n, w in first.items()}, unbroken) < 1e-6


def test_no_process_is_left_behind(tmp_path):
    before = set(psutil.Process().children())  # other tests may have left a helper of their own running
    in_two_processes(tmp_path, lambda rank: rank)
    assert set(psutil.Process().children()) <= before
