"""The penalty towards the start: its formula, its count, and what has no start."""

import pytest
import torch
from torch import nn

from lmtune.data.batches import collate
from lmtune.training.loop import fit
from lmtune.training.losses import anchored, next_token_loss, penalized, without_additions
from tests.tiny import largest_difference, ragged_examples, sgd_step, tiny_gpt2


def moved():
    model = tiny_gpt2()
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            p.add_(0.01 * (i + 1))
    return model


def test_it_is_half_the_strength_times_the_squared_way_for_each_label():
    start, batch = tiny_gpt2(), collate(ragged_examples([6, 4]))
    loss, model = anchored(next_token_loss, start, 0.3), moved()
    way = sum((p - q).pow(2).sum() for p, q in zip(model.parameters(), start.parameters()))
    total, count = loss(model, batch)
    plain, same = next_token_loss(model, batch)
    assert count == same
    assert torch.allclose(total, plain + count * (0.15 * way), rtol=1e-12)
    assert torch.equal(loss(start, batch)[0], next_token_loss(start, batch)[0])  # at the start it costs nothing


def test_the_start_is_kept_when_the_model_moves():
    model, batch = tiny_gpt2(), collate(ragged_examples([6, 4]))
    loss = anchored(next_token_loss, model, 1.0)
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    assert loss(model, batch)[0] > next_token_loss(model, batch)[0]


def test_its_gradient_is_as_exact_as_the_model():
    model, batch = moved().double(), collate(ragged_examples([6, 4]))
    loss = anchored(next_token_loss, tiny_gpt2().double(), 0.1)
    start = [p.detach().clone() for p in tiny_gpt2().double().parameters()]
    grads = []
    for one in (loss, next_token_loss):
        model.zero_grad()
        total, count = one(model, batch)
        (total / count).backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    for a, b, p, s in zip(*grads, model.parameters(), start):
        assert (a - b - 0.1 * (p.detach() - s)).abs().max() < 1e-12


def test_it_does_not_depend_on_the_cut_into_micro_batches_and_composes():
    examples = ragged_examples([2, 9, 3, 12, 4, 7, 2, 5])
    made = [
        sgd_step(
            moved(),
            examples,
            steps=1,
            batch_size=8 // k,
            accumulate=k,
            loss=anchored(penalized(next_token_loss, l2=1e-2), tiny_gpt2(), 0.5),
        )
        for k in (1, 8)
    ]
    assert largest_difference(*made) < 1e-12


def test_training_stays_nearer_and_validation_is_without_it():
    examples = ragged_examples([9, 12, 7, 5])

    def way(strength):
        model, start = tiny_gpt2(), tiny_gpt2()
        loss = anchored(next_token_loss, model, strength)
        fit(model, examples, steps=10, batch_size=4, lr=0.01, loss=loss, progress=False)
        return largest_difference(model.state_dict(), start.state_dict())

    assert way(10.0) < 0.7 * way(0.0)
    assert without_additions(anchored(next_token_loss, tiny_gpt2(), 1.0)) is next_token_loss


def test_frozen_and_new_parameters_go_free():
    model, batch = tiny_gpt2(), collate(ragged_examples([6, 4]))
    for p in model.parameters():
        p.requires_grad = False
    with pytest.raises(ValueError, match="has a start"):
        anchored(next_token_loss, model, 1.0)(tiny_gpt2(), batch)
    with pytest.raises(ValueError, match="has a start"):
        anchored(lambda model, batch: (model.weight.sum(), torch.tensor(1)), tiny_gpt2(), 1.0)(nn.Linear(1, 1), batch)


@pytest.mark.parametrize("strength", [-1, float("inf"), float("nan")])
def test_a_wrong_strength_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        anchored(next_token_loss, tiny_gpt2(), strength)
