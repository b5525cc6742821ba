"""Claims: the interval against scipy, the verdict at its boundary, and what is refused."""

import importlib.metadata
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from scipy import stats

from lmtune import plots
from lmtune.notebook.claims import ClaimFailed, Verdict, claim, paired_interval

BETTER = [4.10, 4.22, 4.05, 4.31, 4.18]
WORSE = [5.30, 5.47, 5.33, 5.49, 5.40]


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_the_interval_is_the_one_of_scipy(level):
    ours = paired_interval(BETTER, WORSE, level)
    theirs = stats.ttest_rel(BETTER, WORSE).confidence_interval(level)
    assert ours.n == 5
    assert ours.difference == pytest.approx(np.mean(BETTER) - np.mean(WORSE))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    worse = rng.normal(size=(2000, 5))
    better = worse - 0.3 + rng.normal(size=(2000, 5))
    covered = [i.low < -0.3 < i.high for i in map(paired_interval, better, worse)]
    assert 0.93 < np.mean(covered) < 0.97


def test_a_true_comparison_prints_its_figure(capsys):
    verdict = claim("pretrained beats random weights", better=BETTER, worse=WORSE)
    interval = paired_interval(BETTER, WORSE)
    assert verdict == Verdict("pretrained beats random weights", True, *interval)
    assert capsys.readouterr().out == (
        "claim holds: pretrained beats random weights (difference -1.226 nats ± 0.049, 95 % paired t over 5 seeds)\n"
    )


def test_the_whole_interval_must_lie_below_the_margin():
    high = paired_interval(BETTER, WORSE).high
    assert claim("x", better=BETTER, worse=WORSE, margin=-high - 1e-6).holds
    with pytest.raises(ClaimFailed, match=r"^claim fails: x \(difference -1.226 .*asked"):
        claim("x", better=BETTER, worse=WORSE, margin=-high + 1e-6)


def test_better_and_worse_are_not_interchangeable():
    with pytest.raises(ClaimFailed, match="difference 1.226"):
        claim("x", better=WORSE, worse=BETTER)


def test_pairing_matters():
    # The seeds differ by far more than the two methods do; only pairs show the difference.
    worse = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert claim("x", better=[0.90, 1.91, 2.89, 3.90, 4.90], worse=worse).holds
    with pytest.raises(ClaimFailed):
        claim("x", better=[4.90, 0.90, 3.90, 1.91, 2.89], worse=worse)


def test_a_failed_claim_is_an_assertion_and_prints_nothing(capsys):
    assert issubclass(ClaimFailed, AssertionError)
    with pytest.raises(ClaimFailed, match="^claim fails: two is three$"):
        claim("two is three", 2 == 3)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", [bool, np.bool_, torch.tensor])
def test_truth_values(kind, capsys):
    assert claim("a fact", kind(True)) == Verdict("a fact", True)
    assert capsys.readouterr().out == "claim holds: a fact\n"
    with pytest.raises(ClaimFailed):
        claim("a fact", kind(False))


@pytest.mark.parametrize(
    "holds", [None, 1, 0.0, "yes", [True], np.array([True]), torch.tensor([True]), torch.tensor(2.5), torch.tensor(1)]
)
def test_what_is_no_truth_value(holds):
    with pytest.raises(TypeError, match="one truth value"):
        claim("x", holds)


@pytest.mark.parametrize(
    "arguments", [dict(holds=True, better=BETTER, worse=WORSE), dict(better=BETTER), dict(worse=WORSE)]
)
def test_one_form_at_a_time(arguments):
    with pytest.raises(TypeError, match="give one of the two forms"):
        claim("x", **arguments)


def test_a_forgotten_sentence():
    for text in (True, "", None):
        with pytest.raises(TypeError, match="starts with its sentence"):
            claim(text, True)


@pytest.mark.parametrize(
    "better, worse, words",
    [
        ([1.0], [2.0], "at least 2 pairs and got 1; run more seeds"),
        ([], [], "got 0"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "better has 2 losses and worse has 3"),
        ([1.0, float("nan")], [2.0, 3.0], r"better\[1\] is nan"),
        ([1.0, 2.0], [float("inf"), 3.0], r"worse\[0\] is inf"),
    ],
)
def test_losses_that_cannot_be_compared(better, worse, words):
    with pytest.raises(ValueError, match=words):
        claim("x", better=better, worse=worse)


@pytest.mark.parametrize("better", [4.1, "4.1", {0: 4.1, 1: 4.2}, ["a", "b"], torch.ones(2, 2)])
def test_what_is_no_list_of_losses(better):
    with pytest.raises(TypeError, match="better is .* one loss for each seed"):
        claim("x", better=better, worse=[5.0, 5.1])


def test_tensors_and_arrays_are_lists_of_losses():
    lists = paired_interval(BETTER, WORSE)
    assert paired_interval(np.array(BETTER), tuple(WORSE)) == lists
    ours = paired_interval(
        [torch.tensor(v, dtype=torch.float64) for v in BETTER], torch.tensor(WORSE, dtype=torch.float64)
    )
    assert ours == pytest.approx(lists)


@pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf")])
def test_margins_that_say_nothing(margin):
    with pytest.raises(ValueError, match="margin is"):
        claim("x", better=BETTER, worse=WORSE, margin=margin)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_levels_that_are_none(level):
    with pytest.raises(ValueError, match="level is"):
        paired_interval(BETTER, WORSE, level)


@pytest.mark.parametrize(
    "shift, unit, words",
    [
        (0.5, "nats", "difference -0.50000 nats ± 0.00000"),  # rounding noise is not printed as digits
        (1234.5, "ms", "difference -1234.5 ms ± 0.0,"),
        (0.5, "%", "-0.50000 % ±"),
    ],
)
def test_no_digits_that_are_noise(shift, unit, words, capsys):
    claim("x", better=BETTER, worse=[v + shift for v in BETTER], unit=unit)
    assert words in capsys.readouterr().out


def test_digits_follow_the_half_width(capsys):
    claim("x", better=[0.0, 3.0, -3.0], worse=[1000.0, 1001.0, 1001.0], unit="ms")
    assert "difference -1000.7 ms ± 7.6," in capsys.readouterr().out
    with pytest.raises(ClaimFailed, match="difference 0.0 nats ± 9.9,"):
        claim("x", better=[0.78, -0.78], worse=[0.0, 0.0])


@pytest.fixture
def installed(monkeypatch):
    versions = {"transformers": "5.23.0", "torch": "2.13.0+cpu"}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions


def test_on_the_version_it_was_seen_in_a_claim_counts(installed, capsys):
    seen = {"transformers": "5.23.0", "torch": ("2.12.0", "2.13.0")}
    claim("the fault is there", True, versions=seen)
    assert capsys.readouterr().out == "claim holds: the fault is there\n"
    with pytest.raises(ClaimFailed):
        claim("the fault is there", False, versions=seen)


def test_on_other_versions_it_reports(installed, capsys):
    installed["transformers"] = "5.24.0"
    verdict = claim("the fault is there", False, versions={"transformers": "5.23.0"})
    assert not verdict.holds
    assert capsys.readouterr().out == (
        "not the version this was seen in (transformers 5.23.0, here 5.24.0); "
        "it does not hold here: the fault is there\n"
    )
    claim("the fault is there", True, versions={"peft": "1.0"})
    assert "(peft 1.0, here not installed); it holds here too" in capsys.readouterr().out


def test_on_other_versions_a_wrong_call_is_still_an_error(installed):
    with pytest.raises(TypeError):
        claim("x", None, versions={"transformers": "1.0"})


@pytest.fixture
def shown(monkeypatch):
    """What is published: (html, text) for each."""
    found = []
    monkeypatch.setattr(plots, "publish", lambda page, text: found.append((page, text)))
    return found


def test_a_comparison_is_drawn(shown):
    claim("a < b & more", better=BETTER, worse=WORSE, margin=0.5)
    ((page, text),) = shown
    assert text == ("claim holds: a < b & more (difference -1.226 nats ± 0.049, 0.5 asked, 95 % paired t over 5 seeds)")
    figure = ET.fromstring(page)
    assert figure.find("p").text == "a < b & more"
    (picture,) = [element for element in figure.iter() if element.get("role") == "img"]
    minus = "\N{MINUS SIGN}"
    assert picture.get("aria-label") == (
        f"5 dots from {minus}1.280 to {minus}1.180 nats, mean {minus}1.226; "
        f"the 95 % interval from {minus}1.275 to {minus}1.177 lies below {minus}0.500"
    )
    assert figure.find("figcaption").text == (
        f"{minus}1.226 nats ± 0.049 over 5 seeds. A dot for each, paired; "
        "bar: 95 % interval (paired t); dashed: the 0.5 asked."
    )
    marks = [element.get("class") or element.tag.partition("}")[2] for element in picture.iter()]
    assert marks.count("circle") == 5 and {"zero", "mean", "bar", "asked"} <= set(marks)


def test_without_a_margin_none_is_marked(shown):
    claim("x", better=BETTER, worse=WORSE)
    assert "asked" not in shown[0][0] and "lies below zero" in shown[0][0]


def test_over_says_what_was_repeated(shown):
    claim("x", better=BETTER, worse=WORSE, over="5 orders of the training data")
    page, text = shown[0]
    assert text.endswith("± 0.049, 95 % paired t over 5 orders of the training data)")
    assert "± 0.049 over 5 orders of the training data. A dot for each" in page
    with pytest.raises(ValueError, match="over is '6 orders'"):
        claim("x", better=BETTER, worse=WORSE, over="6 orders")
    with pytest.raises(TypeError, match="a fact is not repeated"):
        claim("x", True, over="5 orders")


def test_a_fact_is_one_line(shown):
    claim("two < three", 2 < 3)
    ((page, text),) = shown
    assert text == "claim holds: two < three"
    assert "".join(ET.fromstring(page).itertext()) == "\N{CHECK MARK} checked: two < three"
    assert "<figure" not in page and "<style" not in page


def test_what_fails_is_not_drawn(shown, installed):
    with pytest.raises(ClaimFailed):
        claim("x", better=WORSE, worse=BETTER)
    claim("x", better=WORSE, worse=BETTER, versions={"transformers": "1.0"})
    assert shown == []


def test_a_cell_that_ends_in_a_claim_shows_it_once():
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    assert formatter.format(Verdict("x", True)) == ({}, {})
