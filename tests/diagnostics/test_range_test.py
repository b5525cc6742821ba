"""The range test: it changes nothing, and its readings are what they say."""

import copy
import math

import pytest
import torch

import lmtune
from lmtune.diagnostics.range_test import RangeTest
from lmtune.training.loop import fit
from lmtune.training.losses import next_token_loss
from tests.tiny import ragged_examples, tiny_gpt2

EXAMPLES = ragged_examples([5, 7, 3, 9, 4, 6])


def test_row_24_it_changes_nothing():
    model = tiny_gpt2(resid_pdrop=0.2).train()
    model.register_buffer("seen", torch.arange(3.0))
    before, state = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    flags = [m.training for m in model.modules()]
    examples = copy.deepcopy(EXAMPLES)
    lmtune.range_test(model, examples, steps=12, batch_size=2)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state()) and examples == EXAMPLES
    assert [m.training for m in model.modules()] == flags
    assert all(p.grad is None for p in model.parameters())

    other = tiny_gpt2(resid_pdrop=0.2).train()
    fit(model, examples, steps=3)
    fit(other, examples, steps=3)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters()))


def test_the_rates_rise_evenly_in_their_logarithm():
    result = lmtune.range_test(tiny_gpt2(), EXAMPLES, low=1e-5, high=1e-2, steps=31)
    assert result.rates[0] == pytest.approx(1e-5) and result.rates[-1] == pytest.approx(1e-2)
    ratios = [b / a for a, b in zip(result.rates, result.rates[1:])]
    assert ratios == pytest.approx([10**0.1] * 30)


def test_it_stops_where_training_breaks_down():
    calls = iter(range(1000))

    def breaking(model, batch):
        total, count = next_token_loss(model, batch)
        return total * (math.nan if next(calls) == 7 else 1), count

    assert len(lmtune.range_test(tiny_gpt2(), EXAMPLES, steps=20, loss=breaking).losses) == 7
    assert len(lmtune.range_test(tiny_gpt2(), EXAMPLES, low=1e-4, high=1e4, steps=60).losses) < 60


def curve(losses):
    return RangeTest([10.0 ** (i - len(losses)) for i in range(len(losses))], losses, smoothing=0.0)


def test_the_three_readings_on_a_curve_known_beforehand():
    known = curve([5.0, 5.0, 4.9, 4.0, 3.5, 3.2, 3.1, 6.0, 9.0])
    assert known.steepest() == known.rates[3]
    assert known.minimum_over_ten() == pytest.approx(known.rates[6] / 10)
    assert known.valley() == known.rates[4]  # two thirds from update 0 to update 6


def test_smoothing_is_an_average_corrected_for_its_start():
    flat = RangeTest([1.0] * 5, [2.0] * 5, smoothing=0.9)
    assert flat.smoothed == pytest.approx([2.0] * 5)
    two = RangeTest([1.0, 2.0], [1.0, 3.0], smoothing=0.5)
    assert two.smoothed == pytest.approx([1.0, (0.25 * 1 + 0.5 * 3) / 0.75])


def test_the_plot_shows_the_curve_and_its_readings():
    axes = lmtune.range_test(tiny_gpt2(), EXAMPLES, low=1e-4, high=1e-1, steps=20).plot().axes[0]
    assert len(axes.lines) == 5 and axes.get_xscale() == "log"


@pytest.mark.parametrize("settings", [dict(low=0.0), dict(low=1.0, high=0.1), dict(steps=3), dict(high=math.inf)])
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ValueError, match="allowed"):
        lmtune.range_test(tiny_gpt2(), EXAMPLES, **settings)
