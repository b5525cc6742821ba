"""The moving average of the weights: torch's own is its oracle."""

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lmtune.optim.averaging import Average
from lmtune.training.evaluation import evaluate
from lmtune.training.loop import Config, fit, run
from tests.tiny import ragged_examples, tiny_gpt2

EXAMPLES, HELD_OUT = ragged_examples([5, 9, 7, 4]), ragged_examples([6, 8], seed=1)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_row_22_the_average_is_torchs():
    model = tiny_gpt2()
    oracle = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    for _ in run(model, EXAMPLES, Config(steps=6, batch_size=2, ema=0.8, lr=0.01)):
        oracle.update_parameters(model)
    assert torch.allclose(weights(model), weights(oracle.module), atol=1e-14)


def test_row_22_evaluation_sees_the_average_and_training_does_not():
    plain, averaged = tiny_gpt2(), tiny_gpt2()
    history = {}
    for model, ema in ((plain, None), (averaged, 0.9)):
        history[ema] = fit(
            model, EXAMPLES, steps=6, batch_size=2, lr=0.01, ema=ema, evaluate_every=2, validation=HELD_OUT
        )
    assert history[None].losses == history[0.9].losses
    assert history[None].evaluations[2] != history[0.9].evaluations[2]
    assert evaluate(averaged, HELD_OUT, batch_size=8).loss == history[0.9].final.loss


def test_row_22_swapping_in_saving_and_loading_is_a_round_trip():
    model = tiny_gpt2()
    average = Average(model, 0.5)
    for _ in range(3):
        with torch.no_grad():
            for p in model.parameters():
                p += 1.0
        average.update()
    own = weights(model)
    with average.swapped_in():
        swapped = weights(model)
        state = average.state_dict()
    assert torch.equal(weights(model), own) and not torch.equal(swapped, own)
    again = Average(model, 0.5)
    again.load_state_dict(state)
    assert again.updates == 3
    with again.swapped_in():
        assert torch.equal(weights(model), swapped)


def test_with_early_stopping_the_best_average_is_given_back():
    model = tiny_gpt2()
    history = fit(model, EXAMPLES, steps=40, lr=0.05, ema=0.5, patience=2, evaluate_every=1, validation=HELD_OUT)
    assert evaluate(model, HELD_OUT, batch_size=8).loss == history.best.result.loss


@pytest.mark.parametrize("ema", [-0.1, 1.0, float("nan"), "0.9"])
def test_a_wrong_decay_is_refused(ema):
    with pytest.raises(ValueError, match="ema is"):
        Config(ema=ema)
