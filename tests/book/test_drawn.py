"""A stored picture is compared by its words and its figures, and survives another processor."""

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_output

from book.cells import drawn
from book.directives import collected
from lmtune import plots
from lmtune.notebook.claims import claim
from lmtune.notebook.comparison import compare

SAID = "a beats b by over 0.5 (difference -1.226 nats ± 0.049, 0.5 asked, 95 % paired t over 5 seeds)"
ROWS = """mean, and difference from plain (mean 3.000), nats, over 5 seeds; lower is better
dropout 0.05  3.500  +0.500 ± 0.028  higher
L2            2.998  -0.002 ± 0.034  not resolved
95 % intervals for all 2 rows together (paired t, Bonferroni); words: Holm's test"""


@pytest.fixture
def drawing(monkeypatch):
    """A function that calls another and gives what it displays, as a notebook stores it."""

    def draw(function, *given, **settings):
        found = []
        with monkeypatch.context() as patch:
            patch.setattr(plots, "publish", lambda page, text: found.append({"text/html": page, "text/plain": text}))
            function(*given, **settings)
        return [new_output("display_data", data=data) for data in found]

    return draw


@pytest.mark.parametrize(
    "text, one, other, same",
    [
        (SAID, "-1.226", "-1.227", True),
        (SAID, "-1.226", "-1.228", False),
        (SAID, "-1.226", "1.226", False),
        (SAID, "± 0.049", "± 0.050", True),
        (SAID, "± 0.049", "± 0.05", True),  # a half-width of 0.0995 may have a digit less
        (SAID, "± 0.049", "± 0.07", False),
        (SAID, "over 0.5", "over 0.6", False),
        (SAID, "0.5 asked", "0.4 asked", False),
        (SAID, "5 seeds", "6 seeds", False),
        (SAID, "nats", "bits", False),
        (ROWS, "3.500", "3.501", True),
        (ROWS, "3.500", "3.502", False),
        (ROWS, "+0.500", "+0.499", True),
        (ROWS, "+0.500", "+0.498", False),
        (ROWS, "-0.002 ±", "-0.001 ±", True),
        (ROWS, "(mean 3.000)", "(mean 2.999)", True),
        (ROWS, "(mean 3.000)", "(mean 2.990)", False),
        (ROWS, "dropout 0.05", "dropout 0.06", False),
        (ROWS, "not resolved", "lower", False),
    ],
)
def test_words_are_strict_and_figures_to_one_in_the_last_digit(text, one, other, same):
    assert drawn.alike(text, text) and text.count(one) == 1
    assert drawn.alike(text.replace(one, other), text) is drawn.alike(text, text.replace(one, other)) is same


def noisy(rng, values):
    return [v * (1 + 1e-4 * rng.normal()) for v in values]


def test_what_is_compared_survives_noise(drawing):
    """Losses of about three, whose ten-thousandth is a hundredth to a thirtieth of the half-widths here."""
    rng, same = np.random.default_rng(0), []
    for _ in range(200):
        base = rng.normal(3, 0.2, size=5)
        arms = {
            name: base + shift + rng.normal(0, 0.03, size=5) for name, shift in [("a", -0.3), ("b", 0.2), ("c", 0.4)]
        }
        arms["plain"] = base
        moved = {name: noisy(rng, values) for name, values in arms.items()}
        for call in (
            lambda of: drawing(claim, "a is better", better=of["a"], worse=of["plain"]),
            lambda of: drawing(compare, of, baseline="plain"),
        ):
            new, old = drawn.settled(call(moved), call(arms))
            same.append(new == old)
    assert np.mean(same) > 0.97


def test_a_real_change_is_seen(drawing):
    arms = {"plain": [3.0, 3.1, 2.9], "a": [2.5, 2.61, 2.39]}
    old = drawing(compare, arms, baseline="plain")
    for other in (
        drawing(compare, arms | {"a": [2.6, 2.71, 2.49]}, baseline="plain"),
        drawing(compare, arms, baseline="plain", unit="bits"),
        drawing(compare, arms, baseline="plain", better="higher"),
        drawing(claim, "it is better", better=arms["a"], worse=arms["plain"]),
    ):
        new, stored = drawn.settled(other, old)
        assert new != stored
    changed = drawing(compare, arms, baseline="plain")
    changed[0].data["text/html"] = changed[0].data["text/html"].replace("lower is better", "no matter")
    new, stored = drawn.settled(changed, old)
    assert new != stored and "<svg" not in stored[0].data["text/html"] and "<svg" in old[0].data["text/html"]


def test_other_outputs_are_left_alone(drawing):
    outputs = [
        new_output("stream", name="stdout", text=f"{SAID}\n"),
        new_output("display_data", data={"text/html": "<svg>1</svg>", "text/plain": SAID}),
        *drawing(claim, "one is one", True),
    ]
    assert drawn.settled(outputs, outputs) == (outputs, outputs)


def test_the_claims_page_finds_what_was_drawn(drawing, tmp_path, monkeypatch):
    outputs = [
        *drawing(claim, "one is one", True),
        *drawing(claim, "a beats b", better=[1.0, 2.0, 3.0], worse=[2.0, 3.0, 4.5]),
        *drawing(compare, {"plain": [1.0, 2.0], "a": [2.0, 3.5]}, baseline="plain"),
        new_output("stream", name="stdout", text="claim holds: printed\n"),
        new_output("display_data", data={"text/html": "<b>x</b>", "text/plain": "claim holds: by hand"}),
    ]
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("1", outputs=outputs)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "made.ipynb")
    monkeypatch.setattr(collected, "notebook_path", lambda chapter: tmp_path / "made.ipynb")
    (section,) = collected.sections("made up for this test")
    beats = "a beats b (difference -1.17 nats ± 0.72, 95 % paired t over 3 seeds)"
    assert section.claims == ["one is one", beats, "printed"]
    assert "mean, and difference from plain (mean" in section.printed and section.figures == []
