"""The units of a loss, and what a history shows."""

import math

import pytest
import torch

from lmtune.training.evaluation import Evaluation, evaluate
from lmtune.training.loop import fit
from tests.tiny import ragged_examples, tiny_gpt2


def test_perplexity_and_bits_per_character_say_the_same_number():
    even = Evaluation(loss=math.log(8), labels=50, characters=150)
    assert even.perplexity == pytest.approx(8)
    assert even.bits_per_character == pytest.approx(3 * 50 / 150)


def test_nothing_to_evaluate_is_an_error_and_not_a_nan():
    masked = [{"input_ids": [1, 2], "labels": [-100, -100], "characters": 0}]
    for data in ([], masked):
        with pytest.raises(ValueError, match="no label to evaluate"):
            evaluate(tiny_gpt2(), data)


def test_evaluation_needs_no_gradient_and_leaves_none():
    model = tiny_gpt2()
    evaluate(model, ragged_examples([5]))
    assert all(p.grad is None for p in model.parameters())


def test_the_history_is_a_table_with_the_validation_loss_where_measured():
    examples = ragged_examples([5, 6, 7, 8])
    history = fit(
        tiny_gpt2(), examples, steps=4, batch_size=2, validation=ragged_examples([9, 4], seed=1), evaluate_every=2
    )
    table = history.table()
    assert list(table.index) == [1, 2, 3, 4]
    assert table["loss"].tolist() == history.losses
    assert table["validation_loss"].notna().tolist() == [False, True, False, True]
    assert table["validation_loss"].iloc[-1] == history.final.loss
    assert table["labels"].tolist() == [s.labels for s in history.steps]
    assert "4 updates" in repr(history) and "no updates" in repr(type(history)())


def test_the_plot_shows_both_losses():
    examples = ragged_examples([5, 6])
    history = fit(tiny_gpt2(), examples, steps=3, validation=ragged_examples([9, 4], seed=1))
    training, validation = history.plot().axes[0].lines
    assert list(training.get_ydata()) == history.losses
    assert list(validation.get_xdata()) == [0, 3]
    assert torch.isfinite(torch.tensor(validation.get_ydata())).all()


def test_the_rate_and_the_norm_can_be_plotted_too():
    history = fit(tiny_gpt2(), ragged_examples([5, 6]), steps=3)
    for what in ("lr", "norm"):
        (line,) = history.plot(what).axes[0].lines
        assert list(line.get_ydata()) == [getattr(s, what) for s in history.steps]
    with pytest.raises(ValueError, match="'norm'"):
        history.plot("rate")
