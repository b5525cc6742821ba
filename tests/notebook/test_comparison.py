"""Comparisons: what they find, what they show, and what they refuse."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from scipy import stats

import lmtune
from lmtune import plots
from lmtune.notebook.claims import claim
from lmtune.notebook.comparison import Arm, compare

BASE = [3.00, 3.10, 2.95, 3.05, 2.90]
ARMS = {
    "plain": BASE,
    "worse": [v + d for v, d in zip(BASE, [0.50, 0.51, 0.49, 0.52, 0.48])],
    "much the same": [v + d for v, d in zip(BASE, [0.02, -0.03, 0.01, -0.01, 0.00])],
    "better": [v + d for v, d in zip(BASE, [-0.10, -0.11, -0.09, -0.10, -0.12])],
}


@pytest.fixture
def shown(monkeypatch):
    """What is published: (html, text) for each."""
    found = []
    monkeypatch.setattr(plots, "publish", lambda page, text: found.append((page, text)))
    return found


def test_the_rows_say_what_was_found():
    found = compare(ARMS, baseline="plain")
    assert found.baseline == "plain" and found.baseline_mean == pytest.approx(3.0)
    assert [row.name for row in found.rows] == ["worse", "much the same", "better"]
    assert [row.verdict for row in found.rows] == ["higher", "not resolved", "lower"]
    for row in found.rows:
        theirs = stats.ttest_rel(ARMS[row.name], BASE).confidence_interval(1 - 0.05 / 3)
        assert (row.low, row.high) == pytest.approx((theirs.low, theirs.high))
        assert row.mean == pytest.approx(np.mean(ARMS[row.name]))
        assert row.difference == pytest.approx(row.mean - 3.0) and found[row.name] is row
    with pytest.raises(KeyError, match="no row 'plain'; there are: worse"):
        found["plain"]


def test_the_text_is_an_aligned_table(capsys):
    compare(ARMS, baseline="plain", over="5 orders of the training data")
    assert capsys.readouterr().out == (
        "mean, and difference from plain (mean 3.000), nats, over 5 orders of the training data; lower is better\n"
        "worse          3.500  +0.500 ± 0.028  higher\n"
        "much the same  2.998  -0.002 ± 0.034  not resolved\n"
        "better         2.896  -0.104 ± 0.020  lower\n"
        "95 % intervals for all 3 rows together (paired t, Bonferroni); words: Holm's test\n"
    )


def test_the_picture_says_the_same(shown):
    compare(ARMS, baseline="plain", unit="bits")
    figure = ET.fromstring(shown[0][0])
    labels = [element.get("aria-label") for element in figure.iter() if element.get("role") == "img"]
    assert labels[2] == (
        "better: 5 dots from \N{MINUS SIGN}0.120 to \N{MINUS SIGN}0.090 bits, "
        "interval from \N{MINUS SIGN}0.124 to \N{MINUS SIGN}0.084"
    )
    text = " ".join("".join(part.itertext()) for part in figure.iter("div") if part.get("class") == "figures")
    assert text == "+0.500 ± 0.028 higher \N{MINUS SIGN}0.002 ± 0.034 not resolved \N{MINUS SIGN}0.104 ± 0.020 lower"
    assert "Baseline: plain, mean 3.000 bits; lower is better. Dots: 5 seeds" in figure.find("figcaption").text
    assert len(list(figure.iter("{http://www.w3.org/2000/svg}circle"))) == 15


@pytest.mark.parametrize("better, bold", [("lower", "lower"), ("higher", "higher")])
def test_the_better_direction_is_marked(better, bold, shown):
    compare(ARMS, baseline="plain", better=better)
    words = [part for part in ET.fromstring(shown[0][0]).iter("span") if "good" in part.get("class")]
    assert [word.text for word in words] == [bold] and f"{better} is better" in shown[0][0]


def test_where_holm_resolves_more_than_the_intervals_the_reader_is_told(shown):
    # Four clear arms leave the fifth to be tested at 5 %: p is about 0.03, and five times that is no 0.05.
    nearly = [v + d for v, d in zip(BASE, [0.00, 0.02, 0.04, 0.03, 0.03])]
    arms = ARMS | {"a": ARMS["worse"], "b": ARMS["better"], "much the same": nearly}
    row = compare(arms, baseline="plain")["much the same"]
    assert row.resolved and row.low < 0 < row.high
    for said in shown[0]:
        assert "which resolves much the same too, though the interval holds zero" in said
    compare(ARMS, baseline="plain")
    assert "resolves much" not in shown[1][1]


def test_a_single_row_is_a_plain_paired_interval(shown):
    pair = {"plain": BASE, "better": ARMS["better"]}
    row = compare(pair, baseline="plain").rows[0]
    verdict = claim("better is better", better=pair["better"], worse=BASE)
    assert (row.difference, row.half_width) == pytest.approx((verdict.difference, verdict.half_width))
    assert shown[0][1].endswith("\n95 % interval (paired t)")


def test_unusual_arms(shown):
    arms = {f"arm {i} <b> with a long name, & so on, at strength {i}": [v + i for v in BASE] for i in range(12)}
    found = compare(arms | {"plain": BASE, "far": [v + 1e6 + i for i, v in enumerate(BASE)]}, baseline="plain")
    page, text = shown[0]
    ET.fromstring(page)  # well-formed, though the names are not
    assert len(found.rows) == 13 and len({line.index("±") for line in text.splitlines()[1:-1]}) == 1
    assert [row.verdict for row in found.rows[:2]] == ["not resolved", "higher"]


def test_rounding_alone_is_no_difference():
    found = compare({"plain": BASE, "same": [v * (1 + 2e-16) for v in BASE]}, baseline="plain")
    assert found.rows[0].verdict == "not resolved" and found.rows[0].high == 0


def test_a_row_that_is_far_surer_shows_its_half_width(capsys):
    sure = [v + d for v, d in zip(BASE, [0.010, 0.011, 0.009, 0.012, 0.008])]
    compare({"plain": BASE, "sure": sure, "far": [v + 50 + 3 * i for i, v in enumerate(BASE)]}, baseline="plain")
    assert "+0.010 ± 0.002  higher" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arms, settings, error, words",
    [
        ([BASE, BASE], {}, TypeError, "arms is a list; it must map each arm's name"),
        ({"plain": BASE}, {}, ValueError, "the only arm is the baseline 'plain'; give at least one more"),
        ({"a": BASE, "b": BASE}, {}, ValueError, "baseline is 'plain', which is no arm; the arms are: a, b"),
        ({}, {}, ValueError, "the arms are: none"),
        ({"plain": BASE, 3: BASE}, {}, TypeError, "an arm is named 3; give it a name"),
        ({"plain": BASE, "a": BASE[:4]}, {}, ValueError, "arm 'a' has 4 losses and baseline 'plain' has 5; .* missing"),
        ({"plain": [1.0], "a": [2.0]}, {}, ValueError, "at least 2 pairs and got 1; run more seeds"),
        ({"plain": BASE, "a": [*BASE[:4], float("nan")]}, {}, ValueError, r"arm 'a'\[4\] is nan; .*diverged"),
        ({"plain": [*BASE[:4], float("inf")], "a": BASE}, {}, ValueError, r"baseline 'plain'\[4\] is inf"),
        ({"plain": BASE, "a": 3.0}, {}, TypeError, "arm 'a' is '3.0'; it must be a list of numbers"),
        (ARMS, {"better": "less"}, ValueError, 'better is \'less\'; it must be "lower" or "higher"'),
        (ARMS, {"over": "3 seeds"}, ValueError, "over is '3 seeds'; it must say what the 5 pairs are"),
    ],
)
def test_what_cannot_be_compared(arms, settings, error, words, shown):
    with pytest.raises(error, match=words):
        compare(arms, baseline="plain", **settings)
    assert shown == []


def test_a_cell_that_ends_in_a_comparison_shows_it_once(shown):
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    assert formatter.format(compare(ARMS, baseline="plain")) == ({}, {}) and len(shown) == 1


def test_it_is_public_and_its_rows_are_frozen():
    assert lmtune.compare is compare
    with pytest.raises(AttributeError):
        Arm("a", 1.0, 0.1, 0.0, 0.2, False).mean = 2.0
