"""Dot plots: well-formed, everything inside, zero marked, ticks that can be read."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from lmtune.notebook import dot_plot
from lmtune.notebook.dot_plot import Row, axis_of, framed, scale, signed, strip

SVG = "{http://www.w3.org/2000/svg}"

RANGES = [
    [-1.31, -1.10],
    [0.0, 0.0],
    [0.25, 0.25],
    [1e-9, 3e-9],
    [-2e7, 5.0],
    [-0.04, 53.4],
    [-1e-3, 9.7],
    [0.0066, 0.0091],
    [-99.9, 100.1],
    [7.0, 1e12],
]


def elements(html, tag):
    """All elements of one tag of a piece of HTML that is XML too."""
    return list(ET.fromstring(html).iter(SVG + tag))


def percent(element, *names):
    """Places across, of attributes in percent."""
    for name in names:
        assert element.get(name).endswith("%")
    return [float(element.get(name)[:-1]) for name in names]


@pytest.mark.parametrize("values", RANGES)
def test_an_axis_holds_its_values_and_zero_and_has_ticks_to_read(values):
    axis = axis_of(values)
    assert all(0 <= axis.at(v) <= 100 for v in [*values, 0])
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7 and any(t == 0 for t in ticks)
    labels = [axis.label(t) for t in ticks]
    assert len(set(labels)) == len(ticks) and labels.count("0") == 1
    assert all(len(label) <= 8 for label in labels)
    for tick, label in zip(ticks, labels):
        assert float(label.replace("\N{MINUS SIGN}", "-")) == pytest.approx(tick, rel=1e-2, abs=1e-15)


def test_random_ranges_use_the_width():
    rng = np.random.default_rng(0)
    for low, size in zip(rng.normal(0, 5, 500), 10 ** rng.uniform(-6, 6, 500)):
        values = [low * size, low * size + size]
        axis = axis_of(values)
        assert 2 <= len(axis.ticks()) <= 7
        places = [axis.at(v) for v in [*values, 0.0]]
        assert 0 <= min(places) and max(places) <= 100 and max(places) - min(places) > 60


@pytest.mark.parametrize("values", RANGES)
def test_everything_lies_inside(values):
    low, high = values
    row = Row([low, high, (low + high) / 2], (low + high) / 2, low, high)
    page = strip(row, axis_of(values), "three dots", asked=0.0)
    dots = elements(page, "circle")
    assert len(dots) == 3
    assert all(3 - 16 <= float(dot.get("cy")) <= 16 - 3 for dot in dots), "a row is 32 px high, a dot 6"
    assert all(0 <= x <= 100 for dot in dots for x in percent(dot, "cx"))
    (bar,) = elements(page, "rect")
    x, width = percent(bar, "x", "width")
    assert 0 <= x and width >= 0 and x + width <= 100.1
    assert all(0 <= x <= 100 for line in elements(page, "line") for x in percent(line, "x1", "x2"))


def test_dots_bar_mean_zero_and_the_margin_stand_where_their_numbers_are():
    axis = dot_plot.Axis(-4.0, 1.0, 1.0)
    page = strip(Row([-3.0, -2.0], -2.5, -3.5, -1.5), axis, "two dots", asked=-0.5)
    assert [percent(dot, "cx") for dot in elements(page, "circle")] == [[20], [40]]
    assert percent(elements(page, "rect")[0], "x", "width") == [10, 40]
    lines = {line.get("class"): percent(line, "x1", "x2") for line in elements(page, "line")}
    assert lines["zero"] == [80, 80] and lines["mean"] == [30, 30] and lines["asked"] == [70, 70]
    assert ET.fromstring(page)[0].get("aria-label") == "two dots"
    assert 'class="asked"' not in strip(Row([-3.0], -3.0, -3.0, -3.0), axis, "one dot")


def test_equal_dots_do_not_hide_each_other():
    page = strip(Row([0.5] * 5, 0.5, 0.5, 0.5), axis_of([0.5]), "five equal dots")
    assert len({(dot.get("cx"), dot.get("cy")) for dot in elements(page, "circle")}) == 5


def test_a_scale_has_a_label_for_each_tick():
    axis = axis_of([-0.276, -0.2])
    texts = elements(f"<div>{scale(axis, 'difference, nats & co')}</div>", "text")
    assert [t.text for t in texts] == ["\N{MINUS SIGN}0.3", "\N{MINUS SIGN}0.2", "\N{MINUS SIGN}0.1", "0"]
    assert [percent(t, "x")[0] for t in texts] == [axis.at(t) for t in axis.ticks()]


def test_a_figure_is_well_formed_and_escapes_what_is_said():
    page = framed("<p>body</p>", 'a "caption" <b>', "x < y & z")
    figure = ET.fromstring(page)
    assert figure.get("class") == "lmtune-plot" and figure[1].text == "x < y & z"
    assert figure.find("figcaption").text == 'a "caption" <b>'
    assert len(framed("", "")) == len(framed("", "", "x")) - len('<p class="say">x</p>')


def test_a_picture_needs_nothing_but_itself():
    row = Row([0.1, 0.2], 0.15, 0.1, 0.2)
    page = framed(strip(row, axis_of([0.2]), "alt") + scale(axis_of([0.2]), "nats"), "caption", "sentence")
    assert not re.search(r"<script|\bid=|\bhref=|url\(|@import|\bon\w+=|http(?!://www\.w3\.org/2000/svg)", page)


def luminance(colour):
    """Relative luminance of "#rrggbb" (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("ground", ["#ffffff", "#f3f4f5", "#121212", "#29313d"])
def test_dots_are_seen_on_light_and_dark(ground):
    lighter, darker = sorted([luminance(dot_plot.BLUE), luminance(ground)], reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


@pytest.mark.parametrize(
    "value, places, text",
    [
        (0.5, 2, "+0.50"),
        (-0.5, 1, "\N{MINUS SIGN}0.5"),
        (-0.001, 2, "0.00"),
        (0.0, 1, "0.0"),
        (-12.4, 0, "\N{MINUS SIGN}12"),
    ],
)
def test_signs(value, places, text):
    assert signed(value, places) == text
