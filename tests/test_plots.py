"""Figures: alternative text by construction, legible, the same bytes each time."""

import base64
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import combinations

import pytest

from lmtune import plots

ALT = "Loss falls from 6 to 3 nats in 200 steps"


def drawn():
    fig, ax = plots.figure()
    for power in (1, 2):
        ax.plot(range(10), [i**power for i in range(10)], label=f"power {power}")
    ax.fill_between(range(10), 0, 1)
    ax.set(xlabel="step", ylabel="loss", title="A title")
    ax.legend()
    return fig


@pytest.fixture
def published(monkeypatch):
    outputs = []
    monkeypatch.setattr(plots, "publish", lambda *given: outputs.append(given))
    return outputs


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_show_is_one_figure_with_its_alternative_text(published):
    alt = ALT + ' <b> & "quotes"'
    plots.show(drawn(), alt, caption="a < b")
    [(page, text)] = published
    found = Tags(page)
    assert [t for t, _ in found.tags] == ["figure", "img", "figcaption"]
    assert found.tags[0][1]["class"] == "lmtune-figure"
    image = found.tags[1][1]
    assert image["alt"] == text == alt and found.text == ["a < b"]
    kind, data = image["src"].split(",")
    assert kind == "data:image/svg+xml;base64"
    root = ET.fromstring(base64.b64decode(data))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "max-width:100%" in image["style"]


def test_no_caption_no_element(published):
    plots.show(drawn(), ALT)
    assert "figcaption" not in published[0][0]


@pytest.mark.parametrize(
    "alt, error", [("", ValueError), ("a plot", ValueError), (" " * 30, ValueError), (None, TypeError)]
)
def test_a_figure_needs_its_alternative_text(alt, error, published):
    with pytest.raises(error, match="alt is"):
        plots.show(drawn(), alt)
    with pytest.raises(TypeError):
        plots.show(drawn())
    assert not published


def test_twenty_characters_are_enough():
    assert plots.required_alt("x" * 20) == "x" * 20
    with pytest.raises(ValueError, match="19 characters"):
        plots.required_alt("x" * 19)


def test_the_same_figure_gives_the_same_bytes_without_a_date():
    first, second = plots.svg(drawn()), plots.svg(drawn())
    assert first == second and first.startswith("<svg ")
    assert "dc:date" not in first and "Matplotlib v" not in first


def test_another_process_gives_the_same_bytes():
    code = (
        "import sys; sys.path[:0] = [{here!r}, {root!r}]\n"
        "import test_plots, hashlib\n"
        "print(hashlib.sha256(test_plots.plots.svg(test_plots.drawn()).encode()).hexdigest())"
    )
    here = __file__.rsplit("/", 1)[0]
    code = code.format(here=here, root=here.rsplit("/", 1)[0])
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1 and len(hashes.pop()) == 65


def test_text_stays_text():
    page = plots.svg(drawn())
    words = {"".join(e.itertext()).strip() for e in ET.fromstring(page).iter("{http://www.w3.org/2000/svg}text")}
    assert {"step", "loss", "A title", "power 1"} <= words
    assert "sans-serif" in page


def test_the_plate_is_white_and_two_spines_are_gone():
    fig, ax = plots.figure()
    assert [s for s, spine in ax.spines.items() if spine.get_visible()] == ["left", "bottom"]
    assert ax.xaxis.get_gridlines()[0].get_visible()
    assert fig.get_size_inches().tolist() == [7, 3.5]
    assert "fill: #ffffff" in plots.svg(fig)
    fig.set_facecolor("black")  # a dark theme of someone else's
    assert re.search(r'id="patch_1">\s*<path [^>]*fill: #ffffff', plots.svg(fig))


def test_text_of_nine_points_is_the_least():
    fig, ax = plots.figure()
    ax.set_title("tiny", fontsize=8.5)
    with pytest.raises(ValueError, match="'tiny' is 8.5 points"):
        plots.svg(fig)
    ax.set_title("tiny", fontsize=9)
    plots.svg(fig)
    wide, _ = plots.figure(width=14)  # shown at half its size
    with pytest.raises(ValueError, match="points high at the 7 inches"):
        plots.svg(wide)


def test_what_is_no_figure():
    fig, ax = plots.figure()
    with pytest.raises(TypeError, match="give fig, or ax.figure"):
        plots.svg(ax)
    with pytest.raises(ValueError, match="columns is 0"):
        plots.figure(columns=0)


def test_columns():
    fig, axes = plots.figure(columns=3)
    assert axes.shape == (3,) and len(fig.axes) == 3


def test_nothing_is_shown_twice(published):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    fig = drawn()
    assert plt.get_fignums() == before  # ours are unknown to pyplot
    other, ax = plt.subplots()
    ax.set_title("by pyplot")
    plots.show(other, ALT)
    assert plt.get_fignums() == before
    plots.show(fig, ALT)


def test_the_style_leaves_no_trace():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.svg(drawn())
    assert dict(matplotlib.rcParams) == before
    with plots.style():
        assert matplotlib.rcParams["svg.fonttype"] == "none"
    assert dict(matplotlib.rcParams) == before


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_colours_differ_in_grey_and_stand_out_on_white():
    def lightness(colour):  # CIE 1976, defined piecewise near black
        y = luminance(colour)
        return 116 * y ** (1 / 3) - 16 if y > 216 / 24389 else y * 24389 / 27

    for a, b in combinations(plots.COLOURS, 2):
        assert abs(lightness(a) - lightness(b)) > 9, (a, b)
    for colour in plots.COLOURS:
        assert 1.05 / (luminance(colour) + 0.05) >= 3, colour  # WCAG 1.4.11


def test_lines_differ_without_colour():
    fig, ax = plots.figure()
    lines = [ax.plot([0, 1])[0] for _ in plots.COLOURS]
    assert [line.get_color() for line in lines] == list(plots.COLOURS)
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == len(plots.COLOURS)
    assert len(plots.LINES) == len(plots.MARKERS) == len(plots.COLOURS)


def test_outside_ipython_the_text_is_printed(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    plots.publish("<p>page</p>", "the text")
    assert capsys.readouterr().out == "the text\n"
    plots.show(drawn(), ALT)
    assert capsys.readouterr().out == ALT + "\n"


def test_importing_does_not_import_matplotlib():
    code = (
        "import sys, lmtune.plots, lmtune.notebook.claims\n"
        "assert not {'matplotlib', 'IPython', 'scipy.stats'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
