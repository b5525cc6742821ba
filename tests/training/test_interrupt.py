"""Ctrl-C: the first saves, the second raises."""

import os
import signal
import threading

import pytest
import torch

from lmtune.training.loop import fit
from lmtune.training.losses import next_token_loss
from tests.tiny import ragged_examples, tiny_gpt2

EXAMPLES = ragged_examples([5, 9, 7, 4])


def pressing(*updates):
    """A loss during which Ctrl-C is pressed, once for each mention of its number."""
    calls = iter(range(10_000))

    def loss(model, batch):
        call = next(calls)
        for update in updates:
            if update == call:
                os.kill(os.getpid(), signal.SIGINT)
        return next_token_loss(model, batch)

    return loss


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_first_ends_the_run_after_the_update_and_saves(tmp_path):
    model = tiny_gpt2(resid_pdrop=0.1)
    history = fit(model, EXAMPLES, steps=6, batch_size=4, loss=pressing(2), folder=tmp_path)
    assert history.interrupted and len(history.steps) == 3
    unbroken, resumed = tiny_gpt2(resid_pdrop=0.1), tiny_gpt2(resid_pdrop=0.1)
    fit(unbroken, EXAMPLES, steps=6, batch_size=4)
    history = fit(resumed, EXAMPLES, steps=6, batch_size=4, loss=pressing(), folder=tmp_path, resume=True)
    assert torch.equal(weights(unbroken), weights(resumed))
    assert len(history.steps) == 6 and not history.interrupted


def test_the_second_raises_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_gpt2(), EXAMPLES, steps=6, batch_size=4, loss=pressing(2, 2), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_afterwards_ctrl_c_means_what_it_meant_before():
    before = signal.getsignal(signal.SIGINT)
    fit(tiny_gpt2(), EXAMPLES, steps=1)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(RuntimeError):
        fit(tiny_gpt2(), EXAMPLES, steps=1, loss=lambda model, batch: (_ for _ in ()).throw(RuntimeError()))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_in_another_thread_leaves_the_signal_alone():
    before, histories = signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: histories.append(fit(tiny_gpt2(), EXAMPLES, steps=2)))
    thread.start()
    thread.join()
    assert len(histories[0].steps) == 2 and signal.getsignal(signal.SIGINT) is before
