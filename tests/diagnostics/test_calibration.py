"""Calibration error by hand, at its edges, and against what is no probability."""

import pytest
import torch

from lmtune.diagnostics.calibration import Bin, expected_calibration_error, reliability


def test_by_hand():
    probabilities = torch.tensor([[0.95, 0.05], [0.91, 0.09], [0.35, 0.65], [0.39, 0.61]])
    labels = torch.tensor([0, 1, 1, 1])
    made = reliability(probabilities, labels)
    assert [b.count for b in made] == [2, 2]
    assert made[1] == Bin(2, pytest.approx(0.93), 0.5) and made[0].accuracy == 1.0
    assert expected_calibration_error(probabilities, labels) == pytest.approx((2 * 0.37 + 2 * 0.43) / 4)


def test_bins_weigh_as_much_as_they_hold():
    probabilities = torch.tensor([[1.0, 0.0]] * 3 + [[0.55, 0.45]])
    labels = torch.tensor([0, 0, 0, 1])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.55 / 4)


def test_a_calibrated_model_has_almost_none_and_a_boastful_one_much():
    made = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 5, generator=made, dtype=torch.float64)
    p = logits.softmax(-1)
    labels = torch.multinomial(p, 1, generator=made)[:, 0]
    assert expected_calibration_error(p, labels) < 0.02
    assert expected_calibration_error((3 * logits).softmax(-1), labels) > 0.2


def test_a_confidence_of_one_and_one_bin():
    probabilities, labels = torch.eye(3), torch.tensor([0, 1, 0])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(1 / 3)
    assert len(reliability(probabilities, labels, bins=1)) == 1


@pytest.mark.parametrize(
    "probabilities, labels, words",
    [
        (torch.randn(4, 3) * 5, torch.zeros(4, dtype=torch.long), "softmax"),
        (torch.eye(3), torch.zeros(2, dtype=torch.long), "shape"),
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), "N at least 1"),
        (torch.eye(3), torch.tensor([0, 1, -100]), "whole numbers from 0 to 2"),
        (torch.eye(3), torch.tensor([0.0, 1, 2]), "whole numbers"),
    ],
)
def test_unfit_input_is_refused(probabilities, labels, words):
    with pytest.raises(ValueError, match=words):
        expected_calibration_error(probabilities, labels)


@pytest.mark.parametrize("bins", [0, -1, 1.5])
def test_a_wrong_number_of_bins_is_refused(bins):
    with pytest.raises(ValueError, match="bins"):
        reliability(torch.eye(3), torch.arange(3), bins)
